"""Where the value of an option comes from: the command line, its variable, ``linda.toml``, or its default.

Typer looks in that order by itself; here each option gets its variable's name, and the file's values are checked and
laid below.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from linda_cli.sessions.configuration import GENERAL, TABLES, ConfigurationFile

_NOT_KEPT = {"help", "version", "watch", "proxy", "remote", "ctx", "context"}
"""Options that no table and no variable of a table may set: ``watch`` goes with a command after ``--``, and the proxy
and the object store are settings above the tables."""

_SECRET = {"notify"}
"""Options whose whole value is a password."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_PASSWORD = re.compile(r"(?<=://)[^\s/]*(?=@)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as it is in force. ``source``: ``option``, ``variable``, ``file`` or ``default``."""

    key: str
    value: Any
    source: str
    variable: str


def boolean(text: str) -> bool:
    """What a variable says of a switch. Raises ``ValueError`` for anything but the usual words."""
    word = text.strip().lower()
    if word in (*_TRUE, *_FALSE):
        return word in _TRUE
    raise ValueError(text)


def variable_of(verb: str, name: str) -> str:
    """``LINDA_START_BACKUP_EVERY``."""
    return f"LINDA_{verb}_{name}".replace("-", "_").upper()


def options_of(verb: str, command: Any) -> Iterator[Any]:
    """The options of a verb that its table may set; those of ``linda sandbox`` are those of serving one."""
    if verb not in TABLES:
        return
    if verb == "sandbox":
        command = command.commands["serve"]
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name not in _NOT_KEPT:
            yield parameter


def name_variables(verb: str, command: Any) -> None:
    """Give each option of a verb its variable."""
    for parameter in options_of(verb, command):
        parameter.envvar = parameter.envvar or variable_of(verb, _key(parameter))
        # linda config names them; a page of help is long enough without.
        parameter.show_envvar = False


def defaults_of(file: ConfigurationFile, verb: str, command: Any) -> dict[str, Any]:
    """The verb's table as values for its options, by their names in Python.

    Raises ``ConfigurationInvalid`` for a key that the verb does not have, or a value of another kind.
    """
    there = {_key(parameter): parameter for parameter in options_of(verb, command)}
    found: dict[str, Any] = {}
    for key, value in file.tables.get(verb, {}).items():
        if key not in there:
            raise file.unknown(key, there, verb)
        found[there[key].name] = _checked(file, verb, there[key], value)
    return found


def use_general(file: ConfigurationFile, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that the file stands in for: those that are not set. Where sessions lie is found with the home."""
    return {
        one.variable: file.general[one.key]
        for one in GENERAL
        if one.key in file.general and not environ.get(one.variable) and one.key != "session-path"
    }


def settings(file: ConfigurationFile, commands: Mapping[str, Any], environ: Mapping[str, str]) -> list[Setting]:
    """Every setting with its source. ``environ``: as it was before the file stood in for anything."""
    found: list[Setting] = []
    for one in GENERAL:
        said, written = environ.get(one.variable), file.general.get(one.key)
        value, source = (said, "variable") if said else (written, "file") if written else (None, "default")
        found.append(Setting(one.key, shown(value), source, one.variable))
    for verb in TABLES:
        written_here = defaults_of(file, verb, commands[verb])
        for parameter in options_of(verb, commands[verb]):
            said = environ.get(parameter.envvar)
            if said:
                value, source = said, "variable"
            elif parameter.name in written_here:
                value, source = written_here[parameter.name], "file"
            else:
                value, source = parameter.default, "default"
            seen: Any = "***" if parameter.name in _SECRET and value else _plain(value)
            found.append(Setting(f"{verb}.{_key(parameter)}", seen, source, parameter.envvar))
    return found


def shown(value: Any) -> Any:
    """A value without the user and the password of a URL in it."""
    return _PASSWORD.sub("***", value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else shown(value)


def _key(parameter: Any) -> str:
    """``backup-every``: the option as it is typed."""
    return str(max(parameter.opts, key=len)).lstrip("-")


def _checked(file: ConfigurationFile, verb: str, parameter: Any, value: Any) -> Any:
    kind = parameter.type_descriptor.annotation
    several = get_origin(kind) is list
    if several:
        (kind,) = get_args(kind)
    key = _key(parameter)
    if several:
        return tuple(_one(file, verb, key, kind, one) for one in (value if isinstance(value, list) else [value]))
    return _one(file, verb, key, kind, value)


def _one(file: ConfigurationFile, verb: str, key: str, kind: Any, value: Any) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise file.wrong(key, "must be true or false", verb)
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise file.wrong(key, f"must be {_NAMES.get(kind, 'a text')}", verb)
    if kind is Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise file.wrong(key, "must be a path", verb)
        return file.path.parent / Path(value).expanduser()
    try:
        return kind(value) if kind in (int, float, str) else value
    except (ValueError, OverflowError):
        raise file.wrong(key, f"must be {_NAMES.get(kind, 'a text')}", verb) from None


_NAMES: Mapping[Any, str] = {int: "a whole number", float: "a number", str: "a text"}
