"""Tokens, signing in by a one-time link, and who one is."""

from __future__ import annotations

import time
from importlib.metadata import version

from fastapi import APIRouter, Response

from linda_cli.errors import InUse, NotAllowed, NotAuthenticated, NotFound
from linda_cli.server import auth
from linda_cli.server.revocations import revoke, use_once
from linda_cli.server.routes.dependencies import NO_STORE, On, Who, problems
from linda_cli.server.schemas import Link, MeAnswer, NewToken, Revocation, TokenAnswer
from linda_cli.server.serializers import answer
from linda_cli.server.services import Services
from linda_cli.sessions.clock import iso
from linda_cli.sessions.number import parse_number

router = APIRouter(prefix="/whatsapp", tags=["tokens"])

_SIGNED_IN_FOR = 12 * 3600.0
"""Seconds for which signing in by a link lasts."""


@router.get("/me", responses=problems())
async def who_am_i(who: Who, on: On) -> MeAnswer:
    """Who asks, and which server this is. ``owners``: whose accounts are seen."""
    owners = sorted({one.owner for one in on.accounts.all(who.sees)})
    return MeAnswer.model_validate(
        answer(
            owner=who.owner, role="admin" if who.is_admin else "user", number=who.number, readOnly=who.read_only,
            expiresAt=_moment(who.expires_at), needsToken=bool(on.settings.jwt_secrets), linda=version("linda-cli"),
            owners=owners,
        )
    )  # fmt: skip


def _moment(seconds: float | None) -> str | None:
    return iso(round(seconds * 1000)) if seconds is not None else None


@router.post("/tokens", status_code=201, responses=problems(409))
async def make_token(who: Who, on: On, body: NewToken, response: Response) -> TokenAnswer:
    """Make a token. Users make tokens for themselves, that may no more and last no longer than their own."""
    who.must_write(who.number)
    owner = body.owner if body.owner is not None else who.owner
    seconds = float(body.expires_in)
    if not who.is_admin:
        if owner != who.owner or body.role != "user":
            raise NotAllowed("only an admin makes tokens for others", "leave owner and role out")
        seconds = min(seconds, (who.expires_at or time.time()) - time.time())
    number = parse_number(body.number) if body.number is not None else None
    if who.number is not None:
        number = who.number
    if number is not None and body.role == "admin":
        raise NotAllowed("a token for one number is not an admin's", "leave role or number out")
    token = auth.make(_secret(on), owner, body.role, seconds, number=number, read_only=body.read_only)
    response.headers.update(NO_STORE)
    made = answer(
        token=token, id=auth.id_of(token), owner=owner, role=body.role, expiresAt=_moment(time.time() + seconds)
    )
    return TokenAnswer.model_validate(made)


def _secret(on: Services) -> str:
    if not on.settings.jwt_secrets:
        raise InUse("this server has no JWT_SECRET, so it uses no tokens", "start it with JWT_SECRET_FILE")
    return on.settings.jwt_secrets[0]


@router.delete("/tokens/{token_id}", status_code=204, responses=problems(404, 507))
async def revoke_token(who: Who, on: On, token_id: str) -> None:
    """Revoke a token by its id. Its sockets end within a second."""
    who.must_write(who.number)
    if not (0 < len(token_id) <= 64 and token_id.isalnum()):
        raise NotFound("there is no such token", "POST /whatsapp/tokens")
    await on.workers.work(on.database.run, lambda session: revoke(session, "token", token_id))
    await on.workers.read(on.revocations.read)


@router.post("/tokens/revoke", status_code=204, responses=problems(507))
async def revoke_tokens(who: Who, on: On, body: Revocation) -> None:
    """Revoke all tokens of an owner that were made until now."""
    who.must_write(who.number)
    if body.owner != who.owner:
        who.must_be_admin()
    owner = auth.check_owner(body.owner)
    await on.workers.work(on.database.run, lambda session: revoke(session, "owner", owner))
    await on.workers.read(on.revocations.read)


@router.post("/sign-in", responses=problems())
async def sign_in(on: On, body: Link, response: Response) -> TokenAnswer:
    """Exchange a link that `linda token --link` made, once, for a token of twelve hours."""
    response.headers.update(NO_STORE)
    try:
        who = on.authenticator.decode(body.link, auth.SIGN_IN)
    except NotAuthenticated:
        raise NotAuthenticated("this link was used or has expired", "ask for a new link") from None
    assert who.token_id is not None
    await on.workers.work(use_once, on.database, who.token_id)
    role = "admin" if who.is_admin else "user"
    token = auth.make(
        _secret(on), who.owner, role, _SIGNED_IN_FOR, number=who.number, read_only=who.read_only,
        token_id=who.token_id,
    )  # fmt: skip
    made = answer(
        token=token, id=who.token_id, owner=who.owner, role=role, expiresAt=_moment(time.time() + _SIGNED_IN_FOR)
    )
    return TokenAnswer.model_validate(made)
