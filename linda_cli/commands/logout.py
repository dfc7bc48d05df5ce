"""``linda logout NUMBER``: unlink the device, so that the phone's list has a free place."""

from __future__ import annotations

from contextlib import ExitStack

import typer

from linda_cli.console import words
from linda_cli.errors import Interrupted
from linda_cli.lifecycle.store import open_store


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def logout(
        context: typer.Context,
        number: str = typer.Argument(..., help="A WhatsApp number."),
        local: bool = typer.Option(False, "--local", help="Only forget it here; the phone still lists the device."),
        timeout: float = typer.Option(120, "--timeout", metavar="S", help="Seconds to ready, where no linda runs it."),
        yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    ) -> None:
        """Unlink the device by the page's own logout; the login and its backups can never be used again."""
        console = context.obj.console
        store = open_store(context.obj.home, console.talk)
        number = store.only(number)
        what = f"Forget the login of {number} here only?" if local else f"Log {number} out? Linking needs the phone."
        if not console.ask(what, yes):
            raise Interrupted(f"{number} was left as it is", f"linda logout {number} --yes")
        if local:
            done = store.forget_login(number)
        else:
            from linda_cli.lifecycle.logout import log_out

            with ExitStack() as around:
                browser_args: list[str] = []
                if context.obj.sandbox:
                    from linda_cli.sandbox.beside import stand_in

                    browser_args = around.enter_context(stand_in(store.home.sandbox_server))
                done = log_out(store, number, browser_args=browser_args, timeout=timeout)
        console.answer(done, words.logged_out(done, console))
