"""``linda doctor``: what is wrong with this machine and this home, and the command that fixes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from linda_cli.console.findings import findings
from linda_cli.errors import Misused


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def doctor(
        context: typer.Context,
        fix: bool = typer.Option(False, "--fix", help="Run the commands that are safe, then look again."),
        bundle: Path = typer.Option(
            None, "--bundle", metavar="ZIP", help="Write a file for a bug report; no secret is in it."
        ),
        timeout: float = typer.Option(1.6, "--timeout", metavar="S", help="Seconds for all the checks."),
    ) -> None:
        """Look at the machine and the home, and name the command that fixes each thing that is wrong. No home needed.

        Exit code 0: healthy; 1: something is wrong.
        """
        from linda_cli.doctor import examine

        if timeout <= 0:
            raise Misused("--timeout must be more than 0", "linda doctor --timeout 20")
        console = context.obj.console
        patient = examine.patient_of(context.obj.home)
        report = examine.examine(patient, context.obj.settings, timeout)
        if fix:
            report = examine.fix(patient, report, context.obj.settings, timeout)
        if bundle is not None:
            from linda_cli.doctor.bundle import write_bundle

            report = replace(report, bundle=str(write_bundle(bundle, patient, report)))
        console.answer(report, findings(report, fancy=console.fancy))
        if not report.healthy:
            raise typer.Exit(1)
