"""The verbs with an object store, without a browser: keygen, backup, restore."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from chaos.homes import NUMBER, home_at, make_profile
from linda_cli.object_store.settings import public_keys
from tests.linda import COMMAND, Linda
from tests.object_store import transcript


@pytest.fixture
def there(tmp_path: Path) -> Linda:
    """A home with a login, and a key."""
    home = home_at(tmp_path / "home")
    home.make()
    make_profile(home.named_profile(NUMBER))
    linda = Linda(tmp_path / "home", LINDA_REMOTE_IDENTITY=str(tmp_path / "store.key"))
    made = linda.json("keygen", str(tmp_path / "store.key"))
    assert made["recipient"] == public_keys(tmp_path / "store.key")[0]
    return linda


def test_a_backup_goes_up_and_comes_back_in_an_empty_place(there: Linda, tmp_path: Path) -> None:
    away = str(tmp_path / "away")
    first = there.json("backup", NUMBER, "--remote", away)
    name = first["backup"]["name"]
    assert first["isNew"]
    assert first["remote"]["done"]["backups"] == [name]
    again = there.json("backup", "--all", "--remote", away)
    assert [one["done"]["backups"] for one in again["remote"]] == [[]]

    # A home that is not there yet is made, and the only number of the store is meant.
    other = Linda(tmp_path / "other", LINDA_REMOTE=away, **there.environ)
    listed = other.json("restore", "--from-store", "--list")
    assert [one["name"] for one in listed["backups"]] == [name]
    assert not other.home.exists()
    back = other.json("restore", "--from-store")
    assert back["restored"]["name"] == name
    assert other.info()["verdict"] == "restorable"
    assert "1 uploaded" not in there.run("backup", NUMBER, "--remote", away).out


def test_the_wrong_key_is_13_and_a_broken_store_is_13(there: Linda, tmp_path: Path) -> None:
    away = tmp_path / "away"
    there.json("backup", NUMBER, "--remote", str(away))
    there.json("keygen", str(tmp_path / "wrong.key"))
    other = Linda(tmp_path / "other", LINDA_REMOTE=str(away), LINDA_REMOTE_IDENTITY=str(tmp_path / "wrong.key"))
    done = other.run("restore", NUMBER, "--from-store", "--json")
    assert (done.code, done.json["error"]["name"]) == (13, "ObjectStoreKeyWrong")
    assert not other.home.exists()
    for block in away.rglob("blocks/*"):
        block.write_bytes(b"x" * block.stat().st_size)
    other = Linda(tmp_path / "other", LINDA_REMOTE=str(away), **there.environ)
    done = other.run("restore", NUMBER, "--from-store", "--json")
    assert done.code == 13
    assert not (other.home / "sessions" / f"session-{NUMBER}").exists()


def test_a_store_that_is_away_leaves_the_backup_and_says_so(there: Linda, tmp_path: Path) -> None:
    done = there.run("backup", NUMBER, "--remote", str(tmp_path / "not" / "there"), "--json")
    assert done.code == 3
    assert done.json["isNew"]
    assert done.json["remote"]["error"]["name"] == "ObjectStoreUnavailable"
    assert len(there.info()["backups"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backup", NUMBER, "--remote", "ftp://x"], "ftp://"),
        (["restore", NUMBER, "--remote", "s3://x"], "--from-store"),
        (["restore", NUMBER, "--from-store"], "which store"),
        (["start", NUMBER, "--remote", "s3://a:b@c/d"], "environment"),
        (["serve", "--remote", "nonsense://x"], "nonsense://"),
    ],
)
def test_what_makes_no_sense_is_2_before_anything_happens(there: Linda, words: list[str], said: str) -> None:
    done = there.run(*words)
    assert done.code == 2, done
    assert said in done.err
    assert not (there.home / ".session-cache" / "locks" / f"remote-{NUMBER}.lock").exists()


def test_no_key_is_a_hint_that_works(there: Linda, tmp_path: Path) -> None:
    """The hint is typed as it stands, and the same command works then."""
    linda = Linda(there.home)
    command = ["backup", NUMBER, "--remote", str(tmp_path / "away")]
    done = linda.run(*command, "--json", LINDA_REMOTE_IDENTITY="")
    assert done.code == 2
    hint = done.json["error"]["hint"]
    linda_here = shlex.join(COMMAND)
    typed = f'linda() {{ {linda_here} "$@"; }}; {hint} && linda --home {linda.home} {shlex.join(command)}'
    assert subprocess.run(["bash", "-c", typed], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "linda-store.key").stat().st_mode & 0o777 == 0o600


def test_the_hint_of_a_wrong_key_shows_which_one_is_used(there: Linda, tmp_path: Path) -> None:
    away = tmp_path / "away"
    there.json("backup", NUMBER, "--remote", str(away))
    there.json("keygen", str(tmp_path / "wrong.key"))
    other = Linda(there.home, LINDA_REMOTE=str(away), LINDA_REMOTE_IDENTITY=str(tmp_path / "wrong.key"))
    done = other.run("restore", NUMBER, "--from-store", "--json")
    assert done.json["error"]["hint"].endswith("config --changed")
    assert "wrong.key" in other.run("config", "--changed").out


def test_the_settings_may_stand_in_linda_toml(there: Linda, tmp_path: Path) -> None:
    (there.home / "linda.toml").write_text(f'remote = "{tmp_path / "away"}"\nremote-identity = "../store.key"\n')
    done = Linda(there.home).json("backup", NUMBER)
    assert len(done["remote"]["done"]["backups"]) == 1


def test_the_page_shows_what_its_commands_say(tmp_path: Path) -> None:
    assert transcript.on_the_page() == transcript.made(tmp_path)
