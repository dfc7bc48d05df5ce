"""A linking, as a table: what is known in, what is done next out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linda_cli.errors import BrowserFailed, BrowserMissing
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import LinkMethod, Options
from linda_cli.whatsapp.status import PageStatus
from tests.lifecycle import known
from tests.lifecycle.known import after, began, did, doing, failed, linking, row, shows
from tests.lifecycle.page_model import NUMBER

QR_LOADING = replace(known.CODE, status=PageStatus.QR_LOADING, ref=None)
EXPIRED = replace(known.CODE, status=PageStatus.QR_EXPIRED, socket="UNPAIRED_IDLE")
PAIRING = replace(known.CODE, status=PageStatus.PAIRING_CODE, ref=None, code="ABCDEFGH")
PASSKEY = replace(known.CODE, status=PageStatus.PASSKEY, ref=None)
UNSUPPORTED = replace(known.CODE, status=PageStatus.UNSUPPORTED, ref=None)
BY_CODE = Options(link_with=LinkMethod.CODE)
DIED = BrowserFailed("it died while it started", "linda start --verbose")


def told(know: Knowledge, at: float = 1.0, code: str = "code 1") -> Knowledge:
    """A code was told."""
    return doing(know, at, do.Tell("qr", {"qr": code, "attempt": 1, "expiresIn": 60}))


def linked(number: str | None = NUMBER) -> Knowledge:
    """A phone took the code at 5."""
    know = shows(told(shows(linking(number=number), known.CODE, 1.0)), known.SYNCING, 5.0)
    return doing(know, 5.0, do.Tell("authenticated"))


ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("a browser is started", doing(began(), 0.0, do.BeginLinking()), 0.0, ["Launch"]),
    (
        "a profile that is in the way makes room, whole",
        replace(
            doing(began(), 0.0, do.BeginLinking()),
            linking=replace(doing(began(), 0.0, do.BeginLinking()).linking, displaced="rejected"),
        ),
        0.0,
        ["Quarantine"],
    ),
    ("a code is told", shows(linking(), known.CODE, 1.0), 1.0, ["Tell qr"]),
    ("once", told(shows(linking(), known.CODE, 1.0)), 2.0, ["Wait"]),
    (
        "a changed code is a new one",
        shows(told(shows(linking(), known.CODE, 1.0)), replace(known.CODE, ref="code 2"), 61.0),
        61.0,
        ["Tell qr"],
    ),
    ("no code yet", shows(linking(), QR_LOADING, 1.0), 1.0, ["Wait"]),
    (
        "expired codes are renewed",
        shows(told(shows(linking(), known.CODE, 1.0)), EXPIRED, 160.0),
        160.0,
        ["Press NEW_CODES"],
    ),
    (
        "not twice within two seconds",
        doing(shows(told(shows(linking(), known.CODE, 1.0)), EXPIRED, 160.0), 160.0, do.Press(do.Target.NEW_CODES)),
        161.9,
        ["Wait"],
    ),
    ("nothing ends while a person has a code", told(shows(linking(), known.CODE, 1.0)), 1000.0, ["Wait"]),
    (
        "but with --qr-timeout",
        told(shows(linking(Options(qr_timeout=300.0)), known.CODE, 1.0)),
        300.0,
        ["Shutdown NotLinkedInTime"],
    ),
    ("a pairing code is asked for", shows(linking(BY_CODE), known.CODE, 1.0), 1.0, ["Press PAIRING_CODE"]),
    (
        "again where it is not shown within its time",
        after(shows(linking(BY_CODE), known.CODE, 1.0), *did(do.Press(do.Target.PAIRING_CODE), 1.0, True)),
        31.0,
        ["Press PAIRING_CODE"],
    ),
    (
        "not before",
        after(shows(linking(BY_CODE), known.CODE, 1.0), *did(do.Press(do.Target.PAIRING_CODE), 1.0, True)),
        30.9,
        ["Wait"],
    ),
    ("and told", shows(linking(BY_CODE), PAIRING, 2.0), 2.0, ["Tell pairing_code"]),
    ("a passkey is told", shows(linking(), PASSKEY, 1.0), 1.0, ["Tell passkey_required"]),
    (
        "and cannot be given headless",
        doing(shows(linking(), PASSKEY, 1.0), 1.0, do.Tell("passkey_required")),
        1.0,
        ["Shutdown PasskeyRequired"],
    ),
    (
        "with --headful it is waited for",
        doing(shows(linking(Options(headful=True)), PASSKEY, 1.0), 1.0, do.Tell("passkey_required")),
        1.0,
        ["Wait"],
    ),
    ("both keys: linked", shows(linking(), known.SYNCING, 5.0), 5.0, ["Tell authenticated", "Note"]),
    ("how far it syncs", linked(), 5.0, ["Tell syncing"]),
    ("ready", shows(linked(), known.READY, 9.0), 9.0, ["Arrive"]),
    ("the number is learnt before that", shows(linking(number=None), known.SYNCING, 5.0), 5.0, ["LearnNumber"]),
    ("another number is looked at twice", shows(linked(), known.OTHER_READY, 9.0), 13.9, ["Wait"]),
    ("and its profile is moved", shows(linked(), known.OTHER_READY, 9.0), 14.0, ["CloseBrowser", "Mismatch"]),
    (
        "a dialog over a code is left alone, also beside another tab",
        told(shows(linking(), replace(known.CODE, popups=1, other_tabs=1), 1.0)),
        2.0,
        ["Wait"],
    ),
    ("an unsupported browser is named", shows(linking(), UNSUPPORTED, 1.0), 6.0, ["Shutdown Unreachable"]),
    ("a storage that cannot be opened is named", shows(linking(), known.FATAL, 1.0), 6.0, ["Shutdown Unreachable"]),
    ("a refusal of what was just linked is named", shows(linked(), known.REFUSED, 6.0), 36.0, ["Shutdown Unreachable"]),
    (
        "a browser that died is cleaned up after",
        after(told(shows(linking(), known.CODE, 1.0)), seen.BrowserGone(1, at=40.0)),
        40.0,
        ["CloseBrowser"],
    ),
    (
        "and followed by another, with another code",
        doing(after(told(shows(linking(), known.CODE, 1.0)), seen.BrowserGone(1, at=40.0)), 40.0, do.CloseBrowser()),
        40.0,
        ["Launch"],
    ),
    (
        "two that do not start end it",
        failed(failed(doing(began(), 0.0, do.BeginLinking()), 0.0, do.Launch(), DIED), 1.0, do.Launch(), DIED),
        1.0,
        ["Shutdown BrowserFailed"],
    ),
    (
        "one that is not there ends it at once",
        failed(doing(began(), 0.0, do.BeginLinking()), 0.0, do.Launch(), BrowserMissing("no Chromium", "apt install")),
        0.0,
        ["Shutdown BrowserMissing"],
    ),
    (
        "a page that does not come ends it at the timeout",
        doing(linking(), 119.0, do.ProbeNetwork()),
        120.0,
        ["Shutdown Unreachable"],
    ),
]


@pytest.mark.parametrize(("what", "know", "now", "expected"), ROWS, ids=[one[0].replace(" ", "_") for one in ROWS])
def test_what_is_done_next(what: str, know: Knowledge, now: float, expected: list[str]) -> None:
    assert row(know, now) == expected, what


def test_the_time_of_a_person_ends_with_the_browser_of_the_code() -> None:
    """Found by the walk: after the browser's death the timeout stood still until the next page came."""
    know = told(shows(linking(), known.CODE, 1.0))
    assert know.linking.held_since == 1.0
    gone = after(know, seen.BrowserGone(1, at=41.0))
    assert (gone.linking.held_since, gone.linking.held) == (None, 40.0)
