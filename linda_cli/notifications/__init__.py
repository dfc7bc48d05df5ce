"""Being told: which troubles a person hears of, and by which way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linda_cli.lifecycle.events import Event
    from linda_cli.sessions.home import Home


@contextlib.contextmanager
def announcing(
    home: Home, urls: Sequence[str], command: str | None, say: Callable[[str], None]
) -> Iterator[Callable[[Event], None]]:
    """A listener to events that tells troubles to these URLs and this command; with neither it does nothing.

    Raises ``Failed`` and ``Misused``, as ``targets`` does.
    """
    if not urls and command is None:
        yield lambda _: None
        return
    # Late: most runs have nobody to tell.
    from linda_cli.notifications.announcer import Announcer
    from linda_cli.notifications.targets import targets

    announcer = Announcer(home, targets(urls, command), say)
    try:
        yield announcer
    finally:
        announcer.close()
