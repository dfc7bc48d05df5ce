"""Files in the age format for a passphrase, written and read in pieces.

pyrage encrypts for public keys in pieces, and for a passphrase only what is whole in memory, twice. So this is the
same format (https://age-encryption.org/v1, the ``scrypt`` recipient) over the primitives of ``cryptography``, a chunk
at a time. The tests open each other's files with pyrage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from linda_cli.sessions.portable.errors import cut_or_changed, wrong_key

MAGIC = b"age-encryption.org/v1\n"
CHUNK = 64 * 1024
TAG = 16
WORK_FACTOR = 17
"""log2 of scrypt's N: 128 MB for half a second. A small server can open the file too."""

_HIGHEST_WORK_FACTOR = 20
_LONGEST_HEADER = 4096
_HEADER = re.compile(
    re.escape(MAGIC) + rb"-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n--- ([A-Za-z0-9+/]{43})\n"
)
_ZERO_NONCE = bytes(12)


def encrypt(plain: Iterable[bytes], passphrase: str, work_factor: int = WORK_FACTOR) -> Iterator[bytes]:
    """The file's bytes, in pieces."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    body = ChaCha20Poly1305(_stretched(passphrase, salt, work_factor)).encrypt(_ZERO_NONCE, file_key, None)
    head = MAGIC + b"-> scrypt %s %d\n%s\n---" % (_text(salt), work_factor, _text(body))
    yield head + b" " + _text(_header_mac(file_key, head)) + b"\n" + nonce
    cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
    for index, (chunk, last) in enumerate(_chunks(plain)):
        yield cipher.encrypt(_chunk_nonce(index, last), chunk, None)


def is_for_a_passphrase(header: bytes) -> bool:
    """Whether a file that begins like this was encrypted for a passphrase."""
    return header.startswith(MAGIC + b"-> scrypt ")


def decrypt(file: BinaryIO, passphrase: str) -> Iterator[bytes]:
    """The plain bytes, each piece proven before it is given. ``file`` stands at its beginning.

    Raises ``WrongKey`` where the passphrase does not open it, ``BackupUnusable`` where it was cut or changed.
    """
    match = _HEADER.match(file.read(_LONGEST_HEADER))
    if match is None or int(match[2]) > _HIGHEST_WORK_FACTOR:
        raise cut_or_changed("its header is not as it was written")
    salt, body = _bytes(match[1]), _bytes(match[3])
    try:
        file_key = ChaCha20Poly1305(_stretched(passphrase, salt, int(match[2]))).decrypt(_ZERO_NONCE, body, None)
    except InvalidTag:
        raise wrong_key("the passphrase does not open it") from None
    head = match[0][: match[0].rindex(b"--- ") + 3]
    if not hmac.compare_digest(_header_mac(file_key, head), _bytes(match[4])):
        raise cut_or_changed("its header was changed")
    file.seek(len(match[0]))
    cipher = ChaCha20Poly1305(_derived(file_key, file.read(16), b"payload"))
    index, sealed = 0, file.read(CHUNK + TAG)
    while True:
        following = file.read(CHUNK + TAG)
        try:
            yield cipher.decrypt(_chunk_nonce(index, not following), sealed, None)
        except InvalidTag:
            raise cut_or_changed(f"what follows after {index * CHUNK} bytes is not as it was written") from None
        if not following:
            return
        index, sealed = index + 1, following


def _chunks(plain: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Pieces of one size, and whether each is the last."""
    waiting = bytearray()
    for piece in plain:
        waiting += piece
        while len(waiting) > CHUNK:
            yield bytes(waiting[:CHUNK]), False
            del waiting[:CHUNK]
    yield bytes(waiting), True


def _chunk_nonce(index: int, last: bool) -> bytes:
    return index.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _stretched(passphrase: str, salt: bytes, work_factor: int) -> bytes:
    needed = 128 * 8 << work_factor
    return hashlib.scrypt(
        passphrase.encode("utf-8", "surrogateescape"),
        salt=b"age-encryption.org/v1/scrypt" + salt,
        n=1 << work_factor,
        r=8,
        p=1,
        maxmem=needed + (1 << 20),
        dklen=32,
    )


def _derived(file_key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(file_key)


def _header_mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(file_key, b"", b"header"), head, "sha256")


def _text(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))
