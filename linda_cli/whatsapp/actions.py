"""What linda does to the page: never more than a person would click, and looked at again in the click's own script.

All of it goes through the browser's DevTools: one evaluation is one moment, so nothing can change between the look
and the click.
"""

from __future__ import annotations

import json
from typing import Any

from linda_cli.whatsapp.observer import Tab
from linda_cli.whatsapp.selectors import PageDescription

_FIND = """
const page = %s;
const all = (name) => {
  for (const selector of page.selectors[name] || []) {
    const found = [...document.querySelectorAll(selector)];
    if (found.length) return found;
  }
  return [];
};
const word = (path) => {
  try {
    let value = window.require(path[0]);
    for (const name of path.slice(1)) value = value[name];
    return typeof value === "string" ? value : null;
  } catch (problem) { return null; }
};
"""

_USE_HERE = """
const buttons = all("popup_ok");
const pane = all("pane").length > 0;
const socket = word(page.modules.socket), mode = word(page.modules.mode);
const conflict = page.socket.conflict.includes(socket) || page.mode.conflict.includes(mode);
const connected = page.socket.connected.includes(socket);
const may = computer ? conflict : !conflict && !connected && !pane;
if (buttons.length !== 1 || !may) return false;
buttons[0].click();
return true;
"""


def _run(tab: Tab, page: PageDescription, body: str, **values: Any) -> Any:
    """Evaluate ``body`` in the page, with its description and ``values`` at hand. Raises ``OSError``."""
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    script = f"(() => {{ {_FIND % json.dumps(page.data)}{given}{body} }})()"
    answer = tab.call("Runtime.evaluate", 10.0, expression=script, returnByValue=True, userGesture=True)
    return answer.get("result", {}).get("value")


def use_here(tab: Tab, page: PageDescription, *, computer: bool) -> bool:
    """Press "Use here" in the only confirm dialog: ``computer`` where the page says CONFLICT, else where another
    window of this browser has it. False: the page no longer shows that, and nothing was pressed.

    The same button logs out, or deletes, in every other dialog of the page; the one beside it logs out in this one.
    """
    return bool(_run(tab, page, _USE_HERE, computer=computer))


_LOG_OUT = """
if (!all("pane").length || !page.socket.connected.includes(word(page.modules.socket))) return "not ready";
const path = page.modules.log_out;
try {
  let owner = window.require(path[0]);
  for (const name of path.slice(1, -1)) owner = owner[name];
  // Not awaited: it ends with another document.
  Promise.resolve(owner[path[path.length - 1]]()).catch(() => {});
  return "asked";
} catch (problem) { return "no way"; }
"""


def log_out(tab: Tab, page: PageDescription) -> str:
    """Have the page unlink this device by its own call. ``asked``; ``not ready`` and ``no way``: nothing was done."""
    return str(_run(tab, page, _LOG_OUT))


def renew_codes(tab: Tab, page: PageDescription) -> bool:
    """Ask for new QR codes after the page stopped showing them. False: there is nothing to ask with."""
    body = 'const found = all("qr_renew"); if (!found.length) return false; found[0].click(); return true;'
    return bool(_run(tab, page, body))


def ask_for_code(tab: Tab, page: PageDescription, number: str) -> bool:
    """Go from the QR code to the pairing code for ``number``; call again until True, the page takes its steps."""
    step = _run(
        tab,
        page,
        """
const field = all("phone_input")[0];
if (!field) {
  const link = all("code_link")[0];
  if (link) link.click();
  return "link";
}
field.focus();
field.select();
return "field";
""",
    )
    if step != "field":
        return False
    # Typed, and not set: the page listens to what a keyboard does. It fills in a country code by itself, and all of
    # that is selected.
    tab.call("Input.insertText", 5.0, text=f"+{number}")
    body = """
const button = all("phone_submit")[0];
if (button) button.click();
return Boolean(button);
"""
    if not _run(tab, page, body):
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", 5.0, type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)
    return True
