"""Which sandbox a command means, and how it drives the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from linda_cli.errors import Misused, SandboxNotFound
from linda_cli.sessions.home import Home, find_home
from linda_cli.sessions.number import parse_number

if TYPE_CHECKING:
    from linda_cli.sandbox.phone import Phone
    from linda_cli.sandbox.running import Running

NUMBER = "A WhatsApp number; without it, every account of the sandbox."


def home_of(context: typer.Context) -> Home:
    """The home of sandbox runs, below the one that this command is about."""
    return find_home(context.obj.home).home.sandbox()


def serving(context: typer.Context) -> Running | None:
    """The sandbox that serves this home, None where none runs."""
    from linda_cli.sandbox.running import running

    return running(home_of(context).sandbox_server)


def phone_of(context: typer.Context) -> Phone:
    """The phone of the sandbox that serves this home. Raises ``Failed`` where none runs."""
    from linda_cli.sandbox.phone import Phone

    found = serving(context)
    if found is None:
        raise SandboxNotFound(f"no sandbox serves {home_of(context).root}", "linda sandbox serve")
    return Phone(found.control_url)


def do(context: typer.Context, verb: str, said: str, **facts: Any) -> None:
    """Let the phone do one thing and say that it is done."""
    if facts.get("number") is not None:
        facts["number"] = parse_number(facts["number"])
    getattr(phone_of(context), verb)(**facts)
    context.obj.console.answer({"did": verb.replace("_", "-"), **facts}, said)


def one_of(what: str, given: str, *allowed: str) -> str:
    """``given``, if it is one of ``allowed``. Raises ``Misused``, which calls it ``what``."""
    if given not in allowed:
        raise Misused(f"{what} is {' or '.join(allowed)}, not {given!r}", "linda sandbox --help")
    return given
