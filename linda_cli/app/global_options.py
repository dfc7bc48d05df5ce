"""The options that may stand anywhere before ``--``, and what every command is told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linda_cli import errors
from linda_cli.app.option_sources import Setting
from linda_cli.console import Console
from linda_cli.sessions.configuration import ConfigurationFile
from linda_cli.sessions.home import SANDBOX, find_home


@dataclass(frozen=True, slots=True)
class Globals:
    """What every command is told."""

    home: Path | None
    console: Console
    bot: tuple[str, ...] | None = None
    """What stood behind the first ``--`` of ``linda start`` or ``service install``, None where there was none."""
    sandbox: bool = False
    """``--sandbox``: ``home`` is the sandbox's home then."""
    home_source: str = "default"
    """What named the home: ``option``, ``variable`` or ``default``."""
    settings: Callable[[ConfigurationFile], list[Setting]] = lambda _: []
    """Every setting with its source; loads every verb."""
    manual: Callable[[], str] = lambda: ""
    """The page of the manual; loads every verb."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options as they were typed."""

    home: Path | None
    json: bool
    quiet: bool
    verbose: bool
    sandbox: bool = False

    def outer_root(self) -> Path:
        """The home whose ``linda.toml`` counts: a sandbox has none of its own."""
        root = find_home(self.home).home.root
        return root.parent if root.name == SANDBOX else root

    def named_home(self) -> Path | None:
        """The home that a command works in, None where none was named."""
        return find_home(self.home).home.sandbox().root if self.sandbox else self.home

    def home_source(self, environ: Mapping[str, str]) -> str:
        """What named the home."""
        return "option" if self.home is not None else "variable" if environ.get("LINDA_HOME") else "default"


def before_dashes(given: Sequence[str]) -> Sequence[str]:
    """The words before the first ``--``."""
    return given[: given.index("--")] if "--" in given else given


def take_globals(given: Sequence[str]) -> tuple[list[str], GlobalOptions]:
    """Take ``--home``, ``--json``, ``--quiet``, ``--verbose`` and ``--sandbox`` out, wherever before ``--``."""
    before = list(before_dashes(given))
    rest: list[str] = []
    home: Path | None = None
    flags = {"--json": False, "--quiet": False, "--verbose": False, "--sandbox": False}
    while before:
        word = before.pop(0)
        if word in flags:
            flags[word] = True
        elif word == "--home":
            if not before:
                raise errors.Misused("--home needs a folder", "linda --help")
            home = _folder(before.pop(0))
        elif word.startswith("--home="):
            home = _folder(word.removeprefix("--home="))
        else:
            rest.append(word)
    rest += given[len(before_dashes(given)) :]
    chosen = GlobalOptions(home, flags["--json"], flags["--quiet"], flags["--verbose"], flags["--sandbox"])
    return rest, chosen


def _folder(text: str) -> Path:
    if not text or "\0" in text:
        raise errors.Misused("--home needs a folder", "linda --help")
    return Path(text)
