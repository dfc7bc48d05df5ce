"""The ASGI application: REST, Socket.IO, the page and the metrics behind one gate."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import socketio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from linda_cli.errors import LindaError, Misused
from linda_cli.lifecycle.events import Event
from linda_cli.server.accounts import Accounts
from linda_cli.server.desk import Desk
from linda_cli.server.fleet import Fleet
from linda_cli.server.gate import App, Gate
from linda_cli.server.metrics import Metrics
from linda_cli.server.problems import details
from linda_cli.server.relay import Relay
from linda_cli.server.rest import Who, router
from linda_cli.server.settings import Settings
from linda_cli.server.sockets import Sockets
from linda_cli.server.webhooks import Webhooks

_PAGE = Path(__file__).with_name("page")
_PROBLEM = "application/problem+json"
# Nothing from anywhere else, and nothing inline: what an event says must never become a part of the page.
_POLICY = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Back:
    """What is behind the doors, and works without them. ``tell`` is the log; ``note`` a line for it."""

    settings: Settings
    fleet: Fleet
    accounts: Accounts
    relay: Relay
    webhooks: Webhooks
    metrics: Metrics
    tell: Callable[[Event], None]
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the doors themselves are made of, and what they stand before."""

    back: Back
    desk: Desk
    sockets: Sockets
    background: ThreadPoolExecutor


def build(parts: Parts) -> App:
    """The whole application."""
    api = FastAPI(
        title="linda",
        version=version("linda-cli"),
        description="Keeps WhatsApp Web logins alive: many accounts, restored by themselves.",
        openapi_tags=[{"name": one} for one in ("accounts", "linking", "sessions", "backups", "webhooks", "server")],
    )
    back, state = parts.back, api.state
    state.settings, state.webhooks, state.metrics, state.relay = back.settings, back.webhooks, back.metrics, back.relay
    state.desk, state.background = parts.desk, parts.background
    _tell_problems(api, back.note)
    api.include_router(router)
    _page(api)
    if back.settings.origins:
        api.add_middleware(
            CORSMiddleware, allow_origins=list(back.settings.origins), allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"], expose_headers=["X-Expires-In", "Retry-After"],
        )  # fmt: skip
    # The gate has refused every foreign origin already; those that are left get their headers here.
    hub = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", max_http_buffer_size=100_000)
    hub.register_namespace(parts.sockets)
    return Gate(socketio.ASGIApp(hub, other_asgi_app=api), back.settings)


def _page(api: FastAPI) -> None:
    @api.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html", headers={"Content-Security-Policy": _POLICY})

    @api.get("/metrics", include_in_schema=False)
    def metrics(who: Who, request: Request) -> Response:
        who.must_be_admin()
        return Response(request.app.state.metrics.page(), media_type="text/plain; version=0.0.4")

    api.mount("/page", StaticFiles(directory=_PAGE), name="page")


def _tell_problems(api: FastAPI, trouble: Callable[[str], None]) -> None:
    def problem(request: Request, failure: LindaError, **more: Any) -> JSONResponse:
        told = {**details(failure, request.url.path), **more}
        headers = {}
        if "retryAfter" in failure.facts:
            headers["Retry-After"] = str(failure.facts["retryAfter"])
        if told["status"] == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(told, told["status"], headers, _PROBLEM)

    @api.exception_handler(LindaError)
    async def foreseen(request: Request, failure: LindaError) -> JSONResponse:
        return problem(request, failure)

    @api.exception_handler(RequestValidationError)
    async def senseless(request: Request, failure: RequestValidationError) -> JSONResponse:
        wrong = [{"at": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in failure.errors()]
        first = wrong[0] if wrong else {"at": "body", "message": "it is no JSON"}
        return problem(request, Misused(f"{first['at']}: {first['message']}", "GET /docs"), errors=wrong)

    @api.exception_handler(HTTPException)
    async def plain(request: Request, failure: HTTPException) -> JSONResponse:
        told = {"type": "about:blank", "title": failure.detail, "status": failure.status_code}
        return JSONResponse({**told, "instance": request.url.path}, failure.status_code, failure.headers, _PROBLEM)

    @api.exception_handler(Exception)
    async def bug(request: Request, failure: Exception) -> JSONResponse:
        # The path is said, the query is not: a token may be in it.
        trouble(f"a bug in linda at {request.method} {request.url.path}\n{traceback.format_exc()}")
        return problem(request, LindaError("this is a bug in linda; its log has more", "see the log of the server"))
