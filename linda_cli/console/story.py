"""A run as it is told: one line per change for a person, one JSON line for a script, and the code to scan."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from linda_cli.console import Console, Told, clean, output, put, qr
from linda_cli.console.moments import clock, local
from linda_cli.console.screen import Screen
from linda_cli.errors import HomeUnusable

# Percent of the first sync from one line to the next.
_STEP = 25

# Seconds that a bot's line waits for a reader who is behind.
_BOT_WAITS = 1.0


class Story:
    """Tells the events of one run. A context manager: the QR file and the code on the screen do not outlive it."""

    def __init__(self, console: Console, qr_file: Path | None = None) -> None:
        self._console = console
        self._qr_file = qr_file
        self._wrote_file = False
        self._screen = Screen(console)
        self._synced = 0
        self._nobody_reads = False

    def __enter__(self) -> Story:
        # A run waits for no terminal: from here on what is said stands in a line of its own.
        output.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._put_code_away()

    def __call__(self, told: Told) -> None:
        """Tell one event."""
        if told.event == "qr":
            self._show(told)
        elif told.event in ("authenticated", "ready", "stopped", "pairing_code", "passkey_required", "logged_out"):
            self._put_code_away()
        if self._console.json:
            self._console.event(told)
            return
        line = spoken(told, verbose=self._console.verbose)
        if line is None or self._is_petty(told):
            return
        loud = told.event in ("pairing_code", "qr")
        if told.event == "ready":
            self._screen.say("")
            put(sys.stdout, f"{line}\n")
        elif loud or not self._console.quiet:
            self._screen.say(line)

    def bot_said(self, line: str, is_error: bool) -> None:
        """Show one line of the bot beside the run."""
        shown = f"bot | {clean(line)}"
        self._let_reader_catch_up(sys.stderr if is_error or self._console.json else sys.stdout)
        if is_error or self._console.json:
            self._screen.say(shown)
        else:
            # A code that stands there gives way for it, and comes back below.
            self._screen.say("")
            put(sys.stdout, f"{shown}\n")

    def _let_reader_catch_up(self, stream: TextIO | None) -> None:
        """A bot that says more than a terminal can show waits for it, as it would without us.

        Once nobody has read for that long it is waited for no more: then what the bot says is left out.
        """
        writer = output.begin()
        if stream is None or not writer.is_behind(target := output.descriptor(stream)):
            self._nobody_reads = False
        elif not self._nobody_reads:
            self._nobody_reads = not writer.wait_for_room(target, _BOT_WAITS)

    def _is_petty(self, told: Told) -> bool:
        """A step of the first sync that a person need not read."""
        if told.event == "authenticated":
            self._synced = 0
        if told.event != "syncing" or self._console.verbose:
            return False
        percent = int(told.facts.get("percent") or 0)
        if percent - self._synced < _STEP and not (percent == 100 > self._synced):
            return True
        self._synced = percent
        return False

    def _show(self, told: Told) -> None:
        text = str(told.facts["qr"])
        if self._qr_file is not None:
            try:
                qr.write_png(text, self._qr_file)
                self._wrote_file = True
            except OSError as problem:
                raise HomeUnusable(
                    f"{self._qr_file} cannot be written: {problem.strerror}", "linda start --qr-file qr.png"
                ) from problem
        if not self._console.json:
            self._screen.show(text, float(told.facts["expiresIn"]), int(told.facts["attempt"]))

    def _put_code_away(self) -> None:
        self._screen.clear()
        if self._qr_file is not None and self._wrote_file:
            self._wrote_file = False
            # The code has expired by itself; a file that cannot be removed must not end the run.
            with contextlib.suppress(OSError):
                self._qr_file.unlink(missing_ok=True)


def spoken(told: Told, *, verbose: bool = False) -> str | None:
    """One line for a person, None where an event is worth none."""
    words = _words(told.event, told.facts, told.session, told.elapsed_ms, verbose)
    return f"{clock(told.at)} {words}" if words is not None else None


def retold(line: Mapping[str, Any], *, verbose: bool = False) -> str:
    """A line of the event log for a person, with its day."""
    name = str(line.get("event"))
    if name == "qr":
        words: str | None = f"code {line.get('attempt')} was shown"
    elif name == "pairing_code":
        words = "a pairing code was shown"
    elif name == "error":
        words = f"ended: {line.get('message')}"
    elif name == "session_restoration_failed":
        words = f"was not restored: {line.get('reason')}"
    else:
        try:
            words = _words(name, line, line.get("session"), int(line.get("elapsedMs") or 0), verbose)
        except (KeyError, TypeError, ValueError):
            # A line of another version of linda: better as it is than not at all.
            words = name
    return clean(f"{local(line.get('at'))} {words}")


def _named(backup: Any) -> str:
    return str(getattr(backup, "name", backup))


def _words(name: str, facts: Mapping[str, Any], session: str | None, elapsed_ms: int, verbose: bool) -> str | None:
    who = session or "a new session"
    if name == "checked":
        if facts["verdict"] == "missing" and not verbose:
            return f"{who}: no login is saved here"
        checks = facts.get("checks", ())
        failed = facts.get("failed") or [f"{one.key}: {one.detail}" for one in checks if verbose or not one.ok]
        return f"{who} is {facts['verdict'].replace('_', ' ')}" + (f" ({'; '.join(failed)})" if failed else "")
    if name == "restoring":
        what = {"browser": "attaching to the running browser", "profile": "opening the saved profile"}
        return what.get(facts["rung"], f"restoring {facts['backup']}")
    if name == "rung_failed":
        return f"{facts['backup'] or 'the ' + facts['rung']} was passed over: {facts['reason']}"
    if name == "ready":
        how = f"restored from the {facts['source']}" if facts["isRestored"] else f"linked by {facts['source']}"
        return f"{who} is ready after {elapsed_ms / 1000:.1f} s, {how} ({facts['debuggerAddress']})"
    if name == "saved":
        return (
            f"saved as {_named(facts['backup'])}" if facts["isNew"] else f"already saved as {_named(facts['backup'])}"
        )
    if name == "qr":
        return None
    if name == "pairing_code":
        return f"type {facts['code']} into WhatsApp > Linked devices > Link with phone number"
    if name == "waiting":
        return f"waiting for the {facts['for']}: {facts['reason']} ({elapsed_ms / 1000:.0f} s)"
    plain = {
        "page_reloaded": "WhatsApp Web has loaded itself anew",
        "number_changed": "the number of this account has changed from {from} to {to}",
        "save_delayed": "ready, and not saved yet: {reason}",
        "repaired": "repaired: {what}",
        "quarantined": "moved to quarantine as {name}: {reason}",
        "loading": "WhatsApp Web is loading",
        "passkey_required": "WhatsApp asks for a passkey",
        "authenticated": "the phone has linked this device",
        "syncing": "syncing {percent} %",
        "backed_up": "backed up ({reason})",
        "backup_failed": "no backup was made: {reason}",
        "uploaded": "the object store has every backup",
        "upload_failed": "the object store did not get the backup, it is tried again: {reason}",
        "disconnected": "disconnected ({reason}); next try in {retryIn:g} s",
        "reconnected": "connected again by {via} after {downMs} ms",
        "conflict": "WhatsApp Web is {where}",
        "memory_exceeded": "the browser takes {memoryMb} MB, more than {maxMemoryMb}: restarted in a quiet moment",
        "slow": "the browser is slow: no answer for {seconds:g} s",
        "auth_failure": "{reason}; the login is kept",
        "logged_out": "logged out: {reason}",
        "bot_started": "the bot has started, pid {pid}",
        "bot_exited": "the bot has ended with exit code {code}",
        "tidied": "{what}",
        "note": "{what}",
        "stopped": "stopped: {reason}",
    }
    return plain[name].format(**{**facts, "percent": facts.get("percent", "?")}) if name in plain else name
