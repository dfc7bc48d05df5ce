"""What a run is asked to do, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from linda_cli.browser.proxy import Proxy


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a run is, in seconds. The defaults are for the real page; tests and simulations go faster.

    ``blip``: a connection away for less is not told. ``own_recovery``: what the page gets for its own recovery before
    it is loaded anew (it needs 2-5 s once the network is back). Retries come after ``first_retry``, then twice that,
    and so on up to ``cap``; after ``stable`` seconds of ready they begin anew. ``heartbeat``: between two looks
    whether the page's own thread still answers.
    """

    blip: float = 5.0
    own_recovery: float = 60.0
    first_retry: float = 5.0
    cap: float = 300.0
    stable: float = 120.0
    heartbeat: float = 20.0


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds.

    ``timeout``: to ready, standing still while a code is on show. ``qr_timeout`` 0: codes are renewed until stopped.
    ``hung_after``: a browser without a sign of life for this long is replaced. ``can_show``: there is somewhere a code
    can be seen after a logout. ``link_again`` False: a logout ends the run, whatever else. ``backup_every`` 0: never.
    ``owner``: whose a login is that this run links, None for the command line. ``proxy``: all that the browser asks
    for goes through it.
    ``driver_at_once`` False: no ChromeDriver before somebody asks for it, and saving does not
    ask; for who has many sessions and speaks to few pages.
    """

    link_with: str = "qr"
    owner: str | None = None
    no_link: bool = False
    headful: bool = False
    engine: str = "selenium"
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
    signals: Path | None = None
    pace: Pace = field(default_factory=Pace)
