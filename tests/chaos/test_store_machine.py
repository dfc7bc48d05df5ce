"""The store as a machine: whatever is done to a session in whatever order, its login can be had back."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chaos.homes import NUMBER, home_at, make_profile, scratch, store_of, write_keys
from chaos.survey import leftovers, print_of, whole_state
from linda_cli.errors import BackupUnusable, LindaError, ProfileDamaged, SessionNotFound
from linda_cli.sessions import clock, manifest
from linda_cli.sessions.backups import soundness
from tests.linda import flip

DAY = 86_400_000
_CLOCKED = ("backups", "cleanup", "home", "profiles", "saving", "state")


class AStore(RuleBasedStateMachine):
    """One session: its page writes, people back up, restore, clear and clean up, bytes rot, the clock moves."""

    @initialize()
    def link(self) -> None:
        self.ends = scratch()
        self.home = home_at(self.ends.__enter__() / "home")
        self.home.make()
        make_profile(self.home.named_profile(NUMBER), rows=5)
        self.offset = 0
        self.writes = 0
        self.counted = 0
        self.labelled: set[str] = set()
        self.saved_once = False
        self.clocks = []
        for module in _CLOCKED:
            found = __import__(f"linda_cli.sessions.{module}", fromlist=["now_ms"])
            if hasattr(found, "now_ms"):
                patch = mock.patch.object(found, "now_ms", self.now)
                patch.start()
                self.clocks.append(patch)

    def now(self) -> int:
        return clock.now_ms() + self.offset

    def teardown(self) -> None:
        if hasattr(self, "clocks"):
            for patch in self.clocks:
                patch.stop()
            self.ends.__exit__(None, None, None)

    @property
    def profile(self) -> Path:
        return self.home.named_profile(NUMBER)

    def sound(self) -> bool:
        return self.profile.is_dir() and soundness(self.profile)[1] is None

    def good(self) -> list[str]:
        return [one.name for one in manifest.listed(self.home, NUMBER, thorough=True) if one.valid]

    @precondition(lambda self: self.sound())
    @rule()
    def the_page_writes(self) -> None:
        self.writes += 1
        write_keys(self.profile, WALangPref=f'"{self.writes}"')

    @precondition(lambda self: self.profile.is_dir())
    @rule(label=st.sampled_from([None, None, "kept", "other"]), verified=st.booleans())
    def back_up(self, label: str | None, verified: bool) -> None:
        sound = self.sound()
        try:
            made = store_of(self.home).backup(NUMBER, label, verified=verified)
        except (ProfileDamaged, SessionNotFound):
            assert not sound
            return
        self.saved_once = True
        assert made.backup.fingerprint == print_of(self.profile)
        assert made.backup.name in self.good() or not made.is_new
        if label is not None:
            self.labelled.add(made.backup.name)

    @rule()
    def restore(self) -> None:
        good = self.good()
        try:
            done = store_of(self.home).restore(NUMBER)
        except (BackupUnusable, SessionNotFound):
            assert not good
            return
        assert self.sound()
        assert done.source in good
        self.saved_once = True

    @rule()
    def clear(self) -> None:
        sound = self.sound()
        before = print_of(self.profile) if sound else None
        try:
            done = store_of(self.home).clear(NUMBER)
        except SessionNotFound:
            return
        assert not self.profile.exists()
        if sound and done.aside is not None:
            assert print_of(self.home.at(done.aside)) == before
            assert done.backup is not None
            self.saved_once = True

    @rule(keep=st.integers(0, 5), days=st.sampled_from([0, 1, 7]))
    def clean_up(self, keep: int, days: int) -> None:
        good = self.good()
        labelled = self.labelled & {one.name for one in self.home.stamped("backup", NUMBER)}
        done = store_of(self.home).cleanup(older_than=days * 86400.0, keep=keep)
        assert not done.errors
        assert all(item.reason for item in done.items)
        left = self.good()
        assert bool(left) == bool(good)
        assert not good or good[0] in left
        assert labelled <= {one.name for one in self.home.stamped("backup", NUMBER)}
        plain = [one for one in manifest.listed(self.home, NUMBER) if one.label is None]
        assert len(plain) <= max(keep, 2)

    @rule(days=st.integers(-400, 30))
    def the_clock_moves(self, days: int) -> None:
        self.offset += days * DAY

    @precondition(lambda self: len(self.good()) > 1)
    @rule()
    def the_newest_backup_rots(self) -> None:
        name = self.good()[0]
        self.labelled.discard(name)
        flip(next(self.home.at(name).rglob("MANIFEST-*")))

    @precondition(lambda self: bool(self.good()))
    @rule()
    def the_profile_is_lost(self) -> None:
        shutil.rmtree(self.profile, ignore_errors=True)

    @rule()
    def another_counts(self) -> None:
        store = store_of(self.home)
        store.save_state(NUMBER, counter=int(store.state.entry(NUMBER).get("counter") or 0) + 1)
        self.counted += 1

    @invariant()
    def the_login_can_be_had_back(self) -> None:
        if not hasattr(self, "home"):
            return
        assert whole_state(self.home) == []
        assert leftovers(self.home) == []
        assert not self.saved_once or self.sound() or self.good()
        assert int(store_of(self.home).state.entry(NUMBER).get("counter") or 0) == self.counted
        order = [one.ms for one in self.home.stamped("backup", NUMBER)]
        assert len(order) == len(set(order))
        try:
            told = store_of(self.home).info(NUMBER)
        except LindaError:
            return
        assert (told.verdict in ("restorable", "repairable")) <= self.sound()


AStore.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestAStore = AStore.TestCase
