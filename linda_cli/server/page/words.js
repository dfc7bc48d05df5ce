// What an account's status means, in words for people who use WhatsApp and not linda.

export const GROUPS = [
  ["problem", "Problems"],
  ["waiting", "Waiting for the phone"],
  ["connecting", "Connecting"],
  ["ready", "Connected"],
  ["stopped", "Stopped"],
  ["unlinked", "Not linked"],
];
const WORD = {
  problem: "Problem", waiting: "Waiting for phone", connecting: "Connecting", ready: "Connected",
  stopped: "Stopped", unlinked: "Not linked",
};
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const DAY = 86400000;

export function group(status) {
  if (status.isReady) return "ready";
  if (status.code) return "waiting";
  if (status.passkeyRequired) return "problem";
  const linked = status.sessionData.sessionValid;
  const stopped = status.problemName === "stopped" || !status.problem;
  if (status.up) return status.retryAt || (status.problem && !stopped) ? "problem" : "connecting";
  if (status.problem && !stopped) return "problem";
  if (status.sessionData.authState === "logged_out") return "problem";
  return linked ? "stopped" : "unlinked";
}

export const word = (status) => (status.removing ? "Being removed" : WORD[group(status)]);

// "23:59" for today, with the date before that.
export function moment(iso) {
  const at = new Date(iso);
  return Date.now() - at < DAY && at.getDate() === new Date().getDate() ? clock.format(at) : day.format(at);
}

function where({ problemName, problem }) {
  if (/by you/.test(problem || "")) return " by you";
  return problemName !== "logged_out" || /phone/.test(problem || "phone") ? " on the phone" : "";
}

export function explained(status) {
  if (status.removing) return "It is being logged out here and removed.";
  if (status.isReady) return status.isRestored ? "Connected, without a new code." : "Connected.";
  if (status.passkeyRequired) return "WhatsApp asks for a passkey, which only a browser with a window can give.";
  if (status.code === "qr") return "Scan the code with WhatsApp on the phone: Linked devices, Link a device.";
  if (status.code) return "Type the code into WhatsApp on the phone: Linked devices, Link with phone number.";
  const at = status.problemAt ? ` at ${moment(status.problemAt)}` : "";
  const name = status.problemName;
  if (name === "logged_out" || name === "LoggedOut" || (!status.problem && status.sessionData.authState === "logged_out"))
    return `Logged out${where(status)}${at}. Link again.`;
  if (name === "stopped") return /you/.test(status.problem || "") ? `Stopped by you${at}.` : `Stopped with the server${at}.`;
  if (name === "NotLinkedInTime") return "Nobody scanned the code in time. Link again.";
  if (status.problem) return `${sentence(status.problem)}${retry(status)}`;
  if (status.up) return "Connecting to WhatsApp.";
  return status.sessionData.sessionValid ? "Not started." : "Not linked yet.";
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function retry({ retryAt }) {
  if (!retryAt) return "";
  const seconds = Math.max(0, Math.round((new Date(retryAt) - Date.now()) / 1000));
  return seconds ? ` Next try in ${seconds} s.` : " Trying again.";
}

export const pretty = (number) => `+${number}`;
export const size = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
export { day };
