"""``linda restore [NUMBER]``, also ``restore-backup``: put a saved login in place."""

from __future__ import annotations

import typer

from linda_cli.console import words
from linda_cli.errors import Interrupted
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb under both its names."""

    def restore(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        source: str = typer.Option(None, "--from", metavar="NAME|latest", help="A backup or quarantined profile."),
        listing: bool = typer.Option(False, "--list", help="Show what could be restored, every file of it read."),
        yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    ) -> None:
        """Put a backup in the profile's place; the present profile goes to quarantine."""
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        if listing:
            there = store.restorable(number)
            console.answer(there, words.restorable(there, console))
            return
        named = store.only(number)
        revoked = store.revoked_at(named, source) if source not in (None, "latest") else None
        if revoked is not None and not console.ask(
            f"{source} is of a login that was unlinked at {revoked}. Restore it all the same?", yes
        ):
            raise Interrupted(f"{named} was left as it is", f"linda restore {named} --from {source} --yes")
        done = store.restore(named, source)
        console.answer(done, words.restored(done))

    app.command("restore")(restore)
