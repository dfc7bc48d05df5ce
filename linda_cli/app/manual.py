"""The page of the manual, made from the commands themselves, so that it is never older than they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from linda_cli.app.exit_codes import CODES
from linda_cli.app.verbs import ALIASES
from linda_cli.sessions.configuration import GENERAL


def page(group: Any) -> str:
    """The whole page, in the macros of man(7). ``group``: every verb is loaded."""
    return "\n".join(_lines(group)) + "\n"


def _lines(group: Any) -> Iterator[str]:
    yield '.TH LINDA 1 "" "linda" "User Commands"'
    yield ".SH NAME"
    yield "linda \\- keeps a WhatsApp Web login alive: scan once, come back without a QR code"
    yield ".SH SYNOPSIS"
    yield r".B linda"
    yield r"[\-\-home DIR] [\-\-sandbox] [\-\-json] [\-\-quiet] [\-\-verbose] COMMAND [OPTIONS]"
    yield ".SH OPTIONS"
    yield "These may stand before or after the command."
    yield from _options(group)
    yield ".SH COMMANDS"
    for name, command in group.commands.items():
        yield from _command(name, command)
    yield ".SH ALIASES"
    for alias, verb in ALIASES.items():
        yield f".TP\n.B linda {_plain(alias)}\nlinda {_plain(verb)}"
    yield ".SH ENVIRONMENT"
    yield "LINDA_HOME is the home. An option beats its variable, and a variable beats linda.toml in the home."
    for one in GENERAL:
        yield f".TP\n.B {_plain(one.variable)}\nAs {_plain(one.key)} in linda.toml."
    yield ".SH EXIT STATUS"
    yield _plain(CODES)
    yield ".SH SEE ALSO"
    yield _plain("linda help COMMAND, linda config, chromium(1)")


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [f"{one.metavar or one.name.upper()}" for one in command.params if one.param_type_name == "argument"]
    yield f".SS linda {_plain(' '.join([name, *arguments]))}"
    for paragraph in (command.help or "").split("\n\n"):
        yield _plain(" ".join(paragraph.split()))
        yield ".PP"
    yield from _options(command)
    for below, sub in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {below}", sub)


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        if one.param_type_name != "option" or one.hidden:
            continue
        names = ", ".join(one.opts)
        value = "" if one.is_flag else f" {one.metavar or one.name.upper()}"
        default = "" if one.is_flag or one.default in (None, "") else f" [{one.default}]"
        yield f".TP\n.B {_plain(names + value)}\n{_plain((one.help or '') + default)}"


def _plain(text: str) -> str:
    """Text that no macro takes for its own."""
    text = re.sub(r"[\\]", r"\\e", text).replace("-", r"\-")
    text = text.replace("…", "...").replace("'", r"\(aq")
    return f"\\&{text}" if text.startswith(".") else text
