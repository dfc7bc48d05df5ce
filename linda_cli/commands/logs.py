"""``linda logs [NUMBER]``: what happened to a session, a line for each change."""

from __future__ import annotations

import time

import typer

from linda_cli.console.story import retold
from linda_cli.lifecycle.reading import open_reading
from linda_cli.sessions import story_log


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def logs(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what happens next."),
    ) -> None:
        """Tell the story of a session: each change with its time and reason."""
        console = context.obj.console
        store = open_reading(context.obj.home)
        path = store.home.session_log(store.only(number))
        for line in story_log.read(path):
            console.answer(line, retold(line, verbose=console.verbose))
        if follow:
            for told in story_log.follow(path):
                if told is None:
                    # Nobody tells us of a line in another process's file; a person does not notice a fifth of a second.
                    time.sleep(0.2)
                else:
                    console.answer(told, retold(told, verbose=console.verbose))
