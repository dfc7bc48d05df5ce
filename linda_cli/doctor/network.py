"""The way to WhatsApp Web, as the browser would take it, and the clock, by what the server says the time is."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from linda_cli.browser.proxy import Proxy, ProxyScheme, parse_proxy
from linda_cli.doctor.commands import install, quoted
from linda_cli.doctor.models import Finding, Look, Patient, Topic
from linda_cli.errors import Misused
from linda_cli.whatsapp.page import ORIGIN

_HOST = urlsplit(ORIGIN).hostname or ""
_PORT = 443
_HOSTS = Path("/etc/hosts")
_RESOLV = Path("/etc/resolv.conf")
_LARGEST_HEAD = 16384
MOST_SKEW = 120.0
"""Seconds. WhatsApp's own tokens and certificates bear more, a login that is being linked does not."""

# Chromium's own order for a page of HTTPS.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class _Blocked(Exception):
    """Why the way ends, and the command that opens it."""

    def __init__(self, message: str, command: str, topic: Topic = Topic.NETWORK) -> None:
        super().__init__(message)
        self.finding = Finding(topic, message, command)


@dataclass(frozen=True, slots=True)
class _Way:
    """How the browser gets out. ``variable``: what names the proxy."""

    proxy: Proxy | None = None
    variable: str = ""

    def __str__(self) -> str:
        return f"through {self.proxy} ({self.variable})" if self.proxy else "directly"


def look_at_network(patient: Patient, within: float) -> Look:
    """Look the name up, connect, shake hands, and ask for the time: as much of it as goes in ``within`` seconds."""
    deadline = time.monotonic() + within
    try:
        way = _way(patient)
        with contextlib.closing(_connected(patient, way, deadline)) as plain:
            skew = _skew(patient, plain, deadline)
    except _Blocked as blocked:
        return Look(blocked.finding.topic, blocked.finding.message, (blocked.finding,))
    detail = f"{_HOST} is reached {way}"
    if skew is not None and abs(skew) > MOST_SKEW:
        late = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'}"
        wrong = Finding(Topic.CLOCK, f"this machine's clock is {late} WhatsApp's", _set_clock(patient, skew))
        return Look(Topic.CLOCK, detail, (wrong,))
    return Look(Topic.NETWORK, detail)


def _way(patient: Patient) -> _Way:
    named = next((name for name in ("LINDA_PROXY", *_VARIABLES) if patient.environ.get(name)), None)
    if named is None:
        return _Way()
    text = patient.environ[named]
    try:
        return _Way(parse_proxy(text if "://" in text or named == "LINDA_PROXY" else f"http://{text}", named), named)
    except Misused as problem:
        raise _Blocked(problem.message, patient.unset(named)) from None


def _connected(patient: Patient, way: _Way, deadline: float) -> socket.socket:
    if way.proxy is None:
        return _directly(patient, deadline)
    try:
        made = socket.create_connection((way.proxy.host, way.proxy.port), _left(deadline))
    except OSError as problem:
        raise _Blocked(
            f"the proxy {way.proxy} cannot be reached: {_why(problem)}", patient.unset(way.variable)
        ) from None
    try:
        if way.proxy.scheme is ProxyScheme.HTTP:
            _connect_http(made, way.proxy, deadline)
        else:
            _connect_socks(made, way.proxy, deadline)
    except (OSError, ValueError) as problem:
        made.close()
        message = f"the proxy {way.proxy} does not lead to {_HOST}: {_why(problem)}"
        raise _Blocked(message, patient.unset(way.variable)) from None
    return made


def _directly(patient: Patient, deadline: float) -> socket.socket:
    try:
        found = socket.getaddrinfo(_HOST, _PORT, type=socket.SOCK_STREAM)
    except OSError as problem:
        raise _Blocked(f"{_HOST} cannot be looked up: {_why(problem)}", _fix_lookup(patient)) from None
    if all(ipaddress.ip_address(one[4][0]).is_loopback for one in found) and _is_in_hosts():
        pattern = _HOST.replace(".", "\\.")
        command = f"{patient.sudo}cp /etc/hosts /etc/hosts.before-linda && " + (
            f"{patient.sudo}sh -c \"sed '/{pattern}/d' /etc/hosts.before-linda > /etc/hosts\""
        )
        raise _Blocked(f"/etc/hosts says that {_HOST} is this machine", command)
    failed = "no address"
    for family, kind, protocol, _, address in found[:4]:
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(_left(deadline))
            made.connect(address)
            return made
        except OSError as problem:
            made.close()
            failed = _why(problem)
    raise _Blocked(f"{_HOST} cannot be reached: {failed}", _see_for_yourself())


def _is_in_hosts() -> bool:
    with contextlib.suppress(OSError):  # no file that can be read, no line in it
        return any(
            _HOST in line.partition("#")[0].split() for line in _HOSTS.read_text("utf-8", "replace").splitlines()
        )
    return False


def _fix_lookup(patient: Patient) -> str:
    with contextlib.suppress(OSError):  # no file that can be read names no server
        lines = _RESOLV.read_text("utf-8", "replace").splitlines()
        if any(line.split()[:1] == ["nameserver"] for line in lines):
            return _see_for_yourself()
    return f"echo 'nameserver 9.9.9.9' | {patient.sudo}tee -a /etc/resolv.conf"


def _see_for_yourself() -> str:
    """Nothing here can fix a network that is away: this shows where the way ends."""
    return f"curl -sv --max-time 10 -o /dev/null {ORIGIN}/"


def _connect_http(made: socket.socket, proxy: Proxy, deadline: float) -> None:
    head = f"CONNECT {_HOST}:{_PORT} HTTP/1.1\r\nHost: {_HOST}:{_PORT}\r\n"
    if proxy.user:
        word = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {word}\r\n"
    made.settimeout(_left(deadline))
    made.sendall(f"{head}\r\n".encode())
    first = _head_of(made).split("\r\n")[0].split(" ", 2)
    if len(first) < 2 or first[1] != "200":
        raise ValueError(f"it answers {' '.join(first[1:])[:80]!a}")


def _connect_socks(made: socket.socket, proxy: Proxy, deadline: float) -> None:
    made.settimeout(_left(deadline))
    made.sendall(b"\5\1\2" if proxy.user else b"\5\1\0")
    version, method = _exactly(made, 2)
    if version != 5 or method == 0xFF:
        raise ValueError("it takes no such password" if proxy.user else "it wants a password")
    if method == 2:
        user, password = proxy.user.encode(), proxy.password.encode()
        made.sendall(bytes((1, len(user))) + user + bytes((len(password),)) + password)
        if _exactly(made, 2)[1] != 0:
            raise ValueError("it does not accept the password")
    made.sendall(b"\5\1\0\3" + bytes((len(_HOST),)) + _HOST.encode() + _PORT.to_bytes(2, "big"))
    answer = _exactly(made, 4)
    if answer[1] != 0:
        raise ValueError(f"it refuses with code {answer[1]}")
    more = {1: 4, 4: 16}.get(answer[3])
    _exactly(made, (more if more is not None else _exactly(made, 1)[0]) + 2)


def _skew(patient: Patient, plain: socket.socket, deadline: float) -> float | None:
    """How many seconds our clock is ahead; None where the server does not say the time."""
    plain.settimeout(_left(deadline))
    try:
        with ssl.create_default_context().wrap_socket(plain, server_hostname=_HOST) as made:
            made.settimeout(_left(deadline))
            made.sendall(f"HEAD / HTTP/1.1\r\nHost: {_HOST}\r\nConnection: close\r\n\r\n".encode())
            head = _head_of(made)
    except ssl.SSLCertVerificationError as problem:
        if problem.verify_code in (9, 10):  # not yet valid, expired: by our clock
            raise _Blocked(
                f"the certificate of {_HOST} is {problem.verify_message} by this machine's clock",
                _set_clock(patient, None),
                Topic.CLOCK,
            ) from None
        message = f"the certificate of {_HOST} is not trusted ({problem.verify_message}): the list of authorities is "
        message += "missing or old, or somebody reads along"
        raise _Blocked(message, install(patient, "--reinstall", "ca-certificates")) from None
    except (OSError, ValueError) as problem:
        raise _Blocked(f"{_HOST} does not speak to us: {_why(problem)}", _see_for_yourself()) from None
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            with contextlib.suppress(ValueError, TypeError):  # no date that can be read: nothing to compare with
                return time.time() - parsedate_to_datetime(value.strip()).timestamp()
    return None


def _set_clock(patient: Patient, skew: float | None) -> str:
    if skew is None or Path("/run/systemd/system").is_dir():
        return f"{patient.sudo}timedatectl set-ntp true"
    right = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - skew))
    return f"{patient.sudo}{quoted('date', '-u', '-s', right)}"


def _head_of(made: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        more = made.recv(4096)
        if not more or len(head) > _LARGEST_HEAD:
            break
        head += more
    return head.decode("latin-1")


def _exactly(made: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        more = made.recv(count - len(got))
        if not more:
            raise ValueError("it hung up")
        got += more
    return got


def _left(deadline: float) -> float:
    return max(0.05, deadline - time.monotonic())


def _why(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    said = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return " ".join(str(said).split())[:200]
