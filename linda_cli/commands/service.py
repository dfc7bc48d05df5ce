"""``linda service``: let a session, or the server, start with the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from linda_cli.console import words
from linda_cli.errors import Misused
from linda_cli.lifecycle.program import absolute_command
from linda_cli.lifecycle.reading import open_reading

_DIRECTORY = typer.Option(None, "--directory", metavar="DIR", help="Where the units are; systemd is not asked.")


def register(app: typer.Typer) -> None:
    """Declare the verb."""
    group = typer.Typer(no_args_is_help=True)
    app.add_typer(group, name="service", help="Start with the machine: units of systemd, or lines of a crontab.")

    @group.command()
    def install(
        context: typer.Context,
        number: str = typer.Argument(None, help="The session to keep up."),
        serve: bool = typer.Option(False, "--serve", help="Keep up linda serve, for all accounts."),
        system: bool = typer.Option(False, "--system", help="For the machine; else for your user."),
        cron: bool = typer.Option(False, "--cron", help="Lines of your crontab, where there is no systemd."),
        timers: bool = typer.Option(True, "--timers/--no-timers", help="A daily backup and cleanup."),
        name: str = typer.Option("linda", "--name", metavar="NAME", help="How the units' names begin."),
        directory: Path = _DIRECTORY,
    ) -> None:
        """Write units of systemd (or lines of a crontab) and start them. What follows -- goes to linda's command."""
        from linda_cli.service import manage
        from linda_cli.service.models import Plan, Scope

        reading = _home(context)
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            raise Misused(f"--name {name!r}: letters, digits, hyphens", "linda service install --name my-linda")
        if serve and number is not None:
            raise Misused("--serve keeps all accounts up: no number", "linda service install --serve")
        if system and cron:
            raise Misused("--system and --cron are two ways: choose one", "linda service install --cron")
        scope = Scope.CRON if cron else Scope.SYSTEM if system else Scope.USER
        home = reading.home.root
        plan = Plan(
            scope,
            home,
            absolute_command(),
            None if serve else reading.only(number),
            manage.user_of(home),
            name,
            context.obj.bot or (),
            manage.settings_to_copy(os.environ, _in_file(home)),
            timers,
        )
        answer = manage.install(plan, os.environ, directory)
        context.obj.console.answer(answer, words.service_installed(answer))

    @group.command()
    def status(context: typer.Context, directory: Path = _DIRECTORY) -> None:
        """Show what is installed for this home, and how it is."""
        from linda_cli.service import manage

        answer = manage.status(_home(context).home.root, os.environ, directory)
        context.obj.console.answer(answer, words.service_status(answer))

    @group.command()
    def logs(
        context: typer.Context,
        follow: bool = typer.Option(False, "--follow", help="Go on with what comes next."),
        lines: int = typer.Option(200, "--lines", metavar="N", help="How many."),
    ) -> None:
        """Show what systemd kept of the service's output; linda logs has the session's own events."""
        from linda_cli.service import manage, systemd

        scope, unit = manage.log_unit(_home(context).home.root, os.environ)
        code = systemd.journal(scope, unit, lines, follow)
        raise typer.Exit(code)

    @group.command()
    def remove(context: typer.Context, directory: Path = _DIRECTORY) -> None:
        """Stop what is installed for this home, and remove its units and lines. Logins and backups stay."""
        from linda_cli.service import manage

        answer = manage.remove(_home(context).home.root, os.environ, directory)
        context.obj.console.answer(answer, words.service_removed(answer))


def _home(context: typer.Context) -> Any:
    reading = open_reading(context.obj.home)
    reading.require()
    return reading


def _in_file(home: Path) -> dict[str, str]:
    from linda_cli.sessions.configuration import GENERAL, read

    file = read(home)
    variables = {one.key: one.variable for one in GENERAL}
    return {variables[key]: value for key, value in file.general.items()}
