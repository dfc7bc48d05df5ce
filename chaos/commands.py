"""The commands that are attacked: how the home stands before each, and what is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.homes import DATABASE, NUMBER, home_at, make_profile, make_sqlite_profile, store_of, write_keys
from chaos.survey import Facts, print_of, prints
from linda_cli.errors import LindaError
from linda_cli.sessions.clock import now_ms
from linda_cli.sessions.home import Home
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.store import Store

DAY = 86_400_000

Act = Callable[[Store], object]


@dataclass(frozen=True)
class Command:
    """``prepare`` makes the home stand as it is before; ``act`` is what is attacked."""

    name: str
    prepare: Callable[[Home], None]
    act: Act
    elsewhere: bool = False
    """``SESSION_PATH`` is on another filesystem."""
    loses_backups: bool = False
    """Backups go, and which of them may depend on the moment: then only the profile's login must live on."""
    keeps_state: bool = True
    """False where the state file is garbled to begin with."""


def lived(home: Home, backups: int = 2, make: Callable[[Path], None] = make_profile) -> None:
    """A session with some days behind it: backups of earlier bytes, a profile that has changed since."""
    home.make()
    profile = home.named_profile(NUMBER)
    make(profile)
    store = store_of(home)
    for age in range(backups, 0, -1):
        write_keys(profile, WALangPref=f'"{age}"')
        _age(store.backup(NUMBER, verified=age == backups).backup.name, home, age * DAY // 2)
    write_keys(profile, WALangPref='"now"')
    store.save_state(NUMBER, is_linked=True, last_state="stopped", counter=41)


def _age(name: str, home: Home, by: int) -> None:
    kind, number, ms = name.split("-")
    home.at(name).rename(home.at(f"{kind}-{number}-{int(ms) - by}"))


def _in_sqlite(home: Home) -> None:
    lived(home, make=make_sqlite_profile)


def _saved_in_sqlite(home: Home) -> None:
    _in_sqlite(home)
    store_of(home).backup(NUMBER)


def _saved(home: Home) -> None:
    lived(home)
    store_of(home).backup(NUMBER)


def _many(home: Home) -> None:
    lived(home, backups=6)


def _cleared(home: Home) -> None:
    _saved(home)
    store_of(home).clear(NUMBER)


def _hot(home: Home) -> None:
    lived(home)
    store = store_of(home)
    from linda_cli.sessions import backups

    backups.change(home, home.stamped("backup", NUMBER)[0], cold=False, reason="interval")
    assert store.home.stamped("backup", NUMBER)


def _littered(home: Home) -> None:
    """Old backups, an old quarantine, and what three interrupted commands left."""
    lived(home, backups=4)
    for age, backup in enumerate(home.stamped("backup", NUMBER)):
        if age > 1:
            _age(backup.name, home, 20 * DAY)
    aside = home.at(f"quarantine-{NUMBER}-{now_ms() - 9 * DAY}")
    shutil.copytree(home.named_profile(NUMBER), aside)
    write_keys(aside, WALangPref='"old"')
    for kind, folder in (("making", home.cache), ("discarding", home.cache), ("restoring", home.sessions)):
        shutil.copytree(home.named_profile(NUMBER), folder / f".{kind}-{NUMBER}-{now_ms()}")
    shutil.copytree(home.named_profile(NUMBER), home.work_in_cache("quarantining", NUMBER, now_ms() + 5))


def _linking(home: Home) -> None:
    home.make()
    make_profile(home.new_linking())
    store_of(home).save_state(NUMBER, is_linked=True, last_state="ready")


def _linking_anew(home: Home) -> None:
    lived(home)
    make_profile(home.new_linking(), device=8)


def _garbled(home: Home) -> None:
    lived(home)
    home.state_file.write_bytes(b'{"sessions": {"97150576')


def _current_gone(home: Home) -> None:
    lived(home)
    (home.named_profile(NUMBER) / DATABASE / "CURRENT").unlink()


def _mend(store: Store) -> None:
    profile = store.profile(NUMBER)
    seen, _ = store.look(NUMBER, profile)
    with store.run_lock(NUMBER), store.store_lock(NUMBER):
        for repair in seen.repairs:
            carry_out(profile, repair)


def _oldest(store: Store) -> str:
    return store.home.stamped("backup", NUMBER)[-1].name


def _newest(store: Store) -> str:
    return store.home.stamped("backup", NUMBER)[0].name


def _aside(store: Store) -> str:
    return store.home.stamped("quarantine", NUMBER)[0].name


def _quarantine(store: Store) -> None:
    store.quarantine(NUMBER, store.profile(NUMBER), "chaos")


def _adopt(store: Store) -> None:
    store.adopt(store.home.linkings()[0], NUMBER)


COMMANDS = (
    Command("backup", lived, lambda store: store.backup(NUMBER)),
    Command("backup that rotates", _many, lambda store: store.backup(NUMBER), loses_backups=True),
    Command("backup that only labels", _saved, lambda store: store.backup(NUMBER, "kept")),
    Command("backup in place of a hot one", _hot, lambda store: store.backup(NUMBER, replaces_since=1)),
    Command("backup proven", _saved, lambda store: store.raise_verified(NUMBER, _newest(store))),
    Command("restore", _saved, lambda store: store.restore(NUMBER, _oldest(store))),
    Command("restore after clear", _cleared, lambda store: store.restore(NUMBER)),
    Command("restore a quarantine", _cleared, lambda store: store.restore(NUMBER, _aside(store))),
    Command("put in place", _saved, lambda store: store.put_in_place(NUMBER, _oldest(store), "chaos")),
    Command("clear", lived, lambda store: store.clear(NUMBER)),
    Command("clear --backups", lived, lambda store: store.clear(NUMBER, backups=True), loses_backups=True),
    Command("cleanup", _littered, lambda store: store.cleanup(keep=2), loses_backups=True),
    Command("state", lived, lambda store: store.save_state(NUMBER, counter=42)),
    Command("state, garbled", _garbled, lambda store: store.save_state(NUMBER, counter=42), keeps_state=False),
    Command("logout", _saved, lambda store: store.state.forget(NUMBER, "logged_out", condemn="ab" * 32)),
    Command("welcome", _cleared, lambda store: store.state.welcome(NUMBER)),
    Command("quarantine", lived, _quarantine),
    Command("quarantine by copy", lived, lambda store: store.quarantine_copy(NUMBER, store.profile(NUMBER), "chaos")),
    Command("adopt", _linking, _adopt),
    Command("adopt over an older one", _linking_anew, _adopt),
    Command("mend", _current_gone, _mend),
    Command("backup, SQLite", _in_sqlite, lambda store: store.backup(NUMBER)),
    Command("restore, SQLite", _saved_in_sqlite, lambda store: store.restore(NUMBER, _oldest(store))),
    Command("clear, SQLite", _in_sqlite, lambda store: store.clear(NUMBER)),
    Command("quarantine, SQLite", _in_sqlite, _quarantine),
    Command("made durable, SQLite", _in_sqlite, lambda store: store.make_durable(store.profile(NUMBER))),
    Command("restore, elsewhere", _saved, lambda store: store.restore(NUMBER, _oldest(store)), elsewhere=True),
    Command("clear, elsewhere", lived, lambda store: store.clear(NUMBER), elsewhere=True),
    Command("quarantine, elsewhere", lived, _quarantine, elsewhere=True),
)


@dataclass(frozen=True)
class Stage:
    """A prepared home that is copied for every attempt."""

    command: Command
    base: Path
    moved: Path | None
    """Its sessions, where they are on another filesystem."""
    facts: Facts


def stage(command: Command, place: Path, elsewhere: Path | None) -> Stage:
    """Prepare a command's home below ``place`` and find out what must hold after: by doing it undisturbed on a copy."""
    base = place / "base"
    moved = elsewhere / "base" if elsewhere is not None and command.elsewhere else None
    home = home_at(base, moved)
    command.prepare(home)
    profile = next(iter([home.named_profile(one) for one in home.numbers_with_profile()] or home.linkings()), None)
    first = {print_of(profile)} if profile is not None else set()
    alive = first if command.loses_backups else prints(home)
    before = _verdict(home)
    done = place / "done"
    shutil.copytree(base, done, symlinks=True)
    gone = elsewhere / "done" if moved is not None and elsewhere is not None else None
    if moved is not None and gone is not None:
        shutil.copytree(moved, gone, symlinks=True)
    after_home = home_at(done, gone)
    command.act(store_of(after_home))
    verdicts = {before, _verdict(after_home)}
    still = prints(after_home)
    for folder in (done, gone):
        if folder is not None:
            shutil.rmtree(folder)
    # What the undisturbed command itself lets go of (retention) or changes (mending) is no loss.
    return Stage(command, base, moved, Facts(NUMBER, frozenset(verdicts), frozenset(alive & still)))


def _verdict(home: Home) -> str:
    try:
        return store_of(home).info(NUMBER).verdict
    except LindaError as problem:
        return type(problem).__name__
