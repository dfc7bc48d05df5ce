"""What every request passes first: called by a name that is ours, and not sent by a stranger's page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from linda_cli.errors import LindaError, Misused, NotAllowed
from linda_cli.server.problems import details
from linda_cli.server.settings import Settings, is_loopback

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


class Gate:
    """Refuses a foreign ``Host`` (a name that was pointed at us, DNS rebinding) and a foreign ``Origin`` (a page of
    somebody else's in a browser on this machine, which needs no token where there is none)."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._origins = frozenset(one.rstrip("/").lower() for one in settings.origins)
        self._hosts = frozenset(one.lower() for one in settings.hosts)
        # Who listens everywhere is called by names that cannot be known here; then a token is needed anyway.
        self._any_host = not settings.hosts and settings.jwt_secret is not None and not is_loopback(settings.host)
        self._own = settings.host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in scope["headers"]}
        problem = self._problem(headers.get(b"host", ""), headers.get(b"origin"))
        if problem is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(problem, send)

    def _problem(self, host: str, origin: str | None) -> LindaError | None:
        name = _name(host.lower())
        ours = self._any_host or is_loopback(name) or name == self._own or name in self._hosts
        if not ours:
            return Misused("the server is not called by that name", "linda serve --allowed-host NAME")
        if origin is None or origin.lower() in self._origins:
            return None
        if origin.lower().partition("://")[2] == host.lower():
            return None
        return NotAllowed("a page of another origin may not ask", "linda serve --origin https://…")


def _name(host: str) -> str:
    """Without the port and the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _refuse(problem: LindaError, send: Send) -> None:
    told = details(problem)
    body = json.dumps(told).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": told["status"], "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
