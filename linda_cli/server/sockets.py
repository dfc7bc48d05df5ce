"""The Socket.IO door: namespace ``/whatsapp``. A client says ``init``; from then on it hears what it may see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import socketio

from linda_cli.errors import LindaError, NotAuthenticated
from linda_cli.lifecycle.events import Event, event
from linda_cli.server.desk import Desk
from linda_cli.server.payload import answer, of_event
from linda_cli.server.problems import details
from linda_cli.server.tokens import Caller, caller
from linda_cli.server.view import READY, View

NAMESPACE = "/whatsapp"
PATIENCE = 30.0
"""Seconds in which a client must have said who it is."""

_ADMINS = "admins"


class Sockets(socketio.AsyncNamespace):  # type: ignore[misc]
    """Rooms: one for each account, one for each owner, one for admins. What is told of an account goes to all three,
    to each client once."""

    def __init__(self, desk: Desk, secret: str | None, owner_of: Callable[[str], str | None]) -> None:
        super().__init__(NAMESPACE)
        self._desk = desk
        self._secret = secret
        self._owner_of = owner_of
        self._unnamed: dict[str, asyncio.TimerHandle] = {}
        self.clients = 0

    async def on_connect(self, sid: str, environ: Mapping[str, Any], auth: object = None) -> None:
        """Let it in; it must say who it is before long."""
        self.clients += 1
        loop = asyncio.get_running_loop()
        self._unnamed[sid] = loop.call_later(PATIENCE, lambda: loop.create_task(self.disconnect(sid)))

    async def on_disconnect(self, sid: str, *_: object) -> None:
        """Its rooms are left for it."""
        self.clients -= 1
        self._named(sid)

    def _named(self, sid: str) -> None:
        timer = self._unnamed.pop(sid, None)
        if timer is not None:
            timer.cancel()

    async def on_init(self, sid: str, said: object = None) -> dict[str, Any]:
        """``{token, clientId}``: bring that account up and hear of it; without ``clientId`` hear of all one's own.

        ``link``: ``qr`` (the default), ``code``, or false to show no code. The acknowledgement is the account's
        status, or problem details.
        """
        told = said if isinstance(said, Mapping) else {}
        try:
            token = told.get("token")
            who = caller(token if isinstance(token, str) else None, self._secret)
            self._named(sid)
            number = told.get("clientId")
            if number is None:
                return await self._hear_all(sid, who)
            return await self._hear_one(sid, who, str(number), told.get("link", "qr"))
        except LindaError as problem:
            if isinstance(problem, NotAuthenticated):
                refused = event("auth_failure", None, {"reason": problem.message})
                await self.emit("auth_failure", of_event(refused), to=sid)
            return answer(problem=details(problem))

    async def _hear_all(self, sid: str, who: Caller) -> dict[str, Any]:
        await self.enter_room(sid, _ADMINS if who.is_admin else f"owner:{who.owner}")
        statuses = await asyncio.to_thread(self._desk.statuses, who)
        for one in statuses:
            await self._catch_up(sid, self._desk.fleet.view(one.client_id))
        return answer(accounts=statuses)

    async def _hear_one(self, sid: str, who: Caller, number: str, link: object) -> dict[str, Any]:
        number = (await asyncio.to_thread(self._desk.take, who, number)).client_id
        await self.enter_room(sid, f"account:{number}")
        # What is told from here on comes by the room; what was told before comes now.
        await self._catch_up(sid, self._desk.fleet.view(number))
        wanted = link if link in ("qr", "code") else None
        return answer(await asyncio.to_thread(self._desk.start, who, number, wanted))

    async def _catch_up(self, sid: str, view: View) -> None:
        """Tell a client that comes later what it would have heard: the live session at once, or the code on show."""
        if view.ready is not None and view.status == READY:
            await self.emit("ready", of_event(view.ready), to=sid)
        elif view.code is not None and view.code.left:
            shown = {**of_event(view.code.told), "expiresIn": view.code.left}
            await self.emit(view.code.told.event, shown, to=sid)
        elif view.passkey and view.up:
            await self.emit("passkey_required", answer(event="passkey_required"), to=sid)

    async def carry(self, told: Event) -> None:
        """Tell everybody who may hear it."""
        if told.session is None:
            return
        rooms = [f"account:{told.session}", _ADMINS]
        owner = self._owner_of(told.session)
        if owner is not None:
            rooms.append(f"owner:{owner}")
        await self.emit(told.event, of_event(told), room=rooms)
