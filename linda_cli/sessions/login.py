"""The login as it lies on disk: who is linked, and which linked device it is, read with the browser closed or open.

The stored key itself is hashed and forgotten; no value made here contains it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from linda_cli.sessions.leveldb import database
from linda_cli.sessions.leveldb.damage import Damage
from linda_cli.whatsapp.page import NOISE_KEY, ORIGIN, SANDBOX_KEY, WID_KEY

LOCAL_STORAGE = Path("Default", "Local Storage", "leveldb")
"""Chromium's folder for the localStorage of every origin, inside the profile."""

_WID = re.compile(r"(\d{7,15})(?:[._]\d+)?(?::(\d{1,9}))?@(?:c\.us|s\.whatsapp\.net)", re.ASCII)
_LONGEST_WID = 200


@dataclass(frozen=True, slots=True)
class Login:
    """One linked device."""

    number: str | None
    """Whose; None where the page stored it in a shape that is not known (yet)."""
    device: int | None
    wid: str
    digest: str
    """SHA-256 over both stored values: the contract's ``login``."""
    sandbox: bool
    """Made by linda's own stand-in, and worth nothing at the real WhatsApp."""
    noise_digest: str = ""
    """SHA-256 over the device's own key alone: what tells another device of the same number."""


class Keys(NamedTuple):
    """What localStorage has for the origin: which of the two keys that make a login, and the login if both."""

    wid: bool
    noise: bool
    anything: bool
    """The origin has stored anything at all."""
    login: Login | None


def read_login(profile: Path) -> Login | None:
    """The login in this profile, or None where there is none or it does not read. Safe beside a live browser."""
    try:
        return read_keys(profile).login
    except Damage:
        return None


def read_keys(profile: Path) -> Keys:
    """What localStorage has for the origin; raises ``Damage`` where it is not sound enough to tell."""
    return _keys(database.read(profile / LOCAL_STORAGE, _WANTED))


def salvage_keys(profile: Path) -> Keys:
    """What can still be found in a damaged localStorage: evidence that there was a login, no more than that."""
    return _keys(database.salvage(profile / LOCAL_STORAGE, _WANTED))


def _stored(key: str) -> bytes:
    # \1: the key is Latin-1
    return b"_" + ORIGIN.encode() + b"\0\1" + key.encode("latin-1")


_META = b"META:" + ORIGIN.encode()
_WANTED = (_stored(WID_KEY), _stored(NOISE_KEY), _stored(SANDBOX_KEY), _META)


def _keys(found: Mapping[bytes, bytes | None]) -> Keys:
    wid, noise, sandbox, meta = (found[key] for key in _WANTED)
    login = _login(wid, noise, sandbox is not None) if wid and noise else None
    return Keys(bool(wid), bool(noise), any(value is not None for value in (wid, noise, sandbox, meta)), login)


def login_digest(wid: str, noise: str) -> str:
    """The contract's ``login``: SHA-256 over the decoded text of both keys, the same whatever stored them."""
    digest = hashlib.sha256()
    for text in (wid, noise):
        value = text.encode("utf-8", "surrogatepass")
        digest.update(len(value).to_bytes(8, "big"))
        digest.update(value)
    return digest.hexdigest()


def _login(wid: bytes, noise: bytes, sandbox: bool) -> Login:
    name = _unquoted(_text(wid))
    match = _WID.fullmatch(name)
    number = match[1] if match and not match[1].startswith("0") else None
    device = int(match[2]) if match and match[2] else None
    digest = login_digest(_text(wid), _text(noise))
    own = hashlib.sha256(_text(noise).encode("utf-8", "surrogatepass")).hexdigest()
    return Login(number, device, name if match else "", digest, sandbox, own)


def _text(stored: bytes) -> str:
    # the first byte tells how Chromium packed the string
    return stored[1:].decode("utf-16-le" if stored[0] == 0 else "latin-1", "replace")


def _unquoted(text: str) -> str:
    if len(text) > _LONGEST_WID:
        return ""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else ""
