"""The ASGI application: REST, Socket.IO, the page and the metrics behind one middleware."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import socketio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import compile_path
from starlette.staticfiles import StaticFiles

from linda_cli.errors import LindaError, Misused
from linda_cli.server.middleware import LARGEST_BODY, App, HostOriginMiddleware
from linda_cli.server.namespace import AccountNamespace, BoundedServer
from linda_cli.server.problem_details import details
from linda_cli.server.routes import accounts, backups, health, linking, tokens, webhooks
from linda_cli.server.services import Services

_PAGE = Path(__file__).with_name("page")
_PROBLEM = "application/problem+json"
_NO_CACHE = {"Cache-Control": "no-cache"}


def create_app(services: Services, namespace: AccountNamespace) -> App:
    """The whole application."""
    settings = services.settings
    api = FastAPI(
        title="linda",
        version=version("linda-cli"),
        description="Keeps WhatsApp Web logins alive: many accounts, restored by themselves.",
        docs_url=None,
        redoc_url=None,
        # What a generated client calls its functions.
        generate_unique_id_function=lambda route: route.name,
        openapi_tags=[
            {"name": one} for one in ("accounts", "linking", "sessions", "backups", "webhooks", "tokens", "server")
        ],
    )
    api.state.services = services
    _handle_problems(api, services.say)
    for one in (accounts, backups, linking, webhooks, tokens, health):
        api.include_router(one.router)
    _serve_pages(api)
    _describe(api, settings.base_path)
    if settings.origins:
        api.add_middleware(
            CORSMiddleware, allow_origins=[one.rstrip("/") for one in settings.origins], allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Expires-In", "Retry-After", "Location"],
        )  # fmt: skip
    # The middleware has refused every foreign origin already; those that are left get their headers here.
    sockets = BoundedServer(async_mode="asgi", cors_allowed_origins="*", max_http_buffer_size=LARGEST_BODY)
    sockets.register_namespace(namespace)
    return HostOriginMiddleware(socketio.ASGIApp(sockets, other_asgi_app=api), settings)


def _serve_pages(api: FastAPI) -> None:
    for path, file in (("/", "index.html"), ("/link", "link.html"), ("/docs", "docs.html")):
        api.add_api_route(
            path, _page(file), methods=["GET", "HEAD"], include_in_schema=False, response_class=FileResponse
        )
    api.mount("/page", StaticFiles(directory=_PAGE), name="page")


def _page(file: str) -> Callable[[], Any]:
    async def page() -> FileResponse:
        return FileResponse(_PAGE / file, headers=_NO_CACHE)

    return page


def _describe(api: FastAPI, base: str) -> None:
    """OpenAPI as clients can use it: problems are problem details, and FastAPI's own 422 never happens."""

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            schema = get_openapi(
                title=api.title, version=api.version, description=api.description, routes=api.routes,
                tags=api.openapi_tags, servers=[{"url": base or "/"}],
            )  # fmt: skip
            for name in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(name, None)
            for path in schema["paths"].values():
                for operation in path.values():
                    _with_problems(operation["responses"])
            api.openapi_schema = schema
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]


def _with_problems(responses: dict[str, Any]) -> None:
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for told in responses.values():
        content = told.get("content", {})
        for body in content.values():
            if body.get("schema", {}).get("$ref", "").endswith("/Problem"):
                told["content"] = {_PROBLEM: body}
                break


def _allowed(api: FastAPI, path: str) -> list[str]:
    """The methods of every operation with this path; the framework itself names those of the first one only."""
    found: set[str] = set()
    for template, operations in api.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            found |= {method.upper() for method in operations}
    return sorted(found)


def _handle_problems(api: FastAPI, say: Callable[[str], None]) -> None:
    def problem(request: Request, failure: LindaError, **more: Any) -> JSONResponse:
        number = request.path_params.get("client_id")
        told = {**details(failure, request.url.path, number), **more}
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
    async def invalid(request: Request, failure: RequestValidationError) -> JSONResponse:
        wrong = [{"at": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in failure.errors()]
        first = wrong[0] if wrong else {"at": "body", "message": "it is no JSON"}
        return problem(request, Misused(f"{first['at']}: {first['message']}", "GET /docs"), errors=wrong)

    @api.exception_handler(HTTPException)
    async def plain(request: Request, failure: HTTPException) -> JSONResponse:
        told = {"type": "about:blank", "title": failure.detail, "status": failure.status_code}
        headers = dict(failure.headers or {})
        if failure.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(api, request.url.path)) or "GET, HEAD"
        return JSONResponse({**told, "instance": request.url.path}, failure.status_code, headers, _PROBLEM)

    @api.exception_handler(Exception)
    async def bug(request: Request, failure: Exception) -> JSONResponse:  # noqa: ARG001 - FastAPI's signature
        # The path is said, the query is not: a token may be in it.
        say(f"a bug in linda at {request.method} {request.url.path}\n{traceback.format_exc()}")
        return problem(request, LindaError("this is a bug in linda; its log has more", "see the log of the server"))
