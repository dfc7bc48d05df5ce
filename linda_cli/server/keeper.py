"""One account under care: a run in a thread, begun anew by a run's own back-off, until told to stop."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from linda_cli import errors
from linda_cli.lifecycle.backoff import Backoff
from linda_cli.lifecycle.events import Event, OnEvent, event
from linda_cli.lifecycle.options import Pace
from linda_cli.lifecycle.run import Run
from linda_cli.server.view import AUTHENTICATING, View, after

MakeRun = Callable[[str, OnEvent, str | None], Run]
"""A run for (number, listener, how to link or None)."""

_FINAL = (
    errors.LoggedOut, errors.ProfileDamaged, errors.BackupUnusable, errors.NotLinkedInTime, errors.PasskeyRequired,
    errors.OtherAccount, errors.Misused, errors.NotFound, errors.BrowserTooOld, errors.UnknownFormat,
    errors.StoreUnreadable,
)  # fmt: skip
"""What trying again does not mend: a person must do something first."""

_TO_LINK = (errors.LoggedOut, errors.ProfileDamaged, errors.BackupUnusable)


class Keeper:
    """Keeps one account up. Its methods may be called from any thread."""

    def __init__(self, number: str, make_run: MakeRun, tell: OnEvent, trouble: Callable[[str], None], pace: Pace):
        self.number = number
        self.view = View()
        self._make_run = make_run
        self._tell = tell
        self._trouble = trouble
        self._pace = pace
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._run: Run | None = None
        self._link: str | None = None
        self._asked: str | None = None
        self._said_stopped = False
        self._was_ready = False
        self._stopping: str | None = None
        self._keep_browser = False
        self._wake = threading.Event()
        self._settled: Callable[[bool], None] = lambda _: None

    # -- from outside

    def start(self, link: str | None = None, settled: Callable[[bool], None] = lambda _: None) -> None:
        """Bring the account up; one that is up already stays as it is.

        ``link``: how to link where nothing is left to restore (``qr``, ``code``), None for never. ``settled`` is
        called once, with whether it became ready at the first try.
        """
        with self._lock:
            if link is not None:
                # Also where a silent restoration is under way: should it fail, a person now waits for a code.
                self._link = link
            if self._thread is not None:
                self._wake.set()
                late = settled
            else:
                self._settled = settled
                self._stopping = None
                self._said_stopped = False
                self._keep_browser = False
                self._wake.clear()
                self.view = replace(self.view, up=True, status=AUTHENTICATING, problem=None, retry_at=None)
                self._thread = threading.Thread(target=self._care, name=f"account-{self.number}", daemon=True)
                self._thread.start()
                return
        late(self.view.ready is not None)

    def stop(self, reason: str, *, keep_browser: bool = False) -> None:
        """Ask the account's run to end."""
        with self._lock:
            self._stopping = reason
            self._keep_browser = keep_browser
            run = self._run
        self._wake.set()
        if run is not None:
            run.stop(reason, keep_browser=keep_browser)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False where it takes longer."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    @property
    def live_driver(self) -> Any:
        """Selenium on the account's page, attached when it is first asked for. Raises ``BrowserFailed``."""
        run = self._run
        if run is None or run.live is None:
            raise errors.Failed(f"{self.number} is not up", f"POST /whatsapp/accounts/{self.number}/start")
        return run.live.driver

    # -- the thread

    def _care(self) -> None:
        backoff = Backoff(self._pace)
        try:
            while self._stopping is None:
                began = time.monotonic()
                problem = self._one_run()
                if problem is None:
                    return
                was_ready = self._was_ready
                if was_ready and time.monotonic() - began > self._pace.stable:
                    backoff.retries = 0
                if isinstance(problem, _TO_LINK) and self._link is not None and not was_ready:
                    continue
                final = isinstance(problem, _FINAL)
                pause = None if final else backoff.next()
                self._say_failed(problem, pause)
                self._settle(False)
                if pause is None:
                    return
                self.view = replace(self.view, retry_at=time.time() + pause)
                self._wake.wait(pause)
                self._wake.clear()
        finally:
            if self._stopping is not None and not self._said_stopped:
                # It was asked to end between two runs, or before the first.
                self._heard(event("stopped", self.number, {"reason": self._stopping}))
            with self._lock:
                self._thread = None
                self.view = replace(self.view, up=False, code=None, ready=None, retry_at=None)
            self._settle(False)

    def _one_run(self) -> errors.LindaError | None:
        """None: it was asked to end."""
        with self._lock:
            if self._stopping is not None:
                return None
            # What a person wished counts for one try: what comes after it happens while nobody looks.
            self._asked, self._link = self._link, None
            self._was_ready = False
            self.view = replace(self.view, status=AUTHENTICATING, ready=None)
        try:
            run = self._make_run(self.number, self._heard, self._asked)
            with self._lock:
                self._run = run
                stopping = self._stopping
            if stopping is not None:
                return None
            run.execute()
        except errors.LindaError as problem:
            return problem
        except Exception as bug:  # noqa: BLE001 - logged as a bug; the account is tried again
            self._trouble(f"{self.number}: a bug in linda\n{traceback.format_exc()}")
            return errors.Failed(f"a bug in linda: {type(bug).__name__}", "see the log of the server")
        finally:
            with self._lock:
                self._run = None
        return None

    def _heard(self, told: Event) -> None:
        self.view = after(self.view, told)
        self._said_stopped = told.event == "stopped"
        self._was_ready = self._was_ready or told.event == "ready"
        self._tell(told)
        if told.event == "ready":
            if told.facts.get("isRestored"):
                self._tell(replace(told, event="restored_session_ready"))
            self._settle(True)

    def _say_failed(self, problem: errors.LindaError, pause: float | None) -> None:
        if self._was_ready and isinstance(problem, errors.LoggedOut):
            return  # its event has said all there is to say
        facts: dict[str, Any] = {"name": problem.name, "hint": problem.hint}
        if pause is not None:
            facts["retryIn"] = round(pause, 1)
        silent = self._asked is None and not self._was_ready
        name, key = ("session_restoration_failed", "reason") if silent else ("error", "message")
        told = event(name, self.number, {key: problem.message, **facts})
        self.view = after(self.view, told)
        self._tell(told)

    def _settle(self, well: bool) -> None:
        with self._lock:
            settled, self._settled = self._settled, lambda _: None
        settled(well)
