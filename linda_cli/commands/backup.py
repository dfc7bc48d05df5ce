"""``linda backup [NUMBER]``: save a login now."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from linda_cli.console import progress, words
from linda_cli.console.jsonable import fields_of
from linda_cli.errors import Misused, PartlyDone
from linda_cli.lifecycle.remote import UploadOutcome, upload_all
from linda_cli.lifecycle.store import open_store
from linda_cli.object_store.settings import remote_settings


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def backup(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; not needed where there is one session."),
        everyone: bool = typer.Option(False, "--all", help="Every session of the home."),
        label: str = typer.Option(None, "--label", help="A name; labelled backups are not rotated away."),
        remote: str = typer.Option(
            None, "--remote", metavar="URL", help="Object store that gets the backups: s3://, gs://, az://, a folder."
        ),
    ) -> None:
        """Save a login, unless these very bytes are saved already.

        With an object store (--remote, or LINDA_REMOTE) its backups are brought there, too.
        """
        console = context.obj.console
        if everyone and number is not None:
            raise Misused("--all and a number do not go together", "linda backup --all")
        if label is not None and (not label.strip() or len(label) > 200 or not label.isprintable()):
            raise Misused("a label is 1 to 200 characters one can see", 'linda backup --label "before the move"')
        settings = remote_settings(remote)
        store = open_store(context.obj.home, console.talk)
        if not everyone:
            made = store.backup(number, label)
            uploaded = upload_all(store, settings, [made.session])
            answer = {**fields_of(made), "remote": next(iter(uploaded), None)} if settings is not None else made
            console.answer(answer, words.with_uploads(words.backed_up(made), uploaded))
            _require_uploaded(uploaded, console.json)
            return
        with progress.bar(console, "backing up") as each:
            done = store.backup_all(label, each)
        uploaded = upload_all(store, settings, [one.session for one in done.results if one.error is None])
        answer = {**fields_of(done), "remote": uploaded} if settings is not None else done
        console.answer(answer, words.with_uploads(words.backed_up_all(done, console), uploaded))
        failed = [one for one in done.results if one.error is not None]
        if not failed:
            _require_uploaded(uploaded, console.json)
        else:
            raise PartlyDone(
                f"{len(failed)} of {len(done.results)} sessions could not be backed up",
                f"linda info {failed[0].session}",
                said=console.json,
            )


def _require_uploaded(uploaded: Sequence[UploadOutcome], said: bool) -> None:
    """Raise ``PartlyDone`` where a backup is here and did not come into the object store."""
    for one in uploaded:
        if one.error is not None:
            raise PartlyDone(
                f"{one.session} is saved here and not in the object store: {one.error.message}",
                one.error.hint,
                said=said,
            )
