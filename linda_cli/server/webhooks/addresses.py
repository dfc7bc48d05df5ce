"""Where a webhook may go: public addresses, judged by what they really lead to, and the networks that were allowed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from urllib.parse import SplitResult, urlsplit

import idna

from linda_cli.errors import Misused, NotAllowed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_HINT = "use a public https address, or have the operator start linda serve with --webhook-to NETWORK"

# A resolver that hangs must not hold a delivery for longer than a try may take.
_resolvers = ThreadPoolExecutor(8, thread_name_prefix="resolver")


def wrapped(address: Address) -> Address:
    """The address that another one stands for: mapped, compatible, NAT64, 6to4 and Teredo lead to an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64):
        return last
    if address in _COMPATIBLE and int(address) > 1:
        return last
    return address


def may_go(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether a webhook may be delivered to this address."""
    real = wrapped(address)
    if real.is_multicast or address.is_multicast:
        return False
    if any(one.version == network.version and one in network for one in (address, real) for network in allowed):
        return True
    site_local = isinstance(real, ipaddress.IPv6Address) and real.is_site_local
    return real.is_global and not site_local


def resolve(parts: SplitResult, allowed: Sequence[Network], within: float) -> str:
    """An address of the URL's host, looked up now; this very one is to be connected to.

    Raises ``NotAllowed`` where a webhook may not go there; it does not tell what the name resolves to.
    """
    looking = _resolvers.submit(socket.getaddrinfo, parts.hostname, port_of(parts), type=socket.SOCK_STREAM)
    try:
        found = looking.result(within)
    except (OSError, UnicodeError, FutureTimeout):
        raise NotAllowed("the webhook's host name could not be resolved", "check the webhook's url") from None
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses or not all(may_go(address, allowed) for address in addresses):
        raise NotAllowed("webhooks are not delivered to private addresses", _HINT)
    return str(addresses[0])


def port_of(parts: SplitResult) -> int:
    """The URL's port."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def parse(url: str) -> SplitResult:
    """The URL with its host name in ASCII (IDNA 2008). Raises ``Misused`` for whatever is no address of a receiver."""
    wrong = Misused("url is a http:// or https:// address without a password", 'for example "https://example.org/hook"')
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise wrong
        if not url.isprintable() or len(url) > 2000 or " " in url or "\\" in url or not port_of(parts):
            raise wrong
        host = _ascii(parts.hostname)
    except ValueError:
        raise wrong from None
    netloc = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        netloc = f"{netloc}:{parts.port}"
    path = parts.path.encode("ascii", "backslashreplace").decode()
    if path != parts.path or not parts.query.isascii():
        raise Misused("the path and the query of url are percent-encoded", 'for example "https://example.org/h%C3%BC"')
    return SplitResult(parts.scheme, netloc, parts.path, parts.query, "")


def _ascii(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass  # a name, and no address: read below
    if host.isascii():
        labels = host.rstrip(".").split(".")
        if len(host) > 253 or any(not label or len(label) > 63 for label in labels):
            raise ValueError("a label of the host name is empty or longer than 63 characters")
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as problem:
        raise ValueError(str(problem)) from None
