"""Silent restoration: every account with a valid session is brought up when the server has started."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from linda_cli.server.accounts import Account
from linda_cli.server.config import Settings

Start = Callable[[str, Callable[[bool], None]], None]
"""Bring an account up and say once whether it became ready."""


@dataclass(slots=True)
class Restoration:
    """How far it is. A bounded number of accounts come up at a time; one that is slow loses its turn to the next."""

    settings: Settings
    finished: threading.Event = field(default_factory=threading.Event)
    taken_up: threading.Event = field(default_factory=threading.Event)
    """Every account whose browser ran on without us has had its first answer, or there was none to wait for."""
    asked: int = 0
    restored: int = 0
    failed: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _turns: threading.Condition = field(default_factory=threading.Condition)
    _busy: int = 0
    _to_take_up: set[str] = field(default_factory=set)

    def run(
        self, accounts: Callable[[], list[Account]], start: Start, runs: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Wait until it is time, restore, and return once every account has had its first answer.

        Those whose browser ``runs`` come first, then the others, each in the order of ``accounts``.
        """
        try:
            if self.settings.restore_after:
                # What comes up later is nobody's to wait for.
                self.taken_up.set()
            if self._stopping.wait(self.settings.restore_after):
                return
            wanted = accounts()
            self.asked = len(wanted)
            running = {one.client_id for one in wanted if runs(one.client_id)}
            self._take_up(running)
            for account in sorted(wanted, key=lambda one: one.client_id not in running):
                if not self._take_turn():
                    return
                self._bring_up(account.client_id, start)
            with self._turns:
                self._turns.wait_for(lambda: self._stopping.is_set() or self.restored + self.failed >= self.asked)
        finally:
            self.taken_up.set()
            self.finished.set()

    def stop(self) -> None:
        """Bring nobody else up."""
        self._stopping.set()
        with self._turns:
            self._turns.notify_all()

    def _take_turn(self) -> bool:
        with self._turns:
            self._turns.wait_for(lambda: self._stopping.is_set() or self._busy < self.settings.at_once)
            self._busy += 1
        return not self._stopping.is_set()

    def _bring_up(self, number: str, start: Start) -> None:
        given_back = threading.Event()

        def give_back() -> None:
            with self._turns:
                if not given_back.is_set():
                    given_back.set()
                    self._busy -= 1
                    self._turns.notify_all()

        # One bad account must not keep the others waiting for its whole two minutes.
        timer = threading.Timer(self.settings.turn, give_back)
        timer.daemon = True
        timer.start()

        def settled(well: bool) -> None:
            timer.cancel()
            with self._turns:
                self.restored += well
                self.failed += not well
                self._turns.notify_all()
                self._take_up(self._to_take_up - {number})
            give_back()

        start(number, settled)

    def _take_up(self, left: set[str]) -> None:
        self._to_take_up = left
        if not left:
            self.taken_up.set()
