"""The command line: the command group, the global options, the one error boundary, the exit-code table."""

from __future__ import annotations

import sys

import typer

from linda_cli.app.exit_codes import CODES
from linda_cli.app.group import HELP, LindaGroup
from linda_cli.console import output

app = typer.Typer(
    cls=LindaGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=f"Exit codes: {CODES}",
    context_settings={"help_option_names": HELP},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        output.deliver(sys.stdout, f"linda {version('linda-cli')}\n")
        raise typer.Exit


@app.callback()
def linda(
    version: bool = typer.Option(False, "--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    home: str = typer.Option("", "--home", metavar="DIR", help="The folder that holds everything."),
    json: bool = typer.Option(False, "--json", help="Answer in JSON."),
    quiet: bool = typer.Option(False, "--quiet", help="Quiet output; errors and a QR code still show."),
    verbose: bool = typer.Option(False, "--verbose", help="Say more."),
    sandbox: bool = typer.Option(False, "--sandbox", help="In the home's sandbox, on no real WhatsApp."),
) -> None:
    """Keeps a WhatsApp Web login alive: scan once, come back without a QR code."""
