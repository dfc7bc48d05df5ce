"""Making, changing and dropping backups: made whole or not at all, and proven before they are trusted.

All of it changes the disk and is called with the session's store lock held.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from linda_cli.errors import Failed, ProfileDamaged
from linda_cli.sessions import together
from linda_cli.sessions.checks import look
from linda_cli.sessions.clock import iso
from linda_cli.sessions.durable import (
    copy_hashed,
    copy_open,
    make_folder,
    move,
    remove_tree,
    sync_file,
    sync_folder,
    write_whole,
)
from linda_cli.sessions.home import Home, Stamped, parse_stamped
from linda_cli.sessions.login import Login, read_login
from linda_cli.sessions.login_files import (
    BLOBS,
    LOGIN_ROOTS,
    SQLITE_ROOTS,
    Entry,
    fingerprint,
    is_sqlite,
    login_files,
    never_changes,
    shared,
)
from linda_cli.sessions.manifest import MANIFEST, Manifest, read_manifest, spelled, trouble, unusable
from linda_cli.sessions.ownership import LOCAL
from linda_cli.sessions.pinning import MOST, Pin, pinned
from linda_cli.sessions.sharing import Donor, donor
from linda_cli.sessions.storage.damage import Unreadable
from linda_cli.sessions.storage.paths import LOCAL_SQLITE
from linda_cli.sessions.storage.sqlite.files import BESIDE, JOURNAL, WAL, guarded

# Of a login too large to be held open at one moment a copy may meet a compaction; the next meets what it left.
_HOT_ATTEMPTS = 8
_MOST_LEFT_OUT = 500
_NO_PINS: Mapping[str, Pin] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """What is to be said of a new backup besides its bytes."""

    number: str
    reason: str
    label: str | None = None
    cold: bool = True
    verified: bool = False
    browser: str | None = None
    browser_version: str | None = None
    keys_unknown: bool = False
    """It is a login although its keys are not found under their known names."""
    sandbox: bool = False
    """For such a login: whether it is the stand-in's; any other says so itself."""
    owner: str | None = None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``backup.json`` whole; the backup exists from the moment its folder has its name."""
    write_whole(folder / MANIFEST, json.dumps(spelled(manifest), indent=1).encode() + b"\n")


def take(home: Home, profile: Path, origin: Origin) -> Stamped:
    """Copy the login in ``profile`` into a new backup.

    Raises ``ProfileDamaged`` where the copy is not a sound login, ``Failed`` where the disk refuses; nothing is left
    of it then.
    """
    number = origin.number
    ms = home.next_ms(number)
    work = home.work_in_cache("making", number, ms)
    for attempt in range(1 if origin.cold else _HOT_ATTEMPTS):
        try:
            make_folder(work)
            with contextlib.nullcontext(_NO_PINS) if origin.cold else pinned(profile) as pins:
                entries = _copied(profile, work, donor(home, number, work), pins)
            login, damage = _sound_and_durable(
                work, origin.keys_unknown, [one.path for one in entries if is_sqlite(one.path)]
            )
            if damage is None and (login is not None or origin.keys_unknown):
                if origin.cold or _is_still(profile, login):
                    return _finish(home, work, ms, origin, entries, login, _left_out(profile))
                damage = "another login took its place while it was copied"
            linked = shared(profile)
            why = f"{linked} is a hard link" if linked else damage or "there is no login in it"
        except FileNotFoundError:
            # Chromium's compaction took a file between the listing and the copy.
            why = "its files kept changing"
        except Unreadable as problem:
            # Not damage: a disk that fails, or a database that never stood still.
            if origin.cold or attempt == _HOT_ATTEMPTS - 1:
                raise Failed(
                    f"the backup of {number} could not be made: {problem.detail}", f"linda info {number} --deep"
                ) from problem
        except OSError as problem:
            raise Failed(
                f"the backup of {number} could not be written: {problem.strerror or problem}",
                "linda cleanup --keep 2",
            ) from problem
        finally:
            if work.exists():
                remove_tree(work)
        if origin.cold or attempt == _HOT_ATTEMPTS - 1:
            break
    raise ProfileDamaged(
        f"the login of {number} is not sound, so it was not backed up: {why}",
        f"linda info {number} --deep",
        session=number,
    )


def _is_still(profile: Path, login: Login | None) -> bool:
    """Whether the profile is of the login that was copied: localStorage was copied first, and something else may have
    been linked since."""
    now = read_login(profile)
    return login is None or now is None or now.digest == login.digest


def _left_out(profile: Path) -> tuple[str, ...]:
    """What of the profile is in no backup: its folders and files as far down as one of them is wholly left out."""
    carried = [str(root) for root in LOGIN_ROOTS]
    found: list[str] = []

    def walk(folder: Path, prefix: str) -> None:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            path = f"{prefix}{name}"
            if path in carried or len(found) >= _MOST_LEFT_OUT:
                continue
            if any(one.startswith(f"{path}/") for one in carried):
                walk(folder / name, f"{path}/")
            else:
                found.append(ascii(path)[1:-1][:200])

    walk(profile, "")
    return tuple(found)


def soundness(folder: Path, keys_unknown: bool = False) -> tuple[Login | None, str | None]:
    """The login in a copy nobody writes to, and what is wrong with it: every block of every table is read."""
    seen = look(folder, number=None, deep=True, once_ready=keys_unknown, private=True)
    wrong = next((check.detail for check in seen.checks if check.key in ("session", "storage") and not check.ok), None)
    return seen.login, wrong


def _copied(profile: Path, work: Path, earlier: Donor | None, pins: Mapping[str, Pin]) -> tuple[Entry, ...]:
    """The login's files, copied and their bytes durable."""

    def copied(path: str, *, durable: bool = True) -> Entry | None:
        pin = pins.get(path)
        if pin is not None and _grows(path):
            # Whatever it has become since, this much of it belongs to the others.
            return Entry(path, *copy_open(pin.handle, work / path, pin.size, durable=durable))
        given = earlier.gives(profile / path, path, work) if earlier is not None else None
        if given is not None:
            return given
        try:
            if pin is not None:
                size, sha256 = copy_open(pin.handle, work / path, durable=durable)
            else:
                size, sha256 = copy_hashed(profile / path, work / path, durable=durable)
        except FileNotFoundError:
            if path.endswith((".log", ".ldb", ".sst")) or path.rsplit("/", 1)[-1].startswith(("CURRENT", "MANIFEST")):
                raise
            return None
        return Entry(path, size, sha256)

    paths = _all_of(profile, pins)
    _make_folders(work, paths)
    databases, paths = _databases(profile, paths)
    entries: dict[str, Entry | None] = {}
    # Each database is a moment of its own. localStorage goes first: it says whose login this is, and is looked at
    # again at the end. Then small ones before large ones: the keys before the messages that they open.
    for database in databases:
        entries.update(_database_copied(profile, work, database, earlier))
    # What a running browser writes to is copied in the order in which it is listed; the rest never changes.
    moving = [path for path in paths if not never_changes(path)]
    still = [path for path in paths if never_changes(path)]
    entries.update({path: copied(path, durable=False) for path in moving})
    # A database is one large file: its bytes become durable while its pages are checked.
    together.each(sync_file, [work / path for path in moving if entries[path] is not None])
    entries.update(zip(still, together.each(copied, still), strict=True))
    return tuple(entry for entry in entries.values() if entry is not None)


def _databases(profile: Path, paths: list[str]) -> tuple[list[str], list[str]]:
    """The SQLite databases among these files in the order in which they are copied, and the other files."""
    found = {path.removesuffix(WAL).removesuffix(JOURNAL) for path in paths if is_sqlite(path)}

    def size(path: str) -> int:
        try:
            return os.lstat(profile / path).st_size
        except OSError:
            return 0

    ordered = sorted(found, key=lambda path: (path != str(LOCAL_SQLITE), size(path), path))
    return ordered, [path for path in paths if not is_sqlite(path)]


def _database_copied(profile: Path, work: Path, database: str, earlier: Donor | None) -> dict[str, Entry]:
    """A database with its ``-wal``, of one moment, byte for byte. Raises ``FileNotFoundError``, ``Unreadable``."""

    def copy(suffix: str) -> Entry:
        path = f"{database}{suffix}"
        # A moment that was none is copied again.
        (work / path).unlink(missing_ok=True)
        given = earlier.gives(profile / path, path, work) if earlier is not None else None
        return given or Entry(path, *copy_hashed(profile / path, work / path))

    made = {entry.path: entry for entry in guarded(profile / database, copy).values()}
    for suffix in BESIDE:
        if f"{database}{suffix}" not in made:
            (work / f"{database}{suffix}").unlink(missing_ok=True)
    return made


def _make_folders(work: Path, paths: Iterable[str]) -> None:
    for folder in {path.rpartition("/")[0] for path in paths}:
        make_folder(work / folder, durable=False)


def _all_of(profile: Path, pins: Mapping[str, Pin]) -> list[str]:
    """Every file; of a login that is held open none that came later, unless it is too large to be held whole."""
    if not 0 < len(pins) < MOST:
        return login_files(profile)
    return [*pins, *login_files(profile, (BLOBS, *SQLITE_ROOTS))]


def _grows(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".log") or name.startswith(("CURRENT", "MANIFEST"))


def _finish(
    home: Home,
    work: Path,
    ms: int,
    origin: Origin,
    entries: tuple[Entry, ...],
    login: Login | None,
    left_out: tuple[str, ...],
) -> Stamped:
    # Data and its names are durable; then the manifest, then the name of all of it.
    manifest = Manifest(
        number=origin.number,
        created_at=iso(ms),
        reason=origin.reason,
        label=origin.label,
        browser=origin.browser,
        browser_version=origin.browser_version,
        linked_as=login.number if login is not None else None,
        login=login.digest if login is not None else None,
        fingerprint=fingerprint(entries),
        cold=origin.cold,
        verified=origin.verified,
        files=entries,
        sandbox=login.sandbox if login is not None else origin.sandbox,
        owner=origin.owner or LOCAL,
        extra={"leftOut": list(left_out)},
    )
    write_manifest(work, manifest)
    stamped = Stamped(f"backup-{origin.number}-{ms}", "backup", origin.number, ms)
    move(work, home.at(stamped))
    return stamped


def change(home: Home, stamped: Stamped, **fields: Any) -> Manifest:
    """Change what ``backup.json`` says (label, verified), atomically."""
    folder = home.at(stamped)
    manifest = replace(read_manifest(folder), **fields)
    write_manifest(folder, manifest)
    return manifest


def unpack(home: Home, stamped: Stamped, target: Path) -> Manifest:
    """Copy a backup's files into the new folder ``target``, checking every byte on the way; all of it is durable then.

    Raises ``BackupUnusable`` where a file is missing, short or altered, or where the whole is no sound login.
    """
    folder = home.at(stamped)
    manifest = read_manifest(folder)
    wrong = trouble(folder, manifest, thorough=False)
    if wrong:
        raise unusable(stamped.name, wrong)

    def put(entry: Entry) -> None:
        try:
            got = copy_hashed(folder / entry.path, target / entry.path, durable=True)
        except FileNotFoundError:
            raise unusable(stamped.name, f"{entry.path} is missing") from None
        if got != (entry.size, entry.sha256):
            raise unusable(stamped.name, f"{entry.path} has other bytes than were saved")

    make_folder(target)
    _make_folders(target, (entry.path for entry in manifest.files))
    # The largest first, so that nobody has a large one left when the others are done.
    together.each(put, sorted(manifest.files, key=lambda entry: -entry.size))
    damage = _sound_and_durable(target, manifest.login is None)[1]
    if damage:
        raise unusable(stamped.name, damage)
    return manifest


def receive(home: Home, name: str, manifest: Manifest, fill: Callable[[Path], None]) -> Stamped:
    """Make a backup of files that come from elsewhere: ``fill`` writes them into a new folder.

    It gets its name once every byte is as ``manifest`` says and the whole is a sound login. A damaged backup of this
    name gives way to it. Raises ``BackupUnusable``, and what ``fill`` raises; nothing is left of it then.
    """
    stamped = parse_stamped(name)
    if stamped is None or stamped.number != manifest.number:
        raise unusable(name, "it is the backup of another number")
    work = home.work_in_cache("making", stamped.number, stamped.ms)
    try:
        make_folder(work)
        _make_folders(work, (entry.path for entry in manifest.files))
        fill(work)
        wrong = trouble(work, manifest, thorough=True)
        if wrong is None:
            unsynced = [entry.path for entry in manifest.files]
            wrong = _sound_and_durable(work, manifest.login is None, unsynced)[1]
        if wrong:
            raise unusable(name, wrong)
        write_manifest(work, manifest)
        if os.path.lexists(home.at(stamped)):
            drop(home, stamped)
        move(work, home.at(stamped))
    finally:
        if work.exists():
            remove_tree(work)
    return stamped


def _sound_and_durable(
    folder: Path, keys_unknown: bool, unsynced: Iterable[str] = ()
) -> tuple[Login | None, str | None]:
    """As :func:`soundness`, while these files and the names in the copy become durable. No name leads to it yet: any
    order will do."""
    found: list[tuple[Login | None, str | None]] = []
    todo: list[Callable[[], None]] = [lambda: found.append(soundness(folder, keys_unknown))]
    todo += [partial(sync_file, folder / path) for path in unsynced]
    todo += [partial(sync_folder, Path(here)) for here, _, _ in os.walk(folder)]
    together.each(lambda act: act(), todo)
    return found[0]


def drop(home: Home, stamped: Stamped) -> int:
    """Remove a backup, or a quarantined profile, and give the bytes it held; it stops being one in a single step."""
    folder = home.at(stamped)
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return 0
    dead = home.work_in_cache("discarding", stamped.number, stamped.ms)
    move(folder, dead)
    try:
        freed = remove_tree(dead)
    except OSError:
        # It is no backup any more. What is left of it is a leftover, and noted by whoever tidies.
        freed = 0
    sync_folder(home.cache)
    return freed
