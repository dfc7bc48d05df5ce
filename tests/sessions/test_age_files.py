"""The encryption of exported files: the age format, in pieces, opened by others and never believed when changed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pyrage
import pytest

from linda_cli.errors import BackupUnusable, Misused, WrongKey
from linda_cli.sessions.portable import age, passphrase
from linda_cli.sessions.portable.age import opened

SIZES = (0, 1, 65535, 65536, 65537, 3 * 65536, 200_000)


def in_pieces(content: bytes, size: int = 1000) -> Iterator[bytes]:
    yield from (content[at : at + size] for at in range(0, len(content), size))


def sealed(content: bytes, secret: str = "a secret") -> bytes:
    # So little work that a hundred attempts take a second.
    return b"".join(passphrase.encrypt(in_pieces(content), secret, 10))


def plain(content: bytes, secret: str = "a secret") -> bytes:
    with opened(io.BytesIO(content), secret, ()) as pieces:
        return b"".join(pieces)


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_opens_what_is_sealed_with_a_passphrase(size: int) -> None:
    content = os.urandom(size)
    assert pyrage.passphrase.decrypt(sealed(content), "a secret") == content


def test_a_file_of_pyrage_opens_here() -> None:
    content = os.urandom(70_000)
    assert plain(pyrage.passphrase.encrypt(content, "ünïcode"), "ünïcode") == content


def test_a_file_of_ours_costs_who_guesses_the_passphrase_128_megabytes_a_try() -> None:
    file = b"".join(passphrase.encrypt([b"content"], "a secret"))
    assert b" 17\n" in file[:100]
    assert pyrage.passphrase.decrypt(file, "a secret") == b"content"


@pytest.mark.parametrize("size", SIZES)
def test_a_file_for_public_keys_opens_with_each_private_key_and_with_pyrage(size: int) -> None:
    content = os.urandom(size)
    one, two, other = (pyrage.x25519.Identity.generate() for _ in range(3))
    file = io.BytesIO()
    age.encrypt_for_keys(in_pieces(content), [one.to_public(), two.to_public()], file)
    assert pyrage.decrypt(file.getvalue(), [two]) == content
    for key in (one, two):
        with opened(file, None, [key]) as pieces:
            assert b"".join(pieces) == content
    with pytest.raises(WrongKey, match="other keys"), opened(file, None, [other]) as pieces:
        b"".join(pieces)
    with pytest.raises(WrongKey, match="no private key"), opened(file, None, ()) as pieces:
        b"".join(pieces)


def test_a_wrong_passphrase_and_none_are_told_from_a_changed_file() -> None:
    file = sealed(b"content")
    with pytest.raises(WrongKey, match="passphrase"):
        plain(file, "another")
    with pytest.raises(WrongKey, match="needs a passphrase"):
        plain(file, "")
    changed = file.replace(b" 10\n", b" 11\n", 1)
    with pytest.raises(BackupUnusable):
        plain(changed)


@pytest.mark.parametrize("cut", [1, 16, 100, 65552, 65553, 2 * 65552])
def test_a_file_that_was_cut_short_is_never_read_to_an_end(cut: int) -> None:
    file = sealed(os.urandom(200_000))
    with pytest.raises(BackupUnusable, match="cut short or changed"):
        plain(file[:-cut])
    # Cut where a piece ends, as a copy that broke off may be.
    header = age_header(file)
    for pieces in (1, 2, 3):
        with pytest.raises(BackupUnusable, match="cut short or changed"):
            plain(file[: header + pieces * 65552])


def age_header(file: bytes) -> int:
    return file.index(b"\n", file.index(b"\n--- ") + 1) + 1 + 16


def test_whatever_byte_is_changed_it_is_seen() -> None:
    file = bytearray(sealed(os.urandom(3000)))
    # Another work factor would be tried first, for as long as it takes.
    header = age_header(bytes(file))
    for at in [*range(25, header, 7), *range(header, len(file), 301), len(file) - 1]:
        if bytes(file[at : at + 1]).isdigit() and file[at + 1 : at + 2] == b"\n":
            continue
        changed = bytearray(file)
        changed[at] ^= 1
        with pytest.raises(BackupUnusable):
            plain(bytes(changed))


def test_a_changed_file_for_keys_is_told_and_no_thread_is_left_waiting() -> None:
    key = pyrage.x25519.Identity.generate()
    file = io.BytesIO()
    age.encrypt_for_keys(in_pieces(os.urandom(400_000), 70_000), [key.to_public()], file)
    whole = file.getvalue()
    for bad in (whole[:-500], whole[:-1000] + b"\0" * 1000, whole[: len(whole) - 400_000 % 65536 - 16]):
        with (
            pytest.raises(BackupUnusable, match="not as they were written"),
            opened(io.BytesIO(bad), None, [key]) as it,
        ):
            b"".join(it)
    # Left before its end: the thread that decrypts ends, too.
    with opened(io.BytesIO(whole), None, [key]) as pieces:
        assert next(pieces)


def test_a_reader_that_fails_is_what_the_writer_of_a_file_for_keys_hears() -> None:
    def failing() -> Iterator[bytes]:
        yield b"some"
        raise BackupUnusable("the backup has other bytes")

    with pytest.raises(BackupUnusable, match="other bytes"):
        age.encrypt_for_keys(failing(), [age.throwaway_identity().to_public()], io.BytesIO())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl"])
def test_any_other_file_is_no_export(content: bytes) -> None:
    with pytest.raises(BackupUnusable, match="no file of linda export"):
        plain(content)


def test_keys_are_read_from_words_and_files_and_what_is_none_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    key = pyrage.x25519.Identity.generate()
    assert len(age.recipients_of([str(key.to_public())])) == 1
    with pytest.raises(Misused, match="no public key"):
        age.recipients_of(["age1nonsense"])
    file = tmp_path / "key.txt"
    file.write_text(f"# created: today\n{key}\n")
    assert len(age.identities_in(file)) == 1
    for text in ("", "# only a comment\n", "AGE-SECRET-KEY-1NONSENSE\n"):
        file.write_text(text)
        with pytest.raises(Misused, match="no private key"):
            age.identities_in(file)
    with pytest.raises(Misused, match="No such file"):
        age.identities_in(tmp_path / "nothing")
