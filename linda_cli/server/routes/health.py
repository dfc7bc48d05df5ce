"""For load balancers and operators. Every answer is from memory; nobody needs a token for a count."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from linda_cli.server.routes.dependencies import On, Who, problems
from linda_cli.server.schemas import HealthAnswer, LiveAnswer, ReadyAnswer
from linda_cli.server.serializers import answer
from linda_cli.server.services import Services

router = APIRouter(tags=["server"])
_HEAD: dict[str, Any] = {"include_in_schema": False}


def _restoration(on: Services) -> dict[str, Any]:
    restoration = on.supervisors.restoration
    return {
        "finished": restoration.finished.is_set(),
        "accounts": restoration.asked,
        "restored": restoration.restored,
        "failed": restoration.failed,
    }


@router.head("/livez", **_HEAD)
@router.get("/livez")
async def livez() -> LiveAnswer:
    """200 while the server answers."""
    return LiveAnswer(live=True)


@router.head("/readyz", **_HEAD)
@router.get("/readyz", response_model=ReadyAnswer, responses={503: {"model": ReadyAnswer, "description": "Not ready"}})
async def readyz(on: On) -> Response:
    """200 as soon as requests are served and the database answers; from memory, at most 2 s old."""
    reason = "the server is stopping" if on.supervisors.closing else on.database.problem
    body = answer(ready=reason is None, reason=reason, restoration=_restoration(on))
    headers = {"Retry-After": "5"} if reason is not None else {}
    return JSONResponse(body, 503 if reason is not None else 200, headers)


@router.head("/whatsapp/health", **_HEAD)
@router.get(
    "/whatsapp/health", response_model=HealthAnswer,
    responses={503: {"model": HealthAnswer, "description": "Not restored yet"}},
)  # fmt: skip
async def health(on: On) -> Response:
    """503 until restoration has finished. Counts only."""
    states = on.supervisors.states().values()
    restoration = _restoration(on)
    word = "stopping" if on.supervisors.closing else "ok" if restoration["finished"] else "starting"
    body = answer(
        status=word,
        restoration=restoration,
        ready=sum(one.status == "ready" for one in states),
        up=sum(one.up for one in states),
        database=on.database.problem or "ok",
    )
    return JSONResponse(body, 200 if word == "ok" else 503)


@router.get(
    "/metrics", response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus metrics"}, **problems()},
)  # fmt: skip
async def metrics(who: Who, on: On) -> Response:
    """For Prometheus; admins only."""
    who.must_be_admin()
    return Response(await on.workers.read(on.metrics.page), media_type="text/plain; version=0.0.4")
