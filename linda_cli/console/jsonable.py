"""Values as JSON: names in camelCase, ``"version": 1`` first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from linda_cli.sessions.spelling import camel


def jsonable(value: object) -> Any:
    """Frozen values become objects with camelCase names; mappings keep their keys as they are."""
    if is_dataclass(value) and not isinstance(value, type):
        return {camel(one.name): jsonable(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return value


def fields_of(value: Any) -> dict[str, Any]:
    """A frozen value's fields by their names in JSON, for an answer that has more than these."""
    return {camel(one.name): getattr(value, one.name) for one in fields(value)}


def spelled(value: object) -> str:
    """One line of JSON, in ASCII, so that nothing in it can speak to a terminal."""
    return json.dumps({"version": 1, **jsonable(value)})
