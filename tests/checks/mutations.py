"""Ways a profile goes bad, and a run that compares our verdict with what Chromium then does.

``python -m tests.checks.mutations --count 1000 --seed 7`` starts a Chromium for each of a thousand mutated copies.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from linda_cli.browser.features import Features
from linda_cli.sessions.checks import Look, look
from linda_cli.sessions.login_files import is_sqlite
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.storage.formats import formats_of
from linda_cli.sessions.verdict import can_restore, verdict
from tests.checks.stand import NO_TRIAL, NUMBER, SQLITE_TRIAL, Stand, Told, standing

IDB = "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
BLOB = "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.blob"
LOCAL = "Default/Local Storage/leveldb"

SQLITE_IDB = "Default/IndexedDB/https_web.whatsapp.com_0"

_SQLITE_TARGETS: tuple[tuple[str, str, str, int], ...] = (
    ("idb database", SQLITE_IDB, "[A-Z]*[A-Z2-7]", 12),
    ("idb -wal", SQLITE_IDB, "*-wal", 8),
    ("idb folder", "Default/IndexedDB", "https_web.whatsapp.com_0", 1),
    ("local database", "Default", "LocalStorage", 10),
    ("local -wal", "Default", "LocalStorage-wal", 8),
    ("Local State", ".", "Local State", 2),
    ("Preferences", "Default", "Preferences", 2),
    ("Last Version", ".", "Last Version", 1),
    ("unrelated", "Default", "*", 4),
)
_TARGETS: tuple[tuple[str, str, str, int], ...] = (
    ("idb CURRENT", IDB, "CURRENT", 3),
    ("idb MANIFEST", IDB, "MANIFEST-*", 4),
    ("idb log", IDB, "*.log", 8),
    ("idb table", IDB, "*.ldb", 6),
    ("idb LOCK", IDB, "LOCK", 1),
    ("idb LOG", IDB, "LOG*", 1),
    ("idb folder", "Default/IndexedDB", "*.leveldb", 1),
    ("idb blob", BLOB, "*/*/*", 2),
    ("local CURRENT", LOCAL, "CURRENT", 3),
    ("local MANIFEST", LOCAL, "MANIFEST-*", 4),
    ("local log", LOCAL, "*.log", 4),
    ("local table", LOCAL, "*.ldb", 4),
    ("local LOCK", LOCAL, "LOCK", 1),
    ("local LOG", LOCAL, "LOG*", 1),
    ("local folder", "Default/Local Storage", "leveldb", 1),
    ("Local State", ".", "Local State", 2),
    ("Preferences", "Default", "Preferences", 2),
    ("Last Version", ".", "Last Version", 1),
    ("unrelated", "Default", "*", 4),
)
_NO_LOGIN = ("IndexedDB", "Local Storage", "LocalStorage", "LocalStorage-wal", "Preferences")


def mutate(profile: Path, rng: random.Random, *, older: Path | None = None) -> str:
    """Damage one thing in ``profile`` and say what, as "target: act (where)".

    ``older`` is an earlier state of the same profile, for swapping files between generations.
    """
    targets = _SQLITE_TARGETS if formats_of(profile).any_sqlite else _TARGETS
    while True:
        name, folder, pattern, _ = rng.choices(targets, [weight for *_, weight in targets])[0]
        victims = sorted(path for path in (profile / folder).glob(pattern) if not path.is_symlink())
        if name == "unrelated":
            victims = [path for path in victims if path.name not in _NO_LOGIN and path.is_file()]
        if victims:
            break
    victim = rng.choice(victims)
    if victim.is_dir():
        act = rng.choice(("removed", "emptied"))
        shutil.rmtree(victim)
        if act == "emptied":
            victim.mkdir()
        return f"{name}: {act}"
    previous = older / victim.relative_to(profile) if older else None
    acts = [*_ACTS]
    if previous is not None and previous.is_file() and previous.read_bytes() != victim.read_bytes():
        acts += ["swapped"] * 3
    act = rng.choice(acts)
    if act == "swapped" and previous is not None:
        shutil.copyfile(previous, victim)
        return f"{name}: swapped ({victim.name})"
    where = _ACTS[act](victim, rng)
    return f"{name}: {act} ({victim.name}{where})"


def _flip(victim: Path, rng: random.Random, size: int) -> str:
    data = bytearray(victim.read_bytes())
    if not data:
        victim.write_bytes(rng.randbytes(size))
        return " was empty"
    at = rng.choice([rng.randrange(len(data)), rng.randrange(min(len(data), 64)), -rng.randrange(1, 65) % len(data)])
    for place in range(at, min(at + size, len(data))):
        data[place] ^= rng.randrange(1, 256)
    victim.write_bytes(data)
    return f" at {at} of {len(data)}"


def _cut(victim: Path, rng: random.Random) -> str:
    data = victim.read_bytes()
    size = rng.randrange(len(data)) if data else 0
    victim.write_bytes(data[:size])
    return f" to {size} of {len(data)}"


def _torn(victim: Path, rng: random.Random) -> str:
    data = victim.read_bytes()
    size = min(len(data), rng.randrange(1, 60))
    victim.write_bytes(data[: len(data) - size])
    return f" by {size} of {len(data)}"


def _beheaded(victim: Path, rng: random.Random) -> str:
    data = victim.read_bytes()
    size = rng.randrange(1, len(data)) if len(data) > 1 else 0
    victim.write_bytes(data[size:])
    return f" by {size} of {len(data)}"


def _emptied(victim: Path, rng: random.Random) -> str:
    victim.write_bytes(b"")
    return ""


def _removed(victim: Path, rng: random.Random) -> str:
    victim.unlink()
    return ""


def _doubled(victim: Path, rng: random.Random) -> str:
    victim.write_bytes(victim.read_bytes() * 2)
    return ""


def _zeroed(victim: Path, rng: random.Random) -> str:
    data = bytearray(victim.read_bytes())
    at = rng.randrange(len(data) // 4096 + 1) * 4096
    size = len(data[at : at + 4096])
    data[at : at + size] = bytes(size)
    victim.write_bytes(data)
    return f" from {at} of {len(data)}"


def _folder(victim: Path, rng: random.Random) -> str:
    victim.unlink()
    victim.mkdir()
    return ""


_ACTS: dict[str, Callable[[Path, random.Random], str]] = {
    "byte flipped": lambda victim, rng: _flip(victim, rng, 1),
    "run flipped": lambda victim, rng: _flip(victim, rng, 16),
    "cut": _cut,
    "tail torn": _torn,
    "beheaded": _beheaded,
    "emptied": _emptied,
    "removed": _removed,
    "doubled": _doubled,
    "page zeroed": _zeroed,
    "made a folder": _folder,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One mutation, what we said beforehand, what Chromium did, and did at the start after that."""

    what: str
    verdict: str
    look: Look
    told: Told
    again: Told
    by_backup: bool
    """Only what a backup remembers of the size of a log told."""

    @property
    def let_be(self) -> bool:
        """linda cannot read it: it starts nothing on it, and moves nothing."""
        return self.verdict == "unknown_format"

    @property
    def said_bad(self) -> bool:
        return not can_restore(self.verdict)

    @property
    def unforeseen(self) -> bool:
        """We said that it would come back, and it did not."""
        return not self.said_bad and not (self.told.logged_in and self.again.logged_in)

    @property
    def kind(self) -> str:
        return self.what.partition(" (")[0]


@dataclass(frozen=True, slots=True)
class Generations:
    """A linked profile, and the same a while earlier."""

    now: Path
    older: Path


def make(stand: Stand, folder: Path, query: str, *, trial: Features = NO_TRIAL, killed: bool = False) -> Generations:
    """Link a profile, keep its state, and use it some more; ``killed``: its last browser was, writes in its logs."""
    now, older = folder / "now", folder / "older"
    told = stand.visit(now, f"link={NUMBER}&{query}", patience=60, trial=trial)
    assert told.logged_in, told
    stand.visit(now)
    slim(now)
    shutil.copytree(now, older, symlinks=True)
    stand.visit(now, "more=1", kill=killed)
    slim(now)
    return Generations(now, older)


def slim(profile: Path) -> None:
    """Leave out caches: they only make copies slow."""
    for name in ("Cache", "Code Cache", "GPUCache", "DawnGraphiteCache", "DawnWebGPUCache", "Service Worker"):
        shutil.rmtree(profile / "Default" / name, ignore_errors=True)
    for path in profile.iterdir():
        if path.is_dir() and path.name != "Default":
            shutil.rmtree(path)


def attempt(stand: Stand, from_: Generations, seed: int, place: Path, twice: bool = True) -> Outcome:
    """Mutate a copy, look at it, mend what can be mended, let Chromium have it (twice)."""
    profile = place / str(seed)
    shutil.copytree(from_.now, profile, symlinks=True)
    try:
        what = mutate(profile, random.Random(seed), older=from_.older)

        def saved(path: Path) -> int | None:
            # the older state stands for the newest backup, made before the last things were written
            backed_up = from_.older / path.relative_to(profile)
            if is_sqlite(path.relative_to(profile).as_posix()) and path.exists():
                return None
            return backed_up.stat().st_size if backed_up.is_file() else None

        found = look(profile, number=NUMBER, deep=True, grown_to=saved)
        alone = look(profile, number=NUMBER, deep=True)
        word = verdict(found, running=False, cleared=False, logged_out=False, rejected=False)
        if can_restore(word):
            for repair in found.repairs:
                carry_out(profile, repair)
        told = stand.visit(profile, "more=1")
        again = stand.visit(profile) if twice and told.logged_in else told
        by_backup = verdict(alone, running=False, cleared=False, logged_out=False, rejected=False) != word
        return Outcome(what, word, found, told, again, by_backup)
    finally:
        shutil.rmtree(profile, ignore_errors=True)


def run(
    stand: Stand,
    generations: Iterable[Generations],
    seeds: Iterable[int],
    place: Path,
    workers: int = 2,
    twice: bool = True,
) -> Iterator[Outcome]:
    """Many attempts, two at a time."""
    sources = list(generations)
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda seed: attempt(stand, sources[seed % len(sources)], seed, place, twice), seeds)


def main() -> int:
    wishes = argparse.ArgumentParser()
    wishes.add_argument("--count", type=int, default=200)
    wishes.add_argument("--seed", type=int, default=1)
    wishes.add_argument("--workers", type=int, default=2)
    wishes.add_argument("--sqlite", action="store_true", help="a login that Chromium keeps in SQLite")
    wish = wishes.parse_args()
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory(prefix="linda-mutations-") as name, standing(Path(name)) as stand:
        place = Path(name)
        trial = SQLITE_TRIAL if wish.sqlite else NO_TRIAL
        generations = [
            make(stand, place / "young", "rows=300", trial=trial, killed=wish.sqlite),
            make(stand, place / "grown", "rows=12000&filler=60", trial=trial),
        ]
        seeds = range(wish.seed * 1_000_000, wish.seed * 1_000_000 + wish.count)
        for outcome in run(stand, generations, seeds, place, wish.workers):
            row = table[outcome.kind]
            row["tried"] += 1
            row["lost"] += not outcome.told.logged_in
            row["lost later"] += outcome.told.logged_in and not outcome.again.logged_in
            row["called out"] += outcome.said_bad
            row["by backup"] += outcome.by_backup
            row["unforeseen"] += outcome.said_bad < (not outcome.told.logged_in)
            row["alarm"] += outcome.said_bad and outcome.told.logged_in
            row["latent"] += outcome.look.latent
            row["let be"] += outcome.let_be
            note = (
                "UNFORESEEN"
                if outcome.said_bad < (not outcome.told.logged_in)
                else "LATER"
                if outcome.told.logged_in and not outcome.again.logged_in and not outcome.said_bad
                else "ALARM"
                if outcome.said_bad and outcome.told.logged_in and not outcome.look.latent
                else ""
            )
            if note:
                bad = [check.detail for check in outcome.look.checks if not check.ok]
                print(f"{note:10} {outcome.what} | {outcome.verdict}: {bad} | {outcome.told}", flush=True)
    columns = ("tried", "lost", "lost later", "called out", "by backup", "unforeseen", "alarm", "latent", "let be")
    print("\n| mutation | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    for kind in sorted(table):
        print(f"| {kind} | " + " | ".join(str(table[kind][column]) for column in columns) + " |")
    total: collections.Counter[str] = sum(table.values(), collections.Counter())
    print("| all | " + " | ".join(str(total[column]) for column in columns) + " |")
    return 1 if total["unforeseen"] * 100 > total["lost"] else 0


if __name__ == "__main__":
    sys.exit(main())
