"""What a run is asked to do, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from linda_cli.browser.proxy import Proxy
from linda_cli.errors import Misused
from linda_cli.object_store.settings import RemoteSettings


class LinkMethod(StrEnum):
    """How an account is linked: a QR code that its phone scans, or a pairing code that is typed into it."""

    QR = "qr"
    CODE = "code"


class Engine(StrEnum):
    """Which ChromeDriver drives the browser."""

    SELENIUM = "selenium"
    UNDETECTED = "undetected"


LEAST_MEMORY = 100
"""Megabytes: an empty Chromium takes more, and would be restarted for ever."""

_Choice = TypeVar("_Choice", bound=StrEnum)
_HELP = "linda start --help"


def chosen(kind: type[_Choice], value: str, name: str) -> _Choice:
    """The member that ``value`` names. Raises ``Misused``, which calls it ``name``."""
    try:
        return kind(value)
    except ValueError:
        raise Misused(f"{name} is {' or '.join(kind)}, not {value!r}", _HELP) from None


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a run is, in seconds. The defaults are for the real page; tests and simulations go faster.

    ``blip``: a connection away for less is not told. ``own_recovery``: what the page gets for its own recovery before
    it is loaded anew (it needs 2-5 s once the network is back). Retries come after ``first_retry``, then twice that,
    and so on up to ``cap``; after ``stable`` seconds of ready they begin anew. ``heartbeat``: between two looks
    whether the page's own thread still answers. With ``max_memory`` the browser is measured each ``memory_every``; one
    that has grown past it is restarted after ``memory_quiet`` without message or input, after ``memory_latest`` in any
    case, and never within ``memory_rest`` of its own start.
    """

    blip: float = 5.0
    own_recovery: float = 60.0
    first_retry: float = 5.0
    cap: float = 300.0
    stable: float = 120.0
    heartbeat: float = 20.0
    memory_every: float = 10.0
    memory_quiet: float = 60.0
    memory_latest: float = 600.0
    memory_rest: float = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds. Raises ``Misused`` for a value of the wrong type or out of its range.

    ``timeout``: to ready, standing still while a code is on show. ``qr_timeout`` 0: codes are renewed until stopped.
    ``hung_after``: a browser without a sign of life for this long is replaced. ``can_show``: there is somewhere a code
    can be seen after a logout. ``link_again`` False: a logout ends the run, whatever else. ``backup_every`` 0: never.
    ``owner``: whose a login is that this run links, None for the command line. ``proxy``: all that the browser asks
    for goes through it. ``remote``: the object store that gets the backups.
    ``max_memory``: megabytes past which the browser is restarted in a quiet moment; 0: it is not.
    ``driver_at_once`` False: no ChromeDriver before somebody asks for it, and saving does not
    ask; for who has many sessions and speaks to few pages.
    """

    link_with: LinkMethod = LinkMethod.QR
    owner: str | None = None
    no_link: bool = False
    headful: bool = False
    engine: Engine = Engine.SELENIUM
    once: bool = False
    keep_browser: bool = False
    timeout: float = 120.0
    qr_timeout: float = 0.0
    qr_file: Path | None = None
    max_generations: int = 3
    backup_every: float = 6 * 3600.0
    takeover: bool = False
    hung_after: float = 10.0
    can_show: bool = True
    link_again: bool = True
    driver_at_once: bool = True
    url: str = "https://web.whatsapp.com/"
    browser_args: tuple[str, ...] = ()
    proxy: Proxy | None = None
    remote: RemoteSettings | None = None
    signals: Path | None = None
    max_memory: int = 0
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        for name in _SWITCHES:
            _require(type(getattr(self, name)) is bool, name, "is True or False", getattr(self, name))
        for name, least in _SECONDS.items():
            value = getattr(self, name)
            _require(_is_time(value), name, "is a number of seconds", value)
            _require(value > least or (value == 0 and name in _ZERO_MEANS_NEVER), name, "is too small", value)
        memory = self.max_memory
        _require(
            type(memory) is int and (memory == 0 or memory >= LEAST_MEMORY), "max_memory",
            f"is a whole number of megabytes from {LEAST_MEMORY}, or 0", memory,
        )  # fmt: skip
        _require(isinstance(self.pace, Pace), "pace", "is a Pace", self.pace)
        generations = self.max_generations
        _require(
            type(generations) is int and generations >= 0, "max_generations", "is a whole number from 0", generations
        )


_SWITCHES = ("no_link", "headful", "once", "keep_browser", "takeover", "can_show", "link_again", "driver_at_once")
# What each must be more than. 0 is allowed where it means "never" or "for ever".
_SECONDS = {"timeout": 0.0, "hung_after": 0.0, "qr_timeout": 0.0, "backup_every": 0.0}
_ZERO_MEANS_NEVER = frozenset({"qr_timeout", "backup_every"})


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: bool, name: str, what: str, value: object) -> None:
    if not holds:
        raise Misused(f"{name} {what}, not {value!r}", _HELP)
