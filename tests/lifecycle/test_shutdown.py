"""The way out, as a table: what is known in, what is done next out."""

from __future__ import annotations

import pytest

from linda_cli.errors import Failed, Unreachable
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options
from tests.lifecycle import known
from tests.lifecycle.known import after, began, doing, failed, on_the_profile, ready, row

BY_YOU = seen.StopAsked("stopped by you", at=2.0)
LEFT = seen.StopAsked("stopped by you", True, at=2.0)
LATE = Unreachable("WhatsApp Web could not be reached", "curl -I https://web.whatsapp.com")


def stopped(know: Knowledge, stop: seen.StopAsked = BY_YOU) -> Knowledge:
    """A stop was heard at 2."""
    return doing(after(know, stop), 2.0, do.Shutdown())


def closed(know: Knowledge) -> Knowledge:
    """The browser has gone."""
    return doing(know, 3.0, do.CloseBrowser())


ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("a stop is heard at once", after(ready(), BY_YOU), 2.0, ["Shutdown"]),
    ("also before anything", after(began(), BY_YOU), 2.0, ["Shutdown"]),
    (
        "--once that has not saved was interrupted",
        after(began(Options(once=True)), BY_YOU),
        2.0,
        ["Shutdown Interrupted"],
    ),
    ("the browser is closed", stopped(ready()), 2.0, ["CloseBrowser"]),
    ("a bot ends before it", stopped(after(ready(), seen.BotSeen(True, at=1.0))), 2.0, ["EndBot"]),
    ("then a cold backup", closed(stopped(ready())), 3.0, ["BackUp"]),
    ("none of what was never ready", closed(stopped(on_the_profile())), 3.0, ["TidyProfile"]),
    (
        "one that fails is tried once",
        failed(closed(stopped(ready())), 3.0, do.BackUp("stop"), Failed("disk full", "df")),
        3.0,
        ["TidyProfile"],
    ),
    ("then the folder", doing(closed(stopped(ready())), 3.0, do.BackUp("stop")), 3.0, ["TidyProfile"]),
    ("then the state", doing(closed(stopped(ready())), 3.0, do.BackUp("stop"), do.TidyProfile()), 3.0, ["Note"]),
    (
        "then it is told",
        doing(closed(stopped(ready())), 3.0, do.BackUp("stop"), do.TidyProfile(), do.Note({})),
        3.0,
        ["Tell stopped"],
    ),
    (
        "then it ends",
        doing(closed(stopped(ready())), 3.0, do.BackUp("stop"), do.TidyProfile(), do.Note({}), do.Tell("stopped")),
        3.0,
        ["End"],
    ),
    (
        "an error is the last word instead of stopped",
        doing(began(), 2.0, do.Shutdown(LATE), do.TidyProfile(), do.Note({})),
        2.0,
        ["End Unreachable"],
    ),
    ("a browser that is kept is let go of", stopped(ready(), LEFT), 2.0, ["CloseBrowser"]),
    ("and nothing is backed up or moved under it", closed(stopped(ready(), LEFT)), 3.0, ["Note"]),
    ("what is under way is waited for", after(stopped(ready()), seen.Begun(do.CloseBrowser(), at=2.0)), 3.0, ["Wait"]),
    ("but not for ever", after(stopped(ready()), seen.Begun(do.CloseBrowser(), at=2.0)), 122.0, ["Note"]),
    ("over is over", doing(began(), 2.0, do.End()), 2.0, ["End"]),
]


@pytest.mark.parametrize(("what", "know", "now", "expected"), ROWS, ids=[one[0].replace(" ", "_") for one in ROWS])
def test_what_is_done_next(what: str, know: Knowledge, now: float, expected: list[str]) -> None:
    assert row(know, now) == expected, what


def test_a_kept_browser_is_not_closed() -> None:
    assert decide(stopped(ready(), LEFT), 2.0) == (do.CloseBrowser(kept=True),)


def test_the_last_thing_known_of_a_session_that_was_ready_is_that_it_was_stopped() -> None:
    know = doing(closed(stopped(ready())), 3.0, do.BackUp("stop"), do.TidyProfile())
    assert decide(know, 3.0) == (do.Note({"lastStopReason": "stopped by you", "lastState": "stopped"}),)


def test_a_second_stop_changes_nothing() -> None:
    know = after(ready(), BY_YOU)
    assert after(know, seen.StopAsked("again", at=3.0)) == know


def test_a_run_without_a_login_leaves_what_was_known_of_it() -> None:
    know = doing(closed(stopped(known.linking())), 3.0, do.TidyProfile())
    assert decide(know, 3.0) == (do.Note({"lastStopReason": "stopped by you"}),)
