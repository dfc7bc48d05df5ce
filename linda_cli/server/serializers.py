"""Values as answers: the contract's JSON shapes, ``"version": 1`` first."""

from __future__ import annotations

from typing import Any

from linda_cli.console.jsonable import jsonable
from linda_cli.lifecycle.events import Event, head


def answer(value: object = None, /, **fields: object) -> dict[str, Any]:
    """A value of the store or of the service, and named fields beside it, as the command line would print it."""
    body = jsonable(value) if value is not None else {}
    return {"version": 1, **body, **{name: jsonable(field) for name, field in fields.items()}}


def of_event(event: Event) -> dict[str, Any]:
    """The command line's event object."""
    return {"version": 1, **head(event), **jsonable(event.facts)}
