"""What every route is given: who asks, and the services."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from linda_cli.server.auth import Principal
from linda_cli.server.schemas import NUMBER_PATTERN, Problem
from linda_cli.server.services import Services

_bearer = HTTPBearer(
    auto_error=False, scheme_name="bearer", description="A token that linda token or POST /whatsapp/tokens made."
)


def services(request: Request) -> Services:
    """What is behind the routes."""
    found: Services = request.app.state.services
    return found


On = Annotated[Services, Depends(services)]


def principal(on: On, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Principal:
    """Who sent this request, by its bearer token. Raises ``NotAuthenticated``."""
    return on.authenticator.authenticate(credentials.credentials.strip() if credentials is not None else None)


async def _principal(
    on: On, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    # Async: a request that only looks must not wait for a thread.
    return principal(on, credentials)


Who = Annotated[Principal, Depends(_principal)]
ClientId = Annotated[
    str,
    Path(
        description="The account's number; what is only formatting is dropped.",
        examples=["971505760056"],
        json_schema_extra={"pattern": NUMBER_PATTERN},
    ),
]
NO_STORE = {"Cache-Control": "no-store"}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route may fail, for OpenAPI: those that every route may fail with are added to these."""
    return {
        status: {"model": Problem, "description": _DESCRIPTIONS[status]}
        for status in sorted({*statuses, 400, 401, 403, 408, 413, 500, 503})
    }


_DESCRIPTIONS = {
    400: "Invalid request",
    401: "Authentication required",
    403: "Forbidden",
    404: "Not found, or somebody else's",
    408: "Request timed out",
    409: "Conflict",
    413: "Request body too large",
    422: "Backup cannot be used",
    429: "Too many requests; see Retry-After",
    500: "The action failed",
    502: "Browser failed, or refused by WhatsApp",
    503: "Temporarily unavailable; see Retry-After",
    504: "WhatsApp unreachable, or not in time",
    507: "No space left",
}
