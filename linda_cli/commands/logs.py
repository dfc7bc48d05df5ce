"""``linda logs [NUMBER]``: what happened to a session, a line for each change."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import typer

from linda_cli.console.story import retold
from linda_cli.lifecycle.reading import open_reading
from linda_cli.sessions import story_log
from linda_cli.sessions.reading import Reading

# Nobody tells us of a line in another process's file; a person does not notice a fifth of a second.
_LOOK_EVERY = 0.2


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def logs(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what happens next."),
    ) -> None:
        """Show the event log of a session: each change with its time and reason."""
        console = context.obj.console
        store = open_reading(context.obj.home)
        with contextlib.closing(story_log.EventLog(_log_of(store, number))) as log:
            while console.is_heard:
                for line in log.new_lines():
                    if not console.answer(line, retold(line, verbose=console.verbose)):
                        return
                if not follow:
                    return
                time.sleep(_LOOK_EVERY)


def _log_of(store: Reading, number: str | None) -> Path:
    """The log of a session; where there is none yet, that of the first starts that did not come to one."""
    unlinked = store.home.session_log("linking")
    if number is None and not store.numbers() and unlinked.is_file():
        return unlinked
    return store.home.session_log(store.only(number))
