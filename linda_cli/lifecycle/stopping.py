"""Ending what runs: a ``linda start`` in another process, or a browser that was kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import time
from dataclasses import dataclass

from linda_cli.errors import Failed, InUse, LindaError
from linda_cli.lifecycle.orphans import end_dead_linkings
from linda_cli.sessions import served
from linda_cli.sessions.home import Home
from linda_cli.sessions.locks import Holder, holder_of
from linda_cli.sessions.store import Store
from linda_cli.sessions.values import Backup

# A run closes its browser, waits for it and takes a backup: a large login on a slow disk takes its time.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class StoppedSession:
    """``backup``: the newest one after stopping, None where nothing was running."""

    session: str | None
    was_running: bool
    backup: Backup | None


def stop_session(store: Store, number: str | None) -> StoppedSession:
    """End whatever runs this session. Raises ``Failed`` where it does not end, ``SessionNotFound``, and ``InUse`` for
    a session of a server, which would end with all its others."""
    found = store.resolve(number)
    store.require()
    if found is None:
        return _stop_linking(store)
    was_running = False
    holder = holder_of(store.home.run_lock(found))
    if holder is not None:
        was_running = holder.run
        if _is_server(holder):
            raise InUse(
                f"session {found} is in the hands of linda serve, pid {holder.pid}, which has others too",
                served.request(store.home, holder.pid, f"/whatsapp/accounts/{found}/stop"),
                pid=holder.pid,
            )
        _end(store.home, found, holder)
    if holder is None and found not in store.numbers():
        store.only(found)
    store.adopt_leftovers()
    with store.run_lock(found):
        profile = store.profile(found)
        if store.world.running(profile) is not None:
            was_running = True
            _close(store, found)
        for line in store.end_strays(store.profile(found)):
            store.tell(line)
    backup = None
    if was_running:
        try:
            backup = store.backup(found, reason="stop", verified=False).backup
        except LindaError as problem:
            # The browser is closed, which is what was asked for; earlier backups are as they were.
            store.tell(f"no backup was made after the stop: {problem.message}")
    return StoppedSession(found, was_running, backup)


def _stop_linking(store: Store) -> StoppedSession:
    holder = holder_of(store.home.run_lock("linking"))
    if holder is not None:
        _end(store.home, "linking", holder)
    for line in end_dead_linkings(store):
        store.tell(line)
    return StoppedSession(None, holder is not None, None)


def _is_server(holder: Holder) -> bool:
    """Whether the command that holds the lock is ``linda serve``, whatever global options stand before the verb."""
    words = iter(holder.command.split()[1:])
    for word in words:
        if word == "--home":
            next(words, None)
        elif not word.startswith("-"):
            return holder.run and word == "serve"
    return False


def _end(home: Home, name: str, holder: Holder) -> None:
    """Ask the run to end and wait until it has let go of its lock; that it holds it proves that the pid is its.

    A command of some seconds (a restore, say) is waited for and not ended. Raises ``InUse`` for a run of another host.
    """
    if holder.lives_elsewhere:
        raise InUse(
            f"session {name} is in use by {holder}",
            f"ssh {shlex.quote(holder.host)} linda stop{' ' + name if name != 'linking' else ''}",
        )
    if holder.run and holder.pid > 0 and holder.pid != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGTERM)
            # One that Ctrl-Z or a debugger has stopped hears nothing before it goes on.
            os.kill(holder.pid, signal.SIGCONT)
    deadline = time.monotonic() + PATIENCE
    while holder_of(home.run_lock(name)) is not None:
        if time.monotonic() > deadline:
            raise Failed(f"{holder} did not end within {PATIENCE:g} s", f"kill {holder.pid}", pid=holder.pid)
        time.sleep(0.02)


def _close(store: Store, number: str) -> None:
    """Close a kept browser with ``Browser.close``; its profile gets its name if it has none yet."""
    from linda_cli.browser.attach import find
    from linda_cli.browser.close import close
    from linda_cli.browser.launch import Running
    from linda_cli.browser.processes import DevToolsPort, occupant

    profile = store.profile(number)
    found = find(profile)
    if found is None:
        holder = occupant(profile)
        if holder is None or not holder.proven:
            return
        found = Running(profile, holder.pid, holder.started, DevToolsPort(0, ""))
    close(found)
    if profile != store.home.named_profile(number):
        store.adopt(profile, number)
    store.state.save(number, lastState="stopped", lastStopReason="linda stop")
