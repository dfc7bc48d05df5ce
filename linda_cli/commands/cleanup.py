"""``linda cleanup``: retention for every session, made for cron."""

from __future__ import annotations

import sys

import typer

from linda_cli.console import is_terminal, progress, words
from linda_cli.errors import InUse, Misused, PartlyDone
from linda_cli.lifecycle.store import open_store
from linda_cli.sessions.clock import parse_age


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def cleanup(
        context: typer.Context,
        older_than: str = typer.Option("7d", "--older-than", metavar="AGE", help="30m, 6h, 7d, 2w."),
        keep: int = typer.Option(5, "--keep", help="Unlabelled backups per session."),
        dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be done."),
    ) -> None:
        """Remove old backups, quarantine past the age and the leftovers of interrupted work."""
        console = context.obj.console
        if keep < 1:
            raise Misused("--keep must be at least 1: the last backup is never removed", "linda cleanup --keep 1")
        age = parse_age(older_than)
        store = open_store(context.obj.home, console.talk if is_terminal(sys.stdout) else lambda _: None)
        with progress.bar(console, "cleaning up") as each:
            done = store.cleanup(age, keep, dry_run, each)
        console.answer(done, words.cleaned(done, silent=not is_terminal(sys.stdout), width=console.width))
        if done.errors and len(done.errors) == done.sessions:
            raise InUse(done.errors[0], "linda cleanup", said=console.json)
        if done.errors:
            raise PartlyDone(
                f"{len(done.errors)} sessions were left as they are: {done.errors[0]}",
                "linda cleanup",
                said=console.json,
            )
