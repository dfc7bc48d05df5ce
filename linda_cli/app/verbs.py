"""The table of verbs, their aliases, and what sets some of them apart."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import typer

VERBS = (
    "start", "stop", "info", "backup", "restore", "clear", "cleanup", "logout", "export", "import", "adopt", "logs",
    "serve", "token", "sandbox", "config", "doctor", "service", "keygen", "completion", "man", "try",
)  # fmt: skip

ALIASES = {"status": "info", "list": "info", "ls": "info", "restore-backup": "restore"}
"""Names that people try, and the verb that each means."""

WITH_THREADS = ("start", "serve")
"""The verbs that last; the others are over sooner than threading is imported."""

IN_A_HOME = (
    "start",
    "stop",
    "info",
    "backup",
    "restore",
    "clear",
    "cleanup",
    "logout",
    "export",
    "import",
    "adopt",
    "logs",
)
"""Verbs whose first line names the home; serve, config and sandbox name it in what they say themselves."""

WITH_BROKEN_FILE = ("doctor",)
"""Verbs that say themselves what is wrong with ``linda.toml``, and go on without it."""

WITHOUT_FILE = ("config", "keygen", "completion", "man", "try")
"""Verbs that the settings of ``linda.toml`` do not change, and that work where it is broken."""


def register(rest: Sequence[str], group: typer.Typer) -> None:
    """Import the one verb that was asked for; all of them only where that is not clear (help, a typing error)."""
    asked = rest[0] if rest else ""
    for verb in (asked,) if asked in VERBS else VERBS:
        import_module(f"linda_cli.commands.{verb}").register(group)


def canonical(rest: list[str]) -> list[str]:
    """The words with an alias replaced by its verb, and ``help VERB`` by ``VERB --help``."""
    if rest[:1] == ["help"]:
        rest = [*rest[1:], "--help"]
    return [ALIASES.get(rest[0], rest[0]), *rest[1:]] if rest else rest


def take_bot(rest: list[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """Cut off what follows the first ``--``: a ``start``'s bot, or a service's more words, whatever they look like."""
    if (rest[:1] != ["start"] and rest[:2] != ["service", "install"]) or "--" not in rest:
        return rest, None
    cut = rest.index("--")
    return rest[:cut], tuple(rest[cut + 1 :])
