"""``linda.toml`` in the home: read, refused where others could have written it, and taken apart.

What a key of a table means is known by the verb of that name, so its values are checked where the verb's options are
declared (``linda_cli.app.option_sources``). A file that is not there is an empty one.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linda_cli.errors import ConfigurationInvalid, ConfigurationUnsafe

NAME = "linda.toml"
LARGEST = 64 * 1024
"""Bytes of the file that are read."""

TABLES = ("start", "serve", "cleanup", "token", "sandbox")
"""Verbs whose options may be set in a table of their name. Nothing that asks a person is among them."""

_EDIT = "${EDITOR:-vi}"


@dataclass(frozen=True, slots=True)
class General:
    """A setting above the tables. ``is_path``: a relative one is below the folder of the file."""

    key: str
    variable: str
    is_path: bool = False
    is_secret: bool = False


GENERAL = (
    General("number", "LINDA_NUMBER"),
    General("session-path", "SESSION_PATH", is_path=True),
    General("chrome", "LINDA_CHROME"),
    General("chromedriver", "LINDA_CHROMEDRIVER"),
    General("chrome-args", "LINDA_CHROME_ARGS"),
    General("url", "LINDA_URL"),
    General("proxy", "LINDA_PROXY", is_secret=True),
    General("remote", "LINDA_REMOTE"),
    General("remote-identity", "LINDA_REMOTE_IDENTITY", is_path=True),
    General("remote-recipients", "LINDA_REMOTE_RECIPIENTS"),
    General("database-url", "LINDA_DATABASE_URL", is_secret=True),
    General("jwt-secret-file", "JWT_SECRET_FILE", is_path=True),
)


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """What one file says. ``general``: by key, as a variable would say it; ``tables``: by verb, then by option."""

    path: Path
    exists: bool = False
    general: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def unknown(self, key: str, known: Iterable[str], table: str = "") -> ConfigurationInvalid:
        """A key that nobody knows, with the nearest that somebody does."""
        near = difflib.get_close_matches(key, sorted(known), 1, 0.6)
        where = f"[{table}] " if table else ""
        if not near:
            return ConfigurationInvalid(
                f"{self.path}: {where}{key} is an unknown key", self._edit(key, r"s/^/# /", table)
            )
        change = f"s/{re.escape(key)}/{near[0]}/"
        return ConfigurationInvalid(
            f"{self.path}: {where}{key} is an unknown key; did you mean {near[0]}?", self._edit(key, change, table)
        )

    def wrong(self, key: str, why: str, table: str = "") -> ConfigurationInvalid:
        """A key whose value is of no use."""
        where = f"[{table}] " if table else ""
        return ConfigurationInvalid(f"{self.path}: {where}{key} {why}", self._edit(key, r"s/^/# /", table))

    def _edit(self, key: str, change: str, table: str) -> str:
        """A command that changes exactly the line of that key; an editor where the line cannot be told."""
        line = _line_of(self.path, key, table)
        quoted = shlex.quote(str(self.path))
        return f"{_EDIT} {quoted}" if line is None else f"sed -i {shlex.quote(f'{line}{change}')} {quoted}"


def read(root: Path) -> ConfigurationFile:
    """The configuration of a home.

    Raises ``ConfigurationUnsafe`` for a file that somebody else owns or may write, ``ConfigurationInvalid`` for one
    that is no TOML or has a key above its tables that nobody knows.
    """
    path = root / NAME
    text = _text(path)
    if text is None:
        return ConfigurationFile(path)
    import tomllib

    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        at = f"+{line[1]} " if line else ""
        raise ConfigurationInvalid(f"{path} is no TOML: {problem}", f"{_EDIT} {at}{shlex.quote(str(path))}") from None
    return _taken_apart(ConfigurationFile(path, True), said)


def _taken_apart(file: ConfigurationFile, said: Mapping[str, Any]) -> ConfigurationFile:
    known = {one.key: one for one in GENERAL}
    general: dict[str, str] = {}
    tables: dict[str, Mapping[str, Any]] = {}
    for key, value in said.items():
        spelled = key.replace("_", "-")
        if key in TABLES and isinstance(value, dict):
            tables[key] = {name.replace("_", "-"): one for name, one in value.items()}
        elif key in TABLES:
            raise file.wrong(key, f"is a table: write [{key}] on a line of its own")
        elif spelled not in known:
            raise file.unknown(key, [*known, *TABLES])
        elif not isinstance(value, str | int) or isinstance(value, bool) or not str(value):
            raise file.wrong(key, "must be a text that is not empty")
        elif "\0" in str(value):
            raise file.wrong(key, "has a character that no path and no variable can hold")
        else:
            path = file.path.parent / Path(str(value)).expanduser()
            general[spelled] = str(path if known[spelled].is_path else value)
    return ConfigurationFile(file.path, True, general, tables)


def _text(path: Path) -> str | None:
    """The file's text, None where there is none. Nothing is read of a file that is not safe."""
    try:
        # Not blocking: a FIFO of that name must not hold up every command.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise ConfigurationUnsafe(f"{path} cannot be read: {problem.strerror}", _own(path)) from None
    try:
        _require_safe(path, os.fstat(descriptor))
        data = b""
        while len(data) <= LARGEST and (part := os.read(descriptor, LARGEST + 1 - len(data))):
            data += part
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise ConfigurationInvalid(f"{path} is larger than {LARGEST} bytes", f"{_EDIT} {shlex.quote(str(path))}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationInvalid(f"{path} is not UTF-8", f"{_EDIT} {shlex.quote(str(path))}") from None


def _require_safe(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        quoted = shlex.quote(str(path))
        raise ConfigurationUnsafe(f"{path} is not a file", f"mv {quoted} {quoted}.old")
    if status.st_uid != os.geteuid():
        raise ConfigurationUnsafe(
            f"{path} belongs to user {status.st_uid}, who could have linda run anything; it was not read", _own(path)
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationUnsafe(
            f"{path} may be written by others, who could have linda run anything; it was not read",
            f"chmod go-w {shlex.quote(str(path))}",
        )


def _own(path: Path) -> str:
    user = os.geteuid()
    return f"{'sudo ' if user else ''}chown {user} {shlex.quote(str(path))}"


def _line_of(path: Path, key: str, table: str) -> int | None:
    """Where a key of a table stands, None where that cannot be told from its lines."""
    text = _text(path) or ""
    names = {key, key.replace("-", "_"), key.replace("_", "-")}
    here = ""
    for at, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            here = header[1]
            if not table and here in names:
                return at
        elif (found := re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)) and here == table and found[1] in names:
            return at
    return None
