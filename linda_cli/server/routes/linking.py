"""Codes: QR and pairing codes of an account, and linking links for somebody who has no token."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from linda_cli.console import qr
from linda_cli.errors import AlreadyLinked, Failed, NotAuthenticated, NotFound, NotLinkedInTime
from linda_cli.server import auth
from linda_cli.server.account_state import AccountState
from linda_cli.server.auth import Principal
from linda_cli.server.revocations import revoke, use_once
from linda_cli.server.routes.dependencies import NO_STORE, ClientId, On, Who, problems
from linda_cli.server.schemas import (
    Link,
    LinkingLinkAnswer,
    LinkingSessionAnswer,
    LinkingStateAnswer,
    NewLinkingLink,
    PairingCodeAnswer,
)
from linda_cli.server.serializers import answer
from linda_cli.server.services import Services
from linda_cli.sessions.clock import iso

router = APIRouter(prefix="/whatsapp")
CODE_WITHIN = 60.0
"""Seconds that a request for a pairing code waits for WhatsApp to make one."""
_ENDS = ("error", "session_restoration_failed", "stopped", "logged_out")
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}, "description": "What the code says"}}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The code as a picture"}}


@router.post("/accounts/{client_id}/pairing-code", tags=["linking"], responses=problems(404, 409, 429, 502, 504))
async def pairing_code(who: Who, on: On, client_id: ClientId, response: Response) -> PairingCodeAnswer:
    """Link by a code that is typed into the phone. Answers once WhatsApp has made one."""
    response.headers.update(NO_STORE)
    return await _pairing_code(who, on, client_id)


async def _pairing_code(who: Principal, on: Services, client_id: str) -> PairingCodeAnswer:
    number = on.service.account(who, client_id).client_id
    who.must_write(number)
    on.service.must_not_be_ready(number)
    state = on.supervisors.state(number)
    if state.code is not None and state.code.event.event == "pairing_code" and state.code.left:
        return PairingCodeAnswer.model_validate(answer(code=state.code.text, expiresIn=state.code.left))
    if state.up:
        # A QR code is on display or it is coming up otherwise: the code is another way of linking, begun anew.
        await on.workers.work(on.service.stop_and_wait, who, number)

    async def start() -> None:
        on.service.start(who, number, "code")

    told = await on.bridge.wait_for(number, ("pairing_code", "ready", *_ENDS), start(), CODE_WITHIN)
    if told is None:
        raise NotLinkedInTime(f"WhatsApp made no code within {CODE_WITHIN:g} s", _status(number))
    if told.event == "ready":
        raise AlreadyLinked(f"{number} came back without a code and is ready", _status(number))
    if told.event != "pairing_code":
        why = told.facts.get("message") or told.facts.get("reason") or f"it is {told.event.replace('_', ' ')}"
        raise Failed(f"no code was made: {why}", _status(number))
    made = answer(code=str(told.facts["code"]), expiresIn=int(told.facts["expiresIn"]))
    return PairingCodeAnswer.model_validate(made)


def _status(number: str) -> str:
    return f"GET /whatsapp/session-status/{number}"


@router.get(
    "/accounts/{client_id}/qr", response_class=PlainTextResponse, tags=["linking"], responses={**_TEXT, **problems(404)}
)
async def qr_text(who: Who, on: On, client_id: ClientId) -> Response:
    """What the code on display says; 404 when there is none."""
    who.must_write(on.service.account(who, client_id).client_id)
    code = on.service.code(who, client_id, "qr")
    return PlainTextResponse(code.text, headers={**NO_STORE, "X-Expires-In": str(code.left)})


@router.get(
    "/accounts/{client_id}/qr.png", response_class=Response, tags=["linking"], responses={**_PNG, **problems(404)}
)
async def qr_png(who: Who, on: On, client_id: ClientId) -> Response:
    """The code on display as a picture; 404 when there is none."""
    who.must_write(on.service.account(who, client_id).client_id)
    return _png(on, who, client_id)


def _png(on: Services, who: Principal, client_id: str) -> Response:
    code = on.service.code(who, client_id, "qr")
    headers = {**NO_STORE, "X-Expires-In": str(code.left)}
    return Response(qr.png(code.text), media_type="image/png", headers=headers)


# -- linking links


@router.post("/accounts/{client_id}/linking-links", status_code=201, tags=["linking"], responses=problems(404, 409))
async def make_linking_link(
    who: Who, on: On, client_id: ClientId, response: Response, body: NewLinkingLink | None = None
) -> LinkingLinkAnswer:
    """A link for somebody without a token: it shows this number's code and its success, once, for a while."""
    account = on.service.account(who, client_id)
    number = account.client_id
    who.must_write(number)
    on.service.must_not_be_ready(number)
    seconds = (body or NewLinkingLink()).expires_in
    id_ = auth.new_id()
    token = auth.make(
        on.signing_secret, account.owner, "user", seconds, number=number, audience=auth.LINKING, token_id=id_
    )
    response.headers.update(NO_STORE)
    path = f"{on.settings.base_path}/link#{token}"
    expires = iso(round((time.time() + seconds) * 1000))
    return LinkingLinkAnswer.model_validate(answer(id=id_, clientId=number, path=path, expiresAt=expires))


@router.delete(
    "/accounts/{client_id}/linking-links/{link}", status_code=204, tags=["linking"], responses=problems(404, 507)
)
async def revoke_linking_link(who: Who, on: On, client_id: ClientId, link: str) -> None:
    """The link, and what it was exchanged for, is no good any more."""
    who.must_write(on.service.account(who, client_id).client_id)
    await _revoke(on, link)


async def _revoke(on: Services, id_: str) -> None:
    if not (0 < len(id_) <= 64 and id_.isalnum()):
        raise NotFound("there is no such link", "GET /docs")
    await on.workers.work(on.database.run, lambda session: revoke(session, "token", id_))
    await on.workers.read(on.revocations.read)


@router.post("/link", tags=["linking"], responses=problems(429))
async def open_linking_link(on: On, body: Link, response: Response) -> LinkingSessionAnswer:
    """Exchange a linking link, once, for a token that is good for this number's code only."""
    response.headers.update(NO_STORE)
    who = _linking(on, body.link, auth.LINKING)
    assert who.token_id is not None
    assert who.expires_at is not None
    await on.workers.work(use_once, on.database, who.token_id)
    left = max(60.0, who.expires_at - time.time())
    # The same id: who revokes the link revokes this as well.
    token = auth.make(
        on.signing_secret, who.owner, "user", left, number=who.number, audience=auth.LINKING_SESSION,
        token_id=who.token_id,
    )  # fmt: skip
    expires = iso(round((time.time() + left) * 1000))
    return LinkingSessionAnswer.model_validate(answer(token=token, clientId=who.number, expiresAt=expires))


def _linking(on: Services, token: str | None, audience: str) -> Principal:
    try:
        who = on.links.decode(token, audience)
    except NotAuthenticated:
        raise NotAuthenticated("this link was used or has expired", "ask for a new link") from None
    if who.number is None or who.token_id is None or on.accounts.owner_of(who.number) != who.owner:
        raise NotAuthenticated("this link was used or has expired", "ask for a new link")
    return who


@router.post("/link/start", tags=["linking"], responses=problems(404, 409, 429))
async def start_linking(on: On, body: Link) -> LinkingStateAnswer:
    """Have this number's code shown."""
    who = _linking(on, body.link, auth.LINKING_SESSION)
    number = str(who.number)
    if on.supervisors.state(number).ready is None:
        on.service.start(who, number, "qr")
    return _state(on, number)


@router.post("/link/state", tags=["linking"], responses=problems(404))
async def linking_state(on: On, body: Link) -> LinkingStateAnswer:
    """How far the linking is."""
    who = _linking(on, body.link, auth.LINKING_SESSION)
    return _state(on, str(who.number))


@router.post("/link/pairing-code", tags=["linking"], responses=problems(404, 409, 429, 502, 504))
async def linking_pairing_code(on: On, body: Link) -> PairingCodeAnswer:
    """A code to type into the phone instead of scanning one."""
    who = _linking(on, body.link, auth.LINKING_SESSION)
    return await _pairing_code(who, on, str(who.number))


@router.post("/link/qr.png", tags=["linking"], response_class=Response, responses={**_PNG, **problems(404)})
async def linking_qr(on: On, body: Link) -> Response:
    """The code on display as a picture."""
    who = _linking(on, body.link, auth.LINKING_SESSION)
    return _png(on, who, str(who.number))


def _state(on: Services, number: str) -> LinkingStateAnswer:
    state: AccountState = on.supervisors.state(number)
    code = state.code if state.code is not None and state.code.left else None
    if state.ready is not None:
        word = "linked"
    elif code is not None:
        word = "code"
    else:
        word = "starting" if state.up else "failed"
    pairing = code.text if code is not None and code.event.event == "pairing_code" else None
    return LinkingStateAnswer.model_validate(
        answer(
            clientId=number, state=word, code=code.event.event if code else None, pairingCode=pairing,
            expiresIn=code.left if code else None, problem=state.problem if word == "failed" else None,
        )
    )  # fmt: skip
