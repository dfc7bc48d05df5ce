"""The file for a bug report: what it has, and that no secret is in it."""

from __future__ import annotations

import base64
import json
import os
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.homes import NUMBER, OTHER, home_at, make_profile, store_of
from linda_cli.doctor.scrub import scrubber
from tests.linda import Linda

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
SECRETS = {
    "JWT_SECRET": "the-signing-secret-of-the-server-0123456789",
    "LINDA_DATABASE_URL": "postgresql://ada:db-password-1@db.example/linda",
    "LINDA_PROXY": "http://ada:proxy-password-1@127.0.0.1:1",
    "LINDA_PASSPHRASE": "correct horse battery staple",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
PEER = "4915112345678"


def test_a_bundle_has_the_story_and_no_secret(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    home.make()
    make_profile(home.named_profile(NUMBER))
    store = store_of(home)
    store.backup(NUMBER, "label-with-a-name")
    login = store.info(NUMBER).backups[0]
    home.session_log(NUMBER).write_text(
        json.dumps({"event": "ready", "session": NUMBER, "what": f"hook https://hooks.example/x?token={TOKEN}"}) + "\n"
        f'{{"event": "note", "what": "asked {SECRETS["LINDA_PROXY"]} for {PEER}"}}\n'
        f'{{"event": "note", "what": "Authorization: Bearer {TOKEN}"}}\n'
    )
    home.browser_log(home.named_profile(NUMBER)).write_text(
        '[1125/090000.1:INFO:CONSOLE(1)] "Ada: the door code is four two", source: https://web.whatsapp.com/ (1)\n'
        f"[1125/090000.2:ERROR:net.cc(9)] failed for 203.0.113.9 in {os.environ['HOME']}/x as ada@example.org\n"
    )
    (home.logs / "bug.log").write_text(f"linda start {NUMBER}\nLINDA_PASSPHRASE={SECRETS['LINDA_PASSPHRASE']}\n")
    bundle = tmp_path / "report.zip"
    done = Linda(home.root).run("doctor", "--json", "--bundle", str(bundle), **SECRETS)
    assert done.json["bundle"] == str(bundle)
    assert bundle.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(bundle) as packed:
        parts = {name: packed.read(name).decode() for name in packed.namelist()}
    whole = "\n".join([*parts, *parts.values()])
    assert {"report.json", "machine.json", "environment.json", "sessions.json", "files.txt"} <= set(parts)
    for told in ("number-1", "ready", "ERROR:net.cc", "linda-cli", "JWT_SECRET", "backup-number-1-"):
        assert told in whole, told
    passwords = [part for secret in SECRETS.values() for part in (secret, *secret.split(":")[2:3]) if part]
    hidden = [
        *passwords, "proxy-password-1", "db-password-1", TOKEN, TOKEN.split(".")[1], NUMBER, PEER, "door code",
        "203.0.113.9", os.environ["HOME"], "ada@example.org", "label-with-a-name", login.login or "?",
        login.fingerprint, "WANoiseInfo",
    ]  # fmt: skip
    for secret in hidden:
        assert secret not in whole, secret
    assert json.loads(parts["sessions.json"])[0]["session"] == "number-1"


def test_a_bundle_without_a_home(tmp_path: Path) -> None:
    bundle = tmp_path / "report.zip"
    done = Linda(tmp_path / "none").run("doctor", "--bundle", str(bundle), home=False)
    assert str(bundle) in done.out
    with zipfile.ZipFile(bundle) as packed:
        assert set(packed.namelist()) == {"report.json", "machine.json", "environment.json"}


def test_a_bundle_that_cannot_be_written_is_a_failure_with_a_hint(tmp_path: Path) -> None:
    done = Linda(tmp_path).run("doctor", "--bundle", str(tmp_path / "no" / "such" / "x.zip"), home=False)
    assert done.code == 1
    assert "linda doctor --bundle" in done.err


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("backup-971505760056-1795254462279", "backup-number-1-1795254462279"),
        ("pid 4242 (linda start) on 127.0.0.1:34201", "pid 4242 (linda start) on 127.0.0.1:34201"),
        ("--enable-aggressive-domstorage-flushing", "--enable-aggressive-domstorage-flushing"),
        ("https_web.whatsapp.com_0.indexeddb.leveldb", "https_web.whatsapp.com_0.indexeddb.leveldb"),
        ("/home/linda-bots/sessions/session-971505760056/x", "/home/linda-bots/sessions/session-number-1/x"),
        ("/tmp/linda-doctor-82ntks4m/home/session-state.json", "/tmp/<removed>/home/session-state.json"),
        ("2026-11-25T09:00:00.123Z", "2026-11-25T09:00:00.123Z"),
        ("call +4915112345678 now", "call <number> now"),
        ("10.1.2.3 and 2001:db8::1 and ::1", "<address> and <address> and ::1"),
        ("https://x.example/a?code=ABCD-EFGH#frag", "https://x.example/a?<removed>"),
        ('{"token": "short"}', '{"token": "<removed>"}'),
        ("socks5://ada:pw@proxy.example:1080", "socks5://<removed>@proxy.example:1080"),
    ],
)
def test_what_is_taken_out_and_what_stays(text: str, kept: str) -> None:
    assert scrubber([NUMBER, OTHER], {}).clean(text) == kept


@given(st.integers(0, 1 << 64), st.integers(16, 64), st.sampled_from(["hex", "base64", "urlsafe"]))
def test_no_key_of_128_bits_or_more_gets_through(seed: int, size: int, spelled: str) -> None:
    key = random.Random(seed).randbytes(size)
    text = {
        "hex": key.hex(),
        "base64": base64.b64encode(key).decode(),
        "urlsafe": base64.urlsafe_b64encode(key).decode(),
    }[spelled]
    for whole in (text, text.rstrip("=")):
        assert whole not in scrubber([], {}).clean(f'loaded key "{whole}" from disk')
