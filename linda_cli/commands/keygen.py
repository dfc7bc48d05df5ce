"""``linda keygen FILE``: make a key for backups in an object store."""

from __future__ import annotations

from pathlib import Path

import typer

from linda_cli.console import words


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def keygen(
        context: typer.Context,
        file: Path = typer.Argument(..., help="A new file for the private key."),
    ) -> None:
        """Make an age key for backups in an object store; the public key is shown.

        Keep a copy of the file on another machine: without it nobody can read these backups.
        """
        from linda_cli.object_store.settings import new_key

        answer = {"file": str(file.absolute()), "recipient": new_key(file)}
        context.obj.console.answer(answer, words.key_made(answer))
