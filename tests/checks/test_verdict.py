"""The verdict follows the contract's order, and nothing but the checks and what is remembered decides it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from linda_cli.sessions.checks import Check, Look, newer
from linda_cli.sessions.login import Login
from linda_cli.sessions.verdict import Verdict, can_restore, verdict

LOGIN = Login("971505760056", 7, "971505760056:7@c.us", "0" * 64, False)
KEYS = ("folder", "default", "session", "browser", "storage")
WHOLE = Look(tuple(Check(key, True, "in order") for key in KEYS), LOGIN, True, None, False, False)  # type: ignore[arg-type]


def _with(key: str, ok: bool, repair: str | None = None) -> Look:
    return replace(
        WHOLE, checks=tuple(Check(one.key, ok, "", repair) if one.key == key else one for one in WHOLE.checks)
    )


def _word(look: Look, **known: bool) -> str:
    return verdict(look, **{"running": False, "cleared": False, "logged_out": False, "rejected": False, **known})


def test_the_first_that_applies_wins() -> None:
    order = ("running", "cleared", "logged_out", "too_new", "unknown_format", "missing", "damaged", "rejected")
    for given in product((False, True), repeat=len(order)):
        told = dict(zip(order, given, strict=True))
        look = _with("session", not told["damaged"])
        look = replace(look, too_new=told["too_new"], unknown_format=told["unknown_format"])
        if told["missing"]:
            look = replace(look, login=None, trace=False)
        first = next((word for word in order if told[word]), "restorable")
        if first == "running" and told["missing"] and not told["unknown_format"]:
            first = "linking"
        known = {word: told[word] for word in ("running", "cleared", "logged_out", "rejected")}
        assert _word(look, **known) == first


@pytest.mark.parametrize("key", KEYS)
def test_what_can_be_mended_is_no_damage(key: str) -> None:
    for ok in (False, True):
        assert _word(_with(key, ok, "mend it")) == "repairable"


@pytest.mark.parametrize("key", ["folder", "default", "session", "storage"])
def test_what_cannot_be_mended_is(key: str) -> None:
    assert _word(_with(key, False)) == "damaged"


def test_a_stranger_on_the_profile_does_not_damage_the_login() -> None:
    assert _word(_with("browser", False)) == "restorable"


def test_three_words_let_a_start_come_back() -> None:
    assert [word for word in get_args(Verdict) if can_restore(word)] == ["running", "repairable", "restorable"]


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [
        ("156.0.8078.79", "156.0.8078.79", False),
        ("156.0.8078.80", "156.0.8078.79", True),
        ("157", "156.0.8078.79", True),
        ("99.0.1.1", "156.0.8078.79", False),
        (None, "156.0.8078.79", False),
        ("157", None, False),
        ("garbage", "156", False),
    ],
)
def test_versions_compare_as_numbers(version: str | None, than: str | None, expected: bool) -> None:
    assert newer(version, than) is expected
