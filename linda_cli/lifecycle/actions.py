"""Doing what was decided: the only place of a run that touches the disk, the browser and the network.

Every action reports an observation, its failure too. What may take time is done in its lane, by a thread of its own,
one at a time: so a stop is always heard.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linda_cli.browser import launch
from linda_cli.browser.binaries import (
    browser_version,
    find_browser,
    find_driver,
    remember_version,
    require_fitting_driver,
)
from linda_cli.browser.flags import Wish, arguments
from linda_cli.browser.forwarding import Forwarding, Way, names_of, port_of, proxy_switches, through
from linda_cli.browser.forwarding import ask as ask_forward
from linda_cli.browser.processes import memory_mb
from linda_cli.errors import BrowserFailed, BrowserTooOld, DriverMismatch, Failed, HomeUnusable, InUse, LindaError
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.browser_session import BrowserSession, Gone, PageEvent, bring_up, take_up
from linda_cli.lifecycle.decisions import Action, Lane
from linda_cli.lifecycle.network import SHARED, way_out
from linda_cli.lifecycle.observations import Observation, ProfileFacts
from linda_cli.lifecycle.options import Engine, Options
from linda_cli.lifecycle.remote import RunRemote
from linda_cli.lifecycle.repair import drop_service_worker, drop_stale_lock, repair
from linda_cli.lifecycle.saving import Outcome, Saver, Told
from linda_cli.sessions import checks, manifest
from linda_cli.sessions.clock import iso, ms_of, now_ms
from linda_cli.sessions.durable import make_folder
from linda_cli.sessions.login import read_login
from linda_cli.sessions.memory_history import MemoryHistory
from linda_cli.sessions.ownership import owner_fields
from linda_cli.sessions.refusals import unknown_format
from linda_cli.sessions.state_keeper import StateKeeper
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.store import Store
from linda_cli.sessions.verdict import can_restore
from linda_cli.whatsapp import actions as page_actions
from linda_cli.whatsapp.observer import NewDocument
from linda_cli.whatsapp.selectors import PageDescription
from linda_cli.whatsapp.status import PageReading, PageStatus

if TYPE_CHECKING:
    from linda_cli.lifecycle.bot import Bot

Put = Callable[[Observation], None]

_PAGES_KEPT = 10
_MOMENT = 0.15
"""Seconds for which an event waits for what is noted with it: who hears of it may look there at once."""

_PASSED_OVER = ("logged out", "forgotten", "rejected before")


@dataclass(frozen=True, slots=True)
class Reported(Observation):
    """An action's end with the events to tell before it is taken in."""

    observation: Observation
    events: tuple[Told, ...] = ()


@dataclass(slots=True)
class Resources:
    """What a run holds: where its profile is, its browser, its bot. Changed by actions only, each in its lane."""

    profile: Path = field(default_factory=Path)
    session: BrowserSession | None = None
    forwarding: Forwarding | None = None
    browsers: int = 0
    began_ms: int = field(default_factory=now_ms)
    root_said: bool = False
    fingerprint: str | None = None
    source: str | None = None
    was_ready: bool = False
    login: str | None = None
    bot: Bot | None = None
    measured: tuple[tuple[str, int, int], ...] = ()


class Actions:
    """Does the actions of one run. ``put`` takes observations, from any thread."""

    def __init__(
        self,
        store: Store,
        options: Options,
        page: PageDescription,
        put: Put,
        tell: Callable[[str, Mapping[str, Any]], None],
        number: Callable[[], str | None],
        take_number: Callable[[str], None],
        stopping: Callable[[], bool],
    ) -> None:
        self.held = Resources()
        self._store = store
        self._options = options
        self._page = page
        self._put = put
        self._tell = tell
        self._number = number
        self._take_number = take_number
        self._stopping = stopping
        self._look: checks.Look | None = None
        self._memory: MemoryHistory | None = None
        self._lanes: dict[Lane, queue.SimpleQueue[Action | None]] = {}
        self._threads: list[threading.Thread] = []
        self.state = StateKeeper(store.state, self._state_said)
        self.saver = Saver(store, options, self.held, number)
        self._remote = RunRemote(store, options.remote)

    def _state_said(self, problem: LindaError | None) -> None:
        line = (
            f"what is known of the session could not be written: {problem.message}; it is tried again"
            if problem is not None
            else "what is known of the session is written again"
        )
        self._put(seen.Remark(line, at=time.monotonic()))

    # -- beginning and ending

    def begin(self, action: Action) -> tuple[Observation, ...]:
        """Do an action, or begin it: what is known of it now."""
        now = time.monotonic()
        if action.lane is Lane.NONE:
            self._at_once(action)
            return (seen.Done(action, at=now),)
        lane = self._lanes.get(action.lane)
        if lane is None:
            lane = self._lanes[action.lane] = queue.SimpleQueue()
            thread = threading.Thread(target=self._work, args=(lane,), name=action.lane.value, daemon=True)
            thread.start()
            self._threads.append(thread)
        lane.put(action)
        return (seen.Begun(action, at=now),)

    def abandon(self) -> None:
        """Nothing more will be begun: write what waits, and end the lanes that have nothing under way.

        A run that ends as it should has let go of its browser by now; one that a bug has ended closes it here.
        """
        session, self.held.session = self.held.session, None
        if session is not None:
            session.close()
        self.state.close()
        for lane in self._lanes.values():
            lane.put(None)
        for thread in self._threads:
            thread.join(1.0)

    def _work(self, lane: queue.SimpleQueue[Action | None]) -> None:
        while (action := lane.get()) is not None:
            events: tuple[Told, ...] = ()
            try:
                outcome = self._do(action)
                report: Observation = seen.Done(action, outcome.result, at=time.monotonic())
                events = outcome.events
            except LindaError as problem:
                report = seen.Failed(action, problem, at=time.monotonic())
                events = self._failure_told(action, problem)
            except OSError as problem:
                report = seen.Failed(action, _named(problem), at=time.monotonic())
            except Exception as bug:  # noqa: BLE001 - reported as a bug; the run decides what its failure means
                threading.excepthook(
                    threading.ExceptHookArgs((type(bug), bug, bug.__traceback__, threading.current_thread()))
                )
                what = Failed(f"a bug in linda: {type(bug).__name__}", "linda logs")
                report = seen.Failed(action, what, at=time.monotonic())
            self._put(Reported(report, events, at=report.at))
            if isinstance(report, seen.Done) and isinstance(action, (do.Launch, do.Attach)):
                # Only now: what the page says is listened to from the moment in which its browser is known.
                self._observe()

    def _observe(self) -> None:
        session, browser = self.held.session, self.held.browsers
        if session is None:
            return
        try:
            session.observe()
        except (OSError, TimeoutError) as problem:
            self._put(
                seen.BrowserGone(browser, f"it went away while it was attached to: {problem}", at=time.monotonic())
            )

    @staticmethod
    def _failure_told(action: Action, problem: LindaError) -> tuple[Told, ...]:
        if isinstance(action, do.BackUp):
            return (("backup_failed", {"reason": problem.message}),)
        if isinstance(action, do.Upload):
            return () if action.troubled else (("upload_failed", {"reason": problem.message}),)
        if isinstance(action, do.RestoreBackup):
            return (("rung_failed", {"rung": "backup", "backup": action.name, "reason": problem.message}),)
        return ()

    # -- at once

    def _at_once(self, action: Action) -> None:
        match action:
            case do.Tell(event=event, facts=facts):
                self._before_telling(event, facts)
                self._tell(event, facts)
            case do.Note(fields=fields):
                self._note(**fields, **({"lastStopped": iso(now_ms())} if "lastStopReason" in fields else {}))
            case do.Arrive(source=source):
                self._arrive(source)
            case do.BeginLinking():
                self._begin_linking()

    def _note(self, **fields: Any) -> None:
        number = self._number()
        if number is None:
            return
        if fields.get("lastState") == "authenticated":
            # From the scan on the login is somebody's, also where a kill comes before ready.
            fields.update(owner_fields(self._store.state.entry(number), self._options.owner))
        self.state.save(number, **fields)

    def _before_telling(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "disconnected":
            self._note(lastState="disconnected")
            self.state.flush(_MOMENT)
        elif event == "reconnected":
            self._note(lastState="ready", lastReady=iso(now_ms()))
            self.state.flush(_MOMENT)
        elif event == "logged_out":
            self.held.was_ready = False
        elif event == "waiting" and facts.get("for") == "page":
            self._keep_structure()

    def _arrive(self, source: str) -> None:
        """Note and tell ``ready``. The note is written beside it; a moment is waited for it, no more."""
        held, number = self.held, self._number()
        assert number is not None
        assert held.session is not None
        restored, first = source in ("browser", "profile", "backup"), not held.was_ready
        held.was_ready, held.source = True, source
        reading = self.saver.reading
        login = reading.login if reading is not None else None
        noise = reading.noise_digest if reading is not None else None
        held.login = login or held.login
        moment = iso(now_ms())

        entry = self._store.state.entry(number)
        count = int(str(entry.get("restoreCount") or 0))
        fields: dict[str, Any] = {"isLinked": True, "lastState": "ready", "lastReady": moment, "linkAfter": None}
        if login is not None:
            fields.update(login=login, noise=noise)
        if not restored:
            fields.update(authMethod=source, linkedAt=moment, **owner_fields(entry, self._options.owner))
        elif first:
            count += 1
            fields.update(restoreCount=count, lastRestored=moment)
        self.state.save(number, **fields)
        self.state.flush(_MOMENT)
        self._tell(
            "ready",
            {
                "source": source,
                "isRestored": restored,
                "restoreCount": count,
                "number": number,
                "debuggerAddress": held.session.address,
            },
        )

    def _begin_linking(self) -> None:
        held, number = self.held, self._number()
        home = self._store.home
        held.began_ms = now_ms()
        # A login that comes to be from here on is a new one: what was rejected before says nothing of it.
        held.fingerprint = held.login = None
        if number is None:
            if held.profile == Path():
                held.profile = home.new_linking()
        else:
            held.profile = self._store.profile(number)
            self._note(lastState="qr", isLinked=False)

    # -- in a lane

    def _do(self, action: Action) -> Outcome:
        match action:
            case do.Inspect():
                return Outcome(self._inspect())
            case do.PrepareProfile(from_backup=from_backup):
                return self._prepare(from_backup)
            case do.FindBackup():
                return self._find_backup(action)
            case do.RestoreBackup(name=name, proof=proof):
                return self._restore(name, f"{proof}; {name} was restored in its place")
            case do.PutBack(name=name):
                return self._restore(name, "no backup became ready")
            case do.Quarantine(reason=reason):
                return self._quarantine(self._known_number(), reason)
            case do.MoveOtherAccount(number=number):
                return self._move_other(number)
            case do.CopyToQuarantine(reason=reason):
                name = self._store.quarantine_copy(self._known_number(), self.held.profile, reason)
                return Outcome(name, (("quarantined", {"name": name, "reason": "a copy of the damaged profile"}),))
            case do.RecordRejection(fingerprint=fingerprint):
                self._store.remember_rejected(self._known_number(), fingerprint)
                return Outcome()
            case do.RevokeLogin(login=login, reason=reason):
                number = self._known_number()
                asked = reason == do.BY_THE_PHONE and self._store.state.logout_was_asked(number)
                self._store.state.forget(number, "logged_out", condemn=login)
                return Outcome(do.BY_YOU if asked else reason)
            case do.Save(login=login):
                return self.saver.save(login)
            case do.BackUp(reason=reason, replaces=replaces):
                return self.saver.back_up(reason, replaces=replaces)
            case do.Upload(within=within, troubled=troubled):
                return self._remote.upload(self._known_number(), within, troubled)
            case do.MeasureLogin():
                return Outcome(self._measure())
            case do.LearnNumber(number=number):
                self._take_number(number)
                return Outcome(number)
            case do.DropServiceWorker():
                dropped = drop_service_worker(self.held.profile)
                what = (("repaired", {"what": "a stale service worker was removed"}),)
                return Outcome(dropped, what if dropped else ())
            case do.TidyProfile():
                self._tidy()
                return Outcome()
            case do.Launch():
                return self._launch()
            case do.Attach():
                return Outcome(self._attach())
            case do.TryEmptyProfile(seconds=seconds):
                return Outcome(self._try_empty(seconds))
            case do.CloseBrowser(kept=kept, hung=hung):
                self._close(kept, hung)
                return Outcome()
            case do.EndBot():
                if self.held.bot is not None:
                    self.held.bot.end()
                return Outcome()
            case _:
                return Outcome(self._to_the_page(action))

    def _to_the_page(self, action: Action) -> object:
        session = self.held.session
        if session is None:
            raise BrowserFailed("there is no browser", "linda start")
        try:
            match action:
                case do.Reload():
                    session.reload(self._options.url)
                case do.InstallObserver():
                    session.observer.install()
                case do.Press(target=target):
                    return self._press(session, target)
                case do.CheckPulse(seconds=seconds):
                    return session.pulse(seconds)
                case do.MeasureMemory():
                    return self._measure_memory(session)
                case do.ProbeNetwork():
                    up, reason = SHARED.ask(self._way_out(), lambda: self._probe(session))
                    self._put(seen.NetworkSeen(up, reason, at=time.monotonic()))
        except TimeoutError as problem:
            raise BrowserFailed(f"the browser did not answer: {problem}", "linda info") from problem
        except OSError as problem:
            raise BrowserFailed(f"the browser is gone: {problem}", "linda info") from problem
        return None

    def _measure_memory(self, session: BrowserSession) -> seen.MemorySeen:
        found = seen.MemorySeen(memory_mb(session.running.pid), session.observer.quiet())
        number = self._number()
        if number is not None:
            if self._memory is None:
                self._memory = MemoryHistory(self._store.home.memory_history(number))
            # A history that cannot be kept is no reason to measure no more.
            with contextlib.suppress(OSError):
                self._memory.add(found.mb)
        return found

    def _way_out(self) -> tuple[str, ...]:
        """By which way this browser gets out: who has another one must ask for himself."""
        way = self._way()
        # In memory only: the line has the password, and another user of the same proxy may be let through.
        return (*way_out(self._options.browser_args), *((way.told().decode(),) if way is not None else ()))

    def _probe(self, session: BrowserSession) -> tuple[bool | None, str]:
        up, reason = session.probe_network()
        forwarding = self.held.forwarding
        if up is not False or forwarding is None:
            return up, reason
        wrong = forwarding.problem()
        return up, f"the proxy {forwarding.way.proxy} {wrong}" if wrong else reason

    def _press(self, session: BrowserSession, target: do.Target) -> bool:
        match target:
            case do.Target.NEW_CODES:
                return page_actions.renew_codes(session.tab, self._page)
            case do.Target.PAIRING_CODE:
                return page_actions.ask_for_code(session.tab, self._page, self._known_number())
            case _:
                return page_actions.use_here(session.tab, self._page, computer=target is do.Target.COMPUTER)

    def _known_number(self) -> str:
        number = self._number()
        assert number is not None
        return number

    # -- the disk

    def _inspect(self) -> ProfileFacts:
        number, store = self._known_number(), self._store
        profile = self.held.profile = store.profile(number)
        running = store.world.running(profile)
        if running is None:
            holder = store.world.around(profile).holder
            if holder is not None:
                raise InUse(
                    f"the profile of {number} is open in another browser: "
                    f"pid {holder.pid} on {ascii(holder.host)[1:-1]}",
                    f"linda info {number}",
                    pid=holder.pid,
                )
            look, verdict = store.look_before_start(number, profile)
        else:
            look, verdict = store.look(number, profile)
        if verdict == "damaged" and look.login is not None and look.login.number not in (None, number):
            # Sound, and of another number: whether that is another account, or the same one with a new number, only
            # the page can say.
            again = checks.look(profile, number=None, surroundings=store.world.around(profile), deep=True)
            look, verdict = again, store.judge(number, profile, again)
        store.check_world(look.login.sandbox if look.login else None)
        # What follows at once, before anything can change it, need not read the same again.
        self._look = look
        entry = store.state.entry(number)
        login = look.login.digest if look.login else None
        return ProfileFacts(
            verdict=verdict,
            can_restore=can_restore(verdict) and verdict != "running",
            login=login,
            noise=look.login.noise_digest if look.login else None,
            keyless=look.login is None and not look.trace,
            has_trace=look.trace,
            running=running is not None,
            ready_login=entry.get("login") if isinstance(entry.get("login"), str) else login,
            ready_noise=entry.get("noise") if isinstance(entry.get("noise"), str) else None,
            checks=look.checks,
            refusal=self._refusal(number, look, verdict),
        )

    @staticmethod
    def _refusal(number: str, look: checks.Look, verdict: str) -> LindaError | None:
        """Why no browser may be started on this profile: nothing is moved then, and no older backup is tried."""
        if verdict == "too_new":
            why = next(check.detail for check in look.checks if check.key == "browser")
            return BrowserTooOld(
                f"the profile of {number} is not for the installed browser: {why}",
                "sudo apt-get install --only-upgrade chromium chromium-driver",
            )
        return unknown_format(f"the login of {number}", look) if verdict == "unknown_format" else None

    def _prepare(self, from_backup: bool) -> Outcome:
        number, store, held = self._known_number(), self._store, self.held
        look, self._look = self._look, None
        if from_backup or look is None:
            look, _ = store.look(number, held.profile)
        events: list[Told] = [("repaired", {"what": line}) for line in repair(store, number, held.profile, look)]
        held.fingerprint = store.fingerprint(number, held.profile)
        copy = store.backup_of(number, held.fingerprint)
        name = copy.name if copy is not None else None
        if copy is None and not from_backup:
            # Whatever the browser does to it from here on, these bytes are safe.
            try:
                saved = self.saver.back_up("startup")
                name = getattr(saved.result, "name", None)
                events += saved.events
            except LindaError as problem:
                events.append(("backup_failed", {"reason": problem.message}))
        return Outcome(seen.Prepared(held.fingerprint, name), tuple(events))

    def _find_backup(self, wanted: do.FindBackup) -> Outcome:
        number = self._known_number()
        if wanted.verified_of is not None:
            return Outcome(self._newest_verified(number, wanted.verified_of))
        here = self._next_backup(number, wanted.tried)
        if isinstance(here.result, seen.FoundBackup) and here.result.name is not None:
            return here
        # Nothing is left here: what a machine that is gone had may be in the object store.
        brought = self._remote.bring_next(number, self._stopping)
        found = self._next_backup(number, wanted.tried) if brought.result is not None else here
        return Outcome(found.result, (*brought.events, *found.events))

    def _next_backup(self, number: str, tried: Collection[str]) -> Outcome:
        store = self._store
        passed: list[tuple[str, str]] = []
        bad = 0
        for backup, wrong in store.climbable(number, self._options.max_generations):
            if backup.name in tried:
                continue
            if wrong is None:
                found = seen.FoundBackup(
                    backup.name, backup.login, backup.fingerprint, _age(backup.created_at), tuple(passed), bad
                )
                return Outcome(found, _passed_over(passed))
            passed.append((backup.name, wrong))
            bad += wrong not in _PASSED_OVER
        return Outcome(seen.FoundBackup(passed_over=tuple(passed), bad=bad), _passed_over(passed))

    def _newest_verified(self, number: str, login: str) -> seen.FoundBackup:
        home = self._store.home
        for stamped in home.stamped("backup", number):
            backup = self._store.described(stamped)
            if backup.login != login or not backup.verified or backup.valid is False:
                continue
            if manifest.trouble(home.at(stamped), manifest.read_manifest(home.at(stamped)), thorough=True) is None:
                return seen.FoundBackup(backup.name, backup.login, backup.fingerprint, _age(backup.created_at))
        return seen.FoundBackup()

    def _restore(self, name: str, reason: str) -> Outcome:
        put = self._store.put_in_place(self._known_number(), name, reason)
        self.held.profile = put.profile
        told: tuple[Told, ...] = ()
        if put.aside is not None:
            told = (("quarantined", {"name": put.aside, "reason": reason.partition(";")[0]}),)
        return Outcome(seen.PutInPlace(put.aside), told)

    def _quarantine(self, number: str, reason: str) -> Outcome:
        name = self._store.quarantine(number, self.held.profile, reason)
        self.held.profile = self._store.home.named_profile(self._known_number())
        return Outcome(name, (("quarantined", {"name": name, "reason": reason}),) if name is not None else ())

    def _move_other(self, other: str) -> Outcome:
        """Closing has flushed: the other account's login is whole before it is moved."""
        name = self._store.quarantine(other, self.held.profile, f"linked while {self._number()} was asked for")
        reason = f"it is the login of {other}"
        return Outcome(name, (("quarantined", {"name": name, "reason": reason}),) if name is not None else ())

    def _measure(self) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times of the files that carry the login."""
        found = []
        for folder in ("Default/IndexedDB", "Default/Local Storage", "Default/LocalStorage"):
            for here, _, names in os.walk(self.held.profile / folder):
                for name in names[:2000]:
                    # A file that Chromium took away meanwhile is a change, too.
                    with contextlib.suppress(OSError):
                        status = os.lstat(os.path.join(here, name))
                        found.append((name, status.st_size, status.st_mtime_ns))
        return tuple(sorted(found))

    def _tidy(self) -> None:
        held, number, home = self.held, self._number(), self._store.home
        if not held.profile.is_dir() or held.profile.is_symlink():
            return
        # A browser that a signal has ended leaves it: nothing is left for the next start to repair.
        drop_stale_lock(self._store, held.profile)
        if number is not None:
            if held.profile != home.named_profile(number):
                held.profile = self._store.adopt(held.profile, number)
        elif held.profile.parent == home.sessions and read_login(held.profile) is None:
            # Made by this run for a linking that did not come about: there is nothing of anybody in it. Looked at at
            # the last moment, and out of the way in one step.
            dead = home.sessions / f".{held.profile.name}.dead"
            held.profile.rename(dead)
            shutil.rmtree(dead, ignore_errors=True)

    def _keep_structure(self) -> None:
        """Keep what an unknown page is made of, without what it says, for whoever mends the description."""
        reading = self.saver.reading
        if reading is None or reading.status is not PageStatus.UNKNOWN or not reading.structure:
            return
        logs = self._store.home.logs
        # A courtesy: a full disk must not stop a run.
        with contextlib.suppress(OSError):
            logs.mkdir(mode=0o700, exist_ok=True)
            path = logs / f"unknown-page-{now_ms()}.txt"
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(f"socket {reading.socket}, mode {reading.mode}\n{reading.structure}\n")
            for old in sorted(logs.glob("unknown-page-*.txt"))[:-_PAGES_KEPT]:
                old.unlink(missing_ok=True)

    # -- the browser

    def _watching(self) -> dict[str, Any]:
        """How every browser of this run is observed and driven."""
        patched = self._store.home.drivers if self._options.engine is Engine.UNDETECTED else None
        return {
            "page": self._page,
            "tell": self._heard,
            "undetected": patched,
            "driver_at_once": self._options.driver_at_once,
        }

    def _heard(self, session: BrowserSession, event: PageEvent) -> None:
        """Called from the browser's thread."""
        held, now = self.held, time.monotonic()
        if session is not held.session:
            return
        browser = held.browsers
        if isinstance(event, Gone):
            self._put(seen.BrowserGone(browser, at=now))
        elif isinstance(event, NewDocument):
            self._put(seen.DocumentBegan(browser, event.document, event.of_origin, at=now))
        elif isinstance(event, PageReading):
            self.saver.reading = event
            self._put(seen.PageSeen(browser, event, at=now))

    def _way(self) -> Way | None:
        proxy = self._options.proxy
        return Way(proxy, names_of(self._options.browser_args)) if proxy is not None else None

    def _forward(self) -> Forwarding | None:
        """A way to the proxy for the next browser, None where none is wanted."""
        way = self._way()
        return Forwarding.begin(way) if way is not None else None

    def _launch(self) -> Outcome:
        held, home = self.held, self._store.home
        binary = find_browser()
        version = browser_version(binary, home.browser_facts)
        if self._options.driver_at_once:
            find_driver()
        make_folder(held.profile)
        self._store.await_readers(held.profile, stop=self._stopping)
        as_root = os.geteuid() == 0
        events: tuple[Told, ...] = ()
        if as_root and not held.root_said:
            held.root_said = True
            events = (("note", {"what": "running as root, so Chromium runs without its own sandbox (--no-sandbox)"}),)
        forwarding = self._forward()
        held.session = None
        try:
            session = self._brought_up(binary, self._wish(held.profile, version, forwarding))
        except BaseException:
            if forwarding is not None:
                forwarding.end()
            raise
        if forwarding is not None:
            forwarding.stay_with(session.running.pid)
        held.forwarding = forwarding
        # The browser's own word corrects what was remembered of it; where it is gone again, that is told elsewhere.
        with contextlib.suppress(OSError, TimeoutError):
            true_version = session.version()
            if true_version != version:
                remember_version(binary, true_version, home.browser_facts)
            self._require_driver_for(session, true_version)
        return Outcome(self._is_up(session), events)

    def _require_driver_for(self, session: BrowserSession, version: str) -> None:
        """Before anybody hears of a browser that ChromeDriver would not take. Raises ``DriverMismatch``."""
        if not self._options.driver_at_once:
            return
        try:
            require_fitting_driver(find_driver(), version, self._store.home.driver_facts)
        except DriverMismatch:
            session.close()
            self.held.forwarding = None
            raise
        except LindaError:
            # It does not say what it is: whether it attaches will show.
            return

    def _brought_up(self, binary: Path, wish: Wish) -> BrowserSession:
        starting = launch.begin(binary, arguments(wish), wish.profile, self._store.home.browser_log(wish.profile))
        try:
            session = bring_up(starting, self._stopping, **self._watching())
        except (OSError, TimeoutError) as problem:
            launch.end(starting)
            raise BrowserFailed(
                f"the browser came up and went away again: {problem}", f"cat {shlex.quote(str(starting.log))}"
            ) from problem
        except BaseException:
            launch.end(starting)
            raise
        if session is None:
            raise BrowserFailed("the run was stopped while the browser started", "linda start")
        return session

    def _wish(self, profile: Path, version: str, forwarding: Forwarding | None) -> Wish:
        extra = self._options.browser_args
        return Wish(
            profile=profile,
            url=self._options.url,
            version=version,
            headful=self._options.headful,
            as_root=os.geteuid() == 0,
            extra=extra if forwarding is None else through(extra, forwarding.port),
            formats=formats_of(profile),
        )

    def _is_up(self, session: BrowserSession) -> seen.BrowserUp:
        held = self.held
        held.browsers += 1
        self.saver.reading = None
        held.session = session
        return seen.BrowserUp(held.browsers, session.address)

    def _attach(self) -> seen.BrowserUp:
        session = take_up(self.held.profile, **self._watching())
        if session is None:
            self._end_unattached()
            raise BrowserFailed("its debugging port does not answer", f"linda stop {self._number() or ''}".strip())
        try:
            self.held.forwarding = self._same_way(session)
        except BrowserFailed:
            session.close()
            raise
        if self._options.driver_at_once:
            # A browser that outlived an upgrade may be none that the new ChromeDriver takes: known before ready.
            try:
                session.prove_driver()
            except BrowserFailed:
                session.close()
                raise
        return self._is_up(session)

    def _same_way(self, session: BrowserSession) -> Forwarding | None:
        """How the browser that runs gets to its proxy. Raises ``BrowserFailed`` where it goes by another way than is
        wanted now: its proxy was chosen when it started."""
        import psutil

        way, pid = self._way(), session.running.pid
        try:
            words = psutil.Process(pid).cmdline()
        except psutil.Error as problem:
            raise BrowserFailed("the browser is gone", "linda info") from problem
        if way is None:
            if proxy_switches(words) == proxy_switches(self._options.browser_args):
                return None
        elif (port := port_of(words)) is not None and ask_forward(way, port) is not None:
            return Forwarding(way, port, pid=pid)
        raise BrowserFailed("it goes by another proxy than is wanted now", "linda start")

    def _end_unattached(self) -> None:
        """A browser that is proven to run on this profile and cannot be spoken to is ended."""
        from linda_cli.browser.close import close
        from linda_cli.browser.launch import Running
        from linda_cli.browser.processes import DevToolsPort, occupant

        found = occupant(self.held.profile)
        if found is not None and found.proven:
            close(Running(self.held.profile, found.pid, found.started, DevToolsPort(0, "")))

    def _try_empty(self, seconds: float) -> bool:
        """Whether a browser on an empty profile lives for so long with the page."""
        home = self._store.home
        binary = find_browser()
        version = browser_version(binary, home.browser_facts)
        profile = Path(tempfile.mkdtemp(prefix=".empty-", dir=home.sessions))
        starting, forwarding = None, None
        try:
            log = home.browser_log(profile)
            forwarding = self._forward()
            starting = launch.begin(binary, arguments(self._wish(profile, version, forwarding)), profile, log)
            if launch.await_port(starting, interrupted=self._stopping) is None:
                return False
            deadline = time.monotonic() + min(30.0, seconds)
            while time.monotonic() < deadline and not self._stopping():
                if starting.child.poll() is not None:
                    return False
                time.sleep(0.05)
            return True
        finally:
            if starting is not None:
                launch.end(starting)
            if forwarding is not None:
                forwarding.end()
            shutil.rmtree(profile, ignore_errors=True)

    def _close(self, kept: bool, hung: bool) -> None:
        session, forwarding = self.held.session, self.held.forwarding
        if session is None:
            return
        try:
            if kept:
                session.detach()
            else:
                session.close(hung=hung)
                if forwarding is not None:
                    forwarding.reap()
        finally:
            self.held.session = self.held.forwarding = None


def _passed_over(passed: list[tuple[str, str]]) -> tuple[Told, ...]:
    return tuple(("rung_failed", {"rung": "backup", "backup": name, "reason": why}) for name, why in passed)


def _age(created_at: str) -> float | None:
    made = ms_of(created_at)
    return max(0.0, (now_ms() - made) / 1000) if made is not None else None


def _named(problem: OSError) -> LindaError:
    where = problem.filename or "the disk"
    return HomeUnusable(f"{where}: {problem.strerror or problem}", "df -h; ls -ld .")
