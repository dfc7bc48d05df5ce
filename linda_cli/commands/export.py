"""``linda export NUMBER -o FILE``: a login in one encrypted file, for another machine."""

from __future__ import annotations

from pathlib import Path

import typer

from linda_cli.console import words
from linda_cli.errors import Misused
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def export(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        output: Path = typer.Option(None, "--output", "-o", metavar="FILE", help="The new file."),
        recipient: list[str] = typer.Option(
            None, "--recipient", "-r", metavar="KEY", help="A public key (age1…, ssh-…) instead of a passphrase."
        ),
        move: bool = typer.Option(False, "--move", help="Give the login up here once the file is verified."),
    ) -> None:
        """Write a login to one encrypted file (age format) that linda import takes on another machine.

        The passphrase is typed, or LINDA_PASSPHRASE.
        """
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        number = store.only(number)
        if output is None:
            raise Misused("export needs a file to write", f"linda export {number} -o linda-{number}.age")
        from linda_cli.sessions.portable.age import recipients_of
        from linda_cli.sessions.portable.exporting import Seal, export_login

        if recipient:
            seal = Seal(None, recipients_of(recipient))
        else:
            seal = Seal(console.passphrase("Passphrase for the file", twice=True))
        done = export_login(store, number, output.absolute(), seal, move=move)
        console.answer(done, words.exported(done, console))
