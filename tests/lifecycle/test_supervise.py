"""A session that was ready, as a table: what is known in, what is done next out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linda_cli.errors import BrowserFailed
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options
from linda_cli.whatsapp.observer import Pulse
from linda_cli.whatsapp.status import PageReading
from tests.lifecycle import known
from tests.lifecycle.known import after, did, doing, ready, row, shows


def away(reading: PageReading, options: Options | None = None) -> Knowledge:
    """The page showed something else than ready at 10, and the outage was told at 15."""
    know = shows(ready(options), reading, 10.0)
    return doing(know, 15.0, do.Tell("disconnected", {"reason": "offline", "retryIn": 5.0}))


def without_network(know: Knowledge, since: float = 15.0) -> Knowledge:
    """The browser found that the network is away, and that was told."""
    know = after(know, seen.NetworkSeen(False, "DNS lookup failed", at=since))
    return doing(know, since, do.Tell("waiting", {"for": "network", "reason": "DNS lookup failed"}), do.ProbeNetwork())


def pulse(know: Knowledge, at: float, found: Pulse, *, last: bool = False) -> Knowledge:
    """A look at the page's own thread."""
    return after(know, *did(do.CheckPulse(2.0, last=last), at, found))


ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("ready is saved at once", ready(saved=False), 1.0, ["Save"]),
    (
        "what is not on disk yet is looked for again",
        after(ready(saved=False), *did(do.Save("own"), 1.0, seen.SaveResult(False, "not on disk yet"))),
        1.1,
        ["Save"],
    ),
    ("after fifteen seconds that is told", ready(saved=False), 16.0, ["Tell save_delayed"]),
    ("--once ends with saved", ready(Options(once=True)), 1.0, ["Shutdown"]),
    ("--once that cannot save ends with that", ready(Options(once=True), saved=False), 121.0, ["Shutdown NotSaved"]),
    ("a bot that ended badly ends the run", after(ready(), seen.BotSeen(False, 3, at=2.0)), 2.0, ["Shutdown Failed"]),
    ("then nothing but the pulse", ready(), 2.0, ["Wait"]),
    ("which is looked for", ready(), 21.0, ["CheckPulse"]),
    ("a slow browser is told and left alone", pulse(ready(), 21.0, Pulse.NONE), 23.0, ["Tell slow"]),
    (
        "a hung one is replaced",
        pulse(pulse(ready(), 21.0, Pulse.NONE), 31.0, Pulse.NONE, last=True),
        31.0,
        ["Tell disconnected"],
    ),
    ("a backup along the way", ready(Options(backup_every=60.0)), 61.0, ["BackUp"]),
    ("a blip is no outage", shows(ready(), known.OFFLINE, 10.0), 14.9, ["ProbeNetwork"]),
    ("five seconds are one", shows(ready(), known.OFFLINE, 10.0), 15.0, ["Tell disconnected"]),
    (
        "ready again after a blip: nothing",
        shows(shows(ready(), known.OFFLINE, 10.0), known.READY, 12.0),
        12.0,
        ["Wait"],
    ),
    ("ready again after an outage", shows(away(known.OFFLINE), known.READY, 20.0), 20.0, ["Tell reconnected"]),
    ("the network is asked for", away(known.OFFLINE), 15.0, ["ProbeNetwork"]),
    (
        "that it is away is told",
        after(away(known.OFFLINE), seen.NetworkSeen(False, "DNS lookup failed", at=15.0)),
        15.0,
        ["Tell waiting"],
    ),
    ("and asked again two seconds later", without_network(away(known.OFFLINE)), 17.0, ["ProbeNetwork"]),
    (
        "nothing is loaded anew without it, however long",
        doing(pulse(without_network(away(known.OFFLINE)), 900.0, Pulse.BEATS), 900.0, do.ProbeNetwork()),
        901.0,
        ["Wait"],
    ),
    (
        "when it is back the page gets its own time",
        after(without_network(away(known.OFFLINE)), seen.NetworkSeen(True, at=240.0), *did(do.ProbeNetwork(), 240.0)),
        241.0,
        ["CheckPulse"],
    ),
    (
        "and then is loaded anew",
        after(without_network(away(known.OFFLINE)), seen.NetworkSeen(True, at=240.0), *did(do.ProbeNetwork(), 245.5)),
        246.0,
        ["Reload"],
    ),
    (
        "a page that could not be loaded is loaded at once",
        doing(
            after(without_network(away(known.UNREACHABLE)), seen.NetworkSeen(True, at=240.0)),
            240.0,
            do.Tell("waiting", {"for": "page", "reason": "the browser could not load WhatsApp Web"}),
            do.ProbeNetwork(),
        ),
        240.0,
        ["Reload"],
    ),
    (
        "a page that began to sync since then is left alone",
        shows(after(without_network(away(known.OFFLINE)), seen.NetworkSeen(True, at=240.0)), known.SYNCING, 243.0),
        246.1,
        ["Wait"],
    ),
    ("keys of other names on a ready page: nothing", shows(ready(), known.RENAMED, 2.0), 2.0, ["Wait"]),
    (
        "keys that cannot be read: nothing",
        shows(ready(), replace(known.READY, wid=None, noise=None), 2.0),
        2.0,
        ["Wait"],
    ),
    ("a dialog over a ready page: nothing", shows(ready(), replace(known.READY, popups=1), 2.0), 2.0, ["Wait"]),
    ("open on another computer: told", shows(ready(), known.CONFLICT, 2.0), 2.0, ["Tell conflict"]),
    (
        "and left alone",
        doing(shows(ready(), known.CONFLICT, 2.0), 2.0, do.Tell("conflict", {"where": "open on another computer"})),
        2.0,
        ["Wait"],
    ),
    (
        "but with --takeover",
        doing(
            shows(ready(Options(takeover=True)), known.CONFLICT, 2.0),
            2.0,
            do.Tell("conflict", {"where": "open on another computer"}),
        ),
        2.0,
        ["Press COMPUTER"],
    ),
    (
        "open in another window of this browser: taken over",
        doing(shows(ready(), known.WINDOW, 2.0), 2.0, do.Tell("conflict", {"where": "open in another window"})),
        2.0,
        ["Press WINDOW"],
    ),
    ("a start is no outage", shows(ready(), known.LOADING, 2.0), 14.0, ["MeasureLogin"]),
    ("a sync is none", shows(ready(), known.SYNCING, 2.0), 8.0, ["Wait"]),
    ("a sync that stands still for a minute is one", shows(ready(), known.SYNCING, 2.0), 62.0, ["Tell disconnected"]),
    (
        "a sync that stands still and is not connected: is it the network?",
        shows(ready(), replace(known.SYNCING, socket="OPENING"), 2.0),
        62.0,
        ["Tell disconnected"],
    ),
    (
        "it is asked for, long before that",
        away(replace(known.SYNCING, socket="OPENING")),
        15.0,
        ["ProbeNetwork"],
    ),
    ("vanishing keys are waited for", shows(ready(), known.VANISHING, 2.0), 6.0, ["Wait"]),
    (
        "the address of a logout ends the session",
        shows(ready(), known.LOGGED_OUT, 2.0),
        2.0,
        ["BeginRestoration", "CloseBrowser", "RevokeLogin own"],
    ),
    (
        "with a reason it is confirmed first",
        shows(ready(), replace(known.LOGGED_OUT, logout="3"), 2.0),
        2.0,
        ["Tell disconnected", "BeginRestoration", "CloseBrowser"],
    ),
    (
        "so is a login that vanished for half a minute without an address",
        shows(ready(), known.CODE, 2.0),
        32.0,
        ["Tell disconnected", "BeginRestoration", "CloseBrowser"],
    ),
    (
        "the keys are in place: the address is stale",
        shows(ready(), replace(known.READY, document=2, logout=""), 2.0),
        2.0,
        ["Tell page_reloaded"],
    ),
    (
        "a page that loaded itself anew is told",
        shows(ready(), replace(known.READY, document=2), 2.0),
        2.0,
        ["Tell page_reloaded"],
    ),
    (
        "a storage that cannot be opened is an outage at once",
        shows(ready(), known.FATAL, 2.0),
        2.0,
        ["Tell disconnected"],
    ),
    ("so is a crash", shows(ready(), known.GONE, 2.0), 2.0, ["Tell disconnected"]),
    ("and then another browser", away(known.GONE), 21.0, ["BeginRestoration", "CloseBrowser"]),
    ("a browser that died is told", after(ready(), seen.BrowserGone(1, at=2.0)), 2.0, ["Tell disconnected"]),
    (
        "and cleaned up after",
        doing(after(ready(), seen.BrowserGone(1, at=2.0)), 2.0, do.Tell("disconnected", {"retryIn": 5.0})),
        2.0,
        ["CloseBrowser"],
    ),
    ("a ban is named", away(known.BLOCKED), 15.0, ["Tell waiting"]),
    (
        "and nothing is loaded anew for five minutes",
        pulse(
            doing(
                away(known.BLOCKED),
                15.0,
                do.Tell("waiting", {"for": "account", "reason": "WhatsApp blocks this client: TEMP_BAN"}),
            ),
            296.0,
            Pulse.BEATS,
        ),
        299.0,
        ["Wait"],
    ),
    ("a locked page is waited for", away(known.LOCKED), 15.0, ["Tell waiting"]),
    ("a page that nobody knows is named", away(known.UNKNOWN), 15.0, ["Tell waiting"]),
    (
        "another account after an outage is not taken back",
        shows(away(known.CODE), known.OTHER_READY, 20.0),
        24.9,
        ["Wait"],
    ),
    ("it is moved", shows(away(known.CODE), known.OTHER_READY, 20.0), 25.0, ["CloseBrowser", "Mismatch"]),
    ("another account is looked at twice", shows(ready(), known.OTHER_READY, 2.0), 6.9, ["Wait"]),
    ("and its profile is moved", shows(ready(), known.OTHER_READY, 2.0), 7.0, ["CloseBrowser", "Mismatch"]),
    ("a changed number is told", shows(ready(), known.MOVED_READY, 2.0), 2.0, ["Tell number_changed"]),
    ("a refusal with the keys in place is said", away(known.REFUSED), 15.0, ["Tell auth_failure"]),
]


@pytest.mark.parametrize(("what", "know", "now", "expected"), ROWS, ids=[one[0].replace(" ", "_") for one in ROWS])
def test_what_is_done_next(what: str, know: Knowledge, now: float, expected: list[str]) -> None:
    assert row(know, now) == expected, what


def test_the_back_off_does_not_grow_while_the_network_is_away() -> None:
    """Found by the walk: each new browser that found no network made the next pause longer."""
    know = doing(shows(ready(), known.LOADING, 2.0), 2.0, do.BeginRestoration("it crashed"))
    up = doing(after(know, seen.NetworkSeen(True, at=2.0)), 3.0, do.BeginOutage("not ready"))
    gone = doing(after(know, seen.NetworkSeen(False, "DNS lookup failed", at=2.0)), 3.0, do.BeginOutage("not ready"))
    assert (up.retries, gone.retries) == (1, 0)


def test_a_refused_save_is_tried_again_and_says_why() -> None:
    know = known.failed(ready(saved=False), 1.0, do.Save("own"), BrowserFailed("the disk is full", "df -h"))
    assert row(know, 1.2) == ["Save"]
    assert know.saving.why == "the disk is full"
