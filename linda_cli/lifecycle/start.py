"""Making a run ready to go: its options, the page's address and the browser's arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from linda_cli.browser.flags import extra_arguments
from linda_cli.errors import Misused
from linda_cli.lifecycle.events import OnEvent, event
from linda_cli.lifecycle.options import Options
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.home import Home
from linda_cli.sessions.number import parse_number
from linda_cli.whatsapp.page import ORIGIN, URL

if TYPE_CHECKING:
    from linda_cli.lifecycle.bot import Wanted


def prepare(
    home: Home,
    number: str | None,
    on_event: OnEvent,
    *,
    browser_args: Sequence[str] = (),
    beside: Wanted | None = None,
    **options: Any,
) -> Run:
    """A run in ``home`` that has not begun. ``browser_args`` come after those of ``LINDA_CHROME_ARGS``; ``beside`` is
    the bot that runs with it.

    Raises ``Misused`` and ``BadNumber`` before anything is touched.
    """
    chosen = Options(
        **options,
        url=address(os.environ.get("LINDA_URL")),
        browser_args=(*extra_arguments(os.environ.get("LINDA_CHROME_ARGS", "")), *browser_args),
    )

    def tell_tidied(line: str) -> None:
        on_event(event("tidied", None, {"what": line}))

    run = Run(store_at(home, tell_tidied), chosen, on_event, parse_number(number) if number is not None else None)
    if beside is not None:
        from linda_cli.lifecycle.bot import Bot

        run.bot = Bot(beside, run, on_event, ignored=home.written_by_us(), once=chosen.once)
        run.on_event = run.bot.tell
    return run


def address(text: str | None) -> str:
    """``LINDA_URL``: path and query may change, the origin may not. Raises ``Misused``."""
    if not text:
        return URL
    parts = urlsplit(text)
    if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
        raise Misused(f"LINDA_URL must begin with {ORIGIN}/", "unset LINDA_URL")
    return text
