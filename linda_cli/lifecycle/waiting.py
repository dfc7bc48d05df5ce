"""What a run that is not ready waits for, in a word and a reason: pure, shared by every phase."""

from __future__ import annotations

from dataclasses import dataclass

from linda_cli.lifecycle.evidence import BOOTING
from linda_cli.lifecycle.knowledge import Knowledge, Phase
from linda_cli.whatsapp.status import PageStatus

KNOWING = 5.0
"""Seconds for which a screen must have been on show before it is named: each may be a moment of a start."""

SILENCE = 5.0
"""Seconds without a change of a page that loads after which the network is asked for."""

NO_DOCUMENT = 2.0
"""Seconds without any document of the page after which it is: the answer takes three at most, so that packets which
are dropped in silence are told after five."""

ASK_NETWORK_EVERY = 2.0
PROGRESS = 60.0
"""Seconds without a change of percent, mode, document or bytes on disk after which a start is no progress any more."""

LOGOUT_WAIT = 20.0
"""Seconds that the page has to say why it logs out."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """For ``network``, ``page``, ``unlock`` or ``account``, and why."""

    what: str
    reason: str


def waiting_for(know: Knowledge, now: float) -> Waiting | None:
    """What a page that is not ready waits for; None where it simply starts."""
    if not know.up:
        return None
    if know.network.up is False:
        return Waiting("network", know.network.reason)
    reading, status = know.page.reading, know.status
    if reading is None:
        return None
    if status is PageStatus.UNREACHABLE:
        return Waiting("page", "the browser could not load WhatsApp Web") if know.network.up else None
    if status is PageStatus.BLOCKED:
        return Waiting("account", f"WhatsApp blocks this client: {reading.reason}")
    if status is PageStatus.UNOBSERVED:
        return Waiting("page", f"the page cannot be observed: {reading.reason}")
    if now - know.page.status_since < KNOWING:
        return None
    if reading.code_on_show and reading.keys_gone and know.page.was_ready and know.phase is Phase.SUPERVISE:
        return Waiting("account", "WhatsApp Web asks for a new linking; that the device was unlinked is not proven")
    if status is PageStatus.LOCKED:
        return Waiting("unlock", "WhatsApp Web is locked with a password")
    if status is PageStatus.MESSAGE:
        says = f': "{reading.message}"' if reading.message else ""
        return Waiting("account", f"WhatsApp Web shows a message instead of the chats{says}")
    if status is PageStatus.UNSUPPORTED:
        return Waiting("page", "WhatsApp Web does not take this browser for Chrome")
    if status is PageStatus.UNKNOWN:
        if logging_out(know, now):
            return Waiting("account", "WhatsApp Web is logging out")
        says = f': "{reading.message}"' if reading.message else ""
        return Waiting("account" if says else "page", f"WhatsApp Web shows a page that linda does not know{says}")
    return None


def logging_out(know: Knowledge, now: float) -> bool:
    """The keys of a login that was in place are gone, and no code is on show: the page may be about to say why."""
    gone = know.page.keys_gone_since
    reading = know.page.reading
    return (
        know.page.login is not None
        and gone is not None
        and now - gone < LOGOUT_WAIT
        and reading is not None
        and not reading.code_on_show
    )


def makes_progress(know: Knowledge, now: float) -> bool:
    """The page starts or syncs, and something of it has changed lately: no outage, and nothing to be helped."""
    if know.network.up is False:
        return False
    return know.up and know.status in BOOTING and now - know.page.progress_at < PROGRESS and not _no_document(know, now)


def _no_document(know: Knowledge, now: float) -> bool:
    """Nothing of the page has come at all."""
    return know.page.reading is None and now - know.page.document_at >= NO_DOCUMENT


def network_is_in_doubt(know: Knowledge, now: float) -> bool:
    """Whether a request by the browser would tell something that the page does not."""
    if not know.up or know.status is PageStatus.READY:
        return False
    reading = know.page.reading
    if reading is not None and reading.connected:
        return False
    if know.network.up is False or know.status is PageStatus.UNREACHABLE or _no_document(know, now):
        return True
    if know.status is PageStatus.NOTHING:
        return now - know.page.document_at >= NO_DOCUMENT
    if know.status is PageStatus.OFFLINE:
        return now - know.page.status_since >= 1.0
    return know.status in (PageStatus.LOADING, PageStatus.SYNCING) and now - know.page.progress_at >= SILENCE
