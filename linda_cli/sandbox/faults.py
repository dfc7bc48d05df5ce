"""What can happen to a page and says nothing of its login: dialogs, screens, reloads, other names, a broken page."""

from __future__ import annotations

from collections.abc import Callable

from linda_cli.errors import Misused
from linda_cli.sandbox.body import Answer, Body, choice_of, connected, number_of, seconds_of, text_of
from linda_cli.sandbox.documents import BREAKS, UNSUPPORTED, NextDocument
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.state import SandboxState

LANGUAGES = tuple(UNSUPPORTED)
DIALOGS = ("log-out", "delete-chat", "database-error", "whats-new", "cookies")
KEYS = ("noise", "wid", "both", "back")
SHELL = "shell"
SCREENS = (
    "temporary-ban",
    "service-unavailable",
    "app-lock",
    "call-takeover",
    "unsupported-takeover",
    "unknown",
    SHELL,
)
_MOST_TEXT = 2000


def _pages(state: SandboxState, body: Body) -> list[Page]:
    """All that are open, or those of one number, of which there must be one."""
    return list(state.pages.values()) if number_of(body) is None else connected(state, body)


def _dialog(state: SandboxState, body: Body) -> Answer:
    kind = choice_of(body, "kind", DIALOGS)
    text = text_of(body, "text")
    for page in _pages(state, body):
        page.tell("dialog", kind=kind, text=text if text is None else text[:_MOST_TEXT])
    return {}


def _forget_pressed(state: SandboxState, body: Body) -> Answer:
    state.pressed.clear()
    return {}


def _language(state: SandboxState, body: Body) -> Answer:
    chosen = text_of(body, "language")
    if chosen not in LANGUAGES:
        raise Misused(f"no such language: {chosen}", "one of: " + ", ".join(LANGUAGES))
    state.documents.language = chosen
    for page in state.pages.values():
        page.tell("language", language=chosen)
    return {}


def _screen(state: SandboxState, body: Body) -> Answer:
    screen, number = choice_of(body, "screen", SCREENS), number_of(body)
    if screen == SHELL and number is not None:
        raise Misused("a page whose scripts cannot be loaded is nobody's: leave the number out", '{"screen": "shell"}')
    if screen == SHELL:
        state.documents.shell = True
        return _reload(state)
    if number is None:
        state.documents.shell = False
    if screen is None and number is None:
        state.screens.clear()
    elif screen is None:
        state.screens.pop(number, None)
    else:
        state.screens[number] = screen
    for page in state.pages.values():
        page.tell("screens", **state.screens_told())
    return {}


def _next_page(state: SandboxState, body: Body) -> Answer:
    count = int(seconds_of(body, "documents", 1))
    boot = None if body.get("boot") is None else seconds_of(body, "boot", 0)
    plan = NextDocument(boot, seconds_of(body, "code", 0), body.get("hide_keys") is True)
    state.documents.expect(plan, count)
    return {}


def _reload_page(state: SandboxState, body: Body) -> Answer:
    pages = _pages(state, body)
    if any(body.get(key) is not None for key in ("boot", "code", "hide_keys")):
        _next_page(state, {**body, "documents": len(pages)})
    for page in pages:
        page.tell("reload")
    return {}


def _reload(state: SandboxState) -> Answer:
    for page in state.pages.values():
        page.tell("reload")
    return {}


def _rename_keys(state: SandboxState, body: Body) -> Answer:
    which = choice_of(body, "keys", KEYS) or "both"
    for page in connected(state, body):
        page.tell("rename-keys", which="both" if which == "back" else which, back=which == "back")
    return {}


def _break_page(state: SandboxState, body: Body) -> Answer:
    given = body.get("what", [])
    names = [str(name) for name in given] if isinstance(given, list) else [str(given)]
    if unknown := [name for name in names if name not in BREAKS]:
        raise Misused(f"nothing of the page to break: {unknown[0]}", "some of: " + ", ".join(BREAKS))
    state.documents.broken = frozenset(names)
    for page in state.pages.values():
        page.tell("break-page", broken=sorted(names))
    return {}


def _hide_words(state: SandboxState, body: Body) -> Answer:
    state.documents.hidden_words = body.get("on", True) is True
    return {}


def _clean_address(state: SandboxState, body: Body) -> Answer:
    state.documents.clean_address = body.get("on", True) is True
    return {}


FAULTS: dict[str, Callable[[SandboxState, Body], Answer]] = {
    "dialog": _dialog,
    "forget_pressed": _forget_pressed,
    "language": _language,
    "screen": _screen,
    "next_page": _next_page,
    "reload_page": _reload_page,
    "rename_keys": _rename_keys,
    "break_page": _break_page,
    "hide_words": _hide_words,
    "clean_address": _clean_address,
}
