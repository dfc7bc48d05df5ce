"""Every path of a home, and where to find one. No other module joins two parts of a path inside a home.

::

    <home>/sessions/session-<number>/                Chromium's user-data-dir
           sessions/linking-<ms>/                    the same before its number is known
           .session-cache/backup-<number>-<ms>/      one backup
           .session-cache/quarantine-<number>-<ms>/  put aside
           .session-cache/forgotten-<number>.json    since when older logins must not come back by themselves
           session-state.json
           linda.toml                                settings
           linda.db                                  the accounts of linda serve
           logs/                                     the event log of each session, and Chromium's stderr
           .sandbox/                                 the home of sandbox runs
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import HomeNotFound, HomeUnusable
from linda_cli.sessions import configuration
from linda_cli.sessions.clock import LATEST_MS, now_ms
from linda_cli.sessions.durable import make_folder, unfinished

SANDBOX = ".sandbox"
_NUMBER = r"[1-9][0-9]{6,14}"
_PROFILE = re.compile(rf"session-({_NUMBER})")
_LINKING = re.compile(r"linking-([0-9]{1,15})")
_STAMPED = re.compile(rf"(backup|quarantine)-({_NUMBER})-([0-9]{{1,15}})")
_FORGOTTEN = re.compile(rf"forgotten-({_NUMBER})\.json")
_WORK = re.compile(rf"\.(?:making|restoring|aside|quarantining|discarding)-({_NUMBER})-([0-9]{{1,15}})")


@dataclass(frozen=True, slots=True)
class Stamped:
    """A name of the form ``<kind>-<number>-<ms>``."""

    name: str
    kind: str
    number: str
    ms: int


def parse_stamped(name: str) -> Stamped | None:
    """Take ``backup-…`` and ``quarantine-…`` names apart; None for any other name."""
    match = _STAMPED.fullmatch(name)
    if match is None or int(match[3]) > LATEST_MS:
        return None
    return Stamped(name, match[1], match[2], int(match[3]))


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds everything. ``sessions`` may be elsewhere (``SESSION_PATH``)."""

    root: Path
    sessions: Path

    @property
    def cache(self) -> Path:
        """Where backups, quarantine and what linda remembers lie."""
        return self.root / ".session-cache"

    @property
    def state_file(self) -> Path:
        """What is known of each session."""
        return self.root / "session-state.json"

    @property
    def logs(self) -> Path:
        """The event log of each session, and Chromium's stderr."""
        return self.root / "logs"

    def written_by_us(self) -> tuple[str, ...]:
        """How the paths begin that browsers and linda write all the time: no change of anything else."""
        if self.is_sandbox:
            return (f"{self.root}/",)
        folders = (self.sessions, self.cache, self.logs, self.root / ".sandbox")
        state = self.state_file
        files = (state, state.with_name(f".{state.name}"), self.database)
        return (*(f"{folder}/" for folder in folders), *map(str, files))

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the home of sandbox runs."""
        return self.root.name == SANDBOX

    @property
    def sandbox_server(self) -> Path:
        """Where the sandbox's server keeps its devices, certificate and address."""
        return self.root / "stand-in"

    @property
    def browser_facts(self) -> Path:
        """The version that the installed browser said of itself."""
        return self.cache / "browser.json"

    @property
    def driver_facts(self) -> Path:
        """The same of ChromeDriver."""
        return self.cache / "driver.json"

    @property
    def database(self) -> Path:
        """Of the server's accounts."""
        return self.root / "linda.db"

    @property
    def identity(self) -> Path:
        """Which home this is, for a database that several homes share."""
        return self.cache / "home.json"

    @property
    def serving(self) -> Path:
        """Where the server of this home listens."""
        return self.cache / "serving.json"

    def memory_history(self, number: str) -> Path:
        """How much memory the session's browser took."""
        return self.cache / f"memory-{number}.json"

    @property
    def troubles(self) -> Path:
        """What was told to a person and is not over."""
        return self.cache / "troubles.json"

    @property
    def drivers(self) -> Path:
        """Where undetected-chromedriver's patched copies lie."""
        return self.cache / "drivers"

    def session_log(self, number: str) -> Path:
        """The event log of a session."""
        return self.logs / f"session-{number}.log"

    def browser_log(self, profile: Path) -> Path:
        """What Chromium wrote to stderr when it was last started on this profile."""
        return self.logs / f"browser-{profile.name}.log"

    def forgotten(self, number: str) -> Path:
        """Since when older logins of this number must not come back by themselves."""
        return self.cache / f"forgotten-{number}.json"

    def store_lock(self, number: str) -> Path:
        """The lock of a session's files, held for seconds."""
        return self.cache / "locks" / f"store-{number}.lock"

    def remote_keys(self, number: str) -> Path:
        """With which keys a session's backups go to object stores."""
        return self.cache / f"remote-{number}.json"

    def remote_lock(self, number: str) -> Path:
        """The lock of a session's backups in object stores."""
        return self.cache / "locks" / f"remote-{number}.lock"

    @property
    def state_lock(self) -> Path:
        """The lock of the state file."""
        return self.cache / "locks" / "state.lock"

    def run_lock(self, name: str) -> Path:
        """The lock of a run, held for as long as it lasts; ``name``: a number, or ``linking``."""
        # Beside the profile and not in it, because the profile may be replaced; hidden, so that no pattern for
        # session-* meets it.
        return self.sessions / f".run-{name}.lock"

    def hash_memory(self, number: str) -> Path:
        """The hashes of files that have not changed since."""
        return self.cache / f"hashes-{number}.json"

    # -- profiles

    def named_profile(self, number: str) -> Path:
        """The profile of a number, under the number's name."""
        return self.sessions / f"session-{number}"

    def new_linking(self) -> Path:
        """A profile for a run whose number is not known yet; newer than all others by its name."""
        taken = [int(match[1]) for name in _names(self.sessions) if (match := _LINKING.fullmatch(name))]
        return self.sessions / f"linking-{max([now_ms(), *(ms + 1 for ms in taken)])}"

    def numbers_with_profile(self) -> list[str]:
        """All numbers that have a profile under their name, sorted."""
        return sorted(match[1] for name in _names(self.sessions) if (match := _PROFILE.fullmatch(name)))

    def folders_under_other_names(self) -> list[Path]:
        """What lies beside the profiles and has no name of ours, by name; links and hidden ones left out."""
        names = sorted(_names(self.sessions))
        ours = (_PROFILE, _LINKING)
        found = [
            self.sessions / name
            for name in names
            if not name.startswith(".") and not any(pattern.fullmatch(name) for pattern in ours)
        ]
        return [path for path in found if path.is_dir() and not path.is_symlink()]

    def linkings(self) -> list[Path]:
        """All profiles whose folder has no number yet, oldest first."""
        return [self.sessions / name for name in sorted(_names(self.sessions)) if _LINKING.fullmatch(name)]

    # -- what carries a stamp

    def stamped(self, kind: str, number: str | None = None) -> list[Stamped]:
        """Backups or quarantined profiles, newest first."""
        there = _listing(self.cache).stamped
        if number is not None:
            return list(there.get((kind, number), ()))
        found = [one for (of, _), ones in there.items() if of == kind for one in ones]
        return sorted(found, key=lambda one: (one.ms, one.name), reverse=True)

    def at(self, stamped: Stamped | str) -> Path:
        """Where a backup or a quarantined profile lies."""
        return self.cache / (stamped if isinstance(stamped, str) else stamped.name)

    def next_ms(self, number: str) -> int:
        """max(now, newest of this number + 1), so that order by name is order of making even when the clock jumps."""
        newest = max(
            (one.ms for kind in ("backup", "quarantine") for one in self.stamped(kind, number)),
            default=0,
        )
        return max(now_ms(), newest + 1)

    def work_in_cache(self, kind: str, number: str, ms: int) -> Path:
        """A backup or quarantine that is being made: hidden until it is whole."""
        return self.cache / f".{kind}-{number}-{ms}"

    def work_in_sessions(self, kind: str, number: str, ms: int) -> Path:
        """A profile that is being put in place: hidden until it is whole."""
        return self.sessions / f".{kind}-{number}-{ms}"

    def leftovers(self, number: str | None = None) -> Iterator[tuple[Path, str, str, int]]:
        """(path, kind, number, ms) of half-done work in both folders."""
        for folder in dict.fromkeys((self.cache, self.sessions)):
            for name in _listing(folder).hidden:
                match = _WORK.fullmatch(name)
                if match and number in (None, match[1]):
                    yield folder / name, name[1:].split("-", 1)[0], match[1], int(match[2])

    def unfinished(self, number: str) -> list[Path]:
        """Writes that were killed before their file had its name, as far as the holder of this store lock may know."""
        found = [
            *unfinished(self.root, self.state_file.name),
            *unfinished(
                self.cache,
                self.forgotten(number).name,
                self.hash_memory(number).name,
                self.remote_keys(number).name,
                "browser.json",
            ),
        ]
        for backup in self.stamped("backup", number):
            found += unfinished(self.at(backup), "backup.json")
        return found

    def aside_of(self, number: str) -> Path | None:
        """The profile that an interrupted restore had moved and did not come to replace."""
        return next((path for path, kind, _, _ in self.leftovers(number) if kind == "aside"), None)

    def forgotten_numbers(self) -> list[str]:
        """All numbers with a ``forgotten-*`` file, sorted."""
        return sorted(match[1] for name in _names(self.cache) if (match := _FORGOTTEN.fullmatch(name)))

    # -- being a home

    def is_there(self) -> bool:
        """Whether this is a home: it has a state file, or ``sessions/`` beside ``.session-cache/``, a session or a
        backup."""
        return (
            self.state_file.is_file()
            or (self.sessions.is_dir() and self.cache.is_dir())
            or any(_PROFILE.fullmatch(name) or _LINKING.fullmatch(name) for name in _names(self.sessions))
            or bool(self.stamped("backup"))
        )

    def make(self) -> None:
        """Make what is missing, mode 0700. Raises ``HomeUnusable``."""
        try:
            make_folder(self.root)
            for folder in (self.sessions, self.cache, self.state_lock.parent, self.logs):
                make_folder(folder)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(13, "Permission denied", str(folder))
        except OSError as problem:
            raise HomeUnusable(
                f"the home {self.root} cannot be used: {problem.strerror or problem}",
                f"linda --home {shlex.quote(str(Path.home() / 'linda'))} start",
                home=str(self.root),
            ) from problem

    def sandbox(self) -> Home:
        """The home of sandbox runs; ``SESSION_PATH`` has no say there, so real and sandbox logins never meet."""
        if self.is_sandbox:
            return self
        root = self.root / SANDBOX
        return Home(root, root / "sessions")


class _Listing:
    """The names in a folder, and what carries a stamp by kind and number."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.hidden = sorted(name for name in names if name.startswith("."))
        self._stamped: dict[tuple[str, str], list[Stamped]] | None = None

    @property
    def stamped(self) -> dict[tuple[str, str], list[Stamped]]:
        """Newest first."""
        if self._stamped is None:
            found: dict[tuple[str, str], list[Stamped]] = {}
            for name in self.names:
                if stamped := parse_stamped(name):
                    found.setdefault((stamped.kind, stamped.number), []).append(stamped)
            for ones in found.values():
                ones.sort(key=lambda one: (one.ms, one.name), reverse=True)
            self._stamped = found
        return self._stamped


# With a thousand sessions each is looked for among ten thousand names; those are read again only when they changed.
_listings: dict[Path, tuple[tuple[int, int, int], _Listing]] = {}
# A change in the same tick of the kernel's clock as the one before it leaves the folder's time as it was.
_TICK_NS = 50_000_000


def _listing(folder: Path) -> _Listing:
    try:
        status = os.stat(folder)
    except OSError:
        return _Listing([])
    key = (status.st_dev, status.st_ino, status.st_mtime_ns)
    known = _listings.get(folder)
    if known is not None and known[0] == key:
        return known[1]
    settled = time.time_ns() - status.st_mtime_ns > _TICK_NS
    try:
        listing = _Listing(os.listdir(folder))
    except OSError:
        return _Listing([])
    if settled:
        _listings[folder] = key, listing
    else:
        _listings.pop(folder, None)
    return listing


def _names(folder: Path) -> list[str]:
    return _listing(folder).names


@dataclass(frozen=True, slots=True)
class Found:
    """Where the home is, and where else it was looked for."""

    home: Home
    looked_in: tuple[Path, ...]


def find_home(option: Path | None = None, environ: Mapping[str, str] = os.environ, cwd: Path | None = None) -> Found:
    """``--home``, else ``LINDA_HOME``, else the nearest home at or above the working directory, else the latter.

    ``SESSION_PATH``, else ``session-path`` in the home's ``linda.toml``, moves ``sessions/`` whichever way the home was
    found. Nothing is made.
    """
    cwd = cwd or Path.cwd()
    named = option or (Path(environ["LINDA_HOME"]) if environ.get("LINDA_HOME") else None)
    if named is not None:
        root = Path(os.path.abspath(cwd / named.expanduser()))
        return Found(_home(root, _moved(root, environ), cwd), (root,))
    looked: list[Path] = []
    ceiling = Path(environ.get("HOME") or "~").expanduser()
    for folder in (cwd, *cwd.parents):
        looked.append(folder)
        if _home(folder, None, cwd).is_there() and folder.stat().st_uid == os.geteuid():
            return Found(_home(folder, _moved(folder, environ), cwd), tuple(looked))
        if folder == ceiling:
            break
    return Found(_home(cwd, _moved(cwd, environ), cwd), tuple(looked))


def _home(root: Path, moved: str | None, cwd: Path) -> Home:
    return Home(root, Path(os.path.abspath(cwd / Path(moved).expanduser())) if moved else root / "sessions")


def _moved(root: Path, environ: Mapping[str, str]) -> str | None:
    """Where sessions lie instead of in the home: the variable beats the home's own file."""
    return environ.get("SESSION_PATH") or configuration.read(root).general.get("session-path")


def require(found: Found) -> Home:
    """The home, if there is one. Raises ``HomeNotFound`` with the places that were looked in."""
    if found.home.is_there():
        return found.home
    places = ", ".join(str(place) for place in found.looked_in)
    raise HomeNotFound(
        f"no linda home here; looked in {places}; linda start makes one",
        "find ~ -maxdepth 4 -name session-state.json",
        lookedIn=[str(place) for place in found.looked_in],
    )
