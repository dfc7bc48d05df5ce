"""One account under supervision: a run in a thread, started again by a run's own back-off, until told to stop.

What happens next is decided in one place, :func:`next_step`, under the supervisor's lock: a start that comes in the
moment in which the thread ends finds either a thread that will look again or none.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from linda_cli import errors
from linda_cli.lifecycle.backoff import Backoff
from linda_cli.lifecycle.events import Event, OnEvent, event
from linda_cli.lifecycle.options import Pace
from linda_cli.lifecycle.run import Run
from linda_cli.server.account_state import AUTHENTICATING, AccountState, reduce

MakeRun = Callable[[str, OnEvent, str | None], Run]
"""A run for (number, listener, how to link or None)."""

FINAL = (
    errors.LoggedOut, errors.ProfileDamaged, errors.BackupUnusable, errors.NotLinkedInTime, errors.PasskeyRequired,
    errors.OtherAccount, errors.Misused, errors.NotFound, errors.BrowserTooOld, errors.TooManyTries,
    errors.UnknownFormat, errors.StoreUnreadable,
)  # fmt: skip
"""What trying again does not mend: a person must do something first."""

NOTHING_LEFT = (errors.LoggedOut, errors.ProfileDamaged, errors.BackupUnusable)
"""Nothing is left to restore: whoever wishes to link now gets a code."""


class Step(Enum):
    """What a supervisor does next."""

    RESTORE = "restore"
    LINK = "link"
    RETRY = "retry"
    END = "end"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``problem`` None: it was asked to. ``link``: how it was to link, None for a silent one."""

    problem: errors.LindaError | None
    was_ready: bool = False
    link: str | None = None


def next_step(wanted: bool, link: str | None, last: Outcome | None) -> Step:
    """What comes after ``last`` for an account that is ``wanted`` up, with a wish to link or None.

    What is saved is always tried first, silently; a code is shown only where nothing is left.
    """
    if not wanted:
        return Step.END
    if last is None or last.problem is None:
        return Step.RESTORE
    if link is not None and isinstance(last.problem, NOTHING_LEFT) and not last.was_ready and last.link is None:
        return Step.LINK
    return Step.END if isinstance(last.problem, FINAL) else Step.RETRY


class AccountSupervisor:
    """Keeps one account up. Its methods may be called from any thread."""

    def __init__(
        self,
        number: str,
        make_run: MakeRun,
        publish: OnEvent,
        say: Callable[[str], None],
        pace: Pace,
        may_link: Callable[[], None] = lambda: None,
    ) -> None:
        self.number = number
        self.state = AccountState()
        self._make_run = make_run
        self._publish = publish
        self._say = say
        self._pace = pace
        self._may_link = may_link
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended: Future[None] = _done()
        self._run: Run | None = None
        self._wanted = False
        self._link: str | None = None
        self._link_counted = False
        self._stop_reason = ""
        self._keep_browser = False
        self._stopped_said = False
        self._was_ready = False
        self._wake = threading.Event()
        self._starts = 0
        self._settled: Callable[[bool], None] = _nobody

    # -- from outside

    def start(
        self,
        link: str | None = None,
        settled: Callable[[bool], None] | None = None,
        *,
        counted: bool = False,
        take_back: bool = False,
    ) -> None:
        """Bring the account up; one that is up already stays as it is.

        ``link``: how to link where nothing is left to restore (``qr``, ``code``), None for never; the wish lasts until
        it is met, is taken back (``take_back``, a stop), or nobody links in time. ``counted``: the linking was counted
        already. ``settled`` is called once, with whether the account became ready at the first try.
        """
        with self._lock:
            self._wanted = True
            self._starts += 1
            if link is not None:
                self._link, self._link_counted = link, self._link_counted or counted
            elif take_back:
                self._link, self._link_counted = None, False
            if self._thread is None:
                self._settled = settled or _nobody
                self._stopped_said = False
                self._keep_browser = False
                self._wake.clear()
                self.state = replace(self.state, up=True, status=AUTHENTICATING, problem=None, retry_at=None)
                self._ended = Future()
                self._thread = threading.Thread(target=self._supervise, name=f"account-{self.number}", daemon=True)
                self._thread.start()
                return
            self._wake.set()
        if settled is not None:
            settled(self.state.ready is not None)

    def stop(self, reason: str, *, keep_browser: bool = False) -> None:
        """Ask the account's run to end."""
        with self._lock:
            self._wanted = False
            self._link, self._link_counted = None, False
            self._stop_reason = reason
            self._keep_browser = keep_browser
            run = self._run
        self._wake.set()
        if run is not None:
            run.stop(reason, keep_browser=keep_browser)

    @property
    def ended(self) -> Future[None]:
        """Done once the account's present thread has ended."""
        with self._lock:
            return self._ended

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False where it takes longer."""
        try:
            self.ended.result(timeout)
        except TimeoutError:
            return False
        return True

    @property
    def live_driver(self) -> Any:
        """Selenium on the account's page, attached when it is first asked for. Raises ``BrowserFailed``."""
        run = self._run
        if run is None or run.live is None:
            raise errors.Failed(f"{self.number} is not up", f"POST /whatsapp/accounts/{self.number}/start")
        return run.live.driver

    # -- the thread

    def _supervise(self) -> None:
        backoff = Backoff(self._pace)
        last: Outcome | None = None
        while True:
            try:
                last = self._until_the_end(backoff, last)
                return
            except Exception:  # noqa: BLE001 - see below
                # No thread ends in silence: the bug is said, and the account comes back as after any failure.
                self._say(f"{self.number}: a bug in linda\n{traceback.format_exc()}")
                last = Outcome(errors.Failed("a bug in linda", "see the log of the server"))
                self._wake.wait(self._pace.first_retry)

    def _until_the_end(self, backoff: Backoff, last: Outcome | None) -> Outcome | None:
        while True:
            with self._lock:
                step = next_step(self._wanted, self._link, last)
                link = self._link if step is Step.LINK else None
                counted, starts, wished = self._link_counted, self._starts, self._link is not None
                if step is Step.END:
                    # Nobody linked in time, say: a wish that comes after this moment is another one.
                    self._link, self._link_counted = None, False
            if step is Step.LINK and not counted:
                try:
                    self._may_link()
                except errors.LindaError as refused:
                    last = Outcome(refused, link=link)
                    continue
                with self._lock:
                    self._link_counted = True
            if step in (Step.RETRY, Step.END) and last is not None and last.problem is not None:
                pause = backoff.next() if step is Step.RETRY else None
                self._say_failed(last, pause, wished)
                self._settle(False)
                if pause is not None:
                    self._wait(pause)
                    last = None
                    continue
            if step is Step.END:
                if self._finish(starts):
                    return last
                last = None
                continue
            began = time.monotonic()
            last = self._one_run(link)
            if last.was_ready and time.monotonic() - began > self._pace.stable:
                backoff.retries = 0

    def _wait(self, pause: float) -> None:
        with self._lock:
            self.state = replace(self.state, retry_at=time.time() + pause)
            waiting = self._wanted
        if waiting:
            self._wake.wait(pause)
        self._wake.clear()

    def _finish(self, starts: int) -> bool:
        """End the thread, unless somebody wants the account up again: looked at and ended under one lock."""
        if not self._wanted and not self._stopped_said:
            # It was asked to end between two runs, or before the first.
            self._heard(event("stopped", self.number, {"reason": self._stop_reason}))
        with self._lock:
            if self._wanted and self._starts != starts:
                # Asked for again after it was decided that this is the end.
                return False
            self._wanted = False
            self._link, self._link_counted = None, False
            self._thread = None
            self.state = replace(self.state, up=False, code=None, ready=None, retry_at=None)
            ended = self._ended
        self._settle(False)
        ended.set_result(None)
        return True

    def _one_run(self, link: str | None) -> Outcome:
        with self._lock:
            self._was_ready = False
            self._stopped_said = False
            self._wake.clear()
            self.state = replace(self.state, status=AUTHENTICATING, ready=None, retry_at=None)
        problem: errors.LindaError | None = None
        try:
            run = self._make_run(self.number, self._heard, link)
            with self._lock:
                self._run = run
                wanted = self._wanted
            if wanted:
                run.execute()
        except errors.LindaError as failure:
            problem = failure
        except Exception as bug:  # noqa: BLE001 - see below
            # A run is other code's whole world; a bug in it is said and costs one try.
            self._say(f"{self.number}: a bug in linda\n{traceback.format_exc()}")
            problem = errors.Failed(f"a bug in linda: {type(bug).__name__}", "see the log of the server")
        finally:
            with self._lock:
                self._run = None
        return Outcome(problem, self._was_ready, link)

    def _heard(self, heard: Event) -> None:
        with self._lock:
            self.state = reduce(self.state, heard)
            self._stopped_said = heard.event == "stopped"
            if heard.event == "ready":
                self._was_ready = True
                self._link, self._link_counted = None, False
        self._publish(heard)
        if heard.event == "ready":
            if heard.facts.get("isRestored"):
                self._publish(replace(heard, event="restored_session_ready"))
            self._settle(True)

    def _say_failed(self, outcome: Outcome, pause: float | None, wished: bool) -> None:
        problem = outcome.problem
        assert problem is not None
        if outcome.was_ready and isinstance(problem, errors.LoggedOut):
            return  # its event has said all there is to say
        facts: dict[str, Any] = {"name": problem.name, "hint": problem.hint}
        if pause is not None:
            facts["retryIn"] = round(pause, 1)
        silent = not wished and outcome.link is None and not outcome.was_ready
        name, key = ("session_restoration_failed", "reason") if silent else ("error", "message")
        failed = event(name, self.number, {key: problem.message, **facts})
        with self._lock:
            self.state = reduce(self.state, failed)
        self._publish(failed)

    def _settle(self, well: bool) -> None:
        with self._lock:
            settled, self._settled = self._settled, _nobody
        settled(well)


def _nobody(_: bool) -> None:
    """Nobody waits for the first try."""


def _done() -> Future[None]:
    done: Future[None] = Future()
    done.set_result(None)
    return done
