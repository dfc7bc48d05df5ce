// What a person, or a test, sees. Ids and test ids are those of docs/whatsapp-web.md.

const app = document.getElementById("app");

function element(tag, attributes = {}, ...children) {
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
      element("p", {}, "End-to-end encrypted"),
    ),
  );
}

export function syncing(percent) {
  let bar = app.querySelector("progress[value]");
  if (!bar) {
    bar = element("progress", { max: 100, value: percent, "aria-label": "Loading your chats" });
    show(element("div", testid("wa-web-loading-screen"), bar, element("p", { class: "percent" })));
  }
  bar.value = percent;
  bar.setAttribute("value", percent);
  app.querySelector(".percent").textContent = `Loading your chats [${percent}%]`;
}

// The linking screen before its first code.
export function linking(byNumber) {
  show(
    element(
      "div",
      testid("link-device-screen"),
      element("h1", {}, "Scan to log in"),
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
        "Log in with phone number",
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
  const canvas = element("canvas", { width: size, height: size, role: "img", "aria-label": "Scan this QR code to link a device!" });
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
  ref.append(element("button", { type: "button", onclick: again }, "Click to reload QR code"));
}

export function phoneNumber(number, submitted, back) {
  const input = element("input", testid("phone-number-input", { type: "tel", "aria-label": "Type your phone number.", value: number }));
  const form = element(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        submitted(input.value);
      },
    },
    element("h1", {}, "Enter phone number"),
    input,
    element("button", testid("link-device-phone-number-next", { type: "submit" }), "Next"),
    element("button", testid("link-device-phone-number-back", { type: "button", onclick: back }), "Log in with QR code"),
    element("p", { class: "wrong" }),
  );
  show(element("div", testid("link-device-phone-number-screen"), form));
}

export function wrongNumber() {
  const spot = app.querySelector(".wrong");
  if (spot) spot.textContent = "The phone number you entered is not valid.";
}

export function pairingCode(text) {
  const cells = [...text].map((letter) => element("span", {}, letter));
  cells.splice(4, 0, element("span", {}, "-"));
  show(
    element(
      "div",
      testid("link-device-phone-number-code-screen"),
      element("h1", {}, "Enter code on phone"),
      element("div", { "data-link-code": [...text].join(",") }, ...cells),
    ),
  );
}

export function passkey() {
  show(
    element(
      "div",
      testid("shortcake_passkey_screen"),
      element("div", testid("shortcake_passkey_prompt_card"), "Use your passkey to link this device"),
    ),
  );
}

const row = (message) => element("div", testid("cell-frame-container", { role: "row", "data-id": String(message.id) }), message.text);

export function pane(messages) {
  const list = element("div", testid("chat-list", { role: "grid", "aria-label": "Chat list" }), ...messages.map(row));
  show(element("div", { id: "side" }, element("header", {}, "Chats"), element("div", { id: "pane-side" }, list)));
}

export function addMessage(message) {
  const list = app.querySelector('[data-testid="chat-list"]');
  if (list && !list.querySelector(`[data-id="${message.id}"]`)) list.append(row(message));
}

// Over the pane while the phone or the network is away; goes when it is back.
export function offline(is) {
  document.querySelector(".bar")?.remove();
  if (is) document.body.prepend(element("div", { class: "bar" }, "Computer not connected. Make sure your computer has an active internet connection."));
}

export function elsewhere(where, useHere, cancel) {
  const computer = where === "computer";
  show(
    element(
      "div",
      { role: "dialog", "data-animate-modal-popup": "true" },
      element(
        "div",
        testid("popup-contents"),
        computer
          ? "WhatsApp is open on another computer or browser. Click “Use Here” to use WhatsApp on this computer."
          : "WhatsApp is open in another window. Click “Use Here” to use WhatsApp in this window.",
      ),
      element("button", testid("popup-controls-cancel", { type: "button", onclick: cancel }), computer ? "Log out" : "Close"),
      element("button", testid("popup-controls-ok", { type: "button", onclick: useHere }), "Use Here"),
    ),
  );
}

export function blank() {
  show();
}

export function blocked(kind) {
  const words = {
    TOS_BLOCK: "Your account is not allowed to use WhatsApp",
    SMB_TOS_BLOCK: "Your business account is not allowed to use WhatsApp",
    PROXYBLOCK: "Your network blocks WhatsApp",
    TEMP_BAN: "Your account is banned for a while",
    DEPRECATED_VERSION: "Update WhatsApp to go on",
    SERVICE_UNAVAILABLE: "WhatsApp is not available just now",
  };
  show(element("div", { role: "alert" }, words[kind] ?? kind));
}
