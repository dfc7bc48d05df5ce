"""Profiles with a login, without one, and with things in them that no browser put there. LevelDB writes them here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest

from linda_cli.sessions import login as logins
from linda_cli.sessions.checks import DATABASES, Holder, Look, Surroundings, look
from linda_cli.sessions.login import read_keys, read_login
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.verdict import verdict
from linda_cli.whatsapp.page import INDEXED_DB, ORIGIN

NUMBER = "971505760056"
WID = f'"{NUMBER}:7@c.us"'
DATABASE = DATABASES / f"{INDEXED_DB}.leveldb"
LOCAL = logins.LOCAL_STORAGE


def _key(name: str) -> bytes:
    return b"_" + ORIGIN.encode() + b"\0\1" + name.encode()


def _latin(text: str) -> bytes:
    return b"\1" + text.encode("latin-1")


def write_database(folder: Path, megabytes: float = 0.2) -> None:
    """An IndexedDB as far as LevelDB is concerned: its comparator's name, its sizes."""
    folder.mkdir(parents=True)
    db = plyvel.DB(
        str(folder), create_if_missing=True, comparator=lambda a, b: (a > b) - (a < b), comparator_name=b"idb_cmp1"
    )
    for at in range(int(megabytes * 2000)):
        db.put(b"\0\1\1\1%08d" % at, os.urandom(500))
    db.close()


def write_local(folder: Path, wid: str | None = WID, noise: str | None = '{"a":1}', **more: str) -> None:
    """A Local Storage with these keys for the origin."""
    folder.mkdir(parents=True, exist_ok=True)
    db = plyvel.DB(str(folder), create_if_missing=True)
    db.put(b"VERSION", b"1")
    db.put(b"META:" + ORIGIN.encode(), b"\x08\1")
    for name, value in {"last-wid-md": wid, "WANoiseInfo": noise, "WALangPref": '"en"', **more}.items():
        if value is not None:
            db.put(_key(name), _latin(value))
    db.close()


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A linked profile."""
    folder = tmp_path / f"session-{NUMBER}"
    write_database(folder / DATABASE)
    write_local(folder / LOCAL)
    (folder / "Local State").write_text("{}")
    (folder / "Default" / "Preferences").write_text("{}")
    (folder / "Last Version").write_text("156.0.8078.79")
    return folder


def _word(found: Look) -> str:
    return verdict(found, running=False, cleared=False, logged_out=False, rejected=False)


def _look(profile: Path, **more: object) -> Look:
    return look(profile, number=NUMBER, **more)  # type: ignore[arg-type]


def _failing(found: Look) -> list[str]:
    assert [check.key for check in found.checks] == ["folder", "default", "session", "browser", "storage"]
    assert all(check.detail.isprintable() and check.detail for check in found.checks)
    return [check.key for check in found.checks if not check.ok]


def test_a_whole_login_is_restorable(profile: Path) -> None:
    found = _look(profile, deep=True)
    assert (_word(found), _failing(found), found.written_by) == ("restorable", [], "156.0.8078.79")
    assert found.login is not None
    assert (found.login.number, found.login.device, found.login.sandbox) == (NUMBER, 7, False)


@pytest.mark.parametrize(
    ("stored", "number", "device"),
    [
        (WID, NUMBER, 7),
        (f"{NUMBER}:12@c.us", NUMBER, 12),
        (f'"{NUMBER}@c.us"', NUMBER, None),
        (f'"{NUMBER}.0:3@s.whatsapp.net"', NUMBER, 3),
        ('"123456789012345:1@lid"', None, None),
        ("{}", None, None),
        ("x" * 100_000, None, None),
        ("[" * 150, None, None),
        ("\x1b[2J", None, None),
    ],
)
def test_the_number_is_read_in_any_shape_and_never_guessed(
    tmp_path: Path, stored: str, number: str | None, device: int | None
) -> None:
    write_local(tmp_path / LOCAL, stored)
    found = read_login(tmp_path)
    assert found is not None
    assert (found.number, found.device) == (number, device)
    assert found.wid.isprintable()


def test_utf_16_values_read_too(tmp_path: Path) -> None:
    write_local(tmp_path / LOCAL, None)
    db = plyvel.DB(str(tmp_path / LOCAL))
    db.put(_key("last-wid-md"), b"\0" + WID.encode("utf-16-le"))
    db.close()
    found = read_login(tmp_path)
    assert found is not None
    assert found.number == NUMBER


def test_the_digest_tells_devices_apart_and_shows_no_key(tmp_path: Path) -> None:
    seen = set()
    for at, (wid, noise) in enumerate([(WID, "secret-1"), (WID, "secret-2"), (f'"{NUMBER}:8@c.us"', "secret-1")]):
        write_local(tmp_path / str(at) / LOCAL, wid, noise)
        found = read_login(tmp_path / str(at))
        assert found is not None
        assert "secret" not in repr(found)
        seen.add(found.digest)
    assert len(seen) == 3


def test_a_sandbox_login_says_so(tmp_path: Path) -> None:
    write_local(tmp_path / LOCAL, **{"linda-sandbox": "1"})
    found = read_login(tmp_path)
    assert found is not None
    assert found.sandbox


def test_a_login_that_was_deleted_is_none(profile: Path) -> None:
    db = plyvel.DB(str(profile / LOCAL))
    db.delete(_key("last-wid-md"))
    db.delete(_key("WANoiseInfo"))
    db.close()
    keys = read_keys(profile)
    assert (keys.wid, keys.noise, keys.anything, keys.login) == (False, False, True, None)
    shutil.rmtree(profile / DATABASES)
    write_database(profile / DATABASE, 0.05)
    assert _word(_look(profile)) == "missing"


@pytest.mark.parametrize("noise", [None, '{"made":"for the code on show"}'])
def test_a_profile_that_never_linked_is_missing_and_never_damaged(tmp_path: Path, noise: str | None) -> None:
    write_local(tmp_path / LOCAL, None, noise)
    assert _word(_look(tmp_path)) == "missing"
    write_database(tmp_path / DATABASE, 0.05)
    assert _word(_look(tmp_path)) == "missing"
    (tmp_path / DATABASE / "CURRENT").write_text("")
    assert _word(_look(tmp_path)) == "missing"


@pytest.mark.parametrize(("megabytes", "once_ready"), [(0.05, True), (3, False)])
def test_a_login_whose_keys_have_other_names_than_the_known_ones_is_restorable(
    tmp_path: Path, megabytes: float, once_ready: bool
) -> None:
    write_local(tmp_path / LOCAL, None, None, **{"last-wid-of-tomorrow": WID})
    write_database(tmp_path / DATABASE, megabytes)
    found = _look(tmp_path, once_ready=once_ready)
    assert (_word(found), _failing(found), found.login) == ("restorable", [], None)
    assert found.checks[-1].detail == "keys not found under their known names"


@pytest.mark.parametrize("name", ["", "Default"])
def test_nothing_there_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / "session" / name).mkdir(parents=True)
    assert _word(_look(tmp_path / "session")) == "missing"
    assert _word(_look(tmp_path / "nowhere")) == "missing"


def test_half_a_login_is_damaged(profile: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(profile, other)
    shutil.rmtree(profile / DATABASES)
    shutil.rmtree(other / LOCAL)
    assert (_word(_look(profile)), _failing(_look(profile))) == ("damaged", ["session"])
    assert (_word(_look(other)), _failing(_look(other))) == ("damaged", ["storage"])


def test_a_damaged_store_that_has_lost_the_number_alone_is_damaged_and_not_missing(profile: Path) -> None:
    """The other key can still be made out; whether the number was there is not known, which is not "it was not"."""
    log = next((profile / LOCAL).glob("*.log"))
    content = log.read_bytes()
    log.write_bytes(content.replace(b"last-wid-md", b"lost-wid-md"))
    found = _look(profile)
    assert (_word(found), _failing(found)) == ("damaged", ["storage"])


def test_another_account_is_not_this_one(profile: Path) -> None:
    found = look(profile, number="4915112345678")
    assert (_word(found), _failing(found)) == ("damaged", ["storage"])
    assert _word(look(profile, number=None)) == "restorable"


def test_a_newer_browsers_profile_is_left_alone(profile: Path) -> None:
    found = _look(profile, surroundings=Surroundings("155.0.0.0"))
    assert (_word(found), _failing(found)) == ("too_new", ["browser"])


def test_who_holds_it_is_told(profile: Path) -> None:
    found = _look(profile, surroundings=Surroundings(holder=Holder(None, "other\x1b[2Jhost", False, "")))
    assert _failing(found) == ["browser"]
    assert _failing(_look(profile, surroundings=Surroundings(holder=Holder(1, "here", True, "")))) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"1" * 10_000])
@pytest.mark.parametrize("name", ["Local State", "Default/Preferences"])
def test_settings_that_do_not_parse_are_put_aside(profile: Path, name: str, content: bytes) -> None:
    (profile / name).write_bytes(content)
    found = _look(profile)
    assert (_word(found), _failing(found)) == ("repairable", ["browser"])
    assert [carry_out(profile, repair) for repair in found.repairs] == [True]
    assert _word(_look(profile)) == "restorable"


def test_a_stale_lock_is_a_repair(profile: Path) -> None:
    assert _word(_look(profile, surroundings=Surroundings(stale_lock=True))) == "repairable"


@pytest.mark.parametrize("store", [DATABASE, LOCAL])
def test_a_missing_current_is_written_anew(profile: Path, store: Path) -> None:
    before = (profile / store / "CURRENT").read_bytes()
    (profile / store / "CURRENT").unlink()
    found = _look(profile)
    assert _word(found) == "repairable"
    assert [carry_out(profile, repair) for repair in found.repairs] == [True]
    assert (profile / store / "CURRENT").read_bytes() == before
    assert _word(_look(profile)) == "restorable"


@pytest.mark.parametrize("pattern", ["*.log", "MANIFEST-*"])
@pytest.mark.parametrize("store", [DATABASE, LOCAL])
def test_an_unfinished_record_is_no_damage_and_is_cut_off_before_a_start(
    profile: Path, store: Path, pattern: str
) -> None:
    victim = next((profile / store).glob(pattern))
    whole = victim.read_bytes()
    victim.write_bytes(whole + whole[:12])
    found = _look(profile)
    assert (_word(found), _failing(found)) == ("repairable", [])
    assert [carry_out(profile, repair) for repair in found.repairs] == [True]
    assert victim.read_bytes() == whole
    assert [carry_out(profile, repair) for repair in found.repairs] == [False]


def test_what_a_backup_remembers_tells_of_a_log_cut_short(profile: Path) -> None:
    log = next((profile / DATABASE).glob("*.log"))
    sizes = {log: log.stat().st_size}
    assert _word(_look(profile, grown_to=sizes.get)) == "restorable"
    os.truncate(log, sizes[log] // 2)
    assert _word(_look(profile, grown_to=sizes.get)) == "damaged"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("put", [_fifo, _socket, _link, _sparse, Path.mkdir])
def test_strange_things_in_place_of_files_neither_block_nor_crash(profile: Path, put: Callable[[Path], None]) -> None:
    for store in (DATABASE, LOCAL):
        for victim in sorted((profile / store).iterdir()):
            if victim.name == "LOG":
                continue
            aside = victim.rename(profile / "aside")
            put(victim)
            found = _look(profile, deep=True)
            expected = "restorable" if victim.name == "LOCK" and put is _sparse else "damaged"
            assert _word(found) == expected, victim
            _failing(found)
            shutil.rmtree(victim) if victim.is_dir() and not victim.is_symlink() else victim.unlink()
            aside.rename(victim)
    for name in ("Local State", "Default/Preferences", "Last Version"):
        (profile / name).unlink()
        put(profile / name)
        assert _word(_look(profile)) in ("restorable", "repairable")


@pytest.mark.parametrize("name", ["", "Default", "Default/IndexedDB", "Default/Local Storage", str(LOCAL)])
def test_a_link_is_never_followed(profile: Path, tmp_path: Path, name: str) -> None:
    (profile / name).rename(tmp_path / "elsewhere")
    (profile / name).symlink_to(tmp_path / "elsewhere")
    assert _word(_look(profile)) == "damaged"


def test_names_cannot_speak_to_the_terminal(profile: Path) -> None:
    (profile / DATABASE / "CURRENT").write_bytes(b"MANIFEST-\x1b[2J\n")
    (profile / DATABASE / "\x1b]0;x\x07.ldb").write_bytes(b"")
    (profile / DATABASE / "MANIFEST-9\n").write_bytes(b"")
    _failing(_look(profile, deep=True))


def test_looking_beside_a_writer_never_calls_it_damaged(profile: Path) -> None:
    stop = threading.Event()
    db = plyvel.DB(str(profile / LOCAL), write_buffer_size=70_000)

    def write() -> None:
        at = 0
        while not stop.is_set():
            db.put(_key(f"filler{at % 50}"), os.urandom(3000))
            at += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(60):
            found = _look(profile)
            assert _failing(found) == []
            assert found.login is not None
    finally:
        stop.set()
        writer.join()
        db.close()


def test_the_import_is_cheap() -> None:
    code = (
        "import sys, json, hashlib, re, stat, pathlib, dataclasses, typing, contextlib, time;"
        "before = set(sys.modules);"
        "import linda_cli.sessions.checks; print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cramjam" not in loaded
    assert {name.partition(".")[0] for name in loaded} <= {
        "linda_cli",
        "fcntl",
        "google_crc32c",
        "importlib",
        "struct",
        "_struct",
    }
