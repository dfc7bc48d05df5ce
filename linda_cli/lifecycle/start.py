"""Making a run ready to go: its options, the page's address and the browser's arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from linda_cli.browser.flags import extra_arguments
from linda_cli.browser.proxy import Proxy, parse_proxy
from linda_cli.errors import Misused
from linda_cli.lifecycle.events import OnEvent, event
from linda_cli.lifecycle.options import Engine, LinkMethod, Options, chosen
from linda_cli.lifecycle.run import Run
from linda_cli.lifecycle.store import store_at
from linda_cli.object_store.settings import remote_settings
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
    proxy: str | None = None,
    remote: str | None = None,
    link_with: str = LinkMethod.QR,
    engine: str = Engine.SELENIUM,
    **options: Any,
) -> Run:
    """A run in ``home`` that has not begun. ``browser_args`` come after those of ``LINDA_CHROME_ARGS``; ``beside`` is
    the bot that runs with it; ``proxy`` a URL, else ``LINDA_PROXY``; ``remote`` the object store's, else
    ``LINDA_REMOTE``.

    Raises ``Misused`` and ``BadNumber`` before anything is touched.
    """
    wanted = Options(
        **options,
        link_with=chosen(LinkMethod, link_with, "link_with"),
        engine=chosen(Engine, engine, "engine"),
        url=address(os.environ.get("LINDA_URL")),
        proxy=proxy_of(proxy, os.environ.get("LINDA_PROXY")),
        remote=remote_settings(remote),
        browser_args=(*extra_arguments(os.environ.get("LINDA_CHROME_ARGS", "")), *browser_args),
    )

    def tell_tidied(line: str) -> None:
        on_event(event("tidied", None, {"what": line}))

    run = Run(store_at(home, tell_tidied), wanted, on_event, parse_number(number) if number is not None else None)
    if beside is not None:
        from linda_cli.lifecycle.bot import Bot

        run.bot = Bot(beside, run, on_event, ignored=home.written_by_us(), once=wanted.once)
        run.on_event = run.bot.tell
    return run


def proxy_of(given: str | None, named: str | None) -> Proxy | None:
    """The option beats the variable. An empty option is a mistake, and no way past the proxy. Raises ``Misused``."""
    if given is not None:
        return parse_proxy(given)
    return parse_proxy(named, "LINDA_PROXY") if named else None


def address(text: str | None) -> str:
    """``LINDA_URL``: path and query may change, the origin may not. Raises ``Misused``."""
    if not text:
        return URL
    parts = urlsplit(text)
    if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
        raise Misused(f"LINDA_URL must begin with {ORIGIN}/", "unset LINDA_URL")
    return text
