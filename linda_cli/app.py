"""The command line: the command group, the global options, the one error boundary, the exit-code table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from linda_cli import errors
from linda_cli.console import Console, is_terminal, output, put
from linda_cli.console import told as console_told
from linda_cli.console.own_arguments import without_passwords
from linda_cli.option_sources import Setting, boolean, defaults_of, name_variables, settings, use_general
from linda_cli.sessions import configuration
from linda_cli.sessions.configuration import ConfigurationFile
from linda_cli.sessions.home import SANDBOX, find_home

HELP = ["-h", "--help"]

EXIT_CODES: dict[type[BaseException], int] = {
    errors.Failed: 1,
    errors.Misused: 2,
    errors.PartlyDone: 3,
    errors.NotFound: 10,
    errors.InUse: 11,
    errors.ProfileDamaged: 12,
    errors.BackupUnusable: 13,
    errors.BrowserFailed: 14,
    errors.NotLinkedInTime: 15,
    errors.LoggedOut: 16,
    errors.Unreachable: 17,
    errors.PasskeyRequired: 18,
    errors.OtherAccount: 19,
    errors.Interrupted: 130,
}
BUG = 70

# Chromium 156 was seen to die at its start with 128, and to live with 160.
_FEW_FILES = 160

_CODES_HELP = (
    "Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 10 no such home, session or backup, 11 in use, "
    "12 damaged and nothing to restore, 13 backup missing or corrupt, 14 browser did not start or is too old, "
    "15 not linked in time, 16 logged out, 17 WhatsApp unreachable, blocked or not ready in time, "
    "18 passkey required, 19 another account was linked, 70 a bug, 130 interrupted."
)

_WITH_THREADS = ("start", "serve")
"""The verbs that last; the others are over sooner than threading is imported."""

VERBS = (
    "start", "stop", "info", "backup", "restore", "clear", "cleanup", "logout", "logs", "serve", "token",
    "sandbox", "config", "keygen",
)  # fmt: skip

ALIASES = {"status": "info", "list": "info", "ls": "info", "restore-backup": "restore"}
"""Names that people try, and the verb that each means."""

_WITHOUT_FILE = ("config",)
"""Verbs that the settings of ``linda.toml`` do not change, and that work where it is broken."""


def exit_code(problem: BaseException) -> int:
    """The price of a failure: that of the nearest named class above it."""
    return next((EXIT_CODES[kind] for kind in type(problem).__mro__ if kind in EXIT_CODES), BUG)


@dataclass(frozen=True, slots=True)
class Globals:
    """What every command is told. ``run_ended``: an error that the command's own voice has said already."""

    home: Path | None
    console: Console
    bot: tuple[str, ...] | None = None
    """What stood behind the first ``--`` of ``linda start``, None where there was none."""
    sandbox: bool = False
    """``--sandbox``: ``home`` is the sandbox's home then."""
    home_source: str = "default"
    """What named the home: ``option``, ``variable`` or ``default``."""
    settings: Callable[[ConfigurationFile], list[Setting]] = lambda _: []
    """Every setting with its source; loads every verb."""


class FrontDoor(TyperGroup):
    """Takes the global options out of anywhere before ``--``, and turns every failure into a line and a code."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> Any:
        """Run the command line and give its exit code. Every failure ends as one line, one hint and a code."""
        typed = list(sys.argv[1:] if args is None else args)
        # What is shown and kept of the command: never a password.
        given = without_passwords(typed)
        console = Console(json="--json" in _before_dashes(given))
        rest: list[str] = []
        options: GlobalOptions | None = None
        try:
            rest, options = take_globals(typed)
            console = Console(options.json, options.quiet, options.verbose)
            rest = canonical(rest)
            self.load(rest)
            rest, bot = take_bot(rest)
            if rest[:1] and rest[0] in _WITH_THREADS:
                _report_bugs_of_threads(given, options)
            environ = dict(os.environ)
            if options.sandbox:
                # It has no say in a sandbox, so that real and sandbox logins never meet.
                os.environ.pop("SESSION_PATH", None)
            defaults = self._use_file(rest, options)
            told = Globals(
                _home_of(options), console, bot, options.sandbox, _home_source(options, environ),
                lambda file: self._settings(file, environ),
            )  # fmt: skip
            code = super().main(
                args=rest, prog_name="linda", standalone_mode=False, obj=told, default_map=defaults,
            )  # fmt: skip
        except errors.LindaError as problem:
            code = exit_code(problem)
            _name_few_files(problem, given)
            _say(console, rest, problem, code)
        except BrokenPipeError:
            # Whoever read the answer has seen enough of it.
            code = 0
        except SystemExit as left:
            # Typer's own way out where the reader of a help page has gone.
            code = 0 if output.reader_has_gone(sys.stdout) else left.code
        except OSError as trouble:
            import shlex

            named = errors.named(trouble, shlex.join(["linda", *given]))
            code = exit_code(named)
            _say(console, rest, named, code)
        except TyperException as misuse:
            code = self._usage(console, rest, misuse)
        except (Abort, KeyboardInterrupt):
            code = 130
            _say(console, rest, errors.Interrupted("interrupted", "the same command again"), code)
        except Exception as bug:  # noqa: BLE001 - the one boundary: what nobody foresaw is reported as a bug
            code = BUG
            _say(console, rest, _bug(given, options, bug), code)
        finally:
            output.finish()
        sys.exit(code if isinstance(code, int) else 0)

    def load(self, rest: Sequence[str]) -> None:
        """Import the one verb that was asked for; all of them only where that is not clear (help, a typing error)."""
        asked = rest[0] if rest else ""
        for verb in (asked,) if asked in VERBS else VERBS:
            import_module(f"linda_cli.commands.{verb}").register(_late)
        built = typer.main.get_group(_late)
        self.commands.update(built.commands)
        for command in [self, *built.commands.values()]:
            # The context brings the parameter for --help, which is made on demand and kept.
            for parameter in command.get_params(typer.Context(command, help_option_names=HELP)):
                _speak_plainly(parameter)
        for name, command in built.commands.items():
            name_variables(name, command)

    def _use_file(self, rest: Sequence[str], options: GlobalOptions) -> dict[str, Any]:
        """Let ``linda.toml`` stand in for variables that are not set; gives the values of the verb's own table."""
        verb = rest[0] if rest else ""
        if verb not in self.commands or verb in _WITHOUT_FILE or any(word in HELP for word in _before_dashes(rest)):
            return {}
        file = configuration.read(_outer_root(options))
        if not file.exists:
            return {}
        os.environ.update(use_general(file))
        mine = defaults_of(file, verb, self.commands[verb])
        return {verb: {"serve": mine} if verb == "sandbox" else mine}

    def _settings(self, file: ConfigurationFile, environ: Mapping[str, str]) -> list[Setting]:
        self.load(())
        return settings(file, self.commands, environ)

    @staticmethod
    def _usage(console: Console, rest: Sequence[str], problem: TyperException) -> int:
        context = getattr(problem, "ctx", None)
        path = context.command_path if context is not None else "linda"
        message = " ".join(without_passwords(problem.format_message().split(" ")))
        if not message:
            # No command at all: click's way of asking for the help.
            put(sys.stdout, f"{context.get_help() if context is not None else ''}\n")
            return 2
        _say(console, rest, errors.Misused(message, f"{path} --help"), 2)
        return 2


class _Plain:
    """Turns the words of a command line into values without pydantic, whose import takes as long as all of ``info``.

    Typer asks a parameter for its coercion once and keeps it; this is put there before it can ask.
    """

    def __init__(self, kind: Callable[[str], Any]) -> None:
        self._kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """As Typer's own: None stays None, several values come as a tuple."""
        if param.multiple or param.nargs == -1:
            return tuple(self._one(one, param, ctx) for one in value or ())
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str) or self._kind is str:
            return value
        try:
            return boolean(value) if self._kind is bool else self._kind(value)
        except ValueError:
            source = ctx.get_parameter_source(param.name) if ctx is not None else None
            named = f" (variable {param.envvar})" if source is not None and source.name == "ENVIRONMENT" else ""
            words = _KINDS.get(self._kind, self._kind.__name__)
            raise typer.BadParameter(f"{value!r} is not {words}{named}", ctx=ctx, param=param) from None


_KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}


def _speak_plainly(parameter: Any) -> None:
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    # Where Typer is built otherwise, or a parameter is of another kind, Typer's own way stays.
    if kind in (str, bool, int, float, Path) and hasattr(parameter, "_runtime_param"):
        parameter._runtime_param = _Plain(kind)


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options that may stand anywhere before ``--``, as they were typed."""

    home: Path | None
    json: bool
    quiet: bool
    verbose: bool
    sandbox: bool = False


def _before_dashes(given: Sequence[str]) -> Sequence[str]:
    return given[: given.index("--")] if "--" in given else given


def take_globals(given: Sequence[str]) -> tuple[list[str], GlobalOptions]:
    """Take ``--home``, ``--json``, ``--quiet``, ``--verbose`` and ``--sandbox`` out, wherever before ``--``."""
    before = list(_before_dashes(given))
    rest: list[str] = []
    home: Path | None = None
    flags = {"--json": False, "--quiet": False, "--verbose": False, "--sandbox": False}
    while before:
        word = before.pop(0)
        if word in flags:
            flags[word] = True
        elif word == "--home":
            if not before:
                raise errors.Misused("--home needs a folder", "linda --home DIR info")
            home = _folder(before.pop(0))
        elif word.startswith("--home="):
            home = _folder(word.removeprefix("--home="))
        else:
            rest.append(word)
    rest += given[len(_before_dashes(given)) :]
    chosen = GlobalOptions(home, flags["--json"], flags["--quiet"], flags["--verbose"], flags["--sandbox"])
    return rest, chosen


def canonical(rest: list[str]) -> list[str]:
    """The words with an alias replaced by its verb, and ``help VERB`` by ``VERB --help``."""
    if rest[:1] == ["help"]:
        rest = [*rest[1:], "--help"]
    return [ALIASES.get(rest[0], rest[0]), *rest[1:]] if rest else rest


def _outer_root(options: GlobalOptions) -> Path:
    """The home whose file counts: a sandbox has none of its own."""
    root = find_home(options.home).home.root
    return root.parent if root.name == SANDBOX else root


def _home_of(options: GlobalOptions) -> Path | None:
    return find_home(options.home).home.sandbox().root if options.sandbox else options.home


def _home_source(options: GlobalOptions, environ: Mapping[str, str]) -> str:
    return "option" if options.home is not None else "variable" if environ.get("LINDA_HOME") else "default"


def take_bot(rest: list[str]) -> tuple[list[str], tuple[str, ...] | None]:
    """Cut the bot's command off a ``start``: all after the first ``--`` is the bot's, whatever it looks like."""
    if rest[:1] != ["start"] or "--" not in rest:
        return rest, None
    cut = rest.index("--")
    return rest[:cut], tuple(rest[cut + 1 :])


def _folder(text: str) -> Path:
    if not text or "\0" in text:
        raise errors.Misused("--home needs a folder", "linda --home DIR info")
    return Path(text)


def _say(console: Console, rest: Sequence[str], problem: errors.LindaError, code: int) -> None:
    """Say a failure once, in the shape that the command's output has."""
    if problem.facts.get("said"):
        return
    if console.json and rest[:1] == ["start"]:
        # A run speaks in events, and a failed one ends with this one.
        from linda_cli.lifecycle.events import event

        session = problem.facts.get("session")
        told = event("error", session if isinstance(session, str) else None, console_told(problem, code))
        console.event(told)
    else:
        console.error(problem, code)


def _bug(given: Sequence[str], options: GlobalOptions | None, bug: BaseException) -> errors.LindaError:
    """Keep what is needed to mend it, and name the file."""
    from linda_cli.sessions import bug_report

    log = bug_report.write(options.home if options is not None else None, given, bug)
    if log is None:
        return errors.LindaError(f"this is a bug in linda, and no report can be written: {bug!r}"[:500], "df -h")
    return errors.LindaError(f"this is a bug in linda; please send {log}", f"cat {log}", log=str(log))


def _name_few_files(problem: errors.LindaError, given: Sequence[str]) -> None:
    """A browser that could open no more files says so in its own ways, and dies; what may be done is the same."""
    if not isinstance(problem, errors.BrowserFailed):
        return
    import resource
    import shlex

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < _FEW_FILES:
        problem.message = f"a browser needs more than the {limit} files that may be open here; {problem.message}"
        problem.hint = f"ulimit -n 4096; {shlex.join(['linda', *given])}"


def _report_bugs_of_threads(given: Sequence[str], options: GlobalOptions) -> None:
    """A thread that ends by a bug is reported like anything else, and the run goes on as far as it can."""
    import threading

    def report(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and ended.exc_type is not SystemExit:
            put(sys.stderr, f"linda: {_bug(given, options, ended.exc_value).message}\n")

    threading.excepthook = report


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        output.deliver(sys.stdout, f"linda {version('linda-cli')}\n")
        raise typer.Exit


# Boxes and colours in the help are for a terminal.
_MARKUP: Literal["rich"] | None = "rich" if is_terminal(sys.stdout) and not os.environ.get("NO_COLOR") else None

app = typer.Typer(
    cls=FrontDoor,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=_MARKUP,
    epilog=_CODES_HELP,
    context_settings={"help_option_names": HELP},
)
_late = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)


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
