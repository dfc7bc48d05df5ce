"""Turns the words of a command line into values without pydantic, whose import takes as long as all of ``info``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import typer

from linda_cli.app.option_sources import boolean

_KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}


class PlainValue:
    """Typer asks a parameter for its coercion once and keeps it; this is put there before it can ask."""

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self._kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """As Typer's own: None stays None, several values come as a tuple."""
        if param.multiple or param.nargs == -1:
            return tuple(self._one(one, param, ctx) for one in value or ())
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str) or self._kind is str:
            return value
        try:
            return boolean(value) if self._kind is bool else self._kind(value)
        except ValueError:
            source = ctx.get_parameter_source(param.name) if ctx is not None else None
            named = f" (variable {param.envvar})" if source is not None and source.name == "ENVIRONMENT" else ""
            words = _KINDS.get(self._kind, self._kind.__name__)
            raise typer.BadParameter(f"{value!r} is not {words}{named}", ctx=ctx, param=param) from None


def use_plain_value(parameter: Any) -> None:
    """Where Typer is built otherwise, or a parameter is of another kind, Typer's own way stays."""
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if kind in (str, bool, int, float, Path) and hasattr(parameter, "_runtime_param"):
        parameter._runtime_param = PlainValue(kind)
