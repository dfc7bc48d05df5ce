"""What every request passes before a token is looked at: its name for us, its sender, its size and its speed."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from linda_cli.errors import LindaError, Misused, NotAllowed, RequestTooLarge, RequestTooSlow
from linda_cli.server.config import Settings, is_host, is_loopback
from linda_cli.server.problem_details import details

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64_000
"""Bytes of a request's body."""
BODY_WITHIN = 30.0
"""Seconds in which a body must have arrived."""

PROBES = ("/livez", "/readyz", "/whatsapp/health")
"""For load balancers, which call a server by its address and send no more than they must."""
PAGES = ("/", "/link", "/docs")
"""What a person may follow a link to from another site."""

# Nothing from anywhere else, and nothing inline: what an event says must never become a part of the page.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", POLICY.encode()),
)
_NO_STORE = (b"cache-control", b"no-store")
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Request:
    """What the rules look at. Headers in lower case, each with all its values."""

    method: str
    path: str
    scheme: str
    peer: str
    headers: dict[bytes, list[str]]

    def first(self, name: bytes) -> str | None:
        """A header's value, None where it is missing."""
        return self.headers.get(name, [None])[0]

    @property
    def is_probe(self) -> bool:
        """Whether a load balancer asks."""
        return self.path in PROBES and self.method in ("GET", "HEAD")


class HostOriginMiddleware:
    """Refuses a foreign ``Host`` (a name that was pointed at us, DNS rebinding) and a foreign ``Origin`` or
    ``Sec-Fetch-Site`` (somebody else's page in a browser on this machine, which needs no token where there is none).
    Bounds bodies; gives every answer the headers that keep a browser careful."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._rules = _Rules(settings)
        self._base = settings.base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["path"] = _below(self._base, scope["path"])
        scope["root_path"] = ""
        request = _request(scope)
        problem = self._rules.problem(request)
        if scope["type"] == "websocket":
            if problem is None:
                await self._app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send, request.path)
        if request.path == "" and self._base:
            await _redirect(f"{self._base}/", send)
            return
        try:
            if problem is not None:
                raise problem
            whole = await _whole_body(request, receive)
        except LindaError as refused:
            await refuse(refused, send, request.path)
            return
        await self._app(scope, whole, send)


def _below(base: str, path: str) -> str:
    """The path as the application knows it: a proxy may have taken the root path away, or have left it."""
    if base and (path == base or path.startswith(f"{base}/")):
        return path[len(base) :]
    return path


def _request(scope: Scope) -> Request:
    headers: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(bytes(name).lower(), []).append(bytes(value).decode("latin-1"))
    client = scope.get("client") or ("", 0)
    return Request(scope.get("method", "GET"), scope["path"], scope["scheme"], str(client[0]), headers)


class _Rules:
    """Whether a request is let in, by its headers alone."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(one.rstrip("/").lower() for one in settings.origins)
        self._hosts = frozenset(one.lower().strip("[]") for one in settings.hosts)
        self._has_secret = bool(settings.jwt_secrets)
        self._proxies = tuple(ipaddress.ip_network(one) for one in settings.proxies)
        # Who listens everywhere is called by names that cannot be known here; then a token is needed anyway.
        self._any_host = not settings.hosts and self._has_secret and not is_loopback(settings.host)
        self._own = settings.host.lower().strip("[]")

    def problem(self, request: Request) -> LindaError | None:
        """Why it is refused, None where it is not."""
        hosts = request.headers.get(b"host", [])
        if request.is_probe:
            return self._foreign(request, hosts[0].lower() if hosts else "", False, False)
        if len(hosts) > 1:
            return Misused("there are several Host headers", "send one")
        host = hosts[0].lower() if hosts else ""
        name, sound = _name(host)
        if not sound:
            return Misused("the Host header is malformed", "send a name or an address, and a port where needed")
        trusted = self._is_proxy(request.peer)
        forwarded = any(one in request.headers for one in _FORWARDED)
        if forwarded and not self._has_secret:
            return NotAllowed(
                "a proxy sent this, and without JWT_SECRET everyone behind it would be let in",
                "set JWT_SECRET_FILE, or take the proxy away",
            )
        public = request.first(b"x-forwarded-host") if trusted else None
        if public is not None:
            name, sound = _name(public.partition(",")[0].strip().lower())
            host = public.partition(",")[0].strip().lower()
            if not sound:
                return Misused("X-Forwarded-Host is malformed", "see the proxy's configuration in docs/server.md")
        if not (self._any_host or is_loopback(name) or name == self._own or name in self._hosts):
            return Misused(
                f"the server is not called {name[:100]!a}",
                f"start it with --allowed-host {name}" if is_host(name) else "start it with --allowed-host NAME",
            )
        return self._foreign(request, host, forwarded, trusted)

    def _foreign(self, request: Request, host: str, forwarded: bool, trusted: bool) -> LindaError | None:
        looks = request.method in ("GET", "HEAD")
        if looks and request.path.startswith("/page/"):
            return None  # scripts and styles of the package: a browser sends an Origin for modules
        origin = request.first(b"origin")
        if origin is not None:
            if origin.lower() in self._origins or origin.lower().partition("://")[2] == host:
                return None
            return NotAllowed(*_other_origin(origin, request.peer, forwarded and not trusted))
        if request.first(b"sec-fetch-site") in (None, "same-origin", "none"):
            return None
        followed = request.first(b"sec-fetch-mode") == "navigate" and request.first(b"sec-fetch-dest") == "document"
        if looks and followed and request.path in PAGES:
            return None
        return NotAllowed("another site may not use this server in somebody's browser", "open the page itself")

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _other_origin(origin: str, peer: str, unknown_proxy: bool) -> tuple[str, str]:
    """Why an Origin is refused, and what to do: a stranger's page and a proxy that is set up wrong look alike."""
    if unknown_proxy:
        return (
            "the page's origin is not the name that the proxy passes on, and the proxy is not known",
            f"start linda serve with --behind-proxy {peer}/32 and --allowed-host NAME",
        )
    shown = origin[:100] if origin.isascii() and origin.isprintable() else "ORIGIN"
    return (
        "a page of another origin may not ask, or a proxy in front does not pass the Host header on",
        f"in the proxy set the Host header (nginx: proxy_set_header Host $http_host;), or start with --origin {shown}",
    )


def _name(host: str) -> tuple[str, bool]:
    """A Host header without its port and the brackets of IPv6, and whether it is one."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    return name, is_host(name) and (not port or (port.isdigit() and len(port) <= 5))


def _with_headers(send: Send, path: str) -> Send:
    secret = path.startswith(("/whatsapp", "/metrics", "/socket.io", "/link", "/livez", "/readyz"))

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {bytes(name).lower() for name, _ in message.get("headers", ())}
            extra = [one for one in _HEADERS if one[0] not in there]
            if secret and b"cache-control" not in there:
                extra.append(_NO_STORE)
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return sending


async def _whole_body(request: Request, receive: Receive) -> Receive:
    """The body, read and bounded before anybody looks at it, for the application to receive at once."""
    length = request.first(b"content-length")
    if length is not None and (not length.isdigit() or int(length) > LARGEST_BODY):
        raise RequestTooLarge(f"a body may have {LARGEST_BODY} bytes", "send less")
    if length in (None, "0") and b"transfer-encoding" not in request.headers:
        return receive
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return _again([message], receive)
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > LARGEST_BODY:
                    raise RequestTooLarge(f"a body may have {LARGEST_BODY} bytes", "send less")
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise RequestTooSlow(f"the body did not arrive within {BODY_WITHIN:g} s", "send it again") from None
    return _again([{"type": "http.request", "body": b"".join(parts), "more_body": False}], receive)


def _again(messages: Iterable[MutableMapping[str, Any]], receive: Receive) -> Receive:
    waiting = list(messages)

    async def receiving() -> MutableMapping[str, Any]:
        return waiting.pop(0) if waiting else await receive()

    return receiving


async def refuse(problem: LindaError, send: Send, path: str) -> None:
    """Answer with problem details and close: what is left of the request is not read."""
    told = details(problem, path)
    body = json.dumps(told).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": told["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(where: str, send: Send) -> None:
    headers = [(b"location", where.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
