"""The command group: one command line from its words to its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from linda_cli.app.error_boundary import Invocation, guarded, report_bugs_of_threads
from linda_cli.app.global_options import GlobalOptions, Globals, before_dashes, take_globals
from linda_cli.app.option_sources import Setting, defaults_of, name_variables, settings, use_general
from linda_cli.app.values import use_plain_value
from linda_cli.app.verbs import IN_A_HOME, WITH_BROKEN_FILE, WITH_THREADS, WITHOUT_FILE, canonical, register, take_bot
from linda_cli.console import Console, is_terminal, output
from linda_cli.console.own_arguments import without_passwords
from linda_cli.console.own_command import begin
from linda_cli.errors import LindaError
from linda_cli.plain_help import PlainGroup
from linda_cli.sessions import configuration
from linda_cli.sessions.configuration import ConfigurationFile
from linda_cli.sessions.home import find_home

HELP = ["-h", "--help"]

_late = typer.Typer(add_completion=False, rich_markup_mode=None)


class LindaGroup(PlainGroup):
    """Takes the global options out of anywhere before ``--``, and imports the one verb that was asked for."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> Any:
        """Run the command line and leave with its exit code."""
        typed = list(sys.argv[1:] if args is None else args)
        try:
            code = 0
            if typed[:1] == ["__complete"]:
                self._complete(typed[1:])
            else:
                # What is shown and kept of the command: never a password.
                given = without_passwords(typed)
                console = Console(json="--json" in before_dashes(given))
                invocation = Invocation(given, dict(os.environ), console)
                code = guarded(lambda: self._run(typed, invocation), invocation)
        finally:
            output.finish()
        sys.exit(code)

    def _run(self, typed: Sequence[str], invocation: Invocation) -> Any:
        rest, options = take_globals(typed)
        invocation.options, invocation.rest = options, rest
        invocation.console = console = Console(
            options.json, options.quiet, options.verbose, begin(options.home, options.sandbox), tuple(invocation.given)
        )
        invocation.rest = rest = canonical(rest) or ["--help"]
        self.load(rest)
        rest, bot = take_bot(rest)
        invocation.rest = rest
        if rest[:1] and rest[0] in WITH_THREADS:
            report_bugs_of_threads(invocation)
        if options.sandbox:
            # It has no say in a sandbox, so that real and sandbox logins never meet.
            os.environ.pop("SESSION_PATH", None)
        defaults = self._use_file(rest, options)
        context = Globals(
            options.named_home(), console, bot, options.sandbox, options.home_source(invocation.environ),
            lambda file: self._settings(file, invocation.environ), self._manual,
        )  # fmt: skip
        _name_home(rest, context)
        return super().main(args=rest, prog_name="linda", standalone_mode=False, obj=context, default_map=defaults)

    def load(self, rest: Sequence[str]) -> None:
        """Import and declare the verb that these words begin with, or all of them."""
        register(rest, _late)
        built = typer.main.get_group(_late)
        self.commands.update(built.commands)
        for command in [self, *built.commands.values()]:
            # The context brings the parameter for --help, which is made on demand and kept.
            for parameter in command.get_params(typer.Context(command, help_option_names=HELP)):
                use_plain_value(parameter)
        for name, command in built.commands.items():
            name_variables(name, command)

    def _use_file(self, rest: Sequence[str], options: GlobalOptions) -> dict[str, Any]:
        """Use ``linda.toml`` for variables that are not set; gives the values of the verb's own table."""
        verb = rest[0] if rest else ""
        if verb not in self.commands or verb in WITHOUT_FILE or any(word in HELP for word in before_dashes(rest)):
            return {}
        try:
            file = configuration.read(options.outer_root())
            if not file.exists:
                return {}
            os.environ.update(use_general(file))
            mine = defaults_of(file, verb, self.commands[verb])
        except LindaError:
            if verb not in WITH_BROKEN_FILE:
                raise
            return {}
        return {verb: {"serve": mine} if verb == "sandbox" else mine}

    def _all(self) -> Mapping[str, Any]:
        self.load(())
        return self.commands

    def _manual(self) -> str:
        from linda_cli.app import manual

        self._all()
        return manual.page(self)

    def _settings(self, file: ConfigurationFile, environ: Mapping[str, str]) -> list[Setting]:
        return settings(file, self._all(), environ)

    def _complete(self, words: Sequence[str]) -> None:
        from linda_cli.app.completion import complete

        complete(words, self._all)


def _name_home(rest: Sequence[str], context: Globals) -> None:
    """Which home this is about, in the first line: to a person who looks, and in the log of a run."""
    if any(word in HELP for word in rest) or rest[0] not in IN_A_HOME:
        return
    home = find_home(context.home).home
    if rest[0] in WITH_THREADS:
        # A terminal that was stopped with Ctrl-S keeps no run waiting.
        output.begin()
    if rest[0] == "start" or (is_terminal(sys.stderr) and home.is_there()):
        context.console.talk(f"home {home.root}")
