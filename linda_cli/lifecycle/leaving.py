"""The way out: the browser closed and gone, backup taken, state written; the lock is let go after that."""

from __future__ import annotations

import contextlib
import sys

from linda_cli.errors import LindaError
from linda_cli.lifecycle import saving
from linda_cli.lifecycle.events import event
from linda_cli.lifecycle.run import Run
from linda_cli.sessions.home import Home


def leave(run: Run) -> None:
    """Leave the session as a next start wants to find it. Tells ``stopped`` where the run ended well."""
    if run.bot is not None:
        # Before the browser: a bot must not see it go.
        run.bot.end()
    wanted = run.options.keep_browser if run.keep_browser is None else run.keep_browser
    kept = wanted and run.live is not None and run.was_ready
    failing = sys.exc_info()[0] is not None
    if kept and run.live is not None:
        run.live.detach()
    else:
        run.close_browser()
    try:
        if run.was_ready and not kept:
            saving.back_up(run, "stop", replaces=True)
        if run.number is not None and not kept:
            _name_profile(run)
        if run.number is not None:
            ended = {"lastState": "stopped"} if run.was_ready and _was_well(run) else {}
            run.note(**run.stopped_facts(), **ended)
    except LindaError:
        # What went wrong before is what the person must hear; a home that cannot be written says so there too.
        if not failing:
            raise
    problem = sys.exc_info()[1]
    if isinstance(problem, LindaError):
        run.keep(event("error", run.number, {"name": problem.name, "message": problem.message}))
    if not failing:
        run.tell("stopped", reason=run.stop_reason or "done")


def _was_well(run: Run) -> bool:
    assert run.number is not None
    return run.store.state.entry(run.number).get("lastState") in ("ready", "disconnected", "authenticated")


def _name_profile(run: Run) -> None:
    home: Home = run.store.home
    if run.number is None or run.profile == home.named_profile(run.number) or not run.profile.is_dir():
        return
    with contextlib.suppress(OSError):
        run.profile = run.store.adopt(run.profile, run.number)
