"""``linda try``: the whole promise before your eyes, without a phone."""  # noqa: N999 - a verb's file bears the verb's name, and is imported by it

from __future__ import annotations

import sys

import typer

from linda_cli.console import is_terminal, words
from linda_cli.console.story import Story


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command("try")
    def try_(context: typer.Context) -> None:
        """Watch linda link, be killed and come back, in under a minute; no phone is needed, and nothing is left."""
        from linda_cli.lifecycle.trying import try_out

        console = context.obj.console
        # Long enough to see the code; nobody looks at a pipe.
        look = 2.0 if is_terminal(sys.stderr) and not console.json else 0.0
        with Story(console) as story:
            done = try_out((lambda _: None) if console.json else story, console.talk, look)
        console.answer(done, words.tried(done, console))
