"""The contract's table of proofs, row by row: what each needs, and that less is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options
from linda_cli.lifecycle.proofs import Proof
from tests.lifecycle import known
from tests.lifecycle.known import after, inspected, on_the_profile, ready, shows

TAKEOVER = Options(takeover=True)
GONE_FOR_GOOD = shows(ready(), known.CODE, 2.0)


def logged_out(**more: object) -> Knowledge:
    """Ready, then the address of a logout, changed in something."""
    return shows(ready(), replace(known.LOGGED_OUT, **more), 2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("proof", "what", "know", "now", "holds"),
    [
        (proofs.CONDEMN, "the address, no reason, no keys", logged_out(), 2.0, True),
        (proofs.CONDEMN, "one key is there", logged_out(wid=True), 2.0, False),
        (proofs.CONDEMN, "a key is unread", logged_out(noise=None), 2.0, False),
        (proofs.CONDEMN, "a reason", logged_out(logout="3"), 2.0, False),
        (proofs.CONDEMN, "connected", logged_out(socket="CONNECTED"), 2.0, False),
        (proofs.CONDEMN, "a pane", logged_out(pane=True), 2.0, False),
        (proofs.CONDEMN, "another browser", after(logged_out(), seen.BrowserGone(1, at=3.0)), 3.0, False),
        (proofs.SUSPECT_BY_REASON, "a reason", logged_out(logout="3"), 2.0, True),
        (proofs.SUSPECT_BY_REASON, "reason 0", logged_out(logout="0"), 2.0, False),
        (proofs.SUSPECT_BY_REASON, "none", logged_out(), 2.0, False),
        (proofs.SUSPECT_BY_ABSENCE, "half a minute", GONE_FOR_GOOD, 32.0, True),
        (proofs.SUSPECT_BY_ABSENCE, "less", GONE_FOR_GOOD, 31.9, False),
        (proofs.SUSPECT_BY_ABSENCE, "databases", shows(ready(), replace(known.CODE, stored=True), 2.0), 90.0, False),
        (proofs.SUSPECT_BY_ABSENCE, "unread ones", shows(ready(), replace(known.CODE, stored=None), 2.0), 90.0, False),
        (proofs.SUSPECT_BY_ABSENCE, "no code", shows(ready(), known.VANISHING, 2.0), 90.0, False),
        (
            proofs.REJECT,
            "both keys, then a code",
            shows(shows(on_the_profile(), known.LOADING, 1.0), known.CODE, 2.0),
            7.0,
            True,
        ),
        (
            proofs.REJECT,
            "less than 5 s",
            shows(shows(on_the_profile(), known.LOADING, 1.0), known.CODE, 2.0),
            6.9,
            False,
        ),
        (proofs.REJECT, "the keys in place", shows(on_the_profile(), known.REFUSED, 1.0), 90.0, False),
        (proofs.REJECT, "never a key", shows(on_the_profile(), known.CODE, 1.0), 90.0, False),
        (
            proofs.REJECT,
            "keys of another login",
            shows(shows(on_the_profile(), replace(known.LOADING, login="new"), 1.0), known.CODE, 2.0),
            90.0,
            False,
        ),
        (proofs.FATAL, "reason 0", shows(on_the_profile(), known.FATAL, 1.0), 1.0, True),
        (proofs.FATAL, "ready", shows(on_the_profile(), known.READY, 1.0), 1.0, False),
        (proofs.PRESS_COMPUTER, "--takeover", shows(ready(TAKEOVER), known.CONFLICT, 2.0), 2.0, True),
        (proofs.PRESS_COMPUTER, "not given", shows(ready(), known.CONFLICT, 2.0), 2.0, False),
        (
            proofs.PRESS_COMPUTER,
            "two dialogs",
            shows(ready(TAKEOVER), replace(known.CONFLICT, popups=2), 2.0),
            2.0,
            False,
        ),
        (
            proofs.PRESS_COMPUTER,
            "no dialog",
            shows(ready(TAKEOVER), replace(known.CONFLICT, popups=0), 2.0),
            2.0,
            False,
        ),
        (proofs.PRESS_WINDOW, "a lock of this browser", shows(ready(), known.WINDOW, 2.0), 2.0, True),
        (proofs.PRESS_WINDOW, "no other tab", shows(ready(), replace(known.WINDOW, other_tabs=0), 2.0), 2.0, False),
        (proofs.PRESS_WINDOW, "a pane", shows(ready(), replace(known.WINDOW, pane=True), 2.0), 2.0, False),
        (
            proofs.PRESS_WINDOW,
            "a pane that is unread",
            shows(ready(), replace(known.WINDOW, pane=None), 2.0),
            2.0,
            False,
        ),
        (proofs.PRESS_WINDOW, "connected", shows(ready(), replace(known.WINDOW, socket="CONNECTED"), 2.0), 2.0, False),
        (proofs.PRESS_WINDOW, "in conflict", shows(ready(), replace(known.WINDOW, mode="CONFLICT"), 2.0), 2.0, False),
        (
            proofs.PRESS_WINDOW,
            "an unread connection",
            shows(ready(), replace(known.WINDOW, socket=None), 2.0),
            2.0,
            False,
        ),
        (proofs.PRESS_WINDOW, "a code", shows(ready(), replace(known.WINDOW, ref="code 1"), 2.0), 2.0, False),
        (proofs.OTHER_ACCOUNT, "for 5 s", shows(ready(), known.OTHER_READY, 2.0), 7.0, True),
        (proofs.OTHER_ACCOUNT, "less", shows(ready(), known.OTHER_READY, 2.0), 6.9, False),
        (proofs.OTHER_ACCOUNT, "the same device", shows(ready(), known.MOVED_READY, 2.0), 90.0, False),
        (proofs.OTHER_ACCOUNT, "one key", shows(ready(), replace(known.OTHER_READY, noise=False), 2.0), 90.0, False),
        (
            proofs.OTHER_ACCOUNT,
            "ready by its looks",
            shows(ready(), replace(known.OTHER_READY, socket=None, mode=None), 2.0),
            90.0,
            False,
        ),
        (proofs.NUMBER_CHANGED, "the same device", shows(ready(), known.MOVED_READY, 2.0), 2.0, True),
        (proofs.NUMBER_CHANGED, "another device", shows(ready(), known.OTHER_READY, 2.0), 2.0, False),
    ],
)
def test_a_proof_holds_with_all_of_it_and_not_with_less(
    proof: Proof, what: str, know: Knowledge, now: float, holds: bool
) -> None:
    assert proof.holds(know, now) is holds, what


@pytest.mark.parametrize(
    ("what", "know", "proof"),
    [
        ("nothing of a login is on the disk", inspected(known.began(), known.MISSING), "no login is in it"),
        ("something of the page is", inspected(known.began(), replace(known.NO_KNOWN_KEYS, keyless=True)), None),
        ("damage that was read once", inspected(known.began(), known.DAMAGED), None),
        ("and twice", inspected(inspected(known.began(), known.DAMAGED), known.DAMAGED), "damaged"),
        (
            "and once more sound in between",
            inspected(inspected(inspected(known.began(), known.DAMAGED), known.GOOD), known.DAMAGED),
            None,
        ),
        ("cleared", inspected(known.began(), replace(known.GOOD, verdict="cleared")), "forgotten"),
        ("rejected by an earlier run", inspected(known.began(), known.REJECTED), "rejected before"),
        ("sound", inspected(known.began(), known.GOOD), None),
        ("not looked at", known.began(), None),
        (
            "what a page showed in a browser that ran before is judged by a fresh one",
            inspected(
                known.doing(
                    after(
                        inspected(known.began(), known.RUNNING),
                        *known.did(do.Attach(), 0.0, seen.BrowserUp(1, "127.0.0.1:1")),
                    ),
                    1.0,
                    do.FailStep("suspected", "logged out: 3"),
                    do.CloseBrowser(),
                ),
                known.GOOD,
            ),
            None,
        ),
    ],
)
def test_a_profile_gives_way_by_proof_only(what: str, know: Knowledge, proof: str | None) -> None:
    assert proofs.may_replace(know, 0.0) == proof, what
