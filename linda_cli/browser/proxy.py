"""A proxy as it is asked for: ``http://user:password@host:3128``. Its password is shown nowhere."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from linda_cli.errors import Misused

_EXAMPLE = "linda start --proxy http://proxy.example:3128"
_NAME = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)
_LONGEST = 2000
_LONGEST_WORD = 255
"""Bytes of a user or a password, as RFC 1929 has it for SOCKS5."""


class ProxyScheme(StrEnum):
    """How a proxy is spoken to."""

    HTTP = "http"
    SOCKS5 = "socks5"


_SCHEMES = {"http": (ProxyScheme.HTTP, 80), "socks5": (ProxyScheme.SOCKS5, 1080), "socks5h": (ProxyScheme.SOCKS5, 1080)}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a browser's connections go through. ``str`` leaves out who asks: it may be told."""

    scheme: ProxyScheme
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme.value}://{host}:{self.port}"


def parse_proxy(text: str, where: str = "--proxy") -> Proxy:
    """The proxy that a URL names. Raises ``Misused``, which says nothing of the URL: it may hold a password."""
    if len(text) > _LONGEST or not text.isprintable() or any(letter.isspace() for letter in text):
        raise _malformed(where, "it holds blanks or control characters, or is too long")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        user, password = (unquote(one or "", errors="strict") for one in (parts.username, parts.password))
    except ValueError:
        raise _malformed(
            where, "it is no URL; letters such as / @ : in a password are written as %2F %40 %3A"
        ) from None
    found = _SCHEMES.get(parts.scheme.lower()) if "://" in text else None
    if found is None:
        raise _malformed(where, "it must begin with http:// or socks5://")
    if parts.path not in ("", "/") or parts.query or parts.fragment or not host or port == 0:
        raise _malformed(where, "it must be scheme://host:port; / @ ? # in a password are written as %2F %40 %3F %23")
    if not user and password:
        raise _malformed(where, "it has a password and no user")
    if any(len(one.encode()) > _LONGEST_WORD or not one.isprintable() for one in (user, password)):
        raise _malformed(where, f"user and password have {_LONGEST_WORD} bytes at most, and no control characters")
    scheme, usual = found
    if scheme is ProxyScheme.HTTP and ":" in user:
        raise _malformed(where, "a user of an HTTP proxy has no colon")
    return Proxy(scheme, _host(host, where), port or usual, user, password)


def _host(host: str, where: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _malformed(where, "its host is no address") from None
    try:
        name = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise _malformed(where, "its host is no name") from None
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise _malformed(where, "its host is no name")
    return name


def _malformed(where: str, why: str) -> Misused:
    return Misused(f"{where} names no proxy: {why}", _EXAMPLE if where == "--proxy" else f"unset {where}")
