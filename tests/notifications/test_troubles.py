"""Which troubles are told, once, and once when they are over: a table, without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from linda_cli.notifications.troubles import ENOUGH, LONG_OUTAGE, NEARLY_FULL, NOT_READY, Look, Notice, Troubles

N = "971505760056"
OTHER = "971505760057"
PLENTY = 10 * ENOUGH


Moment = tuple[float, str, Mapping[str, Any]]


def play(
    *moments: tuple[float, str, Mapping[str, Any]], start: Troubles | None = None
) -> tuple[Troubles, list[Notice]]:
    """Events of one session, each at its second; ``look`` is a look at the home."""
    state, told = start or Troubles(), []
    for now, name, facts in moments:
        if name == "look":
            state, more = state.seen(Look(facts.get("free", PLENTY), facts.get("last", {})), now)
        else:
            state, more = state.after(name, facts.get("session", N), facts, now)
        told += more
    return state, told


def kinds(told: list[Notice]) -> list[str]:
    """``+`` where a trouble begins, ``-`` where it ends."""
    return [f"{'-' if one.over else '+'}{one.kind}" for one in told]


LONG = LONG_OUTAGE + 1


@pytest.mark.parametrize(
    ("moments", "told"),
    [
        ([(0, "logged_out", {"reason": "by the phone"})], ["+logged_out"]),
        ([(0, "logged_out", {}), (5, "error", {"name": "LoggedOut"})], ["+logged_out"]),
        ([(0, "logged_out", {}), (9, "ready", {})], ["+logged_out", "-logged_out"]),
        ([(0, "passkey_required", {})], ["+cannot_link"]),
        ([(0, "passkey_required", {}), (1, "error", {"name": "PasskeyRequired"})], ["+cannot_link"]),
        ([(0, "error", {"name": "NotLinkedInTime"}), (50, "ready", {})], ["+cannot_link", "-cannot_link"]),
        ([(0, "disconnected", {}), (LONG - 60, "look", {})], []),
        ([(0, "disconnected", {}), (60, "reconnected", {}), (LONG, "look", {})], []),
        ([(0, "disconnected", {}), (LONG, "look", {}), (LONG + 60, "look", {})], ["+outage"]),
        ([(0, "disconnected", {}), (LONG, "look", {}), (LONG + 5, "reconnected", {})], ["+outage", "-outage"]),
        ([(0, "waiting", {"for": "network"}), (300, "waiting", {"for": "page"}), (LONG, "look", {})], ["+outage"]),
        ([(0, "disconnected", {}), (10, "stopped", {}), (LONG, "look", {})], []),
        ([(0, "error", {"name": "Unreachable", "retryIn": 5}), (LONG, "look", {})], ["+outage"]),
        ([(0, "error", {"name": "BrowserFailed"})], ["+failed"]),
        ([(0, "error", {"name": "Misused"})], []),
        ([(0, "error", {"name": "Interrupted"})], []),
        ([(0, "look", {"free": NEARLY_FULL - 1}), (30, "look", {"free": 0})], ["+disk_nearly_full"]),
        ([(0, "look", {"free": NEARLY_FULL - 1}), (30, "look", {"free": NEARLY_FULL + 1})], ["+disk_nearly_full"]),
        ([(0, "look", {"free": 0}), (30, "look", {"free": PLENTY})], ["+disk_nearly_full", "-disk_nearly_full"]),
        ([(0, "look", {"free": None})], []),
        ([(0, "backup_failed", {"reason": "no space"}), (60, "backup_failed", {})], ["+backup_failing"]),
        ([(0, "backup_failed", {}), (60, "backed_up", {})], ["+backup_failing", "-backup_failing"]),
        ([(NOT_READY - 1, "look", {"last": {N: 0.0}})], []),
        ([(NOT_READY, "look", {"last": {N: 0.0}}), (NOT_READY + 86400, "look", {"last": {N: 0.0}})], ["+not_ready"]),
        ([(0, "ready", {}), (NOT_READY, "look", {"last": {N: 0.0}})], []),
        ([(NOT_READY, "look", {"last": {N: 0.0}}), (NOT_READY + 9, "ready", {})], ["+not_ready", "-not_ready"]),
        ([(0, "qr", {}), (1, "syncing", {}), (2, "conflict", {}), (3, "backed_up", {})], []),
    ],
)  # fmt: skip
def test_each_trouble_is_told_once_and_once_when_it_is_over(moments: list[Moment], told: list[str]) -> None:
    assert kinds(play(*moments)[1]) == told


def test_the_same_trouble_of_another_session_is_another_trouble() -> None:
    _, told = play((0, "logged_out", {}), (1, "logged_out", {"session": OTHER}), (2, "ready", {"session": OTHER}))
    assert [(one.session, one.over) for one in told] == [(N, False), (OTHER, False), (OTHER, True)]


def test_what_was_told_before_a_restart_of_linda_is_not_told_again() -> None:
    before, _ = play((0, "logged_out", {}))
    _, told = play((100, "error", {"name": "LoggedOut"}), (200, "ready", {}), start=Troubles(told=before.told))
    assert kinds(told) == ["-logged_out"]


def test_the_end_says_how_long_it_was() -> None:
    _, told = play((0, "disconnected", {}), (LONG, "look", {}), (3 * 3600, "reconnected", {}))
    assert told[1].message == "over after 3 hours"
    assert told[0].since == told[1].since == 0
