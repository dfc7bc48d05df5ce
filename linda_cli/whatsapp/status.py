"""What the page shows, in one word, and the facts beside it that proofs are made of.

Every fact is three-valued: seen, seen not, unknown (``None``). What could not be read is unknown, never absent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from linda_cli.whatsapp.identity import number_of
from linda_cli.whatsapp.page import ORIGIN
from linda_cli.whatsapp.selectors import PageDescription

LoginOf = Callable[[str, str], str]
"""(text of ``last-wid-md``, text of ``WANoiseInfo``) -> the digest that names the linked device."""


class PageStatus(StrEnum):
    """The states of the page that linda tells apart. The values are what people and scripts read."""

    NOTHING = "nothing"
    LOADING = "loading"
    QR_LOADING = "qr loading"
    QR = "qr"
    QR_EXPIRED = "qr expired"
    PAIRING_CODE = "pairing code"
    PASSKEY = "passkey"
    SYNCING = "syncing"
    READY = "ready"
    OFFLINE = "offline"
    REFUSED = "refused"
    WINDOW = "open in another window"
    COMPUTER = "open on another computer"
    LOCKED = "locked"
    MESSAGE = "a message instead of the chats"
    CLIENT_FATAL = "client fatal"
    LOGGED_OUT = "logged out"
    UNSUPPORTED = "unsupported browser"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    UNKNOWN = "a page that linda does not know"
    UNOBSERVED = "a page that cannot be observed"
    GONE = "gone"


ON_SHOW = frozenset({PageStatus.QR, PageStatus.QR_EXPIRED, PageStatus.PAIRING_CODE, PageStatus.PASSKEY})
"""What a person looks at while a device is linked."""


@dataclass(frozen=True, slots=True)
class PageReading:
    """One reading of the page.

    ``document`` counts the documents of the tab. ``wid`` and ``noise``: whether each login key is in localStorage.
    ``login`` names the linked device by both keys, ``noise_digest`` by the device's own key alone; neither can be
    turned back. ``logout`` is the reason in an address with ``post_logout=1``, "" where it names none, None where the
    address is another; ``address_clean``: the address itself names no logout now (the page takes it out some moments
    after it has arrived). ``stored``: one of the login's IndexedDB databases is there. ``popups`` counts the confirm
    dialogs; ``message`` is what one of them says where it stands instead of the chats.
    """

    status: PageStatus
    document: int = 0
    wid: bool | None = None
    noise: bool | None = None
    number: str | None = None
    login: str | None = None
    noise_digest: str | None = None
    pane: bool | None = None
    socket: str | None = None
    mode: str | None = None
    ref: str | None = None
    code: str | None = None
    percent: int | None = None
    popups: int = 0
    other_tabs: int = 0
    logout: str | None = None
    address_clean: bool = True
    stored: bool | None = None
    reason: str | None = None
    message: str | None = None
    structure: str | None = None

    @property
    def keys(self) -> bool:
        """Both login keys were seen."""
        return self.wid is True and self.noise is True

    @property
    def keys_gone(self) -> bool:
        """Both login keys were seen to be gone: known, not merely unread."""
        return self.wid is False and self.noise is False

    @property
    def code_on_show(self) -> bool:
        """A person could link a device here."""
        return self.ref is not None or self.status in ON_SHOW

    @property
    def connected(self) -> bool:
        """The page says that the server has accepted the login."""
        return self.socket == "CONNECTED"

    def __repr__(self) -> str:
        # A code on show is a secret while it lives: it never gets into a log by way of a repr.
        return (
            f"PageReading({self.status}, document={self.document}, keys={self.wid}/{self.noise}, pane={self.pane}, "
            f"socket={self.socket}, mode={self.mode}, logout={self.logout!r})"
        )


def gone(reason: str, document: int = 0) -> PageReading:
    """The page's process crashed or its tab was closed."""
    return PageReading(PageStatus.GONE, document, reason=reason)


def unreachable(document: int) -> PageReading:
    """Chromium shows its own error page, which runs no script of ours."""
    return PageReading(PageStatus.UNREACHABLE, document, reason="the browser could not load the page")


def logout_of(url: str, page: PageDescription) -> str | None:
    """The reason in an address with ``post_logout=1``, "" where it has none, None where it is another address."""
    names = page.data["logout"]
    query = parse_qs(urlsplit(url).query)
    if query.get(names["parameter"], [""])[-1] != "1":
        return None
    return query.get(names["reason"], [""])[-1][:40]


def logout_words(reason: str, page: PageDescription) -> str:
    """A logout's reason for a person."""
    words: str = page.data["logout_reasons"].get(reason, reason)
    return words or "by the phone"


def read(
    told: str,
    page: PageDescription,
    login_of: LoginOf,
    *,
    document: int = 0,
    arrived_with: str | None = None,
    other_tabs: int = 0,
) -> PageReading:
    """Read what the observer said (JSON). A fact that is missing is unknown.

    ``arrived_with``: the logout reason in the address with which the document came; the page takes it out of its
    address a moment later.
    """
    facts: Mapping[str, Any] = json.loads(told)
    wid, noise = facts.get("wid"), facts.get("noise")
    url = str(facts.get("url", ""))
    here = logout_of(url, page)
    reading = PageReading(
        PageStatus.NOTHING,
        document,
        wid=wid if wid is None else bool(wid),
        noise=noise if noise is None else bool(noise),
        number=number_of(wid or None),
        login=login_of(wid, noise) if wid and noise else None,
        noise_digest=hashlib.sha256(noise.encode("utf-8", "surrogatepass")).hexdigest() if noise else None,
        pane=(facts.get("has") or {}).get("pane"),
        socket=facts.get("socket"),
        mode=facts.get("mode"),
        ref=facts.get("ref"),
        code=facts.get("code"),
        percent=facts.get("percent"),
        popups=int(facts.get("popups") or 0),
        other_tabs=other_tabs,
        logout=here if here is not None else arrived_with,
        address_clean=here is None,
        stored=_stored(facts.get("databases"), page),
        structure=facts.get("structure"),
    )
    status, reason = _status(facts, reading, url, page)
    return replace(
        reading,
        status=status,
        reason=reason if reason is not None else facts.get("why"),
        message=facts.get("message")
        if status in (PageStatus.MESSAGE, PageStatus.UNKNOWN, PageStatus.BLOCKED)
        else None,
    )


def _stored(databases: Any, page: PageDescription) -> bool | None:
    """Whether one of the databases that carry a login is there; None where their list was not read."""
    if not isinstance(databases, list):
        return None
    return not frozenset(databases).isdisjoint(page.data["databases"])


def _status(
    facts: Mapping[str, Any], seen: PageReading, url: str, page: PageDescription
) -> tuple[PageStatus, str | None]:
    """The state, with what outweighs what: what the page says of its connection, then a pane, then a code, then the
    screens of a start, then dialogs and words. Words in a language never decide what is done."""
    has: Mapping[str, bool] = facts.get("has") or {}
    if url.startswith("chrome-error:"):
        return PageStatus.UNREACHABLE, "the browser could not load the page"
    if not url.startswith(f"{ORIGIN}/"):
        return PageStatus.NOTHING, None
    if facts.get("error"):
        return PageStatus.UNOBSERVED, str(facts["error"])[:200]
    for word, group in ((seen.socket, "socket"), (seen.mode, "mode")):
        if word in page.listed(group, "blocked"):
            return PageStatus.BLOCKED, word
    if seen.socket in page.listed("socket", "conflict") or seen.mode in page.listed("mode", "conflict"):
        return PageStatus.COMPUTER, None
    if has.get("pane"):
        return _with_pane(has, seen, page)
    return _code(facts, has, seen, page) or _without_pane(facts, has, seen, page)


def _with_pane(has: Mapping[str, bool], seen: PageReading, page: PageDescription) -> tuple[PageStatus, str | None]:
    if seen.mode in page.listed("mode", "syncing"):
        return PageStatus.SYNCING, None
    # Where the page's modules cannot be read the DOM has to do: a pane, both keys, and nothing that says otherwise.
    blind = seen.socket is None and seen.mode is None and seen.keys and not has.get("loading")
    return (PageStatus.READY if seen.connected or blind else PageStatus.OFFLINE), None


def _code(
    facts: Mapping[str, Any], has: Mapping[str, bool], seen: PageReading, page: PageDescription
) -> tuple[PageStatus, str | None] | None:
    if has.get("passkey"):
        return PageStatus.PASSKEY, None
    if seen.code:
        return PageStatus.PAIRING_CODE, None
    unpaired = seen.socket in page.listed("socket", "unpaired")
    if not seen.ref and not unpaired:
        return None
    if seen.keys:
        return PageStatus.REFUSED, None
    idle = seen.socket in page.listed("socket", "idle") or (has.get("qr_renew") and not facts.get("canvas"))
    if idle and (seen.ref or has.get("qr_renew")):
        return PageStatus.QR_EXPIRED, None
    return (PageStatus.QR if seen.ref else PageStatus.QR_LOADING), None


def _without_pane(
    facts: Mapping[str, Any], has: Mapping[str, bool], seen: PageReading, page: PageDescription
) -> tuple[PageStatus, str | None]:
    if seen.mode in page.listed("mode", "syncing"):
        return PageStatus.SYNCING, None
    if seen.mode in page.listed("mode", "offline") and seen.keys:
        return PageStatus.OFFLINE, None
    if has.get("loading"):
        return (PageStatus.SYNCING if seen.connected else PageStatus.LOADING), None
    if has.get("qr_area") or has.get("phone_input"):
        return PageStatus.QR_LOADING, None
    if has.get("unsupported") or facts.get("unsupported"):
        return PageStatus.UNSUPPORTED, None
    if seen.popups:
        # Another window is a lock inside this browser, so there is another tab of the origin in it.
        window = seen.popups == 1 and seen.other_tabs > 0 and not seen.connected
        return (PageStatus.WINDOW if window else PageStatus.MESSAGE), None
    if seen.logout is not None and not seen.keys:
        fatal = seen.logout == page.data["logout"]["client_fatal"]
        return (PageStatus.CLIENT_FATAL if fatal else PageStatus.LOGGED_OUT), seen.logout or None
    if seen.connected and seen.mode in page.listed("mode", "main"):
        return PageStatus.LOCKED, None
    if facts.get("structure"):
        return PageStatus.UNKNOWN, None
    return PageStatus.NOTHING, None
