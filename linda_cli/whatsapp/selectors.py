"""The one replaceable description of the page: ``selectors.json``, or a file that a user lays over it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from linda_cli.errors import Misused


@dataclass(frozen=True, slots=True)
class PageDescription:
    """``data`` as the file has it: what the observer in the page and the reading of it go by."""

    data: Mapping[str, Any]

    def listed(self, group: str, name: str) -> tuple[str, ...]:
        """The words of one group, as in ``listed("socket", "blocked")``."""
        return tuple(self.data[group][name])

    def selectors(self, name: str) -> tuple[str, ...]:
        """The selectors of one thing on the page, the most reliable first."""
        return tuple(self.data["selectors"].get(name, ()))


@cache
def built_in() -> PageDescription:
    """The description this version was released with."""
    return PageDescription(json.loads(files("linda_cli.whatsapp").joinpath("selectors.json").read_text("utf-8")))


def load(path: Path | None) -> PageDescription:
    """The built-in description, with what the file at ``path`` says laid over it. Raises ``Misused``.

    A file that changes one selector need not repeat the others. What a browser could not use, a selector or a pattern
    that does not parse, is refused here, before anything is started.
    """
    if path is None:
        return built_in()
    try:
        told = json.loads(path.read_text("utf-8"))
        if not isinstance(told, dict):
            raise ValueError("not an object")
        whole = _laid_over(built_in().data, told)
        _check(whole)
    except (OSError, ValueError) as problem:
        raise Misused(
            f"{path} is no description of the page: {problem}", "mv {0} {0}.off".format(shlex.quote(str(path)))
        ) from problem
    return PageDescription(whole)


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


def _check(whole: Mapping[str, Any]) -> None:
    from cssselect import SelectorSyntaxError, parse

    for name, some in whole["selectors"].items():
        if not isinstance(some, list) or not all(isinstance(one, str) for one in some):
            raise ValueError(f"selectors.{name} must be a list of selectors")
        for one in some:
            try:
                parse(one)
            except SelectorSyntaxError as problem:
                raise ValueError(f"selectors.{name}: {one!r} is no selector") from problem
    for group in ("socket", "mode", "texts", "modules"):
        for name, some in whole[group].items():
            if not isinstance(some, list) or not all(isinstance(one, str) for one in some):
                raise ValueError(f"{group}.{name} must be a list of words")
    try:
        # JavaScript writes named groups without the P.
        re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", whole["code_text"]))
    except re.error as problem:
        raise ValueError(f"code_text is no regular expression: {problem}") from problem
