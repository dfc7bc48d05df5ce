"""``linda import FILE``: the login in an exported file becomes a session of this home."""  # noqa: N999 - the verb's own name

from __future__ import annotations

from pathlib import Path

import typer

from linda_cli.console import words
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command("import")
    def import_(
        context: typer.Context,
        file: Path = typer.Argument(..., metavar="FILE", help="A file of linda export."),
        identity: list[Path] = typer.Option(
            None, "--identity", "-i", metavar="FILE", help="A private key, for a file that was made for public keys."
        ),
        replace: bool = typer.Option(False, "--replace", help="Move a session of that number to quarantine first."),
    ) -> None:
        """Take over a login from a file of linda export; the home is made if there is none.

        The passphrase is typed, or LINDA_PASSPHRASE.
        """
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        from linda_cli.sessions.portable import age
        from linda_cli.sessions.portable.importing import import_login, opened_export

        with opened_export(file) as opened:
            secret = console.passphrase(f"Passphrase of {file.name}") if age.needs_passphrase(opened) else None
            identities = [key for path in identity or () for key in age.identities_in(path)]
            done = import_login(store, opened, secret, identities, replace=replace)
        console.answer(done, words.imported(done, console))
