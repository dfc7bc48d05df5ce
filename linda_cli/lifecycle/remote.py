"""A run's backups in the object store: what the uploads of one run found, and the events by which that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from linda_cli.errors import LindaError
from linda_cli.lifecycle.saving import Outcome, Told
from linda_cli.object_store.settings import RemoteSettings
from linda_cli.sessions.results import Problem
from linda_cli.sessions.store import Store

if TYPE_CHECKING:
    from linda_cli.object_store.remote import RemoteBackups
    from linda_cli.object_store.upload import Uploaded


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """What became of one session's upload: ``done``, or the ``error``."""

    session: str
    done: Uploaded | None = None
    error: Problem | None = None


def upload_all(store: Store, settings: RemoteSettings | None, numbers: Sequence[str]) -> list[UploadOutcome]:
    """Bring the backups of these sessions up; one that fails does not keep the others. Nothing without a store."""
    if settings is None:
        return []
    from linda_cli.object_store.remote import RemoteBackups

    remote = RemoteBackups(store, settings)
    outcomes = []
    for number in numbers:
        try:
            outcomes.append(UploadOutcome(number, remote.upload(number)))
        except LindaError as problem:
            outcomes.append(UploadOutcome(number, error=Problem(problem.name, problem.message, problem.hint)))
    return outcomes


class RunRemote:
    """The object store of one run."""

    def __init__(self, store: Store, settings: RemoteSettings | None) -> None:
        self._store = store
        self._settings = settings
        self._damaged_told: set[str] = set()

    @cached_property
    def _remote(self) -> RemoteBackups:
        # Late: a run without an object store has no use for its libraries.
        from linda_cli.object_store.remote import RemoteBackups

        assert self._settings is not None
        return RemoteBackups(self._store, self._settings)

    def bring_next(self, number: str, stop: Callable[[], bool]) -> Outcome:
        """Bring a backup that the home does not have; its result is its name, None where there is none.

        Raises the named errors: then it is unknown whether there is one.
        """
        if self._settings is None:
            return Outcome()
        if self._settings.identity is None:
            what = f"whether {self._settings.url} has a backup is unknown: LINDA_REMOTE_IDENTITY is not set"
            return Outcome(None, (("note", {"what": what}),))
        brought = self._remote.bring_next(number, stop=stop)
        if brought is None:
            return Outcome()
        return Outcome(brought.name, (("note", {"what": f"{brought.name} came from the object store"}),))

    def upload(self, number: str, within: float, troubled: bool) -> Outcome:
        """Bring the backups up. ``troubled``: that it failed was told, so that it is told when it is over.

        Raises the named errors.
        """
        done = self._remote.upload(number, within=within)
        events: list[Told] = []
        for name, why in done.damaged.items():
            if name not in self._damaged_told:
                self._damaged_told.add(name)
                events.append(("note", {"what": f"{name} was not uploaded: {why}"}))
        if done.backups or troubled:
            facts = {"backups": done.backups, "bytes": done.bytes, "seconds": done.seconds}
            events.append(("uploaded", facts))
        return Outcome(done, tuple(events))
