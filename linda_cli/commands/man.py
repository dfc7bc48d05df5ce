"""``linda man``: the page of the manual."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import typer

from linda_cli.console import is_terminal


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def man(context: typer.Context) -> None:
        """Show the page of the manual.

        Elsewhere than on a terminal it is its source: linda man > ~/.local/share/man/man1/linda.1
        """
        console = context.obj.console
        page = context.obj.manual()
        reader = shutil.which("man")
        if reader is not None and is_terminal(sys.stdout) and not console.json:
            subprocess.run([reader, "-l", "-"], input=page.encode(), check=False, env=os.environ)
            return
        console.answer({"manual": page}, page.rstrip("\n"))
