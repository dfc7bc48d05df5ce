"""The login as it lies on disk: who is linked, and which linked device it is, read with the browser closed or open.

The stored key itself is hashed and forgotten; no value made here contains it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

from linda_cli.sessions.storage import local_storage
from linda_cli.sessions.storage.damage import Damage
from linda_cli.sessions.storage.paths import LOCAL_LEVELDB
from linda_cli.whatsapp.page import NOISE_KEY, SANDBOX_KEY, WID_KEY

LOCAL_STORAGE = Path(LOCAL_LEVELDB)
"""Chromium's LevelDB folder for the localStorage of every origin, inside the profile."""

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
    """SHA-256 over the text of both values: the contract's ``login``, the same in every format."""
    sandbox: bool
    """Made by linda's own stand-in, and worth nothing at the real WhatsApp."""
    noise_digest: str = ""
    """SHA-256 over the device's own key alone: what tells another device of the same number."""
    older: frozenset[str] = frozenset()
    """What earlier versions called this same login: they hashed the bytes as LevelDB stores them."""

    @property
    def digests(self) -> frozenset[str]:
        """Every name that this login may have in a backup or among the logins that were ended."""
        return self.older | {self.digest}


class Keys(NamedTuple):
    """What localStorage has for the origin: which of the two keys that make a login, and the login if both."""

    wid: bool
    noise: bool
    anything: bool
    """The origin has stored anything at all."""
    login: Login | None
    others: bool = False
    """Not both keys are there, and the origin has entries under other keys."""


def read_login(profile: Path) -> Login | None:
    """The login in this profile, or None where there is none or it does not read. Safe beside a live browser."""
    try:
        return _keys(local_storage.read(profile)).login
    except Damage:
        return None


def read_keys(profile: Path) -> Keys:
    """What localStorage has for the origin; raises ``Damage`` where it is not sound enough to tell."""
    found = _keys(local_storage.read(profile))
    if found.wid and found.noise:
        return found
    return _keys(local_storage.read(profile, others=True))


def hidden_keys(profile: Path) -> Keys | None:
    """The keys of a login in a SQLite localStorage that Chromium would ignore for a LevelDB folder beside it."""
    found = local_storage.hidden(profile)
    keys = _keys(found) if found is not None else None
    return keys if keys is not None and keys.login is not None else None


def salvage_keys(profile: Path) -> Keys:
    """What can still be found in a damaged localStorage: evidence that there was a login, no more than that."""
    return _keys(local_storage.salvage(profile))


def _keys(found: local_storage.Stored) -> Keys:
    wid, noise = found.texts.get(WID_KEY), found.texts.get(NOISE_KEY)
    login = _login(wid, noise, SANDBOX_KEY in found.texts) if wid and noise else None
    others = found.others and not (wid and noise)
    return Keys(bool(wid), bool(noise), found.anything, login, others)


def login_digest(wid: str, noise: str) -> str:
    """The contract's ``login``: SHA-256 over the decoded text of both keys, the same whatever stored them."""
    return _hashed([one.encode("utf-8", "surrogatepass") for one in (wid, noise)])


def _login(wid: str, noise: str, sandbox: bool) -> Login:
    name = _unquoted(wid)
    match = _WID.fullmatch(name)
    number = match[1] if match and not match[1].startswith("0") else None
    device = int(match[2]) if match and match[2] else None
    own = hashlib.sha256(noise.encode("utf-8", "surrogatepass")).hexdigest()
    older = frozenset(_hashed(pair) for pair in product(_as_stored(wid), _as_stored(noise)))
    return Login(number, device, name if match else "", login_digest(wid, noise), sandbox, own, older)


def _hashed(values: list[bytes] | tuple[bytes, ...]) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(len(value).to_bytes(8, "big"))
        digest.update(value)
    return digest.hexdigest()


def _as_stored(text: str) -> list[bytes]:
    """The ways in which LevelDB may hold this text: a tag, then Latin-1 or UTF-16."""
    ways = [b"\0" + text.encode("utf-16-le", "surrogatepass")]
    try:
        ways.append(b"\1" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return ways
    return ways


def _unquoted(text: str) -> str:
    if len(text) > _LONGEST_WID:
        return ""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else ""
