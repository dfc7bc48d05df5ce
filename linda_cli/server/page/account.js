// One account as a card: what it shows follows its status, what its buttons do goes to the REST door.

import { get, picture } from "./rest.js";

const WORDS = { active: "not started", authenticating: "coming up", ready: "ready", disconnected: "disconnected" };
const template = document.getElementById("account");
const day = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

export class Card {
  // `act` is called with (what, card, button, detail) when a person asks for something, `failed` with what went wrong.
  constructor(number, act, failed) {
    this.number = number;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.part = (selector) => this.element.querySelector(selector);
    this.part("h3").textContent = `+${number}`;
    this.part("h3").id = `account-${number}`;
    this.element.setAttribute("aria-labelledby", `account-${number}`);
    this.badge = this.part(".badge");
    this.badge.setAttribute("role", "status");
    for (const button of this.element.querySelectorAll("[data-do]")) {
      button.setAttribute("aria-describedby", `account-${number}`);
      button.addEventListener("click", () => act(button.dataset.do, this, button));
    }
    this.part(".backups").addEventListener("toggle", () => this.showBackups().catch(failed));
    this.part(".story").addEventListener("toggle", () => this.showStory().catch(failed));
    this.act = act;
  }

  show(status) {
    this.status = status;
    const word = status.passkeyRequired ? "a passkey is needed" : status.code ? "waiting for your phone" : WORDS[status.status];
    if (this.badge.textContent !== word) this.badge.textContent = word;
    this.badge.dataset.state = status.status;
    this.part(".about").textContent = this.about(status);
    this.line(".problem", this.problem(status));
    const linked = status.sessionData.sessionValid;
    this.shown("start", !status.up && linked);
    this.shown("link", !linked && !status.code);
    this.shown("pair", !linked && status.code !== "pairing_code");
    this.shown("stop", status.up);
    this.shown("backup", linked);
    if (!status.code) this.hideCode();
  }

  about({ isReady, isRestored, source, sessionData, owner }) {
    const parts = [];
    if (owner !== "local") parts.push(owner);
    if (isReady) parts.push(isRestored ? `restored from the ${source}` : "newly linked");
    if (sessionData.lastConnected) parts.push(`last connected ${day.format(new Date(sessionData.lastConnected))}`);
    else if (!sessionData.sessionValid) parts.push("not linked yet");
    return parts.join(" · ");
  }

  problem({ problem, retryAt, isReady }) {
    if (!problem || isReady) return "";
    return retryAt ? `${problem} (next try ${day.format(new Date(retryAt))})` : problem;
  }

  shown(what, yes) {
    this.part(`[data-do=${what}]`).hidden = !yes;
  }

  line(selector, text) {
    this.part(selector).textContent = text;
    this.part(selector).hidden = !text;
  }

  async showQr() {
    const { url, left } = await picture(`accounts/${this.number}/qr.png`);
    const image = this.part(".qr img");
    if (image.src) URL.revokeObjectURL(image.src);
    image.src = url;
    image.alt = `QR code to link ${this.number}: in WhatsApp choose Linked devices, Link a device, and scan it`;
    this.part(".code").hidden = this.part(".qr").hidden = false;
    this.part(".pairing").hidden = true;
    this.count(left, (seconds) => {
      this.part(".qr figcaption").textContent = seconds
        ? `Scan it with WhatsApp, Linked devices. A new one in ${seconds} s.`
        : "A new code is on its way.";
    });
  }

  showPairingCode({ code, expiresIn }) {
    this.part(".code").hidden = this.part(".pairing").hidden = false;
    this.part(".qr").hidden = true;
    this.part(".pairing-code").textContent = code;
    this.count(expiresIn, (seconds) => {
      this.part(".pairing-left").textContent = seconds ? `It is good for ${seconds} s.` : "It has expired; ask for another.";
    });
  }

  count(left, say) {
    clearInterval(this.counting);
    const end = Date.now() + left * 1000;
    const tick = () => say(Math.max(0, Math.round((end - Date.now()) / 1000)));
    tick();
    this.counting = setInterval(tick, 1000);
  }

  hideCode() {
    clearInterval(this.counting);
    const image = this.part(".qr img");
    if (image.src) URL.revokeObjectURL(image.src);
    image.removeAttribute("src");
    this.part(".pairing-code").textContent = "";
    this.part(".code").hidden = this.part(".qr").hidden = this.part(".pairing").hidden = true;
  }

  // What is unfolded is kept fresh; what is not is not asked for.
  refresh() {
    return Promise.all([this.showBackups(), this.showStory()]);
  }

  async showBackups() {
    if (!this.part(".backups").open) return;
    const { backups } = await get(`accounts/${this.number}/backups`);
    this.fill(".backups", backups, (one) => this.backup(one));
  }

  backup(one) {
    const row = document.createElement("li");
    const text = document.createElement("span");
    const made = day.format(new Date(one.createdAt));
    const marks = [one.reason, one.verified && "verified", one.cold || "hot", one.label].filter((mark) => mark && mark !== true);
    text.textContent = `${made}, ${(one.size / 1e6).toFixed(1)} MB, ${marks.join(", ")}`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Restore";
    button.setAttribute("aria-label", `Restore the backup of ${made}`);
    button.addEventListener("click", () => this.act("restore", this, button, one));
    row.append(text, button);
    return row;
  }

  async showStory() {
    if (!this.part(".story").open) return;
    const { events } = await get(`accounts/${this.number}/events?limit=60`);
    this.fill(".story", events.reverse(), (one) => {
      const row = document.createElement("li");
      const moment = document.createElement("time");
      moment.dateTime = one.at;
      moment.textContent = day.format(new Date(one.at));
      row.append(moment, ` ${one.words}`);
      return row;
    });
  }

  // What has not changed stays as it is, with the focus that may be on it.
  fill(part, values, made) {
    const rows = this.part(`${part} .rows`);
    const same = JSON.stringify(values);
    if (rows.dataset.same === same) return;
    rows.dataset.same = same;
    rows.replaceChildren(...values.map(made));
    this.part(`${part} .empty`).hidden = values.length > 0;
  }
}
