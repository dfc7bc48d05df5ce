"""What the phone can do to the stand-in, one function a verb; ``Phone`` calls them over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from linda_cli.errors import Failed, Misused
from linda_cli.sandbox.body import EXAMPLE, Answer, Body, connected, number_of, seconds_of, text_of
from linda_cli.sandbox.codes import Code
from linda_cli.sandbox.faults import FAULTS
from linda_cli.sandbox.network import NetworkMode
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.state import Message, SandboxState

KINDS = ("TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK", "TEMP_BAN", "DEPRECATED_VERSION", "SERVICE_UNAVAILABLE")
WINDOW_SOCKETS = ("UNLAUNCHED", "OPENING")
_REGISTERS_WITHIN = 15.0
"""Seconds a page has for making and storing its keys, on a machine that is busy with other browsers."""


def do(state: SandboxState, verb: str, body: Body) -> Answer:
    """Do what the phone asks. Raises ``Failed`` for what cannot be done, ``Misused`` for an invalid request."""
    if verb not in VERBS:
        raise Misused(f"no such verb: {verb}", "one of: " + ", ".join(sorted(VERBS)))
    with state.changed:
        answer = VERBS[verb](state, body)
        state.changed.notify_all()
        return answer


def _scan(state: SandboxState, body: Body) -> Answer:
    number = number_of(body) or EXAMPLE
    seen = text_of(body, "qr")
    until = time.monotonic() + seconds_of(body, "timeout", 30.0)
    while True:
        # The page opened last is the one a person would be looking at.
        shown = sorted(
            (page for page in state.pages.values() if page.code and page.code.live), key=lambda page: -page.opened
        )
        if seen is not None:
            shown = [page for page in shown if page.code and page.code.text == seen]
            if not shown:
                raise Failed("the phone does not take this code: it is on no page, or has expired")
        if shown:
            shown[0].code = None
            return _accept(state, shown[0], number)
        if not state.changed.wait(until - time.monotonic()):
            raise Failed("no code came on show in time")


def _enter_code(state: SandboxState, body: Body) -> Answer:
    typed = re.sub(r"[^0-9A-Z]", "", (text_of(body, "code") or "").upper())
    number = number_of(body)
    for page in state.pages.values():
        code: Code | None = page.pairing
        if code and code.live and code.text == typed and code.number and number in (None, code.number):
            page.pairing = page.code = None
            return _accept(state, page, code.number)
    raise Failed("the phone does not take this code: it is on no page, is another number's, or has expired")


def _accept(state: SandboxState, page: Page, number: str) -> Answer:
    known = {device.wid for device in state.registry.all()}
    page.linking = number
    page.awaiting_passkey, state.passkey = state.passkey, False
    if page.awaiting_passkey:
        page.tell("passkey")
        return {"passkey": True}
    page.tell("pair", number=number)
    return _registered(state, page, number, known)


def _registered(state: SandboxState, page: Page, number: str, known: set[str]) -> Answer:
    until = time.monotonic() + _REGISTERS_WITHIN
    while page.linking is not None:
        if state.pages.get(page.name) is not page or not state.changed.wait(until - time.monotonic()):
            raise Failed("the page went away while it was being linked")
    new = [device.wid for device in state.devices(number) if device.wid not in known]
    return {"linked": new[-1] if new else None}


def _finish_passkey(state: SandboxState, body: Body) -> Answer:
    for page in state.pages.values():
        if page.awaiting_passkey and page.linking:
            number, known = page.linking, {device.wid for device in state.registry.all()}
            page.awaiting_passkey = False
            page.tell("pair", number=number)
            return _registered(state, page, number, known)
    raise Failed("no page waits for a passkey")


def _switch_account(state: SandboxState, body: Body) -> Answer:
    """As when a person links another account in this browser: other keys, another number, the same profile.

    The device that was linked before stays linked on its phone.
    """
    to = number_of(body, "to")
    if to is None:
        raise Misused("the account to switch to is missing", f'{{"to": "{EXAMPLE}"}}')
    page = connected(state, body)[-1]
    known = {device.wid for device in state.registry.all()}
    page.wid, page.linking, page.awaiting_passkey = None, to, False
    page.tell("pair", number=to)
    return _registered(state, page, to, known)


def _change_number(state: SandboxState, body: Body) -> Answer:
    """The account gets another number; device and noise key stay. An absent page learns it at its next login."""
    to = number_of(body, "to")
    devices = state.devices(number_of(body))
    if to is None or len(devices) != 1:
        raise Misused("one linked device, and the number it gets", f'{{"number": "971505760057", "to": "{EXAMPLE}"}}')
    before = devices[0].wid
    after = state.registry.renumber(before, to).wid
    if before in state.waiting:
        state.waiting[after] = state.waiting.pop(before)
    for page in state.pages.values():
        if page.wid == before:
            page.wid = after
            page.tell("number", wid=after)
        elif page.displaced == before:
            page.displaced = after
    return {"from": before, "to": after}


def _ask_passkey(state: SandboxState, body: Body) -> Answer:
    state.passkey = body.get("on", True) is True
    return {}


def _log_out(state: SandboxState, body: Body) -> Answer:
    return _unlink(state, body, None)


def _log_out_with(state: SandboxState, body: Body) -> Answer:
    reason = body.get("reason")
    # 0 is the client fatal, at which the device stays linked: break_storage.
    if reason is not None and not (type(reason) is int and 0 < reason < 1000):
        raise Misused("the reason of a logout is a number from 1 to 999, or none", '{"reason": 1}')
    return _unlink(state, body, reason if isinstance(reason, int) else None)


def _unlink(state: SandboxState, body: Body, reason: int | None) -> Answer:
    devices = state.devices(number_of(body))
    if not devices:
        raise Failed("no device is linked")
    for device in devices:
        state.unlink(device, reason, address=body.get("address", True) is not False)
    return {"removed": [device.wid for device in devices]}


def _drop_network(state: SandboxState, body: Body) -> Answer:
    how = text_of(body, "how") or NetworkMode.DOWN.value
    if how not in (modes := [mode.value for mode in NetworkMode if mode is not NetworkMode.UP]):
        raise Misused(f"a network is not dropped like this: {how}", "one of: " + ", ".join(modes))
    state.network.become(NetworkMode(how))
    state.arguments_changed()
    if not state.network.accepts:
        state.hang_up()
    return {}


def _restore_network(state: SandboxState, body: Body) -> Answer:
    state.network.become(NetworkMode.UP)
    state.arguments_changed()
    return {}


def _refuse(state: SandboxState, body: Body) -> Answer:
    number = number_of(body)
    state.refused[number] = time.monotonic() + seconds_of(body, "seconds", 5.0)
    for page in state.online(number):
        page.wid = None
        page.tell("refused")
    return {}


def _break_storage(state: SandboxState, body: Body) -> Answer:
    for page in connected(state, body):
        page.wid = None
        page.tell("break")
    return {}


def _open_elsewhere(state: SandboxState, body: Body) -> Answer:
    where = text_of(body, "where")
    if where not in ("computer", "window"):
        raise Misused("opened elsewhere: on a computer or in a window", '{"where": "window"}')
    socket = text_of(body, "socket") or WINDOW_SOCKETS[0]
    if socket not in WINDOW_SOCKETS:
        raise Misused(f"no socket of a window that lost its login: {socket}", "one of: " + ", ".join(WINDOW_SOCKETS))
    for page in connected(state, body):
        page.wid, page.displaced = None, page.wid
        page.tell("conflict", where=where, pane=body.get("pane") is True, state=socket)
    return {}


def _block(state: SandboxState, body: Body) -> Answer:
    kind, number = text_of(body, "kind"), number_of(body)
    if kind is None:
        state.blocked.pop(number, None)
        return {}
    if kind not in KINDS:
        raise Misused(f"no such block: {kind}", "one of: " + ", ".join(KINDS))
    state.blocked[number] = kind
    for page in state.online(number) if number else state.pages.values():
        page.wid = page.code = page.pairing = None
        page.tell("block", kind=kind)
    return {}


def _message(state: SandboxState, body: Body) -> Answer:
    devices = state.devices(number_of(body))
    if not devices:
        raise Failed("no device is linked")
    for device in devices:
        message = Message(next(state.message_ids), text_of(body, "text") or "")
        state.waiting.setdefault(device.wid, []).append(message)
        state.sent += 1
        for page in state.pages.values():
            if page.wid == device.wid:
                page.tell("message", id=message.id, text=message.text)
    return {}


def _set_timing(state: SandboxState, body: Body) -> Answer:
    state.timing = state.timing.with_fields(body)
    return {}


VERBS: dict[str, Callable[[SandboxState, Body], Answer]] = {
    "scan": _scan,
    "enter_code": _enter_code,
    "log_out": _log_out,
    "log_out_with": _log_out_with,
    "drop_network": _drop_network,
    "restore_network": _restore_network,
    "refuse": _refuse,
    "ask_passkey": _ask_passkey,
    "finish_passkey": _finish_passkey,
    "break_storage": _break_storage,
    "open_elsewhere": _open_elsewhere,
    "block": _block,
    "message": _message,
    "set_timing": _set_timing,
    "switch_account": _switch_account,
    "change_number": _change_number,
    **FAULTS,
}
