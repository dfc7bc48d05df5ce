"""A server as it is told: one line per event on stderr, or JSON lines on stdout. Codes are never among them."""

from __future__ import annotations

import sys
import threading

from linda_cli.console import Console, Told, clean, output, put
from linda_cli.console.moments import clock
from linda_cli.console.story import spoken


class Service:
    """Tells the events of many accounts, from many threads, a line at a time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._one_at_a_time = threading.Lock()
        output.begin()

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


_PLAIN = {
    "qr": "code {attempt} is on show",
    "pairing_code": "a pairing code is on show",
    "removed": "taken off the record",
    "stopping": "stopping ({reason}), closing browsers",
    "session_restoration_failed": "was not restored: {reason}",
    "error": "{message}",
}
_PETTY = ("restored_session_ready", "syncing")


def _words(told: Told, verbose: bool) -> str | None:
    if told.event in _PETTY and not verbose:
        return None
    moment, who, facts = clock(told.at), told.session or "server", told.facts
    if told.event == "ready":
        how = "restored from the" if facts["isRestored"] else "linked by"
        words = f"ready, {how} {facts['source']} ({facts['debuggerAddress']})"
    elif told.event in _PLAIN:
        again = f"; next try in {facts['retryIn']:g} s" if "retryIn" in facts else ""
        words = _PLAIN[told.event].format_map(facts) + again
    else:
        line = spoken(told, verbose=verbose)
        if line is None:
            return None
        words = line[len(moment) + 1 :].removeprefix(who).lstrip(": ")
    return f"{moment} {who}: {words}"
