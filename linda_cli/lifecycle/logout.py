"""Logging out: the page unlinks this device by its own call, and that is believed only on the proof of a logout.

Where a run or a server holds the session, its browser is spoken to beside it, without a lock: the run sees the logout
itself and does what follows from one. Where nobody does, a run of our own brings the session up for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from linda_cli.browser import attach
from linda_cli.browser.devtools import DevTools, Tab, pages
from linda_cli.errors import InUse, LindaError, LoggedOut, SessionNotFound, Unreachable
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.events import Event
from linda_cli.lifecycle.evidence import PageEvidence
from linda_cli.lifecycle.knowledge import Browser, Knowledge
from linda_cli.lifecycle.options import Options
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.signals import stopping_on_signals
from linda_cli.lifecycle.start import prepare
from linda_cli.sessions.locks import Holder, holder_of
from linda_cli.sessions.login import login_digest
from linda_cli.sessions.results import LoggedOutSession
from linda_cli.sessions.store import Store
from linda_cli.whatsapp import actions as page_actions
from linda_cli.whatsapp.observer import NewDocument, PageObserver
from linda_cli.whatsapp.page import ORIGIN
from linda_cli.whatsapp.selectors import PageDescription, load
from linda_cli.whatsapp.status import PageReading, PageStatus

WITHIN = 20.0
"""Seconds from the page's own call to the proof of the logout."""

RECORDED_WITHIN = 30.0
"""Seconds that the run which holds the session gets to close its browser and record the logout."""

READY_WITHIN = 15.0
"""Seconds for which the page of a session that another linda runs may need to show that it is ready."""


def log_out(
    store: Store, number: str, *, browser_args: Sequence[str] = (), timeout: float = 120.0, signals: bool = True
) -> LoggedOutSession:
    """Unlink the device of this session. ``timeout``: seconds to ready for a browser of our own; ``signals``: called
    from the main thread, so Ctrl-C closes that browser.

    Raises ``Unreachable`` where the logout is not proven: nothing is forgotten then. ``InUse``, ``SessionNotFound``,
    and what a start raises.
    """
    number = store.only(number)
    holder = holder_of(store.home.run_lock(number))
    if holder is not None and holder.lives_elsewhere:
        raise InUse(f"session {number} is in use by {holder}", f"run linda logout on {ascii(holder.host)[1:-1]}")
    if holder is not None and holder.run:
        _beside(store, number, holder)
    else:
        _by_own_run(store, number, browser_args, timeout, signals)
    return LoggedOutSession(number, True, store.state.forgotten(number).link_after, None)


def _not_proven(number: str, why: str) -> Unreachable:
    return Unreachable(
        f"{number} is not logged out: {why}; nothing was forgotten. The phone can remove the device under Linked "
        "devices; --local forgets the login here only",
        f"linda logout {number} --local",
        session=number,
    )


def _ask_page(store: Store, number: str, tab: Tab, page: PageDescription) -> str:
    """Have the page log out: ``asked``, or why it was not. Noted first, so that the run can tell who asked."""
    store.state.ask_logout(number)
    asked = page_actions.log_out(tab, page)
    if asked != "asked":
        store.state.take_back_logout(number)
    return asked


# -- beside a run


def _beside(store: Store, number: str, holder: Holder) -> None:
    running = attach.find(store.profile(number))
    devtools = attach.connect(running, 5.0) if running is not None else None
    if devtools is None:
        raise _not_proven(number, f"the browser of {holder} does not answer now")
    try:
        _seen_to_end(store, number, devtools)
    except (OSError, TimeoutError) as problem:
        raise _not_proven(number, f"its browser went away ({problem})") from problem
    finally:
        devtools.close()


class _Watched:
    """What one tab has shown, judged by the proofs of a run."""

    def __init__(self, devtools: DevTools, page: PageDescription) -> None:
        there = [one for one in pages(devtools) if str(one.get("url", "")).startswith(ORIGIN)]
        if not there:
            raise OSError("it has no tab with WhatsApp Web")
        self.tab = Tab(devtools, str(there[0]["targetId"]))
        self._changed = threading.Condition()
        self._evidence = PageEvidence()
        PageObserver(self.tab, page, login_digest, self._heard).start()

    def _heard(self, event: PageReading | NewDocument) -> None:
        """Called from the browser's thread."""
        now = time.monotonic()
        with self._changed:
            if isinstance(event, PageReading):
                self._evidence = self._evidence.after(event, now)
            elif event.document > self._evidence.document:
                self._evidence = self._evidence.new_document(event.document, now, ours=False)
            self._changed.notify_all()

    def wait(self, seconds: float) -> PageEvidence:
        """The evidence after its next change, or after so long."""
        with self._changed:
            self._changed.wait(seconds)
            return self._evidence


def _is_proven(evidence: PageEvidence) -> bool:
    know = replace(Knowledge.at_start(Options(), None, 0.0, 0.0), browser=Browser.UP, page=evidence)
    return proofs.CONDEMN.holds(know, time.monotonic())


def _seen_to_end(store: Store, number: str, devtools: DevTools) -> None:
    page = load(None)
    watched = _Watched(devtools, page)
    evidence = _when_ready(number, watched)
    login = evidence.login
    assert login is not None
    asked = _ask_page(store, number, watched.tab, page)
    if asked != "asked":
        raise _not_proven(number, "the page is not ready" if asked == "not ready" else "the page has no such call")
    deadline = time.monotonic() + WITHIN
    recorded, proven, gone = False, False, False
    while not (recorded or proven or gone) and time.monotonic() < deadline:
        evidence = watched.wait(0.2)
        recorded, proven = login in store.state.forgotten(number).condemned, _is_proven(evidence)
        # Whoever runs the session closes its browser as soon as it has seen the logout, maybe before we have.
        gone = evidence.status is PageStatus.GONE
    until = time.monotonic() + RECORDED_WITHIN
    while not recorded and (proven or gone) and time.monotonic() < until:
        time.sleep(0.1)
        recorded = login in store.state.forgotten(number).condemned
    if not recorded and not proven:
        raise _not_proven(number, f"the page did not say so within {WITHIN:g} s")
    if not recorded:
        # Whoever held it is gone, or its disk is full; the proof is ours as well.
        store.state.forget(number, "logged_out", condemn=login)


def _when_ready(number: str, watched: _Watched) -> PageEvidence:
    deadline = time.monotonic() + READY_WITHIN
    while True:
        evidence = watched.wait(0.2)
        reading = evidence.reading
        if reading is not None and reading.status is PageStatus.READY and reading.connected and reading.keys:
            if reading.number not in (None, number):
                raise _not_proven(number, f"its browser shows {reading.number}")
            if evidence.login is not None:
                return evidence
        if time.monotonic() >= deadline:
            raise _not_proven(number, f"the page is not ready: it shows {evidence.status.value}")


# -- by a run of our own


class _LogOutWhenReady:
    """Listens to a run, asks its page to log out once it is ready, and ends the run where that is not proven."""

    def __init__(self, store: Store, number: str) -> None:
        self._store, self._number = store, number
        self.run: Run | None = None
        self.proven = threading.Event()
        self.why = ""
        self._asked = False

    def __call__(self, event: Event) -> None:
        if event.event == "logged_out":
            self.proven.set()
        elif event.event == "ready" and not self._asked:
            self._asked = True
            threading.Thread(target=self._ask, name="logout", daemon=True).start()

    def _ask(self) -> None:
        assert self.run is not None
        live = self.run.live
        try:
            asked = _ask_page(self._store, self._number, live.tab, live.page) if live is not None else "not ready"
        except (OSError, TimeoutError, LindaError) as problem:
            asked = str(problem)
        if asked == "asked":
            # The run closes its browser before it tells.
            self.proven.wait(WITHIN + RECORDED_WITHIN if self._seen_gone() else 0.0)
            self.why = f"the page did not say so within {WITHIN:g} s"
        else:
            self.why = f"the page was not asked: {asked}"
        if not self.proven.is_set():
            self.run.stop("not logged out")

    def _seen_gone(self) -> bool:
        """Whether the browser of the login was let go of in time: a run does that once it has proof."""
        assert self.run is not None
        first, deadline = self.run.live, time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            if self.proven.wait(0.1) or self.run.live is not first:
                return True
        return False


def _by_own_run(store: Store, number: str, browser_args: Sequence[str], timeout: float, signals: bool) -> None:
    if number not in store.numbers() or not (store.home.stamped("backup", number) or store.profile(number).is_dir()):
        raise SessionNotFound(f"there is no login of {number} here", f"linda info {number}", session=number)
    listening = _LogOutWhenReady(store, number)
    listening.run = run = prepare(
        store.home,
        number,
        listening,
        browser_args=browser_args,
        no_link=True,
        link_again=False,
        can_show=False,
        driver_at_once=False,
        backup_every=0.0,
        timeout=timeout,
    )
    try:
        with stopping_on_signals(run) if signals else contextlib.nullcontext():
            run.execute()
    except LoggedOut as ended:
        if listening.proven.is_set():
            return
        raise LoggedOut(f"{number} was logged out before", f"linda start {number}", session=number) from ended
    except LindaError:
        if not listening.proven.is_set():
            raise
    if not listening.proven.is_set():
        raise _not_proven(number, listening.why or "it was stopped before that")
