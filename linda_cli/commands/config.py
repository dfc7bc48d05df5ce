"""``linda config``: each setting, its value and where it comes from."""

from __future__ import annotations

import typer

from linda_cli.console import words
from linda_cli.sessions.configuration import read
from linda_cli.sessions.home import find_home


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def config(
        context: typer.Context,
        changed: bool = typer.Option(False, "--changed", help="Only what is not at its default."),
    ) -> None:
        """Show each setting, its value and its source.

        An option beats its variable, a variable linda.toml in the home, and that the default.
        """
        root = find_home(context.obj.home).home.root
        file = read(root)
        found = context.obj.settings(file)
        if changed:
            found = [one for one in found if one.source != "default"]
        answer = {
            "home": str(root),
            "homeSource": context.obj.home_source,
            "file": str(file.path) if file.exists else None,
            "settings": found,
        }
        context.obj.console.answer(answer, words.configuration(answer, context.obj.console.width))
