"""The one error boundary: every failure of a command ends as one line, one hint and an exit code."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from typer.exceptions import Abort, TyperException

from linda_cli import errors
from linda_cli.app.exit_codes import BUG, exit_code
from linda_cli.app.global_options import GlobalOptions
from linda_cli.console import Console, output, put, told
from linda_cli.console.own_arguments import without_passwords
from linda_cli.sessions import configuration

# Chromium 156 was seen to die at its start with 128, and to live with 160.
_FEW_FILES = 160

_WITHOUT_NUMBER = re.compile(r"\blinda (start|stop|info|logs|restore|backup)(?= --(?!help)|$)")


@dataclass(slots=True)
class Invocation:
    """What is known so far of the command that runs. ``given``: its words without passwords; ``rest``: those without
    global options."""

    given: Sequence[str]
    environ: Mapping[str, str]
    console: Console
    rest: Sequence[str] = ()
    options: GlobalOptions | None = field(default=None)

    @property
    def line(self) -> str:
        """The command as it was typed."""
        return shlex.join(["linda", *self.given])


def guarded(command: Callable[[], Any], invocation: Invocation) -> int:
    """Run the command and give its exit code."""
    problem: errors.LindaError
    try:
        code = command()
        return code if isinstance(code, int) else 0
    except errors.LindaError as named:
        problem = named
        _name_few_files(problem, invocation)
        _complete_hint(problem, invocation)
    except BrokenPipeError:
        # Whoever read the answer has seen enough of it.
        return 0
    except SystemExit as left:
        # Typer's own way out where the reader of a help page has gone.
        code = 0 if output.reader_has_gone(sys.stdout) else left.code
        return code if isinstance(code, int) else 0
    except OSError as trouble:
        problem = errors.named(trouble, invocation.line)
    except TyperException as misuse:
        problem = _misused(misuse)
    except (Abort, KeyboardInterrupt):
        problem = errors.Interrupted("interrupted", invocation.line)
    except Exception as bug:  # noqa: BLE001 - the one boundary: what nobody foresaw is reported as a bug
        say(invocation, _bug(invocation, bug), BUG)
        return BUG
    say(invocation, problem, exit_code(problem))
    return exit_code(problem)


def say(invocation: Invocation, problem: errors.LindaError, code: int) -> None:
    """Say a failure once, in the shape that the command's output has."""
    console = invocation.console
    if problem.facts.get("said"):
        return
    if console.json and invocation.rest[:1] == ["start"]:
        # A run speaks in events, and a failed one ends with this one.
        from linda_cli.lifecycle.events import event

        session = problem.facts.get("session")
        facts = told(problem, code, console.linda)
        console.event(event("error", session if isinstance(session, str) else None, facts))
    else:
        console.error(problem, code)


def report_bugs_of_threads(invocation: Invocation) -> None:
    """A thread that ends by a bug is reported like anything else, and the run goes on as far as it can."""
    import threading

    def report(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and ended.exc_type is not SystemExit:
            put(sys.stderr, f"linda: {_bug(invocation, ended.exc_value).message}\n")

    threading.excepthook = report


def _misused(problem: TyperException) -> errors.Misused:
    context = getattr(problem, "ctx", None)
    path = context.command_path if context is not None else "linda"
    message = " ".join(without_passwords(problem.format_message().split(" ")))
    return errors.Misused(message, f"{path} --help")


def _bug(invocation: Invocation, bug: BaseException) -> errors.LindaError:
    """Keep what is needed to find it, and name the file."""
    from linda_cli.sessions import bug_report

    home = invocation.options.home if invocation.options is not None else None
    log = bug_report.write(home, invocation.given, bug)
    if log is None:
        return errors.LindaError(f"this is a bug in linda, and no report can be written: {bug!r}"[:500], "df -h")
    return errors.LindaError(f"this is a bug in linda; please send {log}", f"cat {shlex.quote(str(log))}", log=str(log))


def _name_few_files(problem: errors.LindaError, invocation: Invocation) -> None:
    """A browser that could open no more files says so in its own ways, and dies; what may be done is the same."""
    if not isinstance(problem, errors.BrowserFailed):
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= limit < _FEW_FILES:
        problem.message = f"a browser needs more than the {limit} files that may be open here; {problem.message}"
        problem.hint = f"ulimit -n 4096; {invocation.line}"


def _complete_hint(problem: errors.LindaError, invocation: Invocation) -> None:
    """Name what only this place knows: the session that a command was about, and the file that set a variable."""
    session = problem.facts.get("session")
    if isinstance(session, str):
        problem.hint = _WITHOUT_NUMBER.sub(rf"\g<0> {session}", problem.hint)
    unset = re.fullmatch(r"unset (\w+)", problem.hint)
    if unset is None or invocation.options is None or invocation.environ.get(unset[1]):
        return
    key = next((one.key for one in configuration.GENERAL if one.variable == unset[1]), None)
    if key is not None:
        # The variable was never set: its value stands in the file, and is taken out there.
        problem.hint = configuration.read(invocation.options.outer_root()).wrong(key, "").hint
