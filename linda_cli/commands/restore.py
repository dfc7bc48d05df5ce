"""``linda restore [NUMBER]``, also ``restore-backup``: put a saved login in place."""

from __future__ import annotations

import shlex

import typer

from linda_cli.console import words
from linda_cli.errors import Interrupted, Misused
from linda_cli.lifecycle.store import open_store
from linda_cli.object_store.settings import remote_settings


def register(app: typer.Typer) -> None:
    """Declare the verb under both its names."""

    def restore(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        source: str = typer.Option(None, "--from", metavar="NAME|latest", help="A backup or quarantined profile."),
        from_store: bool = typer.Option(False, "--from-store", help="Take it from the object store."),
        remote: str = typer.Option(None, "--remote", metavar="URL", help="That store; else LINDA_REMOTE."),
        listing: bool = typer.Option(False, "--list", help="Show what could be restored, every file of it read."),
        yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    ) -> None:
        """Put a backup in the profile's place; the present profile goes to quarantine."""
        console = context.obj.console
        if remote is not None and not from_store:
            raise Misused(
                "--remote goes with --from-store", f"linda restore --from-store --remote {shlex.quote(remote)}"
            )
        store = open_store(context.obj.home, console.talk)
        if from_store:
            settings = remote_settings(remote, reading=True)
            if settings is None:
                raise Misused(
                    "--from-store needs to know which store", "linda restore --from-store --remote s3://bucket/linda"
                )
            from linda_cli.object_store.remote import RemoteBackups

            away = RemoteBackups(store, settings)
            known = store.resolve(number)
            if listing:
                there = away.restorable(known)
                console.answer(there, words.restorable(there, console))
                return
            fetched = away.fetch(known, source)
            number, source = fetched.number, fetched.name
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
