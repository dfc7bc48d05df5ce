"""``linda info [NUMBER]``: is this session restorable, linked, running, backed up? Answered without a browser."""

from __future__ import annotations

import os

import typer

from linda_cli.console import progress, words
from linda_cli.lifecycle.reading import open_reading


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def info(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; without it, every session."),
        deep: bool = typer.Option(False, "--deep", help="Read every block of every table and every backup."),
    ) -> None:
        """Say what is known of a session; no browser is started."""
        console = context.obj.console
        store = open_reading(context.obj.home)
        # The shape of the answer must not hang on how many sessions there happen to be.
        named = store.resolve(number) if number is not None or os.environ.get("LINDA_NUMBER") else None
        if named is None:
            with progress.bar(console, "looking") as each:
                overview = store.overview(each)
            console.answer(overview, words.overview(overview, console))
        else:
            told = store.info(named, deep=deep)
            console.answer(told, words.info(told, console))
