"""The one replaceable description of the page: ``signals.json``, or a file that a user puts in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from linda_cli.errors import Misused


@dataclass(frozen=True, slots=True)
class Signals:
    """``data`` as the file has it: what the observer in the page and the reading of it go by."""

    data: Mapping[str, Any]

    def listed(self, group: str, name: str) -> tuple[str, ...]:
        """The words of one group, as in ``listed("socket", "blocked")``."""
        return tuple(self.data[group][name])

    def selectors(self, name: str) -> tuple[str, ...]:
        """The selectors of one thing on the page, the most reliable first."""
        return tuple(self.data["selectors"].get(name, ()))


@cache
def built_in() -> Signals:
    """The description this version was released with."""
    return Signals(json.loads(files("linda_cli.whatsapp").joinpath("signals.json").read_text("utf-8")))


def load(path: Path | None) -> Signals:
    """The built-in description, with what the file at ``path`` says laid over it. Raises ``Misused``.

    A file that changes one selector need not repeat the others.
    """
    if path is None:
        return built_in()
    try:
        told = json.loads(path.read_text("utf-8"))
        if not isinstance(told, dict):
            raise ValueError("not an object")
        return Signals(_laid_over(built_in().data, told))
    except (OSError, ValueError) as problem:
        raise Misused(f"{path} is no description of the page: {problem}", f"mv {path} {path}.off") from problem


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(below)
    for key, value in above.items():
        under = whole.get(key)
        if isinstance(under, Mapping):
            if not isinstance(value, Mapping):
                raise ValueError(f"{key} must be an object")
            whole[key] = _laid_over(under, value)
        elif under is not None and type(under) is not type(value):
            raise ValueError(f"{key} must be of the same type as the built-in one")
        else:
            whole[key] = value
    return whole
