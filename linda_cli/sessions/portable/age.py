"""The encryption of an exported file: the age format, for a passphrase or for public keys, in pieces.

Everything that reads pulls: an iterator of plain bytes goes in, one of sealed bytes comes out, and the other way round.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from linda_cli.errors import Misused
from linda_cli.sessions.portable import passphrase
from linda_cli.sessions.portable.errors import cut_or_changed, no_export, wrong_key

_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_PIECE = 64 * 1024
_LARGEST_KEY_FILE = 1 << 16


class _Reader:
    """An iterator of bytes as the file that pyrage reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""
        self.problem: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._left:
                self._left = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as problem:
            # pyrage turns whatever a reader raises into an error of its own: the first one is kept for the caller.
            self.problem = problem
            raise
        given, self._left = (self._left, b"") if size < 0 else (self._left[:size], self._left[size:])
        return given


def recipients_of(keys: Sequence[str]) -> list[Any]:
    """Public keys (``age1…``, ``ssh-ed25519 …``, ``ssh-rsa …``) as pyrage wants them. Raises ``Misused``."""
    import pyrage

    found = []
    for key in keys:
        try:
            kind = pyrage.ssh if key.startswith("ssh-") else pyrage.x25519
            found.append(kind.Recipient.from_str(key.strip()))
        except pyrage.RecipientError:
            raise Misused(f"{key[:60]!a} is no public key of age or SSH", "age-keygen -o key.txt") from None
    return found


def identities_in(path: Path) -> list[Any]:
    """The private keys in a file: of ``age-keygen``, or an SSH key without a passphrase. Raises ``Misused``."""
    import pyrage

    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_KEY_FILE)
        if b"PRIVATE KEY-----" in text:
            return [pyrage.ssh.Identity.from_buffer(text)]
        lines = [line.strip() for line in text.decode("ascii").splitlines()]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except OSError as problem:
        raise Misused(f"{path}: {problem.strerror or problem}", "age-keygen -o key.txt") from problem
    except (ValueError, pyrage.IdentityError):
        raise Misused(f"{path} has no private key of age or SSH", "age-keygen -o key.txt") from None
    if not keys:
        raise Misused(f"{path} has no private key of age or SSH", "age-keygen -o key.txt")
    return keys


def encrypt_for_keys(plain: Iterable[bytes], recipients: Sequence[Any], file: BinaryIO) -> None:
    """Write the whole of ``plain``, sealed for these public keys."""
    import pyrage

    reader = _Reader(plain)
    try:
        pyrage.encrypt_io(reader, file, list(recipients))
    except BaseException:  # pyrage has its own error for what our reader raised; ours, or its own, goes on
        if reader.problem is not None:
            raise reader.problem from None
        raise


def throwaway_identity() -> Any:
    """A key pair that nobody keeps: with it a file for other keys can be read once more before it is trusted."""
    import pyrage

    return pyrage.x25519.Identity.generate()


def needs_passphrase(file: BinaryIO) -> bool:
    """Whether the file was sealed with a passphrase, else for keys. Raises ``BackupUnusable`` for any other file."""
    file.seek(0)
    beginning = file.read(len(_ARMOR) + 64)
    file.seek(0)
    if beginning.startswith(_ARMOR):
        raise no_export("it is armored text; age -d FILE | age -e writes the binary form")
    if not beginning.startswith(passphrase.MAGIC):
        raise no_export("it does not begin as a file of age does")
    return passphrase.is_for_a_passphrase(beginning)


def header_length(handle: int) -> int | None:
    """Bytes of the header and the nonce after it; None where the header has no end that is near.

    Where the file stands is left alone: another thread may be reading it.
    """
    beginning = os.pread(handle, _PIECE, 0)
    end = beginning.find(b"\n--- ")
    line = beginning.find(b"\n", end + 1) if end >= 0 else -1
    return line + 1 + 16 if line >= 0 else None


def sealed_length(header: int, plain: int) -> int:
    """How long a file is whose header has so many bytes and whose content so many."""
    chunks = max(1, -(-plain // passphrase.CHUNK))
    return header + plain + chunks * passphrase.TAG


@contextlib.contextmanager
def opened_by_keys(file: BinaryIO, identities: Sequence[Any]) -> Iterator[Iterator[bytes]]:
    """The plain bytes of a file that was sealed for keys, each piece proven before it is given.

    pyrage pushes and we pull: a thread of its own decrypts into a pipe, which is all that is ever waiting.
    """
    import pyrage

    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def push() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            try:
                pyrage.decrypt_io(file, pipe, list(identities))
            except BaseException as problem:  # noqa: BLE001 - raised again in the thread that reads
                failed.append(problem)

    def pull() -> Iterator[bytes]:
        while piece := source.read(_PIECE):
            yield piece
        pusher.join()
        if failed:
            raise _named(failed[0])

    pusher = threading.Thread(target=push, name="decrypt", daemon=True)
    pusher.start()
    with open(reading, "rb", buffering=0) as source:
        try:
            yield pull()
        finally:
            # Whoever has seen enough closes its end, and the thread ends at its next write.
            source.close()
            pusher.join()


def _named(problem: BaseException) -> BaseException:
    import pyrage

    if isinstance(problem, pyrage.DecryptError):
        said = str(problem)
        if "No matching" in said or "identities" in said.lower():
            return wrong_key("it was sealed for other keys")
        return cut_or_changed("its bytes are not as they were written")
    if isinstance(problem, OSError):
        return cut_or_changed("its bytes are not as they were written")
    return problem


@contextlib.contextmanager
def opened(file: BinaryIO, secret: str | None, identities: Sequence[Any]) -> Iterator[Iterator[bytes]]:
    """The plain bytes of a sealed file, by the passphrase or by keys, whichever it wants."""
    if needs_passphrase(file):
        if not secret:
            raise wrong_key("it needs a passphrase")
        yield passphrase.decrypt(file, secret)
        return
    if not identities:
        raise wrong_key("it was sealed for a public key, and no private key was given")
    with opened_by_keys(file, identities) as plain:
        yield plain
