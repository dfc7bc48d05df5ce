"""What a tab has shown, as evidence: whose it is, how long it lasts, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linda_cli.lifecycle.evidence import LogoutSeen, PageEvidence
from linda_cli.whatsapp.status import PageReading
from tests.lifecycle import known

NEXT_DOCUMENT = replace(known.READY, document=2)
STRIPPED = replace(known.LOGGED_OUT, address_clean=True)


def after(*readings: PageReading, evidence: PageEvidence | None = None) -> PageEvidence:
    """The evidence after these, a second apart."""
    evidence = evidence or PageEvidence()
    for moment, reading in enumerate(readings, 1):
        evidence = evidence.after(reading, float(moment))
    return evidence


@pytest.mark.parametrize(
    ("what", "evidence", "expected"),
    [
        ("an address after a clean document of the login", after(known.READY, known.LOGGED_OUT), LogoutSeen("", 2)),
        ("with its reason", after(known.READY, replace(known.LOGGED_OUT, logout="3")), LogoutSeen("3", 2)),
        (
            "also where the page took it out again before it was looked at",
            after(known.READY, STRIPPED),
            LogoutSeen("", 2),
        ),
        ("none where no login was ever in place", after(replace(known.LOGGED_OUT, document=1)), None),
        ("none where the keys are in place", after(known.READY, replace(NEXT_DOCUMENT, logout="")), None),
        (
            "none that the tab came with",
            after(replace(known.READY, logout="", address_clean=False), known.VANISHING),
            None,
        ),
        (
            "none after a relink in the same tab, also where the address is stripped later",
            after(
                known.READY,
                known.LOGGED_OUT,
                replace(known.READY, document=2, logout="", login="new", address_clean=False),
                replace(known.VANISHING, document=2, logout=""),
            ),
            None,
        ),
        ("ready takes it back", after(known.READY, known.LOGGED_OUT, replace(known.RENAMED, document=3)), None),
    ],
)
def test_a_logout_is_an_address_that_came_after_the_login(
    what: str, evidence: PageEvidence, expected: LogoutSeen | None
) -> None:
    assert evidence.logout == expected, what


@pytest.mark.parametrize(
    ("what", "evidence", "login"),
    [
        ("the keys with which a document began", after(known.LOADING), "own"),
        ("one key is none", after(replace(known.LOADING, noise=False, login=None)), None),
        ("unread keys are none", after(replace(known.LOADING, wid=None, noise=None, login=None)), None),
        ("keys that come in a ready page: linked here", after(known.CODE, known.READY), "own"),
        ("a relink in the same tab", after(known.READY, replace(known.READY, login="new")), "new"),
        (
            "keys of other names: the recorded login once ready",
            after(known.RENAMED, evidence=PageEvidence(candidate="own")),
            "own",
        ),
        ("not before", after(known.VANISHING, evidence=PageEvidence(candidate="own")), None),
        (
            "an attached browser: the recorded login",
            after(known.CODE, evidence=PageEvidence().attached_to("own", "key")),
            "own",
        ),
    ],
)
def test_the_login_of_a_tab(what: str, evidence: PageEvidence, login: str | None) -> None:
    assert evidence.login == login, what


@pytest.mark.parametrize(
    "reading",
    [
        replace(known.CODE, wid=None),
        replace(known.CODE, noise=None),
        replace(known.CODE, wid=True),
        replace(known.CODE, pane=None),
        replace(known.CODE, pane=True),
        replace(known.CODE, socket="CONNECTED"),
        replace(known.VANISHING),
        known.READY,
    ],
)
def test_a_code_that_lasts_begins_anew_after_anything_else(reading: PageReading) -> None:
    assert after(known.CODE).unpaired_since == 1.0
    assert after(known.CODE, reading).unpaired_since is None
    assert after(known.CODE, reading, known.CODE).unpaired_since == 3.0


def test_databases_that_are_there_or_unread_are_not_gone() -> None:
    assert after(known.CODE).vanished_since == 1.0
    assert after(replace(known.CODE, stored=None)).vanished_since is None
    assert after(replace(known.CODE, stored=True)).vanished_since is None


def test_another_document_ends_what_lasts_and_keeps_whose_it_is() -> None:
    evidence = after(known.READY, known.CODE).new_document(2, 5.0, ours=False)
    assert (evidence.unpaired_since, evidence.ready_since, evidence.reading) == (None, None, None)
    assert (evidence.login, evidence.was_ready, evidence.documents) == ("own", True, 2)


def test_the_keys_of_another_account_are_timed_from_when_they_came() -> None:
    """Found by the walk: they were timed from when the page became ready."""
    evidence = after(known.READY, known.READY, known.OTHER_READY)
    assert (evidence.ready_since, evidence.number_since) == (1.0, 3.0)
    assert after(known.READY, known.OTHER_READY, known.READY).number_since == 3.0


def test_progress_is_a_change_of_percent_mode_or_document() -> None:
    more = replace(known.SYNCING, percent=11)
    assert after(known.SYNCING, known.SYNCING).progress_at == 1.0
    assert after(known.SYNCING, known.SYNCING, more).progress_at == 3.0
    assert after(known.SYNCING).new_document(2, 9.0, ours=False).progress_at == 9.0
