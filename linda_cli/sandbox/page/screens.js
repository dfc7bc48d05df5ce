// What a person, or a test, sees. Ids and test ids are those of docs/whatsapp-web.md.

import { digits, say } from "./words.js";

const app = document.getElementById("app");

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick" || name === "onsubmit") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const testid = (name, more = {}) => ({ "data-testid": name, ...more });
const show = (...children) => app.replaceChildren(...children);

export function loading() {
  show(
    element(
      "div",
      { id: "wa_web_initial_startup", ...testid("wa-web-loading-screen") },
      element("progress", testid("startup-progress")),
      element("p", {}, "WhatsApp"),
      element("p", {}, say("encrypted")),
    ),
  );
}

export function syncing(percent) {
  let bar = app.querySelector("progress[value]");
  if (!bar) {
    bar = element("progress", { max: 100, value: percent, "aria-label": say("syncing") });
    show(element("div", testid("wa-web-loading-screen"), bar, element("p", { class: "percent" })));
  }
  bar.value = percent;
  bar.setAttribute("value", percent);
  app.querySelector(".percent").textContent = `${say("syncing")} [${digits(percent)}%]`;
}

// The linking screen before its first code.
export function linking(byNumber) {
  show(
    element(
      "div",
      testid("link-device-screen"),
      element("h1", {}, say("scan")),
      element("div", { id: "code" }),
      element(
        "a",
        testid("link-device-qrcode-alt-linking-hint", {
          href: "#",
          role: "button",
          onclick: (event) => {
            event.preventDefault();
            byNumber();
          },
        }),
        say("byNumber"),
      ),
    ),
  );
}

export function code(text, modules) {
  const spot = app.querySelector("#code");
  if (!spot) return;
  const quiet = 4;
  const scale = 4;
  const size = (modules.length + 2 * quiet) * scale;
  const canvas = element("canvas", { width: size, height: size, role: "img", "aria-label": say("qrLabel") });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, size, size);
  pen.fillStyle = "#111b21";
  modules.forEach((row, y) =>
    [...row].forEach((dark, x) => {
      if (dark === "1") pen.fillRect((x + quiet) * scale, (y + quiet) * scale, scale, scale);
    }),
  );
  spot.replaceChildren(element("div", testid("link-device-qr-code", { "data-ref": text }), canvas));
}

// The expired code stays under the button, with its data-ref: only the socket state tells.
export function idle(again) {
  const ref = app.querySelector("[data-ref]");
  if (!ref) return;
  ref.append(element("button", { type: "button", onclick: again }, say("reloadCode")));
}

export function phoneNumber(number, submitted, back) {
  const input = element("input", testid("phone-number-input", { type: "tel", "aria-label": say("numberLabel"), value: number }));
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        submitted(input.value);
      },
    },
    element("h1", {}, say("enterNumber")),
    input,
    element("button", testid("link-device-phone-number-next", { type: "submit" }), say("next")),
    element("button", testid("link-device-phone-number-back", { type: "button", onclick: back }), say("byCode")),
    element("p", { class: "wrong" }),
  );
  show(element("div", testid("link-device-phone-number-screen"), form));
}

export function wrongNumber() {
  const spot = app.querySelector(".wrong");
  if (spot) spot.textContent = say("wrongNumber");
}

export function pairingCode(text) {
  const cells = [...text].map((letter) => element("span", {}, letter));
  cells.splice(4, 0, element("span", {}, "-"));
  show(
    element(
      "div",
      testid("link-device-phone-number-code-screen"),
      element("h1", {}, say("enterCode")),
      element("div", { "data-link-code": [...text].join(",") }, ...cells),
    ),
  );
}

export function passkey() {
  show(
    element(
      "div",
      testid("shortcake_passkey_screen"),
      element("div", testid("shortcake_passkey_prompt_card"), say("passkey")),
    ),
  );
}

const row = (message) => element("div", testid("cell-frame-container", { role: "row", "data-id": String(message.id) }), message.text);

export function pane(messages) {
  const list = element("div", testid("chat-list", { role: "grid", "aria-label": say("chatList") }), ...messages.map(row));
  show(element("div", { id: "side" }, element("header", {}, say("chats")), element("div", { id: "pane-side" }, list)));
}

export function addMessage(message) {
  const list = app.querySelector('[data-testid="chat-list"]');
  if (list && !list.querySelector(`[data-id="${message.id}"]`)) list.append(row(message));
}

let bar = null;

// Over the pane while the phone or the network is away; goes when it is back.
export function offline(is) {
  bar?.remove();
  bar = is ? element("div", { class: "bar" }, say("offline")) : null;
  if (bar) document.body.prepend(bar);
}

export function blank() {
  show();
}

// Logging out takes up to 20 seconds on the real page; the keys are gone from the first of them.
export function loggingOut() {
  show(element("div", { role: "status" }, element("progress"), element("p", {}, say("loggingOut"))));
}

export function blocked(kind) {
  show(element("div", { role: "alert" }, say(kind)));
}

// No buttons, nothing to press: it goes when the service is back.
export function unavailable() {
  show(element("div", { role: "dialog", "aria-modal": "true" }, say("unavailable")));
}

export function locked() {
  const input = element("input", { type: "password", "aria-label": say("locked") });
  show(element("div", { role: "form" }, element("p", {}, say("locked")), input, element("button", { type: "submit" }, say("unlock"))));
}

// A page that nobody has described: no id, no test id and no word that is known from anywhere.
export function unknown() {
  const cells = Array.from({ length: 3 }, (_, at) => element("x-cell", { class: `x${at}a1b2`, "data-testid": `novel-${at}7` }, "···"));
  show(element("section", { class: "x9f619 x78zum5" }, element("x-frame", { role: "presentation" }, ...cells)));
}
