"""``linda completion SHELL``: what a shell reads to complete commands, options, numbers and backup names."""

from __future__ import annotations

import typer

from linda_cli.console.completion import SCRIPTS
from linda_cli.errors import Misused


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def completion(
        context: typer.Context,
        shell: str = typer.Argument(..., metavar="bash|zsh|fish", help="Which shell."),
    ) -> None:
        """Print what a shell needs to complete words with Tab.

        bash: eval "$(linda completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish: linda completion fish >
        ~/.config/fish/completions/linda.fish
        """
        if shell not in SCRIPTS:
            raise Misused(f"{shell!r} is not a shell that linda knows: bash, zsh, fish", "linda completion bash")
        script = SCRIPTS[shell]
        context.obj.console.answer({"shell": shell, "script": script}, script.rstrip("\n"))
