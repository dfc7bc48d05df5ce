"""Uploads to an object store, as a table: what is known in, what is done next out."""

from __future__ import annotations

import pytest

from linda_cli.errors import ObjectStoreUnavailable
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.lifecycle.options import Options
from linda_cli.object_store.settings import RemoteSettings
from tests.lifecycle.known import after, doing, failed, ready, word

WITH = Options(remote=RemoteSettings("s3://bucket/linda", ("age1example",)))
AWAY = ObjectStoreUnavailable("s3://bucket/linda cannot be used", "linda backup --all")
UPLOAD = do.Upload(1800.0)
LAST = do.Upload(30.0)
BY_YOU = seen.StopAsked("stopped by you", at=2.0)


def saved(options: Options = WITH) -> Knowledge:
    """``saved`` was told at 1."""
    return doing(ready(options), 1.0, do.BackUp("interval"))


def begun(know: Knowledge, at: float, action: do.Action) -> Knowledge:
    """It is under way."""
    return after(know, seen.Begun(action, at=at))


def closed(know: Knowledge) -> Knowledge:
    """Stopped at 2; at 3 the browser has gone and a cold backup was taken."""
    return doing(after(know, BY_YOU), 3.0, do.Shutdown(), do.CloseBrowser(), do.BackUp("stop"))


ROWS: list[tuple[str, Knowledge, float, list[str]]] = [
    ("nothing was saved yet", ready(WITH, saved=False), 1.0, ["Save"]),
    ("saved says what is here already, which an earlier run may not have brought up", ready(WITH), 1.0, ["Upload"]),
    ("what was saved goes up", saved(), 1.0, ["Upload"]),
    ("not without a store", saved(Options()), 1.0, ["Wait"]),
    ("one at a time", begun(saved(), 1.0, UPLOAD), 1.5, ["Wait"]),
    ("what came meanwhile comes next", doing(begun(saved(), 1.0, UPLOAD), 2.0, do.BackUp("interval")), 2.0, ["Wait"]),
    ("then all is up", doing(saved(), 1.0, UPLOAD), 1.0, ["Wait"]),
    ("a store that is away is left alone for a while", failed(saved(), 1.0, UPLOAD, AWAY), 5.9, ["Wait"]),
    ("then asked again", failed(saved(), 1.0, UPLOAD, AWAY), 7.0, ["Upload troubled"]),
    ("and later each time", failed(failed(saved(), 1.0, UPLOAD, AWAY), 7.0, UPLOAD, AWAY), 16.9, ["CheckPulse"]),
    ("the last backup goes up too", closed(doing(saved(), 1.0, UPLOAD)), 3.0, ["Upload"]),
    ("then the way out goes on", doing(closed(saved()), 4.0, LAST), 4.0, ["TidyProfile"]),
    ("at the end there is one try", failed(closed(saved()), 4.0, LAST, AWAY), 4.0, ["TidyProfile"]),
    ("also after trouble", closed(failed(saved(), 1.0, UPLOAD, AWAY)), 3.0, ["Upload troubled"]),
    ("one under way is waited for", begun(closed(saved()), 4.0, LAST), 5.0, ["Wait"]),
    ("and not for ever", begun(closed(saved()), 4.0, LAST), 63.0, ["TidyProfile"]),
    ("no end waits for a store where there is none", closed(saved(Options())), 3.0, ["TidyProfile"]),
]


@pytest.mark.parametrize("one", ROWS, ids=[one[0] for one in ROWS])
def test_uploads(one: tuple[str, Knowledge, float, list[str]]) -> None:
    _, know, now, wanted = one
    said = [
        f"{word(action)}{' troubled' if isinstance(action, do.Upload) and action.troubled else ''}"
        for action in decide(know, now)
    ]
    assert said == wanted
