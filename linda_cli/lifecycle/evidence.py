"""What the tab of one browser has shown so far: the evidence that proofs are made of.

It belongs to one browser, one chain of documents in its tab and one login, and dies with any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from linda_cli.whatsapp.status import PageReading, PageStatus

EXPLAINS = frozenset({PageStatus.READY, PageStatus.SYNCING, PageStatus.LOADING, PageStatus.LOCKED})
"""A page in one of these states explains that its login keys are not found under their known names."""

BOOTING = frozenset({PageStatus.NOTHING, PageStatus.LOADING, PageStatus.SYNCING})
"""What a page shows while it starts. A start is progress, and what follows it has a moment of its own."""


@dataclass(frozen=True, slots=True)
class LogoutSeen:
    """The tab came to an address with ``post_logout=1`` while a login was in place. ``reason`` "": none was named."""

    reason: str
    document: int


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """All that one browser's tab has shown. Moments in seconds of the monotonic clock; None: not now.

    ``login``: the linked device that this evidence speaks of. ``candidate``: the login that the state recorded at the
    last ready of this profile; it is this browser's once its page is ready under keys of other names. ``began_with``:
    logins of which a document of this browser had both keys when it began. ``clean_document``: the last document in
    which the login was in place and the address named no logout. ``unpaired_since``: a code on show, no pane, not
    connected, both keys seen to be gone, all of it without a break; ``vanished_since``: the login's databases too;
    ``number_since``: the keys of one and the same device and number.
    """

    reading: PageReading | None = None
    status_since: float = 0.0
    document: int = 0
    document_at: float = 0.0
    documents: int = 0
    own_document: bool = False
    observed: bool = False
    installs: int = 0
    login: str | None = None
    noise: str | None = None
    candidate: str | None = None
    began_with: frozenset[str] = frozenset()
    keyless_begin: bool = False
    was_ready: bool = False
    clean_document: int | None = None
    logout: LogoutSeen | None = None
    unpaired_since: float | None = None
    vanished_since: float | None = None
    refused_since: float | None = None
    keys_gone_since: float | None = None
    ready_since: float | None = None
    number_since: float | None = None
    code_since: float | None = None
    progress_at: float = 0.0
    boot_ended_at: float = 0.0
    keys_known: bool = False

    @property
    def status(self) -> PageStatus:
        """What is on show now."""
        return self.reading.status if self.reading is not None else PageStatus.NOTHING

    def attached_to(self, login: str | None, noise: str | None) -> PageEvidence:
        """The evidence for a browser that ran before this run: its login is the one that the state recorded."""
        if login is None:
            return self
        return replace(self, login=login, noise=noise, began_with=frozenset({login}), clean_document=0)

    def new_document(self, document: int, at: float, *, ours: bool) -> PageEvidence:
        """The tab came to another document; ``ours``: linda loaded it."""
        return replace(
            self,
            reading=None,
            status_since=at,
            document=document,
            document_at=at,
            documents=self.documents + 1,
            own_document=ours,
            observed=False,
            installs=0,
            keys_known=False,
            progress_at=at,
            unpaired_since=None,
            vanished_since=None,
            refused_since=None,
            keys_gone_since=None,
            ready_since=None,
            number_since=None,
            code_since=None,
        )

    def after(self, seen: PageReading, at: float) -> PageEvidence:
        """The evidence with one more reading."""
        was = self if seen.document == self.document else self.new_document(seen.document, at, ours=False)
        now = replace(was, reading=seen, observed=was.observed or seen.status is not PageStatus.UNOBSERVED)
        if was.reading is None or was.reading.status is not seen.status:
            now = replace(now, status_since=at)
            if was.status in BOOTING and seen.status not in BOOTING:
                now = replace(now, boot_ended_at=at)
        if _progress(was.reading) != _progress(seen):
            now = replace(now, progress_at=at)
        now = _durations(now, was.reading, seen, at)
        return _login(now, seen)


def _progress(seen: PageReading | None) -> tuple[object, ...]:
    return (seen.percent, seen.mode, seen.status) if seen is not None else ()


def _durations(now: PageEvidence, before: PageReading | None, seen: PageReading, at: float) -> PageEvidence:
    """How long what lasts has lasted; one reading without it begins anew, an unknown fact too."""
    unpaired = seen.code_on_show and seen.pane is False and not seen.connected and seen.keys_gone
    same = before is not None and (before.number, before.noise_digest) == (seen.number, seen.noise_digest)
    return replace(
        now,
        unpaired_since=_since(now.unpaired_since, unpaired, at),
        vanished_since=_since(now.vanished_since, unpaired and seen.stored is False, at),
        refused_since=_since(now.refused_since, seen.status is PageStatus.REFUSED, at),
        keys_gone_since=_since(now.keys_gone_since, seen.keys_gone, at),
        ready_since=_since(now.ready_since, seen.status is PageStatus.READY, at),
        number_since=_since(now.number_since if same else None, seen.number is not None, at),
        code_since=_since(now.code_since, seen.code_on_show, at),
    )


def _since(before: float | None, holds: bool, at: float) -> float | None:
    if not holds:
        return None
    return at if before is None else before


def _login(now: PageEvidence, seen: PageReading) -> PageEvidence:
    """Which login this tab is about, and what its addresses say of it."""
    ready = seen.status is PageStatus.READY
    if not now.keys_known and seen.wid is not None and seen.noise is not None:
        # The first reading of a document that knows both keys says with what it began.
        now = replace(now, keys_known=True, keyless_begin=now.keyless_begin or seen.keys_gone)
        if seen.keys and seen.login is not None:
            now = replace(now, began_with=now.began_with | {seen.login})
            if now.login is None:
                now = replace(now, login=seen.login, noise=seen.noise_digest)
    if ready:
        now = replace(now, was_ready=True, login=now.login or (None if seen.keys else now.candidate))
        if seen.keys and seen.login is not None and seen.login != now.login:
            # Linked anew in this tab: whatever was seen before speaks of another login.
            now = replace(
                now,
                login=seen.login,
                noise=seen.noise_digest,
                began_with=frozenset({seen.login}),
                clean_document=None,
                logout=None,
            )
    if ready or seen.keys:
        now = replace(now, logout=None)
        if seen.address_clean:
            now = replace(now, clean_document=seen.document)
    elif (
        seen.logout is not None
        and now.logout is None
        and now.clean_document is not None
        and (not seen.address_clean or seen.document > now.clean_document)
    ):
        # The address came after the login had been in place without it: it is no leftover.
        now = replace(now, logout=LogoutSeen(seen.logout, seen.document))
    return now
