// Popups over whatever is on show. They all carry the same two buttons: their place says nothing of what they do.

import { element } from "./screens.js";
import { say } from "./words.js";

const open = new Set();

// `ok` and `cancel` are [text, action]; without cancel there is one button.
export function popup(text, ok, cancel) {
  const layer = element("div", { class: "modal" });
  const close = () => {
    layer.remove();
    open.delete(layer);
  };
  const button = (place, [words, action]) =>
    element(
      "button",
      {
        type: "button",
        "data-testid": `popup-controls-${place}`,
        onclick: () => {
          close();
          action();
        },
      },
      words,
    );
  layer.append(
    element(
      "div",
      { role: "dialog", "aria-modal": "true", "data-animate-modal-popup": "true" },
      element("div", { "data-testid": "popup-contents" }, text),
      ...(cancel ? [button("cancel", cancel)] : []),
      button("ok", ok),
    ),
  );
  open.add(layer);
  document.body.append(layer);
}

export function closeAll() {
  for (const layer of open) layer.remove();
  open.clear();
}

// The dialogs of a page in use: words and buttons by kind. `actions` says what the ones that matter do.
export function dialog(kind, text, actions) {
  const nothing = () => {};
  const kinds = {
    "log-out": [say("logOutQuestion"), [say("logOut"), actions.logOut], [say("cancel"), nothing]],
    "delete-chat": [say("deleteChat"), [say("delete"), actions.deleteChat], [say("cancel"), nothing]],
    "database-error": [say("database"), [say("ok"), actions.reload], [say("cancel"), nothing]],
    "whats-new": [say("whatsNew"), [say("goOn"), nothing], null],
    cookies: [say("cookies"), [say("accept"), nothing], [say("reject"), nothing]],
  };
  const [words, ok, cancel] = kinds[kind];
  const told = ([label, action], place) => [label, () => (actions.pressed(kind, place), action())];
  popup(text ?? words, told(ok, "ok"), cancel && told(cancel, "cancel"));
}
