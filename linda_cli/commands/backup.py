"""``linda backup [NUMBER]``: save a login now."""

from __future__ import annotations

import typer

from linda_cli.console import progress, words
from linda_cli.errors import Misused, PartlyDone
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def backup(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        everyone: bool = typer.Option(False, "--all", help="Every session of the home."),
        label: str = typer.Option(None, "--label", help="A name; labelled backups are not rotated away."),
    ) -> None:
        """Save a login, unless these very bytes are saved already."""
        console = context.obj.console
        if everyone and number is not None:
            raise Misused("--all and a number do not go together", "linda backup --all")
        if label is not None and (not label.strip() or len(label) > 200 or not label.isprintable()):
            raise Misused("a label is 1 to 200 characters one can see", 'linda backup --label "before the move"')
        store = open_store(context.obj.home, console.talk)
        if not everyone:
            made = store.backup(number, label)
            console.answer(made, words.backed_up(made))
            return
        with progress.bar(console, "backing up") as each:
            done = store.backup_all(label, each)
        console.answer(done, words.backed_up_all(done, console))
        failed = [one for one in done.results if one.error is not None]
        if failed:
            raise PartlyDone(
                f"{len(failed)} of {len(done.results)} sessions could not be backed up",
                f"linda info {failed[0].session}",
                said=console.json,
            )
