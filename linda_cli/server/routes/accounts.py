"""Accounts: on record, up, stopped, removed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from linda_cli.errors import Failed
from linda_cli.server.routes.dependencies import ClientId, On, Who, problems
from linda_cli.server.schemas import (
    AccountAnswer,
    AccountChange,
    AccountsAnswer,
    Flag,
    LoggedOutAnswer,
    LogOut,
    NewAccount,
    OperationAnswer,
    RemovedAnswer,
    SessionsAnswer,
    Start,
    StartedAnswer,
)
from linda_cli.server.serializers import answer
from linda_cli.server.service import STOP_WITHIN, filtered, page_of, without_secrets
from linda_cli.sessions.number import parse_number

router = APIRouter(prefix="/whatsapp")

Status = Literal["active", "authenticating", "ready", "disconnected"]
_Text = Annotated[str | None, Query(max_length=200)]


@router.get("/accounts", tags=["accounts"], responses=problems())
async def list_accounts(
    who: Who,
    on: On,
    status: Status | None = None,
    owner: _Text = None,
    q: Annotated[str | None, Query(max_length=200, description="In the number, the label or the owner.")] = None,
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    cursor: Annotated[str | None, Query(max_length=20, description="The nextCursor of the page before.")] = None,
) -> AccountsAnswer:
    """The caller's accounts as they stand, by number."""
    seen = filtered(on.service.statuses(who), None, owner, q)
    found = [one for one in seen if status in (None, one.status)]
    page, following = page_of(found, limit, cursor)
    shown = [without_secrets(one) for one in page] if who.read_only else page
    counts = Counter(one.status for one in seen)
    return AccountsAnswer.model_validate(
        answer(accounts=shown, nextCursor=following, total=len(found), counts=dict(counts))
    )


@router.post(
    "/accounts", status_code=201, tags=["accounts"],
    responses={200: {"model": AccountAnswer, "description": "It was there"}, **problems(404, 409, 429, 507)},
)  # fmt: skip
async def add_account(who: Who, on: On, body: NewAccount, response: Response) -> AccountAnswer:
    """Put a number on record; nothing is started. An admin may give it to another owner, with or without its login."""
    account, is_new = await on.workers.work(
        on.service.add, who, str(body.number), body.owner, with_login=body.with_login, label=body.label
    )
    response.status_code = 201 if is_new else 200
    if is_new:
        response.headers["Location"] = f"{on.settings.base_path}/whatsapp/accounts/{account.client_id}"
    return AccountAnswer.model_validate(answer(on.service.status(who, account.client_id)))


@router.get("/accounts/{client_id}", tags=["accounts"], responses=problems(404))
async def get_account(who: Who, on: On, client_id: ClientId) -> AccountAnswer:
    """One account as it stands."""
    return _status(who, on, client_id)


@router.patch("/accounts/{client_id}", tags=["accounts"], responses=problems(404, 409, 507))
async def change_account(who: Who, on: On, client_id: ClientId, body: AccountChange) -> AccountAnswer:
    """Change its label; an admin may give it a proxy of its own, or to another owner."""
    account = await on.workers.work(
        on.service.change, who, client_id,
        label=body.label, owner=body.owner, with_login=body.with_login, proxy=body.proxy,
    )  # fmt: skip
    return AccountAnswer.model_validate(answer(on.service.status(who, account.client_id)))


@router.delete("/accounts/{client_id}", status_code=202, tags=["accounts"], responses=problems(404, 507))
async def remove_account(who: Who, on: On, client_id: ClientId, backups: Flag = False) -> RemovedAnswer:
    """Clear the session, backed up before, and take the account off the record; done soon after the answer.

    It finishes or is told: by the event `removal_failed`, the account's `problem`, and the operation.
    """
    operation = await on.workers.work(on.service.remove, who, client_id, backups=backups, submit=on.workers.submit)
    number = operation.client_id
    undo = f'POST /whatsapp/accounts with {{"number": "{number}"}}, then POST /whatsapp/accounts/{number}/restore'
    return RemovedAnswer.model_validate(answer(clientId=number, operation=operation.id, undo=undo))


@router.post("/accounts/{client_id}/start", status_code=202, tags=["accounts"], responses=problems(404, 409, 429))
async def start_account(who: Who, on: On, client_id: ClientId, body: Start | None = None) -> StartedAnswer:
    """Bring an account up: its browser, its profile, a backup, else a code to scan."""
    status, operation = on.service.start(who, client_id, (body or Start()).link_with)
    return StartedAnswer.model_validate(answer(status, operation=operation.id))


@router.post("/accounts/{client_id}/stop", tags=["accounts"], responses=problems(404))
async def stop_account(who: Who, on: On, client_id: ClientId) -> AccountAnswer:
    """Close its browser cleanly and back up. The login stays."""
    account = on.service.stop(who, client_id)
    ended = on.supervisors.supervisor(account.client_id).ended
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(ended)), STOP_WITHIN)
    except TimeoutError:
        raise Failed(
            f"{account.client_id} did not end within {STOP_WITHIN:g} s",
            f"GET /whatsapp/session-status/{account.client_id}",
        ) from None
    return _status(who, on, client_id)


@router.post("/accounts/{client_id}/logout", tags=["accounts"], responses=problems(404, 409, 422, 504, 507))
async def log_out_account(who: Who, on: On, client_id: ClientId, body: LogOut | None = None) -> LoggedOutAnswer:
    """Unlink the device, so that the phone's list has a free place; 504 where WhatsApp Web does not say so.

    An account that is not up is brought up for it. Nothing is forgotten without the proof, unless `local` asks for it.
    """
    done = await on.workers.work(on.service.log_out, who, client_id, local=(body or LogOut()).local)
    return LoggedOutAnswer.model_validate(answer(done))


@router.get("/operations/{operation}", tags=["accounts"], responses=problems(404))
async def get_operation(who: Who, on: On, operation: str) -> OperationAnswer:
    """What became of a request that was answered with 202. The last two thousand are known."""
    return OperationAnswer.model_validate(answer(on.service.operation(who, operation)))


@router.post("/restore-session/{client_id}", status_code=202, tags=["sessions"], responses=problems(404, 409))
async def restore_session(who: Who, on: On, client_id: ClientId) -> StartedAnswer:
    """Bring up what is saved, silently: no code is ever shown. 404 where there is no login."""
    status, operation = on.service.restore_session(who, client_id)
    return StartedAnswer.model_validate(answer(status, operation=operation.id))


@router.get("/restored-sessions", tags=["sessions"], responses=problems())
async def restored_sessions(who: Who, on: On) -> SessionsAnswer:
    """Sessions that are ready and became so without a code."""
    return _sessions(who, on, restored=True)


@router.get("/session-status/{client_id}", tags=["sessions"], responses=problems(404))
async def session_status(who: Who, on: On, client_id: ClientId) -> AccountAnswer:
    """One session as it stands."""
    return _status(who, on, client_id)


@router.get("/sessions", tags=["sessions"], responses=problems())
async def list_sessions(who: Who, on: On) -> SessionsAnswer:
    """Every session of the caller's, with whether it was restored."""
    return _sessions(who, on, restored=False)


def _sessions(who: Who, on: On, *, restored: bool) -> SessionsAnswer:
    found = [one for one in on.service.statuses(who) if one.is_restored or not restored]
    shown: list[Any] = [without_secrets(one) for one in found] if who.read_only else list(found)
    return SessionsAnswer.model_validate(answer(sessions=shown))


def _status(who: Who, on: On, client_id: str) -> AccountAnswer:
    status = on.service.status(who, parse_number(client_id))
    return AccountAnswer.model_validate(answer(without_secrets(status) if who.read_only else status))
