"""The REST door: seed 003's paths and ours. Declares, asks the desk once, answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from linda_cli.console import qr
from linda_cli.errors import Failed, LindaError, NotLinkedInTime
from linda_cli.server.desk import Desk
from linda_cli.server.payload import answer
from linda_cli.server.relay import Relay
from linda_cli.server.tokens import Caller, caller
from linda_cli.sessions.number import parse_number

_ENDS = ("error", "session_restoration_failed", "stopped", "logged_out")
_NO_STORE = {"Cache-Control": "no-store"}
PAIRING_PATIENCE = 60.0
"""Seconds that a request for a pairing code waits for WhatsApp to make one."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class NewAccount(_Body):
    """``owner`` is for admins; everybody else's accounts are their own."""

    number: str | int = Field(examples=["971505760056"])
    owner: str | None = Field(default=None, max_length=200)


class Start(_Body):
    """``linkWith``: how to link where nothing is left to restore; null brings up what is saved and shows no code."""

    link_with: str | None = Field(default="qr", alias="linkWith", pattern="^(qr|code)$")


class NewBackup(_Body):
    """A labelled backup is not rotated away."""

    label: str | None = Field(default=None, max_length=200)


class Restore(_Body):
    """Without a name: the newest backup that verifies."""

    backup: str | None = None


class NewWebhook(_Body):
    """``events``: their names; none is all."""

    url: str = Field(max_length=2000)
    events: list[str] = []


def asking(request: Request) -> Caller:
    """Who sent this request, by its bearer token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return caller(token.strip() if kind.lower() == "bearer" else None, request.app.state.settings.jwt_secret)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


Who = Annotated[Caller, Depends(asking)]
At = Annotated[Desk, Depends(_desk)]
router = APIRouter(prefix="/whatsapp")


@router.get("/health", tags=["server"])
def health(request: Request) -> Response:
    """503 until restoration has finished. Counts only: no token is needed."""
    state = request.app.state
    restoration = state.desk.fleet.restoration
    views = state.desk.fleet.views().values()
    finished = restoration.finished.is_set()
    word = "stopping" if state.desk.fleet.closing else "ok" if finished else "starting"
    told = answer(
        status=word,
        restoration={
            "finished": finished,
            "accounts": restoration.asked,
            "restored": restoration.restored,
            "failed": restoration.failed,
        },
        ready=sum(one.status == "ready" for one in views),
        up=sum(one.up for one in views),
    )
    return JSONResponse(told, 200 if word == "ok" else 503)


@router.get("/accounts", tags=["accounts"])
def accounts(who: Who, desk: At) -> dict[str, Any]:
    """The caller's accounts with what is kept of their sessions."""
    return answer(accounts=desk.statuses(who))


@router.post("/accounts", status_code=201, tags=["accounts"])
def add_account(who: Who, desk: At, body: NewAccount) -> dict[str, Any]:
    """Put a number on record. Nothing is started."""
    return answer(desk.status(who, desk.add(who, str(body.number), body.owner).client_id))


@router.delete("/accounts/{client_id}", status_code=202, tags=["accounts"])
def remove_account(who: Who, desk: At, client_id: str, request: Request, backups: bool = False) -> dict[str, Any]:
    """Clear the session, backed up before, and take the account off the record; done soon after the answer."""
    number = desk.account(who, client_id).client_id

    def remove() -> None:
        try:
            desk.remove(who, number, backups=backups)
        except LindaError as problem:
            desk.fleet.say(f"{number} was not removed: {problem.message}")

    request.app.state.background.submit(remove)
    return answer(clientId=number, undo=f"linda restore {number}")


@router.post("/accounts/{client_id}/start", status_code=202, tags=["accounts"])
def start(who: Who, desk: At, client_id: str, body: Start | None = None) -> dict[str, Any]:
    """Bring an account up: its browser, its profile, a backup, else a code to scan."""
    return answer(desk.start(who, client_id, (body or Start()).link_with))


@router.post("/accounts/{client_id}/stop", tags=["accounts"])
def stop(who: Who, desk: At, client_id: str) -> dict[str, Any]:
    """Close its browser cleanly and back up. The login stays."""
    return answer(desk.stop(who, client_id))


@router.post("/accounts/{client_id}/backup", tags=["backups"])
def back_up(who: Who, desk: At, client_id: str, body: NewBackup | None = None) -> dict[str, Any]:
    """A backup of what is there now; ``isNew`` false where nothing has changed."""
    return answer(desk.back_up(who, client_id, (body or NewBackup()).label))


@router.get("/accounts/{client_id}/backups", tags=["backups"])
def backups(who: Who, desk: At, client_id: str, verify: bool = False) -> dict[str, Any]:
    """Newest first; with ``verify`` each is read in full."""
    return answer(session=parse_number(client_id), backups=desk.backups(who, client_id, verify=verify))


@router.post("/accounts/{client_id}/restore", tags=["backups"])
def restore(who: Who, desk: At, client_id: str, body: Restore | None = None) -> dict[str, Any]:
    """Put a backup in the profile's place, which goes to quarantine. One that is up is stopped and brought up again."""
    return answer(desk.restore(who, client_id, (body or Restore()).backup))


@router.post("/accounts/{client_id}/pairing-code", tags=["linking"])
async def pairing_code(who: Who, desk: At, client_id: str, request: Request) -> Response:
    """Link by a code that is typed into the phone. Answers once WhatsApp has made one."""
    number = (await asyncio.to_thread(desk.account, who, client_id)).client_id
    view = desk.fleet.view(number)
    if view.code is not None and view.code.told.event == "pairing_code":
        return _pairing(view.code.text, view.code.left)
    if view.up:
        # A QR code is on show or it is coming up otherwise: the code is another way of linking, begun anew.
        if view.ready is not None:
            raise Failed(f"{number} is linked and ready", f"DELETE /whatsapp/accounts/{number}")
        await asyncio.to_thread(desk.stop, who, number)
    relay: Relay = request.app.state.relay
    told = await relay.wait_for(
        number, ("pairing_code", "ready", *_ENDS), asyncio.to_thread(desk.start, who, number, "code"), PAIRING_PATIENCE
    )
    if told is None:
        raise NotLinkedInTime(f"WhatsApp made no code within {PAIRING_PATIENCE:g} s", f"GET {_path(number)}")
    if told.event != "pairing_code":
        why = told.facts.get("message") or told.facts.get("reason") or f"it is {told.event.replace('_', ' ')}"
        raise Failed(f"no code was made: {why}", f"GET {_path(number)}")
    return _pairing(str(told.facts["code"]), int(told.facts["expiresIn"]))


def _pairing(code: str, expires_in: int) -> Response:
    return JSONResponse(answer(code=code, expiresIn=expires_in), headers=_NO_STORE)


def _path(number: str) -> str:
    return f"/whatsapp/session-status/{number}"


@router.get("/accounts/{client_id}/qr", response_class=PlainTextResponse, tags=["linking"])
def qr_text(who: Who, desk: At, client_id: str) -> Response:
    """What the code on show says; 404 when none is."""
    code = desk.code(who, client_id, "qr")
    return PlainTextResponse(code.text, headers={**_NO_STORE, "X-Expires-In": str(code.left)})


@router.get("/accounts/{client_id}/qr.png", response_class=Response, tags=["linking"])
def qr_png(who: Who, desk: At, client_id: str) -> Response:
    """The code on show as a picture; 404 when none is."""
    code = desk.code(who, client_id, "qr")
    headers = {**_NO_STORE, "X-Expires-In": str(code.left)}
    return Response(qr.png(code.text), media_type="image/png", headers=headers)


@router.get("/accounts/{client_id}/events", tags=["sessions"])
def events(who: Who, desk: At, client_id: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
    """The kept story of the session, oldest first, without codes."""
    return answer(session=parse_number(client_id), events=desk.story(who, client_id, limit))


@router.post("/restore-session/{client_id}", status_code=202, tags=["sessions"])
def restore_session(who: Who, desk: At, client_id: str) -> dict[str, Any]:
    """Bring up what is saved, silently: no code is ever shown."""
    return answer(desk.start(who, client_id, None))


@router.get("/restored-sessions", tags=["sessions"])
def restored_sessions(who: Who, desk: At) -> dict[str, Any]:
    """Sessions that are ready and became so without a code."""
    return answer(sessions=[one for one in desk.statuses(who) if one.is_restored])


@router.get("/session-status/{client_id}", tags=["sessions"])
def session_status(who: Who, desk: At, client_id: str) -> dict[str, Any]:
    """One session as it stands."""
    return answer(desk.status(who, client_id))


@router.get("/sessions", tags=["sessions"])
def sessions(who: Who, desk: At) -> dict[str, Any]:
    """Every session of the caller's, with whether it was restored."""
    return answer(sessions=desk.statuses(who))


@router.get("/webhooks", tags=["webhooks"])
def webhooks(who: Who, request: Request) -> dict[str, Any]:
    """The caller's webhooks, without their secrets."""
    return answer(webhooks=request.app.state.webhooks.of(who))


@router.post("/webhooks", status_code=201, tags=["webhooks"])
def add_webhook(who: Who, request: Request, body: NewWebhook) -> dict[str, Any]:
    """Be told by POST. The secret that signs each is in this answer and in no other."""
    hook, secret = request.app.state.webhooks.add(who, body.url, body.events)
    return answer(hook, secret=secret)


@router.delete("/webhooks/{hook}", status_code=204, tags=["webhooks"])
def remove_webhook(who: Who, request: Request, hook: str) -> None:
    """Be told no more."""
    request.app.state.webhooks.remove(who, hook)
