"""``linda clear NUMBER``: forget a login, so that the next start shows a code."""

from __future__ import annotations

import typer

from linda_cli.console import words
from linda_cli.errors import Interrupted
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def clear(
        context: typer.Context,
        number: str = typer.Argument(..., help="A WhatsApp number."),
        backups: bool = typer.Option(False, "--backups", help="Remove its backups too."),
        yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    ) -> None:
        """Forget a session: back it up, move it to quarantine; no older login comes back by itself."""
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        number = store.only(number)
        what = f"Forget the login of {number}{' and remove its backups' if backups else ''}?"
        if not console.ask(what, yes):
            raise Interrupted(f"{number} was left as it is", f"linda clear {number} --yes")
        done = store.clear(number, backups)
        console.answer(done, words.cleared(done, console))
