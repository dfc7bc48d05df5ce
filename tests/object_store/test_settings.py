"""Which store and which keys: checked before anything is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linda_cli.browser.environment import scrubbed_environment
from linda_cli.errors import Failed, Misused
from linda_cli.object_store import requirements
from linda_cli.object_store.settings import new_key, public_keys, remote_settings


@pytest.mark.parametrize("url", ["s3://bucket/linda", "gs://bucket", "az://box/x", "file:///srv/backups"])
def test_these_are_object_stores(url: str, key: Path) -> None:
    found = remote_settings(url, {"LINDA_REMOTE_IDENTITY": str(key)})
    assert found is not None
    assert found.url == url
    assert found.recipients == public_keys(key)


def test_a_folder_is_one_too(key: Path, tmp_path: Path) -> None:
    found = remote_settings(str(tmp_path / "a b"), {"LINDA_REMOTE_IDENTITY": str(key)})
    assert found is not None
    assert found.url == (tmp_path / "a b").as_uri()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://x/y",
        "memory:///",
        "ftp://x",
        "s3://",
        "s3://b/x?region=y",
        "s3://b/#x",
        "s3://a:secret@b/x",
        "s3://[",
    ],
)
def test_these_are_none(url: str, key: Path) -> None:
    with pytest.raises(Misused) as told:
        remote_settings(url, {"LINDA_REMOTE_IDENTITY": str(key)})
    assert "secret" not in told.value.message


def test_none_is_used_where_none_is_named() -> None:
    assert remote_settings(None, {}) is None


def test_the_option_beats_the_variable(key: Path) -> None:
    environ = {"LINDA_REMOTE": "s3://one", "LINDA_REMOTE_IDENTITY": str(key)}
    assert getattr(remote_settings(None, environ), "url", None) == "s3://one"
    assert getattr(remote_settings("s3://two", environ), "url", None) == "s3://two"


def test_nothing_is_ever_uploaded_without_a_key() -> None:
    with pytest.raises(Misused, match="encrypted") as told:
        remote_settings("s3://bucket", {})
    assert told.value.hint.startswith("linda keygen ")


def test_a_public_key_is_enough_to_upload_and_not_to_read(key: Path) -> None:
    environ = {"LINDA_REMOTE_RECIPIENTS": public_keys(key)[0]}
    found = remote_settings("s3://bucket", environ)
    assert found is not None
    assert found.identity is None
    with pytest.raises(Misused, match="private key"):
        remote_settings("s3://bucket", environ, reading=True)


@pytest.mark.parametrize("text", ["age1", "hello", "AGE-SECRET-KEY-1ABC", "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq, x"])
def test_what_is_no_public_key_is_said_without_being_repeated(text: str) -> None:
    with pytest.raises(Misused) as told:
        remote_settings("s3://bucket", {"LINDA_REMOTE_RECIPIENTS": text})
    assert "SECRET" not in told.value.message


def test_a_private_key_that_others_can_read_is_not_used(key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(Misused) as told:
        remote_settings("s3://bucket", {"LINDA_REMOTE_IDENTITY": str(key)})
    assert told.value.hint == f"chmod 600 {key}"


@pytest.mark.parametrize("content", [b"", b"hello\n", b"AGE-SECRET-KEY-1QQQ\n", b"\xff\xfe"])
def test_a_file_without_a_private_key_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "k"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(Misused):
        remote_settings("s3://bucket", {"LINDA_REMOTE_IDENTITY": str(file)})


def test_a_fifo_in_place_of_a_key_does_not_hold_up_anything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "k", 0o600)
    with pytest.raises(Misused, match="not a file"):
        remote_settings("s3://bucket", {"LINDA_REMOTE_IDENTITY": str(tmp_path / "k")})


def test_a_new_key_is_readable_for_its_owner_only_and_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "k"
    public = new_key(file)
    assert public_keys(file) == (public,)
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    with pytest.raises(Misused):
        new_key(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "GOOGLE_SERVICE_ACCOUNT_KEY"]
)
def test_a_browser_does_not_get_the_credentials_of_the_store_and_a_bot_keeps_its_own(name: str) -> None:
    environ = {name: "secret", "AWS_REGION": "eu-central-1", "LINDA_REMOTE_IDENTITY": "/k"}
    assert scrubbed_environment(environ) == {"AWS_REGION": "eu-central-1"}
    assert scrubbed_environment(environ, for_bot=True) == {name: "secret", "AWS_REGION": "eu-central-1"}


def test_without_its_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "obstore" else object())
    with pytest.raises(Failed, match="obstore") as told:
        remote_settings("s3://bucket", {"LINDA_REMOTE_RECIPIENTS": "x"})
    assert "[object-store]" in told.value.hint
