"""The way through the restore steps, as a table: what is known in, what is done next out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linda_cli.errors import BackupUnusable, BrowserFailed, BrowserMissing, BrowserTooOld, Failed
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options
from tests.lifecycle import known
from tests.lifecycle.known import (
    after,
    began,
    did,
    doing,
    failed,
    inspected,
    launched,
    on_a_backup,
    on_the_profile,
    prepared,
    row,
    shows,
)

TOO_NEW = BrowserTooOld("written by a newer Chromium", "sudo apt-get install --only-upgrade chromium")
NOTHING_LEFT = seen.FoundBackup()
DIED = BrowserFailed("it died while it started", "linda start --verbose")


def failed_without_proof() -> Knowledge:
    """The page crashed on the profile, and that says nothing of the login."""
    know = doing(on_the_profile(), 1.0, do.FailStep("other", "the page crashed"), do.CloseBrowser())
    return inspected(know, known.GOOD, 1.0)


def dead_twice(know: Knowledge) -> Knowledge:
    """Two browsers died within their first seconds."""
    for moment in (1.0, 2.0):
        know = after(know, seen.BrowserGone(know.browser_id, at=moment), *did(do.CloseBrowser(), moment))
        know = inspected(know, known.GOOD, moment)
        know = launched(know, moment) if moment < 2.0 else know
    return know


def found_nothing(know: Knowledge) -> Knowledge:
    """No backup may be restored."""
    return after(know, *did(do.FindBackup(), 0.0, NOTHING_LEFT))


def found_one(know: Knowledge) -> Knowledge:
    """A backup may be restored."""
    return after(know, *did(do.FindBackup(), 0.0, known.FOUND))


def attached() -> Knowledge:
    """Attached to the browser that runs on the profile."""
    know = inspected(began(), known.RUNNING)
    return after(know, *did(do.Attach(), 0.0, seen.BrowserUp(1, "127.0.0.1:1")))


ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("a run looks first", began(), 0.0, ["Inspect"]),
    ("and tells what it found", after(began(), *did(do.Inspect(), 0.0, known.GOOD)), 0.0, ["Tell checked"]),
    ("a run without a number links", began(number=None), 0.0, ["BeginLinking"]),
    ("a browser of ours is attached to", inspected(began(), known.RUNNING), 0.0, ["Tell restoring", "Attach"]),
    ("a sound profile is prepared", inspected(began(), known.GOOD), 0.0, ["PrepareProfile"]),
    ("and then opened", prepared(inspected(began(), known.GOOD)), 0.0, ["Tell restoring", "Launch"]),
    ("also one whose keys have other names", inspected(began(), known.NO_KNOWN_KEYS), 0.0, ["PrepareProfile"]),
    ("damage is read twice", inspected(began(), known.DAMAGED), 0.0, ["Inspect"]),
    (
        "and then a backup is looked for",
        inspected(inspected(began(), known.DAMAGED), known.DAMAGED),
        0.0,
        ["FindBackup"],
    ),
    (
        "which takes the damaged profile's place",
        found_one(inspected(inspected(began(), known.DAMAGED), known.DAMAGED)),
        0.0,
        ["Tell restoring", "RestoreBackup backup-1"],
    ),
    (
        "without a backup a copy of the damaged one is kept before it is tried",
        found_nothing(inspected(inspected(began(), known.DAMAGED), known.DAMAGED)),
        0.0,
        ["CopyToQuarantine"],
    ),
    (
        "no profile: a backup",
        found_one(inspected(began(), known.MISSING)),
        0.0,
        ["Tell restoring", "RestoreBackup backup-1"],
    ),
    ("no profile, no backup: a code", found_nothing(inspected(began(), known.MISSING)), 0.0, ["BeginLinking"]),
    (
        "but not with --no-link",
        found_nothing(inspected(began(Options(no_link=True)), known.MISSING)),
        0.0,
        ["Shutdown BackupUnusable"],
    ),
    (
        "what an earlier run rejected gets one more try before a code",
        found_nothing(inspected(began(), known.REJECTED)),
        0.0,
        ["PrepareProfile"],
    ),
    (
        "a profile of a newer Chromium is left alone",
        inspected(began(), replace(known.GOOD, verdict="too_new", can_restore=False, refusal=TOO_NEW)),
        0.0,
        ["Shutdown BrowserTooOld"],
    ),
    (
        "so is one in a format that linda does not know",
        inspected(began(), replace(known.GOOD, verdict="unknown_format", can_restore=False, refusal=TOO_NEW)),
        0.0,
        ["Shutdown BrowserTooOld"],
    ),
    (
        "what could not be looked at is not absent",
        failed(began(), 0.0, do.Inspect(), Failed("permission denied", "ls -ld .")),
        0.0,
        ["Shutdown Failed"],
    ),
    (
        "what could not be looked for is not absent",
        failed(inspected(began(), known.MISSING), 0.0, do.FindBackup(), Failed("permission denied", "ls -ld .")),
        0.0,
        ["Shutdown Failed"],
    ),
    (
        "a backup that does not verify after all: the next",
        failed(
            found_one(inspected(began(), known.MISSING)),
            0.0,
            do.RestoreBackup("backup-1", "no login is in it"),
            BackupUnusable("a table is torn", "linda restore --list"),
        ),
        0.0,
        ["FindBackup"],
    ),
    ("ready", shows(on_the_profile(), known.READY, 1.0), 1.0, ["Arrive"]),
    ("ready under keys of other names", shows(on_the_profile(), known.RENAMED, 1.0), 1.0, ["Arrive"]),
    ("a page that loads says so once", shows(on_the_profile(), known.LOADING, 1.0), 1.0, ["Tell loading"]),
    ("a pane that is not connected is not ready", shows(on_the_profile(), known.OFFLINE, 1.0), 1.0, ["Wait"]),
    (
        "a code proves nothing at once",
        shows(shows(on_the_profile(), known.LOADING, 0.5), known.CODE, 1.0),
        5.9,
        ["Wait"],
    ),
    (
        "a code for five seconds after a document that had both keys is a rejection",
        shows(shows(on_the_profile(), known.LOADING, 0.5), known.CODE, 1.0),
        6.0,
        ["Tell rung_failed", "FailStep rejected", "CloseBrowser", "RecordRejection of bytes of the profile"],
    ),
    (
        "a code in a page that never held the login is looked at twice",
        shows(on_the_profile(), known.CODE, 1.0),
        6.0,
        ["CloseBrowser", "SecondLook vanished"],
    ),
    (
        "a code in a page of which nobody knows what the disk held waits half a minute",
        shows(on_the_profile(known.NO_KNOWN_KEYS), known.CODE, 1.0),
        30.9,
        ["Wait"],
    ),
    (
        "and is then no login",
        shows(on_the_profile(known.NO_KNOWN_KEYS), known.CODE, 1.0),
        31.0,
        ["Tell rung_failed", "FailStep no_login", "CloseBrowser"],
    ),
    ("a 401 with the keys in place is waited for", shows(on_the_profile(), known.REFUSED, 1.0), 2.9, ["Wait"]),
    ("then said", shows(on_the_profile(), known.REFUSED, 1.0), 3.0, ["Tell auth_failure"]),
    (
        "then tried with another browser",
        doing(shows(on_the_profile(), known.REFUSED, 1.0), 3.0, do.Tell("auth_failure")),
        31.0,
        ["CloseBrowser"],
    ),
    (
        "the address of a logout after a clean one condemns",
        shows(shows(on_the_profile(), known.READY, 1.0), known.LOGGED_OUT, 2.0),
        2.0,
        ["CloseBrowser", "RevokeLogin own"],
    ),
    (
        "with a reason its newest verified backup is asked first",
        shows(shows(on_the_profile(), known.READY, 1.0), replace(known.LOGGED_OUT, logout="3"), 2.0),
        2.0,
        ["Tell rung_failed", "FailStep suspected", "CloseBrowser", "BeginRestoration"],
    ),
    (
        "a storage that the page cannot open is seen twice",
        shows(on_the_profile(), known.FATAL, 1.0),
        1.0,
        ["CloseBrowser", "SecondLook client_fatal"],
    ),
    (
        "the second look is on a copy of the same bytes",
        doing(
            doing(shows(on_the_profile(), known.FATAL, 1.0), 1.0, do.CloseBrowser()), 1.0, do.SecondLook("client_fatal")
        ),
        1.0,
        ["RestoreBackup backup-0"],
    ),
    (
        "a browser that died is cleaned up after",
        after(on_the_profile(), seen.BrowserGone(1, at=2.0)),
        2.0,
        ["CloseBrowser"],
    ),
    ("two deaths: is it the machine?", dead_twice(on_the_profile()), 3.0, ["TryEmptyProfile"]),
    (
        "it is: nothing is moved",
        after(dead_twice(on_the_profile()), *did(do.TryEmptyProfile(3.0), 3.0, False)),
        3.0,
        ["Shutdown BrowserFailed"],
    ),
    (
        "it is not: the step has failed",
        after(dead_twice(on_the_profile()), *did(do.TryEmptyProfile(3.0), 3.0, True)),
        3.0,
        ["Tell rung_failed", "FailStep died"],
    ),
    (
        "there is no browser at all",
        failed(
            prepared(inspected(began(), known.GOOD)), 0.0, do.Launch(), BrowserMissing("no Chromium", "apt install")
        ),
        0.0,
        ["Shutdown BrowserMissing"],
    ),
    ("attached and ready", shows(attached(), known.READY, 1.0), 1.0, ["Arrive"]),
    (
        "attached to a browser that was logged out: the recorded login is judged",
        shows(attached(), replace(known.LOGGED_OUT, document=1), 1.0),
        1.0,
        ["CloseBrowser", "RevokeLogin own"],
    ),
    (
        "another account is looked at twice",
        shows(on_the_profile(), known.OTHER_READY, 1.0),
        5.9,
        ["Wait"],
    ),
    (
        "and is then moved out of the way",
        shows(on_the_profile(), known.OTHER_READY, 1.0),
        6.0,
        ["CloseBrowser", "Mismatch"],
    ),
    ("in an attached browser it is left", shows(attached(), known.OTHER_READY, 1.0), 6.0, ["Shutdown OtherAccount"]),
    ("a changed number is told", shows(on_the_profile(), known.MOVED_READY, 1.0), 1.0, ["Tell number_changed"]),
    (
        "and nothing else follows from it",
        doing(
            shows(on_the_profile(), known.MOVED_READY, 1.0),
            1.0,
            do.Tell("number_changed", {"from": "971505760056", "to": "971505760099"}),
        ),
        1.0,
        ["Arrive"],
    ),
    (
        "the time is over",
        doing(shows(on_the_profile(), known.OFFLINE, 1.0), 119.0, do.ProbeNetwork()),
        120.0,
        ["Tell rung_failed", "Shutdown Unreachable"],
    ),
    (
        "without a network that is the reason",
        after(shows(on_the_profile(), known.UNREACHABLE, 1.0), seen.NetworkSeen(False, "DNS lookup failed", at=2.0)),
        2.0,
        ["Tell waiting"],
    ),
    (
        "and nothing is loaded anew",
        doing(
            after(
                shows(on_the_profile(), known.UNREACHABLE, 1.0), seen.NetworkSeen(False, "DNS lookup failed", at=2.0)
            ),
            2.0,
            do.Tell("waiting", {"for": "network", "reason": "DNS lookup failed"}),
            do.ProbeNetwork(),
        ),
        3.9,
        ["Wait"],
    ),
    (
        "the network is back: the page is loaded",
        doing(
            after(
                shows(on_the_profile(), known.UNREACHABLE, 1.0),
                seen.NetworkSeen(False, "DNS lookup failed", at=2.0),
                seen.NetworkSeen(True, at=4.0),
            ),
            4.0,
            do.ProbeNetwork(),
            do.Tell("waiting", {"for": "page", "reason": "the browser could not load WhatsApp Web"}),
        ),
        4.0,
        ["Reload"],
    ),
    (
        "a step that failed without a proof moves nothing",
        found_one(failed_without_proof()),
        0.0,
        ["Shutdown Unreachable"],
    ),
    (
        "a failed backup step: the next",
        doing(
            shows(shows(on_a_backup(), known.LOADING, 0.5), known.CODE, 1.0),
            6.0,
            do.FailStep("rejected", "WhatsApp asked for a new linking"),
            do.CloseBrowser(),
            do.RecordRejection("bytes of backup-1"),
        ),
        6.0,
        ["Inspect"],
    ),
]


@pytest.mark.parametrize(("what", "know", "now", "expected"), ROWS, ids=[one[0].replace(" ", "_") for one in ROWS])
def test_what_is_done_next(what: str, know: Knowledge, now: float, expected: list[str]) -> None:
    assert row(know, now) == expected, what


def test_a_step_that_failed_without_a_proof_is_named_and_not_the_network() -> None:
    shutdown = decide(found_one(failed_without_proof()), 2.0)[0]
    assert isinstance(shutdown, do.Shutdown)
    assert shutdown.error is not None
    assert "the page crashed; the profile is as it was" in shutdown.error.message


def test_a_doubt_before_the_first_ready_leaves_that_ready_to_come() -> None:
    """Found by the walk: such a run told ``reconnected`` and never ``ready``, and ``--once`` never ended."""
    know = shows(shows(on_the_profile(), known.READY, 1.0), replace(known.LOGGED_OUT, logout="3"), 2.0)
    suspicion = do.Suspicion("own", "suspected", "3")
    know = doing(know, 2.0, do.FailStep("suspected", "logged out: 3"), do.CloseBrowser())
    know = inspected(doing(know, 2.0, do.BeginRestoration("3", suspicion)), known.MISSING, 2.0)
    know = after(know, *did(do.FindBackup(verified_of="own"), 2.0, known.FOUND))
    know = after(know, *did(do.RestoreBackup("backup-1", "no login is in it"), 2.0, seen.PutInPlace(None)))
    know = launched(prepared(inspected(know, known.GOOD, 2.0), 2.0), 2.0)
    assert row(shows(know, known.READY, 3.0), 3.0) == ["Arrive"]


def test_what_cannot_be_confirmed_leaves_the_other_backups_to_be_tried() -> None:
    """Found by the walk: no verified backup of the suspected login counted as none at all, and a code was shown."""
    suspicion = do.Suspicion("own", "suspected", "3")
    know = doing(known.ready(), 2.0, do.BeginRestoration("logged out: 3", suspicion), do.CloseBrowser())
    know = after(inspected(know, known.MISSING, 2.0), *did(do.FindBackup(verified_of="own"), 2.0, NOTHING_LEFT))
    assert row(know, 2.0) == ["FindBackup"]


def test_a_login_that_was_linked_after_the_one_in_doubt_is_opened_and_not_moved() -> None:
    """Found by the walk: the new login went to quarantine while the old one was being confirmed."""
    suspicion = do.Suspicion("own", "suspected", "3")
    know = doing(known.ready(), 2.0, do.BeginRestoration("logged out: 3", suspicion), do.CloseBrowser())
    assert row(inspected(know, replace(known.GOOD, login="new", noise="new's key"), 2.0), 2.0) == ["PrepareProfile"]


def test_a_confirmation_has_its_thirty_seconds_also_within_a_short_timeout() -> None:
    """Found by the walk: with ``--timeout 40`` a login that had vanished without an address was never told."""
    suspicion = do.Suspicion("own", "suspected", "")
    know = doing(
        known.ready(Options(timeout=40.0)), 2.0, do.BeginRestoration("logged out", suspicion), do.CloseBrowser()
    )
    know = after(inspected(know, known.MISSING, 2.0), *did(do.FindBackup(verified_of="own"), 2.0, known.FOUND))
    know = after(know, *did(do.RestoreBackup("backup-1", "no login is in it"), 2.0, seen.PutInPlace(None)))
    know = launched(prepared(inspected(know, known.GOOD, 2.0), 2.0), 2.0)
    know = shows(shows(know, known.LOADING, 3.0), known.CODE, 15.0)
    know = doing(know, 15.0, do.Tell("loading"))
    assert row(know, 44.9) == ["Wait"]
    assert row(know, 45.0) == ["CloseBrowser", "RevokeLogin own"]
