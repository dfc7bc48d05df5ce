"""Socket.IO, namespace ``/whatsapp``: a client says ``init``; from then on it hears what it may see."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import socketio

from linda_cli.errors import LindaError, NotAuthenticated
from linda_cli.lifecycle.events import event
from linda_cli.server.account_state import READY, AccountState
from linda_cli.server.auth import Authenticator, Principal
from linda_cli.server.event_bus import Published
from linda_cli.server.problem_details import details
from linda_cli.server.serializers import answer, of_event
from linda_cli.server.service import AccountService
from linda_cli.server.workers import Workers

NAMESPACE = "/whatsapp"
INIT_WITHIN = 30.0
"""Seconds in which a client must have connected to the namespace, and in which it must have sent ``init``."""
MOST_ACCOUNTS = 1000
"""Accounts that one client may hear of one by one."""


@dataclass(slots=True)
class _Client:
    """One client: who it is, and when that ends."""

    principal: Principal | None = None
    timer: asyncio.TimerHandle | None = None
    accounts: int = 0


class BoundedServer(socketio.AsyncServer):  # type: ignore[misc]
    """Socket.IO with a deadline for the handshake, one connection to a namespace for each client, and no event from a
    client but ``init``: the names of Socket.IO's own events must not reach their handlers from outside."""

    async def _handle_eio_connect(self, eio_sid: str, environ: Any) -> Any:
        done = await super()._handle_eio_connect(eio_sid, environ)
        asyncio.get_running_loop().call_later(INIT_WITHIN, self._expect_namespace, eio_sid)
        return done

    def _expect_namespace(self, eio_sid: str) -> None:
        if eio_sid in self.environ and self.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is None:
            self.start_background_task(self.end, eio_sid)

    async def end(self, eio_sid: str) -> None:
        """Close a connection, also that of a client that does not answer to being told so."""
        environ = self.environ.get(eio_sid) or {}
        if eio_sid in self.eio.sockets:
            self.start_background_task(self.eio.disconnect, eio_sid)
        send = environ.get("asgi.send")
        if send is not None and environ["asgi.scope"]["type"] == "websocket":
            await asyncio.sleep(0.5)
            with contextlib.suppress(RuntimeError):  # the client has closed it meanwhile
                await send({"type": "websocket.close", "code": 1008})

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        if self.manager.sid_from_eio_sid(eio_sid, namespace or "/") is None:
            await super()._handle_connect(eio_sid, namespace, data)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: Any, data: Any) -> None:
        if isinstance(data, list) and data and data[0] == "init":
            await super()._handle_event(eio_sid, namespace, id, data[:2])


class AccountNamespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """Rooms: one for each account and owner, one for each owner, one for admins, one for admins and each account.

    What is told of an account goes to the rooms of the owner that it had when it happened, to each client once.
    """

    def __init__(self, service: AccountService, authenticator: Authenticator, workers: Workers) -> None:
        super().__init__(NAMESPACE)
        self._service = service
        self._authenticator = authenticator
        self._workers = workers
        self._clients: dict[str, _Client] = {}

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def on_connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:  # noqa: ARG002 - Socket.IO's
        """Let it in; it must say who it is before long."""
        self._clients[sid] = _Client(timer=self._end_after(sid, INIT_WITHIN))

    async def on_disconnect(self, sid: str, *_: object) -> None:
        """Its rooms are left for it."""
        client = self._clients.pop(sid, None)
        if client is not None and client.timer is not None:
            client.timer.cancel()

    def _end_after(self, sid: str, seconds: float) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, seconds), lambda: loop.create_task(self._end(sid)))

    async def _end(self, sid: str) -> None:
        if sid in self._clients:
            eio_sid = self.server.manager.eio_sid_from_sid(sid, NAMESPACE)
            await self.disconnect(sid)
            if eio_sid is not None:
                await self.server.end(eio_sid)

    def _named(self, sid: str, principal: Principal) -> None:
        client = self._clients.get(sid)
        if client is None:
            return
        client.principal = principal
        if client.timer is not None:
            client.timer.cancel()
            client.timer = None
        if principal.expires_at is not None:
            client.timer = self._end_after(sid, principal.expires_at - time.time())

    async def end_revoked(self) -> None:
        """End the sockets whose token was revoked."""
        for sid, client in list(self._clients.items()):
            who = client.principal
            revoked = self._authenticator.revocations.is_revoked
            if who is not None and who.expires_at is not None and revoked(who.token_id, who.owner, who.issued_at):
                await self._end(sid)

    async def on_init(self, sid: str, said: object = None) -> dict[str, Any]:
        """``{token, clientId}``: bring that account up and hear of it; without ``clientId`` hear of all one's own.

        ``link``: ``qr`` (the default), ``code``, or false to show no code. The acknowledgement is the account's
        status, or problem details.
        """
        told = said if isinstance(said, Mapping) else {}
        try:
            token = told.get("token")
            who = self._authenticator.authenticate(token if isinstance(token, str) else None)
            client = self._clients.get(sid)
            if client is not None and client.principal is not None and client.principal.owner != who.owner:
                raise NotAuthenticated("this socket is somebody else's already", "connect anew")
            self._named(sid, who)
            number = told.get("clientId")
            if number is None and who.number is None:
                return await self._hear_all(sid, who)
            return await self._hear_one(sid, who, str(number or who.number), told.get("link", "qr"))
        except LindaError as problem:
            if isinstance(problem, NotAuthenticated):
                refused = event("auth_failure", None, {"reason": problem.message})
                await self.emit("auth_failure", of_event(refused), to=sid)
            return answer(problem=details(problem))

    async def _hear_all(self, sid: str, who: Principal) -> dict[str, Any]:
        await self.enter_room(sid, _ADMINS if who.is_admin else _owner_room(who.owner))
        statuses = self._service.statuses(who)
        for one in statuses:
            await self._catch_up(sid, self._service.supervisors.state(one.client_id))
        return answer(accounts=statuses)

    async def _hear_one(self, sid: str, who: Principal, number: str, link: object) -> dict[str, Any]:
        client = self._clients.get(sid)
        if client is None or client.accounts >= MOST_ACCOUNTS:
            raise NotAuthenticated("this socket hears of too many accounts", "init without a clientId hears of all")
        client.accounts += 1
        number = (await self._workers.work(self._service.take, who, number)).client_id
        await self.enter_room(sid, _admins_room(number) if who.is_admin else _account_room(number, who.owner))
        # What is told from here on comes by the room; what was told before comes now.
        await self._catch_up(sid, self._service.supervisors.state(number))
        if who.read_only:
            return answer(self._service.status(who, number))
        wanted = str(link) if link in ("qr", "code") else None
        status, _ = await self._workers.work(self._service.start, who, number, wanted)
        return answer(status)

    async def _catch_up(self, sid: str, state: AccountState) -> None:
        """Tell a client that comes later what it would have heard: the live session at once, or the code on display."""
        if state.ready is not None and state.status == READY:
            await self.emit("ready", of_event(state.ready), to=sid)
        elif state.code is not None and state.code.left:
            shown = {**of_event(state.code.event), "expiresIn": state.code.left}
            await self.emit(state.code.event.event, shown, to=sid)
        elif state.passkey and state.up:
            await self.emit("passkey_required", answer(event="passkey_required"), to=sid)

    async def carry(self, published: Published) -> None:
        """Send it to every client that is allowed to see it."""
        told, owner = published.event, published.owner
        if told.session is None:
            return
        rooms = [_ADMINS, _admins_room(told.session)]
        if owner is not None:
            rooms += [_owner_room(owner), _account_room(told.session, owner)]
        await self.emit(told.event, of_event(told), room=rooms)
        if told.event == "removed" and owner is not None:
            # Nobody hears of it any more who does not ask again.
            await self.close_room(_account_room(told.session, owner))


_ADMINS = "admins"


def _owner_room(owner: str) -> str:
    return f"owner:{owner}"


def _account_room(number: str, owner: str) -> str:
    return f"account:{number}:{owner}"


def _admins_room(number: str) -> str:
    return f"admins:{number}"
