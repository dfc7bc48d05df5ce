"""Folders in ``sessions/`` that hold a login under a name that linda does not look at, as another tool left them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from linda_cli.sessions.finding import profile_of
from linda_cli.sessions.home import Home
from linda_cli.sessions.login import Login, read_login

_MOST = 50


@dataclass(frozen=True, slots=True)
class OtherLogin:
    """A login that a start would not find. ``session``: the number that it is linked as."""

    path: str
    session: str
    home: str

    @property
    def command(self) -> str:
        """What makes it a session of this home, wherever it is typed."""
        return f"linda --home {shlex.quote(self.home)} adopt {shlex.quote(self.path)}"

    @property
    def warning(self) -> str:
        """One line for a person."""
        return f"{os.path.basename(self.path)} in sessions/ holds a login of {self.session}: {self.command}"


def other_logins(home: Home, is_revoked: Callable[[str, Login], bool]) -> tuple[OtherLogin, ...]:
    """Every such login that could be of use, but those that are the login of their number already."""
    found = []
    for path in _other_folders(home):
        login = read_login(path)
        if login is None or login.number is None or is_revoked(login.number, login):
            continue
        own = read_login(profile_of(home, login.number))
        if own is None or login.digests.isdisjoint(own.digests):
            found.append(OtherLogin(str(path), login.number, str(home.root)))
    return tuple(found)


def _other_folders(home: Home) -> list[Path]:
    return [path for path in home.folders_under_other_names() if (path / "Default").is_dir()][:_MOST]
