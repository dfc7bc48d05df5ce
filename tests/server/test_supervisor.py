"""Restoration and care of accounts without browsers: turns, back-off, and what a bug in one run does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from linda_cli.errors import BrowserFailed, LindaError, LoggedOut, NotLinkedInTime, TooManyTries, Unreachable
from linda_cli.lifecycle.events import Event, OnEvent, event
from linda_cli.lifecycle.options import Pace
from linda_cli.server.accounts import Account, SessionData
from linda_cli.server.config import Settings
from linda_cli.server.startup import Restoration
from linda_cli.server.supervisor import AccountSupervisor, Outcome, Step, next_step
from tests.linda import NUMBER

_QUICK = Pace(first_retry=0.1, cap=0.2, stable=5.0)


def accounts(count: int) -> list[Account]:
    data = SessionData(True, None, "ready", True)
    return [Account(str(971505760100 + at), "alice", "ready", data, "", "") for at in range(count)]


class TestRestoration:
    def test_no_more_than_so_many_come_up_at_a_time(self) -> None:
        restoration = Restoration(Settings(restore_after=0.0, at_once=3))
        at_once, most, lock = 0, 0, threading.Lock()

        def start(number: str, settled: Callable[[bool], None]) -> None:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)

            def come_up() -> None:
                nonlocal at_once
                time.sleep(0.02)
                with lock:
                    at_once -= 1
                settled(number != "971505760100")

            threading.Thread(target=come_up).start()

        restoration.run(lambda: accounts(10), start)
        assert restoration.finished.is_set()
        assert (restoration.asked, restoration.restored, restoration.failed) == (10, 9, 1)
        assert most == 3

    def test_one_that_hangs_gives_its_turn_to_the_next(self) -> None:
        restoration = Restoration(Settings(restore_after=0.0, at_once=1, turn=0.05))
        started: list[str] = []
        late: list[Callable[[bool], None]] = []

        def start(number: str, settled: Callable[[bool], None]) -> None:
            started.append(number)
            if len(started) == 1:
                late.append(settled)
            else:
                settled(True)

        thread = threading.Thread(target=restoration.run, args=(lambda: accounts(4), start))
        thread.start()
        deadline = time.monotonic() + 10
        while len(started) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not restoration.finished.is_set()
        late[0](False)
        thread.join(10)
        assert (restoration.restored, restoration.failed) == (3, 1)

    def test_those_whose_browser_runs_come_first_and_the_doors_wait_for_nobody_else(self) -> None:
        restoration = Restoration(Settings(restore_after=0.0, at_once=1))
        started: list[str] = []
        taken_up: list[bool] = []

        def start(number: str, settled: Callable[[bool], None]) -> None:
            started.append(number[-1])
            taken_up.append(restoration.taken_up.is_set())
            settled(number[-1] != "1")

        restoration.run(lambda: accounts(5), start, lambda number: number[-1] in "13")
        assert started == ["1", "3", "0", "2", "4"]
        # One that failed to be attached to has had its answer as well.
        assert taken_up == [False, False, True, True, True]

    @pytest.mark.parametrize("after", [0.0, 60.0])
    def test_doors_open_at_once_where_no_browser_runs_or_restoration_comes_later(self, after: float) -> None:
        restoration = Restoration(Settings(restore_after=after, at_once=1))
        runs = threading.Event()
        held = threading.Thread(
            target=restoration.run, args=(lambda: accounts(1), lambda *_: runs.set(), lambda _: bool(after))
        )
        held.start()
        assert restoration.taken_up.wait(10)
        assert not restoration.finished.is_set()
        restoration.stop()
        held.join(10)
        assert runs.is_set() is not bool(after)

    def test_a_server_that_stops_brings_nobody_else_up(self) -> None:
        restoration = Restoration(Settings(restore_after=60.0))
        thread = threading.Thread(target=restoration.run, args=(lambda: accounts(4), pytest.fail))
        thread.start()
        restoration.stop()
        thread.join(10)
        assert restoration.finished.is_set()
        assert restoration.asked == 0


@dataclass
class Scripted:
    """Runs that do what they are told, one after another: a list of events, then how they end."""

    scripts: list[tuple[list[Event], BaseException | None]]
    asked: list[str | None] = field(default_factory=list)

    def make(self, number: str, on_event: OnEvent, link: str | None) -> ScriptedRun:
        self.asked.append(link)
        events, end = self.scripts.pop(0)
        return ScriptedRun(events, end, on_event)


class ScriptedRun:
    def __init__(self, events: list[Event], end: BaseException | None, on_event: OnEvent) -> None:
        self._events, self._end, self._on_event = events, end, on_event
        self._stopped = threading.Event()
        self.live = None

    def stop(self, reason: str, *, keep_browser: bool | None = None) -> None:
        self._stopped.set()

    def execute(self) -> None:
        for told in self._events:
            self._on_event(told)
        if self._end is not None:
            raise self._end
        self._stopped.wait(20)
        self._on_event(event("stopped", NUMBER, {"reason": "asked to"}))


def ready(source: str = "profile") -> Event:
    return event("ready", NUMBER, {"isRestored": source != "qr", "source": source})


def kept(
    *scripts: tuple[list[Event], BaseException | None],
) -> tuple[AccountSupervisor, Scripted, list[Event], list[str]]:
    script, heard, troubles = Scripted(list(scripts)), list[Event](), list[str]()
    supervisor = AccountSupervisor(NUMBER, script.make, heard.append, troubles.append, _QUICK)  # type: ignore[arg-type]
    return supervisor, script, heard, troubles


def until(wanted: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestSupervisor:
    def test_what_may_get_better_is_tried_again_until_it_does(self) -> None:
        supervisor, script, heard, _ = kept(
            ([], Unreachable("no network")), ([], BrowserFailed("it died")), ([ready()], None)
        )
        settled: list[bool] = []
        supervisor.start(None, settled.append)
        until(lambda: len(heard) == 4)
        assert [one.event for one in heard] == [
            "session_restoration_failed", "session_restoration_failed", "ready", "restored_session_ready"
        ]  # fmt: skip
        assert heard[0].facts["retryIn"] > 0
        assert heard[0].facts["name"] == "Unreachable"
        assert (settled, script.asked) == ([False], [None, None, None])
        supervisor.stop("asked to")
        assert supervisor.join(10)
        assert heard[-1].event == "stopped"
        assert not supervisor.state.up

    def test_a_bug_in_a_run_is_said_and_the_account_comes_back(self) -> None:
        supervisor, _, heard, troubles = kept(([], RuntimeError("a bug")), ([ready()], None))
        supervisor.start()
        until(lambda: supervisor.state.ready)
        assert "RuntimeError: a bug" in troubles[0]
        assert heard[0].event == "session_restoration_failed"
        supervisor.stop("asked to")
        supervisor.join(10)

    @pytest.mark.parametrize("problem", [LoggedOut("gone"), NotLinkedInTime("nobody came")])
    def test_what_a_person_must_mend_is_not_tried_again(self, problem: LindaError) -> None:
        supervisor, script, heard, _ = kept(([], problem))
        supervisor.start()
        assert supervisor.join(10)
        assert [one.event for one in heard] == ["session_restoration_failed"]
        assert "retryIn" not in heard[0].facts
        assert supervisor.state.problem == problem.message
        assert len(script.asked) == 1

    def test_a_logout_after_ready_is_said_once_and_links_nobody(self) -> None:
        gone = event("logged_out", NUMBER, {"reason": "by the phone"})
        supervisor, script, heard, _ = kept(([ready(), gone], LoggedOut("gone")))
        supervisor.start("qr")
        assert supervisor.join(10)
        assert [one.event for one in heard] == ["ready", "restored_session_ready", "logged_out"]
        assert script.asked == [None], "what is saved comes first, silently"

    def test_somebody_who_comes_while_it_is_restored_in_vain_gets_a_code(self) -> None:
        supervisor, script, heard, _ = kept(([], LoggedOut("gone")), ([ready("qr")], None))
        begun, hold, make = threading.Event(), threading.Event(), supervisor._make_run

        def slow(number: str, on_event: OnEvent, link: str | None) -> object:
            begun.set()
            hold.wait(10)
            return make(number, on_event, link)

        supervisor._make_run = slow  # type: ignore[assignment]
        supervisor.start(None)
        assert begun.wait(10)
        supervisor.start("qr")
        hold.set()
        until(lambda: heard)
        assert script.asked == [None, "qr"]
        assert [one.event for one in heard] == ["ready"]
        supervisor.stop("asked to")
        supervisor.join(10)

    def test_a_stop_while_it_waits_for_the_next_try_is_obeyed_at_once(self) -> None:
        supervisor, _, heard, _ = kept(([], Unreachable("no network")), ([ready()], None))
        supervisor._pace = Pace(first_retry=60.0)
        supervisor.start()
        until(lambda: supervisor.state.retry_at)
        supervisor.stop("asked to")
        assert supervisor.join(5)
        assert [one.event for one in heard] == ["session_restoration_failed", "stopped"]
        supervisor.start()
        until(lambda: supervisor.state.ready)
        supervisor.stop("asked to")
        supervisor.join(10)

    def test_a_start_that_comes_while_the_account_stops_is_not_lost(self) -> None:
        supervisor, _script, heard, _ = kept(([ready()], None), ([ready()], None))
        supervisor.start()
        until(lambda: supervisor.state.ready)
        supervisor.stop("stopped by you")
        supervisor.start()
        until(lambda: len([one for one in heard if one.event == "ready"]) == 2)
        supervisor.stop("stopped by you")
        assert supervisor.join(10)

    def test_no_start_is_lost_in_the_moment_in_which_the_thread_ends(self) -> None:
        ends = [([], LoggedOut("gone"))] * 400
        supervisor, script, _, troubles = kept(*ends)
        for _ in range(200):
            before = len(script.asked)
            supervisor.start()
            # Hit at every phase of the end of the thread that the start before has begun.
            until(lambda before=before: len(script.asked) > before)
        assert supervisor.join(10)
        assert troubles == []
        assert not supervisor.state.up

    def test_the_wish_to_link_survives_a_network_that_is_away_and_says_the_true_cause(self) -> None:
        cause = "cannot reach web.whatsapp.com: DNS lookup failed"
        supervisor, script, heard, _ = kept(
            ([], LoggedOut("nothing to restore")), ([], Unreachable(cause)), ([], LoggedOut("nothing to restore")),
            ([], Unreachable(cause)), ([], LoggedOut("nothing to restore")), ([ready("qr")], None),
        )  # fmt: skip
        supervisor.start("qr")
        until(lambda: supervisor.state.problem)
        assert supervisor.state.problem == cause
        until(lambda: supervisor.state.ready)
        assert script.asked == [None, "qr"] * 3
        assert [one.event for one in heard] == ["error", "error", "ready"]
        assert all(one.facts["message"] == cause for one in heard[:2])
        supervisor.stop("stopped by you")
        supervisor.join(10)

    def test_a_wish_that_is_taken_back_shows_no_code(self) -> None:
        supervisor, script, _, _ = kept(
            ([], LoggedOut("gone")), ([], Unreachable("away")), ([], LoggedOut("nothing to restore"))
        )
        supervisor._pace = Pace(first_retry=60.0)
        supervisor.start("qr")
        until(lambda: supervisor.state.retry_at)
        supervisor.start(None, take_back=True)
        assert supervisor.join(10)
        assert script.asked == [None, "qr", None]

    def test_nobody_who_linked_in_time_ends_the_wish(self) -> None:
        supervisor, script, _, _ = kept(([], LoggedOut("gone")), ([], NotLinkedInTime("nobody came")))
        supervisor.start("qr")
        assert supervisor.join(10)
        assert script.asked == [None, "qr"]

    def test_a_linking_is_counted_where_a_code_is_about_to_be_shown_and_once_for_each_wish(self) -> None:
        counted: list[int] = []
        supervisor, _, heard, _ = kept(
            ([], LoggedOut("gone")), ([], Unreachable("away")), ([], LoggedOut("gone")), ([ready("qr")], None)
        )
        supervisor._may_link = lambda: counted.append(1)
        supervisor.start("qr")
        until(lambda: supervisor.state.ready)
        assert counted == [1]
        supervisor.stop("stopped by you")
        supervisor.join(10)

        def refuse() -> None:
            raise TooManyTries("more than 10 linkings", "try again in 60 s", retryAfter=60)

        again, script, heard, _ = kept(([], LoggedOut("gone")))
        again._may_link = refuse
        again.start("qr")
        assert again.join(10)
        assert script.asked == [None]
        assert [(one.event, one.facts["name"]) for one in heard] == [("error", "TooManyTries")]

    def test_a_bug_in_the_supervisor_itself_is_said_and_the_account_comes_back(self) -> None:
        supervisor, _, heard, troubles = kept(([ready()], None), ([ready()], None))
        publish, broken = supervisor._publish, [True]

        def fail(told: Event) -> None:
            publish(told)
            if broken and told.event == "restored_session_ready":
                broken.clear()
                raise RuntimeError("a bug while telling")

        supervisor._publish = fail  # type: ignore[method-assign]
        supervisor.start()
        until(lambda: len([one for one in heard if one.event == "ready"]) == 2)
        assert "a bug while telling" in troubles[0]
        supervisor.stop("stopped by you")
        assert supervisor.join(10)


GONE, AWAY = LoggedOut("gone"), Unreachable("away")


@pytest.mark.parametrize(
    ("wanted", "link", "last", "step"),
    [
        (True, None, None, Step.RESTORE),
        (True, "qr", None, Step.RESTORE),
        (True, "qr", Outcome(GONE), Step.LINK),
        (True, None, Outcome(GONE), Step.END),
        (True, "qr", Outcome(GONE, link="qr"), Step.END),
        (True, "qr", Outcome(GONE, was_ready=True), Step.END),
        (True, "qr", Outcome(AWAY, link="qr"), Step.RETRY),
        (True, None, Outcome(AWAY, was_ready=True), Step.RETRY),
        (True, None, Outcome(None, was_ready=True), Step.RESTORE),
        (False, "qr", Outcome(AWAY), Step.END),
        (False, None, None, Step.END),
        (True, "qr", Outcome(NotLinkedInTime("nobody came"), link="qr"), Step.END),
    ],
)
def test_what_comes_next(wanted: bool, link: str | None, last: Outcome | None, step: Step) -> None:
    assert next_step(wanted, link, last) is step
