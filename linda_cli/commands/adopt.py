"""``linda adopt PATH``: take over the logins of another tool."""

from __future__ import annotations

from pathlib import Path

import typer

from linda_cli.console import words
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def adopt(
        context: typer.Context,
        path: Path = typer.Argument(
            ..., metavar="PATH", help="A profile, a tool's folder, a project, a zip, or a quarantined profile's name."
        ),
        replace: bool = typer.Option(False, "--replace", help="Move sessions of the same numbers to quarantine."),
    ) -> None:
        """Copy logins of whatsapp-web.js, WPPConnect, a Node.js bot or any Chromium profile into this home.

        Each is checked and named by the number that it is linked as. What is at PATH is not changed.
        """
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        from linda_cli.sessions.portable.adopting import adopt_logins, raise_if_some_failed

        done = adopt_logins(store, path, replace=replace)
        console.answer(done, words.adopted(done, console))
        raise_if_some_failed(done, said=console.json)
