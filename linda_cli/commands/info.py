"""``linda info [NUMBER]``: is this session restorable, linked, running, backed up? Answered without a browser."""

from __future__ import annotations

import os

import typer

from linda_cli.console import progress, words
from linda_cli.errors import NotReady
from linda_cli.lifecycle.reading import open_reading


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def info(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; without it, every session."),
        deep: bool = typer.Option(False, "--deep", help="Read every block of every table and every backup."),
        check: bool = typer.Option(False, "--check", help="For health checks: exit code 0 if ready, else 4."),
    ) -> None:
        """Say what is known of a session; no browser is started.

        With --check only whether the run that holds it says ready: exit code 0, else 4.
        """
        console = context.obj.console
        store = open_reading(context.obj.home)
        if check:
            store.require()
            one = number is not None or bool(os.environ.get("LINDA_NUMBER"))
            told = store.readiness([store.only(number)] if one else store.numbers())
            console.answer(told, words.readiness(told))
            if not told.ready:
                waiting = ", ".join(f"{one.session} ({one.reason})" for one in told.sessions if not one.ready)
                raise NotReady(f"not ready: {waiting or 'there is no session yet'}", "linda info", said=console.json)
            return
        # The shape of the answer must not hang on how many sessions there happen to be.
        named = store.resolve(number) if number is not None or os.environ.get("LINDA_NUMBER") else None
        if named is None:
            with progress.bar(console, "looking") as each:
                overview = store.overview(each)
            console.answer(overview, words.overview(overview, console))
        else:
            known = store.info(named, deep=deep)
            console.answer(known, words.info(known, console))
