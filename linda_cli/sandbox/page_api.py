"""What the server answers when a page asks: codes, linking, login, receipts."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping

from linda_cli.errors import Failed
from linda_cli.sandbox import codes, crypto
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.state import SandboxState

Asked = Mapping[str, object]
Answer = dict[str, object]

_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{6,14}")


def answer(state: SandboxState, page: Page, what: str, asked: Asked) -> Answer:
    """Answer a page's question. Raises ``Failed`` for an unknown or invalid one."""
    if what not in _ANSWERS:
        raise Failed(f"the page asked for something unknown: {what}")
    return _ANSWERS[what](state, page, asked)


def _state(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """The page says what it shows; kept for ``status`` only, nothing is decided by it."""
    with state.changed:
        page.says = {key: str(asked.get(key, "")) for key in ("state", "mode", "screen")}
        state.changed.notify_all()
    return {}


def _code(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """The next QR text, or ``idle`` when the page has had its share and nobody asked for more."""
    with state.changed:
        blocked = state.block_of(None)
        if blocked:
            return {"blocked": blocked}
        page.nonce = page.wid = None
        if asked.get("again"):
            page.codes_given = 0
        if page.codes_given >= state.timing.codes:
            page.code = None
            return {"idle": True}
        seconds = state.timing.next_code if page.codes_given else state.timing.first_code
        page.codes_given += 1
        page.code = codes.qr(seconds)
        text = page.code.text
    answered: Answer = {"text": text, "modules": codes.modules(text), "seconds": seconds}
    with state.changed:
        state.changed.notify_all()
    return answered


def _pairing_code(state: SandboxState, page: Page, asked: Asked) -> Answer:
    number = re.sub(r"[^0-9]", "", str(asked.get("number", "")))
    if not _NUMBER.fullmatch(number):
        return {"wrong": "number"}
    with state.changed:
        page.code = None  # no longer on the screen
        page.pairing = codes.pairing(number, state.timing.pairing_code)
        state.changed.notify_all()
        return {"code": page.pairing.text, "seconds": state.timing.pairing_code}


def _register(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """The page has made its keys and stored them: from here on it is a device."""
    key, noise, identity = (str(asked.get(part, "")) for part in ("key", "noise", "identity"))
    try:
        crypto.public_key(key)
    except ValueError as wrong:
        raise Failed("the page registered a key that is none") from wrong
    if not _HASH.fullmatch(noise) or not _HASH.fullmatch(identity):
        raise Failed("the page registered a hash that is none")
    with state.changed:
        if page.linking is None or page.awaiting_passkey:
            raise Failed("no phone has accepted this page")
        device = state.registry.link(page.linking, key, noise, identity)
        page.linking = None
        state.changed.notify_all()
        return {"wid": device.wid}


def _nonce(state: SandboxState, page: Page, asked: Asked) -> Answer:
    with state.changed:
        page.nonce = secrets.token_hex(32)
        return {"nonce": page.nonce}


def _login(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """Accept a device, or say why not. Every no is counted under its reason."""
    given = crypto.Proof(*(str(asked.get(part, "")) for part in ("wid", "signature", "noise", "identity")))
    # Outside the lock: a slow login of one page must not hold up the others.
    time.sleep(state.timing.login)
    with state.changed:
        # A nonce serves once, so that a recorded login is worth nothing.
        nonce, page.nonce = page.nonce, None
        verdict, reason, facts = _judge(state, nonce, given)
        if verdict == "accepted":
            _take_over(state, page, str(facts.get("wid", given.wid)))
        else:
            state.turned_away[reason] += 1
            state.changed.notify_all()
        return {"verdict": verdict, **facts}


def _judge(state: SandboxState, nonce: str | None, given: crypto.Proof) -> tuple[str, str, Answer]:
    """Verdict, the reason it is counted under, and what else the page must know.

    A block or a 401 comes before any look at the proof, as for the real one: neither says anything of the login.
    """
    device = state.registry.find(given.wid)
    if kind := state.block_of(given.wid.partition(":")[0]):
        return "blocked", kind, {"kind": kind}
    if device is None:
        return "removed", "unknown", {"reason": None, "address": True}
    if state.refuses(device.number):
        return "refused", "401", {}
    if flaw := "nonce" if nonce is None else crypto.flaw(device, nonce, given):
        return "mismatch", flaw, {}
    if device.removed_at is not None:
        return "removed", "removed", {"reason": device.reason, "address": device.address}
    return "accepted", "", {"wid": device.wid} if device.wid != given.wid else {}


def _take_over(state: SandboxState, page: Page, wid: str) -> None:
    for other in state.pages.values():
        if other is not page and other.wid == wid:
            # A window of the same browser has let go before this (mutex.js), so this one is another browser.
            other.wid, other.displaced = None, wid
            other.tell("conflict", where="computer", pane=False)
    page.wid, page.displaced, page.code, page.pairing = wid, None, None, None
    state.accepted += 1
    for message in state.waiting.get(wid, []):
        page.tell("message", id=message.id, text=message.text)
    state.changed.notify_all()


def _logout(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """The page itself asks to be unlinked: "log out" of its menu, of a popup, or ``Socket.logout()``."""
    with state.changed:
        wid, page.wid, page.displaced = page.wid or page.displaced, None, None
        device = state.registry.find(wid) if wid else None
        if device is not None:
            state.unlink(device, None)
        return {}


def _receipt(state: SandboxState, page: Page, asked: Asked) -> Answer:
    with state.changed:
        left = state.waiting.get(page.wid or "", [])
        kept = [message for message in left if message.id != asked.get("id")]
        if len(kept) < len(left) and page.wid:
            state.waiting[page.wid] = kept
            state.delivered += 1
            state.changed.notify_all()
        return {}


def _release(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """Another window of this browser has taken over."""
    with state.changed:
        page.wid, page.displaced = None, page.wid or page.displaced
        state.changed.notify_all()
        return {}


def _forget_code(state: SandboxState, page: Page, asked: Asked) -> Answer:
    """The code is no longer on show."""
    with state.changed:
        page.code = None
        return {}


def _pressed(state: SandboxState, page: Page, asked: Asked) -> Answer:
    with state.changed:
        state.pressed.append({key: str(asked.get(key, ""))[:80] for key in ("dialog", "button")})
        state.changed.notify_all()
        return {}


def _ping(state: SandboxState, page: Page, asked: Asked) -> Answer:
    return {}


_ANSWERS: dict[str, Callable[[SandboxState, Page, Asked], Answer]] = {
    "state": _state,
    "code": _code,
    "pairing-code": _pairing_code,
    "register": _register,
    "nonce": _nonce,
    "login": _login,
    "logout": _logout,
    "receipt": _receipt,
    "release": _release,
    "forget-code": _forget_code,
    "pressed": _pressed,
    "ping": _ping,
}
