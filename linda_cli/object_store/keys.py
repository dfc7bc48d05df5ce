"""Keys: one of each session, wrapped for the recipients of the store.

A session's key is an age key pair and a secret for the names of its blocks. Whoever uploads keeps the public half and
that secret in the home; the private half is only in the store, encrypted for the recipients.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linda_cli.errors import Misused, ObjectStoreKeyWrong
from linda_cli.sessions.number import parse_number

if TYPE_CHECKING:
    import pyrage

LARGEST_KEY = 64 * 1024
_ID = re.compile(r"[0-9a-f]{32}")
_HEX64 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What is needed to upload. ``id`` is the folder in the store; ``naming`` the secret of the blocks' names;
    ``recipients`` a digest of those for whom the private half was encrypted."""

    id: str
    recipient: str
    naming: bytes
    recipients: str

    def block_name(self, sha256: str) -> str:
        """The name of a block by the SHA-256 of its bytes."""
        return hmac.new(self.naming, bytes.fromhex(sha256), hashlib.sha256).hexdigest()

    def sealed(self, data: bytes) -> bytes:
        """``data`` encrypted with age for this session's key."""
        import pyrage

        return bytes(pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(self.recipient)]))

    def plain(self) -> dict[str, str]:
        """As it is kept in the home."""
        return {
            "id": self.id,
            "recipient": self.recipient,
            "naming": self.naming.hex(),
            "recipients": self.recipients,
        }

    @classmethod
    def parse(cls, said: Any) -> SessionKey | None:
        """From what the home keeps; None where that is not as linda writes it."""
        try:
            fields = (said["id"], said["recipient"], said["naming"], said["recipients"])
        except (KeyError, TypeError):
            return None
        if not all(isinstance(one, str) for one in fields) or not _ID.fullmatch(fields[0]):
            return None
        if not _HEX64.fullmatch(fields[2]) or not fields[1].startswith("age1"):
            return None
        return cls(fields[0], fields[1], bytes.fromhex(fields[2]), fields[3])


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A session's key with its private half: it reads too."""

    key: SessionKey
    number: str
    identity: pyrage.x25519.Identity

    def opened(self, data: bytes) -> bytes | None:
        """The bytes in an age file for this key, None where it is not one or was altered."""
        import pyrage

        try:
            return bytes(pyrage.decrypt(data, [self.identity]))
        except (pyrage.DecryptError, ValueError):
            return None


def digest_of(recipients: Sequence[str]) -> str:
    """Which recipients: another set means another key."""
    return hashlib.sha256("\n".join(sorted(recipients)).encode()).hexdigest()


def new_key(number: str, recipients: Sequence[str]) -> tuple[SessionKey, bytes]:
    """A new key for a session, and its file for the store."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    naming = secrets.token_bytes(32)
    key = SessionKey(secrets.token_hex(16), str(identity.to_public()), naming, digest_of(recipients))
    told = {
        "version": 1,
        "number": number,
        "identity": str(identity),
        "naming": naming.hex(),
        "recipients": key.recipients,
    }
    return key, pyrage.encrypt(json.dumps(told).encode(), [_recipient(one) for one in recipients])


def open_key(id_: str, data: bytes, identities: Sequence[pyrage.x25519.Identity]) -> OpenKey | None:
    """A key file of the store, None where it is not for these identities."""
    import pyrage

    if not _ID.fullmatch(id_):
        return None
    try:
        told = json.loads(pyrage.decrypt(data, list(identities)))
        identity = pyrage.x25519.Identity.from_str(told["identity"])
        naming, recipients = bytes.fromhex(told["naming"]), str(told["recipients"])
        number = parse_number(told["number"])
    except (pyrage.DecryptError, pyrage.IdentityError, ValueError, KeyError, TypeError, AttributeError, Misused):
        return None
    if len(naming) != 32:
        return None
    return OpenKey(SessionKey(id_, str(identity.to_public()), naming, recipients), number, identity)


def parse_identities(lines: Sequence[str]) -> list[pyrage.x25519.Identity]:
    """Private keys from their text. Raises ``ObjectStoreKeyWrong``."""
    import pyrage

    try:
        return [pyrage.x25519.Identity.from_str(one) for one in lines]
    except pyrage.IdentityError:
        raise ObjectStoreKeyWrong(
            "the private key of the object store is none", 'grep -c AGE-SECRET-KEY-1 "$LINDA_REMOTE_IDENTITY"'
        ) from None


def _recipient(text: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    import pyrage

    try:
        if text.startswith("age1"):
            return pyrage.x25519.Recipient.from_str(text)
        return pyrage.ssh.Recipient.from_str(text)
    except (pyrage.RecipientError, ValueError):
        raise Misused(f"{text[:20]}… is no public key of age", "linda keygen linda-store.key") from None
