"""What may stand where the cursor is, in a shell that completes a command line of linda."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from linda_cli.app.verbs import ALIASES
from linda_cli.console import put
from linda_cli.console.completion import FILES, FOLDERS, answer
from linda_cli.console.moments import local
from linda_cli.sessions.clock import iso

Candidate = tuple[str, str]
_GLOBAL = {
    "--home": "the folder that holds everything",
    "--json": "answer in JSON",
    "--quiet": "only errors and codes",
    "--verbose": "say more",
    "--sandbox": "in the home's sandbox",
    "--help": "how it is used",
}


@dataclass(frozen=True, slots=True)
class _Line:
    """A command line as far as it was typed, without the global options."""

    words: tuple[str, ...]
    home: Path | None
    sandbox: bool


def complete(words: Sequence[str], commands: Callable[[], Mapping[str, Any]]) -> None:
    """Answer a shell. ``words``: its name, then those of the line after ``linda``, the last one incomplete."""
    # A broken home or file has no names to offer, and a Tab is no place to say so.
    with contextlib.suppress(Exception):
        found = candidates(words[1:-1], words[-1], commands)
        if words[0] == "bash":
            # It takes a word apart at "=" and replaces what is behind it.
            found = [(word.rpartition("=")[2], what) for word, what in found]
        put(sys.stdout, answer(found))


def candidates(words: Sequence[str], incomplete: str, commands: Callable[[], Mapping[str, Any]]) -> list[Candidate]:
    """What the incomplete word may become. ``commands``: every verb, loaded where it is needed."""
    words, incomplete, prefix = _joined(words, incomplete)
    if words[-1:] == ["--home"]:
        return [(FOLDERS, "")]
    line = _without_globals(words)
    found = _candidates(line, incomplete, commands)
    return [
        (f"{prefix}{word}", what) for word, what in found if word in (FILES, FOLDERS) or word.startswith(incomplete)
    ]


def _joined(words: Sequence[str], incomplete: str) -> tuple[list[str], str, str]:
    """The words with ``--option=value`` as two: bash has taken it apart by itself, the others keep it whole."""
    flat = [part for word in words for part in _split(word) if part != "="]
    if incomplete == "=":
        return flat, "", ""
    name, equals, value = incomplete.partition("=")
    if incomplete.startswith("--") and equals:
        return [*flat, name], value, f"{name}="
    return flat, incomplete, ""


def _split(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    return [name, value] if word.startswith("--") and equals else [word]


def _without_globals(words: Sequence[str]) -> _Line:
    rest: list[str] = []
    home: Path | None = None
    sandbox = False
    there = iter(words)
    for word in there:
        if word == "--home":
            home = Path(next(there, "")).expanduser()
        elif word == "--sandbox":
            sandbox = True
        elif word not in _GLOBAL or word == "--help":
            rest.append(word)
    return _Line(tuple(rest), home, sandbox)


def _candidates(line: _Line, incomplete: str, commands: Callable[[], Mapping[str, Any]]) -> Iterable[Candidate]:
    if "--" in line.words:
        return [(FILES, "")]
    verb, rest = (line.words[0], list(line.words[1:])) if line.words else ("", [])
    if not verb or verb == "help":
        if incomplete.startswith("-"):
            return [*_GLOBAL.items(), ("--version", "the version")]
        names = [(name, command.get_short_help_str(200)) for name, command in commands().items()]
        return [*names, ("help", "how a command is used")]
    command: Any = commands().get(ALIASES.get(verb, verb))
    while command is not None and getattr(command, "commands", None) and rest:
        # Options of the group itself stand before its command.
        word = rest.pop(0)
        command = command.commands.get(word, command)
    return [] if command is None else _of_command(command, rest, line, incomplete)


def _of_command(command: Any, rest: list[str], line: _Line, incomplete: str) -> Iterable[Candidate]:
    options = {name: one for one in command.params for name in one.opts if name.startswith("-")}
    last = options.get(rest[-1]) if rest else None
    if last is not None and not last.is_flag:
        return _values(last, rest, line)
    if incomplete.startswith("-"):
        own = [(max(one.opts, key=len), one.help or "") for one in command.params if one.param_type_name == "option"]
        return [(name, what) for name, what in [*own, *_GLOBAL.items()] if name not in rest]
    if getattr(command, "commands", None):
        return [(name, one.get_short_help_str(200)) for name, one in command.commands.items()]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    at = len(_positional(rest, options))
    if at < len(arguments):
        return _values(arguments[at], rest, line)
    return [(FILES, "")] if arguments and arguments[-1].nargs == -1 else []


def _positional(rest: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    there = iter(rest)
    for word in there:
        if word in options and not options[word].is_flag:
            next(there, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _values(parameter: Any, rest: Sequence[str], line: _Line) -> Iterable[Candidate]:
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    metavar = parameter.metavar or ""
    if kind is Path or metavar in ("FILE", "PNG", "JSON"):
        return [(FILES, "")]
    if parameter.name == "number":
        return _numbers(line)
    if "--from" in parameter.opts:
        return _backups(line, [word for word in rest if word.strip("+").isdigit()])
    choices = metavar.strip("[]").split("|")
    return [(word, "") for word in choices if word.islower()] if len(choices) > 1 else []


def _numbers(line: _Line) -> Iterator[Candidate]:
    reading = _reading(line)
    for number in reading.numbers():
        yield number, "a session of this home"


def _backups(line: _Line, numbers: Sequence[str]) -> Iterator[Candidate]:
    home = _reading(line).home
    yield "latest", "the newest backup"
    for kind in ("backup", "quarantine"):
        for one in home.stamped(kind, numbers[0].strip("+") if numbers else None):
            yield one.name, f"{kind} of {local(iso(one.ms))}"


def _reading(line: _Line) -> Any:
    from linda_cli.lifecycle.reading import open_reading
    from linda_cli.sessions.home import find_home

    return open_reading(find_home(line.home).home.sandbox().root if line.sandbox else line.home)
