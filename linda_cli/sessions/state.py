"""``session-state.json``: what we know of each session, and ``forgotten-<number>.json``, what must not come back.

The state file is a convenience: a missing, empty or garbled one is rebuilt from profiles, backups and ``forgotten-*``.
Entries are plain dictionaries with the contract's names, because unknown fields are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from linda_cli.errors import HomeUnusable
from linda_cli.sessions.clock import iso, ms_of, now_ms
from linda_cli.sessions.durable import move, open_regular, write_whole
from linda_cli.sessions.group_commit import Change, group_commit
from linda_cli.sessions.home import Home, Stamped
from linda_cli.sessions.locks import STORE_WAIT, held
from linda_cli.sessions.ownership import set_owner

Entry = dict[str, Any]

# A state file of a thousand sessions is 1 MB; more than this is not ours and is not read into memory.
_LARGEST = 64 << 20
_LARGEST_MANIFEST = 16 << 20

_FRESH: Entry = {
    "isLinked": False,
    "authMethod": None,
    "linkedAt": None,
    "lastRestored": None,
    "restoreCount": 0,
    "lastState": "new",
    "backupCount": 0,
    "createdAt": None,
    "linkAfter": None,
}


_TICK_NS = 50_000_000

_LOGOUT_LASTS_MS = 120_000
"""The page takes up to 20 s to log out, and a run some more to close its browser before it records that."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What the ladder must not bring back by itself.

    ``link_after``: ISO moment; no login older than it is used. ``condemned``: login digests that WhatsApp unlinked;
    ``revoked_at``: when each of them was.
    """

    link_after: str | None = None
    reason: str | None = None
    condemned: tuple[str, ...] = ()
    revoked_at: Mapping[str, str] = field(default_factory=dict)

    @property
    def link_after_ms(self) -> int:
        """The same in milliseconds since 1970; 0 where any login may come back."""
        return ms_of(self.link_after) or 0


def read_json(path: Path, largest: int = _LARGEST) -> Any:
    """The JSON in a regular file of at most ``largest`` bytes; raises ``OSError`` or ``ValueError``."""
    with open(open_regular(path), "rb") as source:
        data = source.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"larger than {largest} bytes")
    try:
        return json.loads(data)
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem


class State:
    """The state file of a home and the ``forgotten-*`` files beside the backups."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._memory: tuple[tuple[int, int, int], Mapping[str, Any]] | None = None

    # -- reading

    def entries(self) -> dict[str, Entry]:
        """Every session that the state file, a profile, a backup or a ``forgotten-*`` file knows. Writes nothing."""
        entries = self._stored() or {}
        home = self._home
        known = {
            *home.numbers_with_profile(),
            *(backup.number for backup in home.stamped("backup")),
            *home.forgotten_numbers(),
        }
        for number in known - entries.keys():
            entries[number] = self._rebuilt(number)
        return dict(sorted(entries.items()))

    def entry(self, number: str) -> Entry:
        """What is known of one session, rebuilt where nothing is stored."""
        stored = self._known().get(number)
        return {**_FRESH, **deepcopy(stored)} if isinstance(stored, dict) else self._rebuilt(number)

    def forgotten(self, number: str) -> Forgotten:
        """From the ``forgotten`` file and the state together, the stricter of the two."""
        on_file = self._forgotten_file(number)
        stored = self._known().get(number)
        in_state = stored.get("linkAfter") if isinstance(stored, dict) else None
        if (ms_of(in_state) or 0) > on_file.link_after_ms:
            return replace(on_file, link_after=in_state)
        return on_file

    # -- writing

    def update(self, number: str, change: Callable[[Entry], None], *, wait: float = STORE_WAIT) -> Entry:
        """Change one entry under the state lock; nothing is lost when many processes do so at once.

        Raises ``InUse`` after ``wait`` seconds, ``HomeUnusable`` where the file cannot be read or written.
        """
        changed: list[Entry] = []

        def keep(entry: Entry) -> None:
            change(entry)
            changed.append(deepcopy(entry))

        self.update_all([number], keep, wait=wait)
        return changed[-1]

    def update_all(self, numbers: Iterable[str], change: Callable[[Entry], None], *, wait: float = STORE_WAIT) -> None:
        """Change the entries of many sessions in one go; see :meth:`update`."""
        self.update_each(dict.fromkeys(numbers, change), wait=wait)

    def update_each(self, changes: Mapping[str, Callable[[Entry], None]], *, wait: float = STORE_WAIT) -> None:
        """Change each entry in its own way, in one go; see :meth:`update`.

        What many threads of this process want at once is written together, by one of them.
        """
        group_commit(self._home.state_file).do(Change(changes), self._write_changes, wait)

    def _write_changes(self, changes: Sequence[Change], wait: float) -> None:
        with held(self._home.state_lock, wait=wait, what="the state file"):
            entries = self._stored()
            if entries is None:
                self._must_be_unusable()
                self._put_garbled_aside()
                entries = self.entries()
            for one in changes:
                self._apply(one, entries)
            self._write(entries)

    def _apply(self, wanted: Change, entries: dict[str, Entry]) -> None:
        changed: dict[str, Entry] = {}
        for number, change in wanted.changes.items():
            entry = deepcopy(entries[number]) if number in entries else self._rebuilt(number)
            try:
                change(entry)
            except Exception as problem:  # noqa: BLE001 - raised again in the thread whose change it is, and only there
                wanted.problem = problem
                return
            if not entry.get("createdAt"):
                entry["createdAt"] = iso(now_ms())
            changed[number] = entry
        entries.update(changed)

    def save(self, number: str, **fields: Any) -> Entry:
        """Set fields of one entry by their names in the file."""
        return self.update(number, lambda entry: entry.update(fields))

    def own(self, number: str, owner: str | None) -> None:
        """Record whose login this number has from now on; see :mod:`linda_cli.sessions.ownership`."""
        self.update(number, lambda entry: set_owner(entry, owner))

    def ask_logout(self, number: str) -> None:
        """Note that the page is asked to log out, so that a run that sees the logout can say who asked."""
        self.save(number, logoutAskedAt=iso(now_ms()))

    def take_back_logout(self, number: str) -> None:
        """The page did not log out."""
        self.save(number, logoutAskedAt=None)

    def logout_was_asked(self, number: str) -> bool:
        """Whether a logout that is seen now was asked for here."""
        asked = ms_of(self.entry(number).get("logoutAskedAt"))
        return asked is not None and abs(now_ms() - asked) <= _LOGOUT_LASTS_MS

    def forget(self, number: str, reason: str, *, condemn: str | None = None) -> None:
        """From now on no older login of this number comes back by itself; ``condemn`` ends one login for good."""
        before = self._forgotten_file(number)
        # Dict order keeps the order of events and drops repetitions.
        condemned = tuple(dict.fromkeys([*before.condemned, *([condemn] if condemn else [])]))
        moment = iso(now_ms())
        revoked_at = {**({condemn: moment} if condemn else {}), **before.revoked_at}
        self._write_forgotten(number, Forgotten(moment, reason, condemned, revoked_at))
        self.save(number, linkAfter=moment, isLinked=False, lastState=reason, logoutAskedAt=None)

    def welcome(self, number: str, *, pardon: Collection[str] = ()) -> None:
        """Logins of any age may come back again: the session was ready, or a person asked for a restore.

        ``pardon`` takes a login, by any of its digests, off the condemned, because a person named it.
        """
        before = self._forgotten_file(number)
        condemned = tuple(login for login in before.condemned if login not in pardon)
        if condemned:
            if before.link_after or condemned != before.condemned:
                self._write_forgotten(number, Forgotten(None, None, condemned, before.revoked_at))
        elif before != Forgotten():
            with self._writing(self._home.forgotten(number)):
                self._home.forgotten(number).unlink(missing_ok=True)
        if self.entry(number).get("linkAfter"):
            self.save(number, linkAfter=None)

    # -- files

    def _known(self) -> Mapping[str, Any]:
        """The file's entries as they stand there, not to be changed; read again only where the file has changed.

        It is always replaced, never written to. A file replaced twice in one tick of the clock may look the same, so
        a young one is not remembered.
        """
        try:
            status = self._home.state_file.lstat()
        except OSError:
            return {}
        key = (status.st_ino, status.st_size, status.st_mtime_ns)
        if self._memory is None or self._memory[0] != key:
            settled = time.time_ns() - status.st_mtime_ns > _TICK_NS
            try:
                told = read_json(self._home.state_file)
            except (OSError, ValueError):
                return {}
            sessions = told.get("sessions") if isinstance(told, dict) else None
            if not isinstance(sessions, dict):
                return {}
            self._memory = (key, sessions) if settled else None
            return sessions
        return self._memory[1]

    def _stored(self) -> dict[str, Entry] | None:
        """The file's entries; None where it is missing, empty or garbled."""
        try:
            told = read_json(self._home.state_file)
        except (OSError, ValueError):
            return None
        sessions = told.get("sessions") if isinstance(told, dict) else None
        if not isinstance(sessions, dict):
            return None
        return {number: {**_FRESH, **entry} for number, entry in sessions.items() if isinstance(entry, dict)}

    def _write(self, entries: Mapping[str, Entry]) -> None:
        whole: dict[str, Any] = {}
        # Unreadable or garbled: it was moved beside, and is rebuilt from what is known.
        with contextlib.suppress(OSError, ValueError):
            told = read_json(self._home.state_file)
            whole = told if isinstance(told, dict) else {}
        whole["sessions"] = dict(sorted(entries.items()))
        with self._writing(self._home.state_file):
            write_whole(self._home.state_file, json.dumps(whole, indent=2).encode() + b"\n")

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise HomeUnusable(
                f"cannot write {path}: {problem.strerror}",
                "ls -ld {0}; df -h {0}".format(shlex.quote(str(path.parent))),
            ) from problem

    def _must_be_unusable(self) -> None:
        """A state file that merely could not be read now (no handles, a bad sector, no rights) is not replaced."""
        path = self._home.state_file
        try:
            if path.is_file() and not path.is_symlink():
                os.close(open_regular(path))
        except OSError as problem:
            raise HomeUnusable(
                f"cannot read {path}: {problem.strerror}",
                f"ls -l {shlex.quote(str(path))}; ulimit -n",
                home=str(self._home.root),
            ) from problem

    def _put_garbled_aside(self) -> None:
        path = self._home.state_file
        # A folder that refuses a rename refuses the write that follows too, and that is told.
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.stat().st_size:
                move(path, path.with_name(f"{path.name}.garbled-{now_ms()}"))

    def _rebuilt(self, number: str) -> Entry:
        backups = self._home.stamped("backup", number)
        forgotten = self._forgotten_file(number)
        has_profile = self._home.named_profile(number).is_dir()
        entry = dict(_FRESH)
        entry["backupCount"] = len(backups)
        entry["createdAt"] = iso(backups[-1].ms) if backups else None
        entry["linkAfter"] = forgotten.link_after
        owner = self._owner_of_newest(backups)
        if owner is not None:
            entry["owner"] = owner
        # What is on disk decides: whether it still logs in is for the checks and the page to say.
        entry["isLinked"] = bool(backups or has_profile) and not forgotten.link_after
        if forgotten.link_after:
            entry["lastState"] = forgotten.reason
        elif backups or has_profile:
            entry["lastState"] = "stopped"
        return entry

    def _owner_of_newest(self, backups: list[Stamped]) -> str | None:
        """Whose login the newest readable backup says it is."""
        for stamped in backups:
            try:
                told = read_json(self._home.at(stamped) / "backup.json", _LARGEST_MANIFEST)
            except (OSError, ValueError):
                continue
            owner = told.get("owner") if isinstance(told, dict) else None
            return owner if isinstance(owner, str) else None
        return None

    def _forgotten_file(self, number: str) -> Forgotten:
        path = self._home.forgotten(number)
        try:
            told = read_json(path, 1 << 20)
            after = told.get("linkAfter")
            reason = told.get("reason")
            condemned = tuple(one for one in told.get("condemned", ()) if isinstance(one, str))
            # Earlier versions kept no moments: then the file's own age is the best that is known.
            known, written = told.get("revokedAt") or {}, iso(path.lstat().st_mtime_ns // 1_000_000)
            revoked_at = {one: known[one] if ms_of(known.get(one)) is not None else written for one in condemned}
        except FileNotFoundError:
            return Forgotten()
        except (OSError, ValueError, AttributeError, TypeError):
            # It is there, so something was to be forgotten; its own age is the best that is left of it.
            try:
                after, reason, condemned = iso(path.lstat().st_mtime_ns // 1_000_000), "cleared", ()
                revoked_at = {}
            except OSError:
                return Forgotten()
        return Forgotten(
            after if ms_of(after) is not None else None,
            reason if reason in ("cleared", "logged_out") else "cleared",
            condemned,
            revoked_at,
        )

    def _write_forgotten(self, number: str, forgotten: Forgotten) -> None:
        whole = {
            "version": 1,
            "number": number,
            "linkAfter": forgotten.link_after,
            "reason": forgotten.reason,
            "condemned": list(forgotten.condemned),
            "revokedAt": {one: at for one, at in forgotten.revoked_at.items() if one in forgotten.condemned},
        }
        with self._writing(self._home.forgotten(number)):
            write_whole(self._home.forgotten(number), json.dumps(whole, indent=2).encode() + b"\n")
