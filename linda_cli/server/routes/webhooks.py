"""Webhooks."""

from __future__ import annotations

from fastapi import APIRouter, Response

from linda_cli.server.routes.dependencies import NO_STORE, On, Who, problems
from linda_cli.server.schemas import (
    NewWebhook,
    NewWebhookAnswer,
    TestedAnswer,
    WebhookAnswer,
    WebhookChange,
    WebhooksAnswer,
)
from linda_cli.server.serializers import answer

router = APIRouter(prefix="/whatsapp", tags=["webhooks"])


@router.get("/webhooks", responses=problems())
async def list_webhooks(who: Who, on: On) -> WebhooksAnswer:
    """The caller's webhooks, without their secrets, and how each fares."""
    return WebhooksAnswer.model_validate(answer(webhooks=on.webhooks.of(who)))


@router.post("/webhooks", status_code=201, responses=problems(409, 507))
async def add_webhook(who: Who, on: On, body: NewWebhook, response: Response) -> NewWebhookAnswer:
    """Be told by POST. The secret that signs each is in this answer and in no other."""
    hook, secret = await on.workers.work(on.webhooks.add, who, body.url, body.events)
    response.headers.update(NO_STORE)
    response.headers["Location"] = f"{on.settings.base_path}/whatsapp/webhooks/{hook.id}"
    return NewWebhookAnswer.model_validate(answer(hook, secret=secret))


@router.get("/webhooks/{hook}", responses=problems(404))
async def get_webhook(who: Who, on: On, hook: str) -> WebhookAnswer:
    """One webhook."""
    return WebhookAnswer.model_validate(answer(on.webhooks.get(who, hook)))


@router.patch("/webhooks/{hook}", responses=problems(404, 409, 507))
async def change_webhook(who: Who, on: On, hook: str, body: WebhookChange) -> WebhookAnswer:
    """Change where it goes or what it hears; its secret stays."""
    changed = await on.workers.work(on.webhooks.change, who, hook, body.url, body.events)
    return WebhookAnswer.model_validate(answer(changed))


@router.post("/webhooks/{hook}/test", responses=problems(404))
async def test_webhook(who: Who, on: On, hook: str) -> TestedAnswer:
    """Deliver a `test` event now, once, and tell how it went."""
    return TestedAnswer.model_validate(answer(await on.workers.work(on.webhooks.test, who, hook)))


@router.delete("/webhooks/{hook}", status_code=204, responses=problems(404, 507))
async def remove_webhook(who: Who, on: On, hook: str) -> None:
    """Be told no more."""
    await on.workers.work(on.webhooks.remove, who, hook)
