// One account: its code, its backups, what happened to it, and everything that can be done with it.

import { ROOT, download, get, patch, picture, post, remove } from "./api.js";
import { draw } from "./memory.js";
import { day, explained, group, moment, pretty, size, word } from "./words.js";

const at = (id) => document.getElementById(id);
const put = (node, text) => node.textContent === text || (node.textContent = text);
let number = null;
let status = null;
let counting = 0;
let link = null;

export const current = () => number;

const DO = {
  start: () => post(`accounts/${number}/start`, { linkWith: null }),
  link: () => post(`accounts/${number}/start`, { linkWith: "qr" }),
  pair: async () => showPairingCode(await post(`accounts/${number}/pairing-code`)),
  share: async () => shareLink(await post(`accounts/${number}/linking-links`, {})),
  restart: async () => {
    const of = number;
    await post(`accounts/${of}/stop`);
    await post(`accounts/${of}/start`, { linkWith: null });
  },
  stop: () => post(`accounts/${number}/stop`),
  backup: () => post(`accounts/${number}/backup`, {}),
  logout: () => post(`accounts/${number}/logout`, {}),
  clear: () => remove(`accounts/${number}`),
};

// `sure(title, text, yes)` asks; `failed(problem)` tells; `follow(number)` reads the account again.
export function set_up({ sure, failed, follow }) {
  for (const button of at("actions").children) {
    button.addEventListener("click", async () => {
      const what = button.dataset.do;
      if (button.getAttribute("aria-busy") === "true") return;
      if (what === "logout") {
        const text = `WhatsApp takes this device off the list of ${pretty(number)}. Its backups can never log in again. Linking it again needs the phone.`;
        if (!(await sure("Log out?", text, "Log out"))) return;
      }
      if (what === "clear") {
        const text = `${pretty(number)} is removed here, backed up before. The phone still lists this device: log out first to free its place. Linking it again needs the phone.`;
        if (!(await sure("Remove this account?", text, "Remove account"))) return;
      }
      button.setAttribute("aria-busy", "true");
      failed(null);
      const of = number;
      try {
        await DO[what]();
      } catch (problem) {
        failed(problem);
      } finally {
        button.removeAttribute("aria-busy");
        await follow(of);
        // A button that is not offered any more must not take the focus with it.
        if (button.hidden && document.activeElement === document.body)
          (at("actions").querySelector("button:not([hidden])") || at("account-title")).focus();
      }
    });
  }
  at("rename").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await patch(`accounts/${number}`, { label: at("label").value.trim() });
      await follow(number);
    } catch (problem) {
      failed(problem);
    }
  });
  at("shared-revoke").addEventListener("click", async () => {
    try {
      await remove(`accounts/${number}/linking-links/${link.id}`);
      at("shared").hidden = true;
      at("actions").querySelector("button:not([hidden])").focus();
    } catch (problem) {
      failed(problem);
    }
  });
  at("shared-link").addEventListener("focus", () => at("shared-link").select());
  restoring = async (backup, button) => {
    const text = `The present login is moved to quarantine. The backup of ${day.format(new Date(backup.createdAt))} replaces it.`;
    if (!(await sure("Restore this backup?", text, "Restore"))) return;
    button.setAttribute("aria-busy", "true");
    try {
      await post(`accounts/${number}/restore`, { backup: backup.name });
      await follow(number);
    } catch (problem) {
      failed(problem);
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
  downloading = (backup) => download(`accounts/${number}/backups/${backup.name}/download`, `${backup.name}.tar`).catch(failed);
}
let restoring = () => {};
let downloading = () => {};

export function open(of) {
  if (of === number) return;
  close();
  number = of;
  at("account-title").textContent = pretty(of);
  at("backups").replaceChildren();
  at("activity").replaceChildren();
  at("memory").hidden = true;
}

export function close() {
  number = status = null;
  at("shared").hidden = true;
  hideCode();
}

export async function show(told) {
  status = told;
  put(at("account-title"), told.label ? `${told.label} (${pretty(told.clientId)})` : pretty(told.clientId));
  put(at("account-state"), word(told));
  at("account-state").dataset.state = group(told);
  put(at("account-words"), explained(told));
  const about = [];
  if (told.owner !== "local") about.push(`of ${told.owner}`);
  if (told.sessionData.lastConnected) about.push(`last connected ${moment(told.sessionData.lastConnected)}`);
  if (told.memoryMb) about.push(`${told.memoryMb} MB of memory`);
  put(at("account-about"), about.join(", "));
  if (document.activeElement !== at("label")) at("label").value = told.label || "";
  const linked = told.sessionData.sessionValid;
  const offered = {
    start: !told.up && linked, link: !linked && !told.code, pair: !linked && told.code !== "pairing_code",
    share: !linked, restart: told.up && linked, stop: told.up, backup: linked,
    logout: linked, clear: !told.removing,
  };
  for (const button of at("actions").children) button.hidden = !offered[button.dataset.do];
  if (!told.code) hideCode();
  if (told.code === "qr") await showQr().catch(() => hideCode());
}

export async function refresh() {
  const of = number;
  if (!of) return;
  const [{ backups }, { events }, { samples }] = await Promise.all([
    get(`accounts/${of}/backups`), get(`accounts/${of}/events?limit=60`), get(`accounts/${of}/memory`),
  ]);
  if (of !== number) return;
  draw(at("memory"), samples, status?.memoryMb);
  fill("backups", backups, backupRow);
  fill("activity", events.reverse(), eventRow);
}

// What has not changed stays as it is, with the focus that may be on it.
function fill(list, values, made) {
  const same = JSON.stringify(values);
  const element = at(list);
  if (element.dataset.same === same && element.children.length === values.length) return;
  const focused = element.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  element.dataset.same = same;
  element.replaceChildren(...values.map(made));
  at(`${list}-empty`).hidden = values.length > 0;
  if (focused) (element.querySelector(`[aria-label="${CSS.escape(focused)}"]`) || at("account-title")).focus();
}

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", () => act(made));
  return made;
}

const REASON = {
  linked: "linked", restored: "came back", startup: "before a start", stop: "at a stop", interval: "regular",
  manual: "by hand", "before-restore": "before a restore", "before-clear": "before logging out",
};

function backupRow(one) {
  const row = document.createElement("li");
  const text = document.createElement("span");
  const made = day.format(new Date(one.createdAt));
  const marks = [REASON[one.reason] || one.reason, one.verified && "was connected", one.label].filter(Boolean);
  text.textContent = `${made}, ${size(one.size)}, ${marks.join(", ")}`;
  const buttons = document.createElement("span");
  buttons.append(
    button("Restore", `Restore the backup of ${made}, ${one.name}`, (made) => restoring(one, made)),
    button("Download", `Download the backup of ${made}, ${one.name}`, () => downloading(one)),
  );
  row.append(text, buttons);
  return row;
}

function eventRow(one) {
  const row = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = one.at;
  time.textContent = day.format(new Date(one.at));
  row.append(time, ` ${one.words}`);
  return row;
}

async function showQr() {
  const of = number;
  const { url, left } = await picture(`accounts/${of}/qr.png`);
  if (of !== number) return URL.revokeObjectURL(url);
  const image = at("qr").querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.src = url;
  image.alt = `QR code to link ${pretty(of)}: in WhatsApp choose Linked devices, Link a device, and scan it`;
  at("code").hidden = at("qr").hidden = false;
  at("pairing").hidden = true;
  count(left, (seconds) =>
    put(at("qr").querySelector("figcaption"), seconds ? `A new code comes in ${seconds} s.` : "A new code is on its way."));
}

export function showPairingCode({ code, expiresIn }) {
  at("code").hidden = at("pairing").hidden = false;
  at("qr").hidden = true;
  put(at("pairing-code"), code);
  count(expiresIn, (seconds) => put(at("pairing-left"), seconds ? `It is good for ${seconds} s.` : "It has expired. Ask for another."));
}

function count(left, say) {
  clearInterval(counting);
  const end = Date.now() + left * 1000;
  const tick = () => say(Math.max(0, Math.round((end - Date.now()) / 1000)));
  tick();
  counting = setInterval(tick, 1000);
}

function hideCode() {
  clearInterval(counting);
  const image = at("qr").querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  put(at("pairing-code"), "");
  at("code").hidden = at("qr").hidden = at("pairing").hidden = true;
}

function shareLink(made) {
  link = made;
  at("shared").hidden = false;
  at("shared-link").value = new URL(made.path, ROOT).href;
  at("shared-link").focus();
}

// "Next try in 6 s" counts down, and the words change in place.
setInterval(() => status?.retryAt && put(at("account-words"), explained(status)), 1000);
