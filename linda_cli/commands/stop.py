"""``linda stop [NUMBER]``: end a running ``linda start``, or close a kept browser."""

from __future__ import annotations

import typer

from linda_cli.console import words
from linda_cli.lifecycle.stopping import stop_session
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def stop(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
    ) -> None:
        """End a running session cleanly and back it up; nothing running is no failure."""
        console = context.obj.console
        done = stop_session(open_store(context.obj.home, console.talk), number)
        console.answer(done, words.stopped(done))
