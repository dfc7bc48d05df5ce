"""A server as it is told: one line per event on stderr, or JSON lines on stdout. Codes are never among them."""

from __future__ import annotations

import sys
import threading

from linda_cli.console import Console, Told, clean, put
from linda_cli.console.story import spoken


class Service:
    """Tells the events of many accounts, from many threads, a line at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._one_at_a_time = threading.Lock()

    def __call__(self, told: Told) -> None:
        """Tell one event, from which codes were taken out."""
        if self._console.json:
            with self._one_at_a_time:
                self._console.event(told)
            return
        if told.event == "serving":
            with self._one_at_a_time:
                put(sys.stdout, f"linda serves {clean(str(told.facts['url']))} (home {told.facts['home']})\n")
            return
        words = _words(told, self._console.verbose)
        if words is not None:
            with self._one_at_a_time:
                self._console.talk(words)


def _words(told: Told, verbose: bool) -> str | None:
    moment, who = told.at[11:19], told.session or "server"
    if told.event == "qr":
        return f"{moment} {who}: code {told.facts['attempt']} is on show"
    if told.event == "pairing_code":
        return f"{moment} {who}: a pairing code is on show"
    if told.event == "removed":
        return f"{moment} {who}: taken off the record"
    if told.event == "stopping":
        return f"{moment} server: stopping ({told.facts['reason']}), closing browsers"
    if told.event == "session_restoration_failed":
        return f"{moment} {who}: was not restored: {told.facts['reason']}{_again(told)}"
    if told.event == "error":
        return f"{moment} {who}: {told.facts['message']}{_again(told)}"
    if told.event == "restored_session_ready" or (told.event == "syncing" and not verbose):
        return None
    if told.event == "ready":
        how = "restored from the" if told.facts["isRestored"] else "linked by"
        return f"{moment} {who}: ready, {how} {told.facts['source']} ({told.facts['debuggerAddress']})"
    line = spoken(told, verbose=verbose)
    if line is None:
        return None
    return f"{moment} {who}: {line[len(moment) + 1 :].removeprefix(who).lstrip(': ')}"


def _again(told: Told) -> str:
    return f"; next try in {told.facts['retryIn']:g} s" if "retryIn" in told.facts else ""
