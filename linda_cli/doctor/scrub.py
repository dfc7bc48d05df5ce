"""Takes out of a text what a bug report must not have: keys, tokens, passwords, phone numbers, names, addresses."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from linda_cli.browser.environment import is_secret

GONE = "<removed>"
_SHORTEST_SECRET = 4
_IN_URL = re.compile(r"(?<=://)[^/\s@\"']+@")
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?")
# What follows the name of a secret, in an address, a header, a setting or JSON.
_NAMED = re.compile(
    r"(?i)\b((?:access_|refresh_|id_)?token|secret|passw(?:or)?d|passphrase|api_?key|authorization|cookie|signature)"
    r"(\"?'?\s*[:=]\s*\"?'?(?:bearer |basic )?)[^\s\"'&,;}]+"
)
_QUERY = re.compile(r"(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_LONG = re.compile(r"[~.]?[A-Za-z0-9+/=_-]{22,}")
_BETWEEN_WORDS = re.compile(r"[-_=+]+")
_CASE_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])")
_SHORT = re.compile(r"[a-z0-9_-]{1,12}")
_DIGITS = re.compile(r"(?<![\d.])\+?[1-9][0-9]{6,14}(?![\d.])")
_MOMENT = re.compile(r"1[6-9][0-9]{11}")
_IPV4 = re.compile(r"(?<![\d.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\d.])")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{1,4}(?:::[0-9a-fA-F]{0,4})?(?![\w:])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Gives each number of this home one name for the whole report, so that a story can still be followed."""

    numbers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for secret in self.secrets:
            text = text.replace(secret, GONE)
        text = _IN_URL.sub(f"{GONE}@", text)
        text = _JWT.sub(GONE, text)
        text = _NAMED.sub(lambda match: f"{match[1]}{match[2]}{GONE}", text)
        text = _QUERY.sub(lambda match: f"{match[1]}?{GONE}", text)
        text = _EMAIL.sub(GONE, text)
        for number, name in self.numbers.items():
            text = text.replace(number, name)
        for told, name in self.names:
            text = re.sub(rf"(?<![\w]){re.escape(told)}(?![\w])", name, text)
        text = _LONG.sub(_key, text)
        text = _DIGITS.sub(_digits, text)
        text = _IPV4.sub(_address, text)
        return _IPV6.sub(_address, text)


def scrubber(numbers: Iterable[str], environ: Mapping[str, str]) -> Scrubber:
    """For a home with these numbers and a process with this environment."""
    secrets = {value for name, value in environ.items() if is_secret(name) and len(value) >= _SHORTEST_SECRET}
    named = environ.get("JWT_SECRET_FILE")
    if named:
        try:
            with open(named, encoding="utf-8", errors="replace") as file:
                secrets |= {line.strip() for line in file.read(4096).splitlines() if len(line.strip()) > 7}
        except OSError:
            pass  # where it cannot be read, nothing of it can be in a log
    return Scrubber(
        {number: f"number-{index + 1}" for index, number in enumerate(sorted(set(numbers)))},
        tuple(sorted(secrets, key=len, reverse=True)),
        tuple(_names(environ)),
    )


def _names(environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    home = environ.get("HOME", "").rstrip("/")
    if home:
        yield home, "~"
    host = socket.gethostname()
    if len(host) > 2 and host != "localhost":
        yield host, "<host>"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    if len(user) > 2 and user not in ("root", "nobody", "linda"):
        yield user, "<user>"


def _key(match: re.Match[str]) -> str:
    """What looks like a key goes; words and numbers, as our own names and paths are made of, stay."""
    text = match[0]
    if "/" not in text or text[0] not in "/~.":
        return text if all(map(_is_words, text.split("/"))) else GONE
    return "/".join(part if _is_words(part) or _SHORT.fullmatch(part) else GONE for part in text.split("/"))


def _is_words(text: str) -> bool:
    """Each part is a number or a word; letters of which every other one is a capital are no word."""
    if text.endswith("="):
        return False
    for part in _BETWEEN_WORDS.split(text.lstrip("~.")):
        changes = len(_CASE_CHANGE.findall(part))
        if part and not part.isdigit() and not (part.isalpha() and changes * 4 <= len(part) + 4):
            return False
    return True


def _digits(match: re.Match[str]) -> str:
    # Thirteen digits of this century are milliseconds: the names of backups.
    return match[0] if _MOMENT.fullmatch(match[0]) else "<number>"


def _address(match: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return match[0]
    return match[0] if address.is_loopback or address.is_unspecified else "<address>"
