"""Whose a login is, in the state and in each backup."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linda_cli.lifecycle.store import store_at
from linda_cli.sessions import backups
from linda_cli.sessions.home import Home
from linda_cli.sessions.ownership import LOCAL, login_owner, set_owner
from tests.linda import NUMBER, World


@pytest.mark.parametrize(
    ("entry", "owner"),
    [
        ({}, None),
        ({"lastState": "qr", "owner": "bob"}, None),
        ({"isLinked": True}, LOCAL),
        ({"isLinked": True, "owner": "alice"}, "alice"),
        ({"isLinked": False, "linkedAt": "2026-01-01T00:00:00.000Z", "owner": "alice"}, "alice"),
        ({"backupCount": 1}, LOCAL),
        ({"lastState": "authenticated", "owner": "alice"}, "alice"),
        ({"isLinked": True, "owner": 7}, LOCAL),
    ],
)
def test_a_login_belongs_to_whoever_linked_it_and_a_code_that_nobody_scanned_makes_none(
    entry: dict[str, Any], owner: str | None
) -> None:
    assert login_owner(entry) == owner


def test_what_happened_before_a_change_of_owner_is_not_the_new_owners() -> None:
    entry: dict[str, Any] = {}
    set_owner(entry, None)
    assert "ownedSince" not in entry
    set_owner(entry, "alice")
    since = entry["ownedSince"]
    set_owner(entry, "alice")
    assert (entry["owner"], entry["ownedSince"]) == ("alice", since)


def test_owner_is_in_state_and_backup_and_outlives_the_state_file(linked: World) -> None:
    home = Home(linked.inner, linked.inner / "sessions")
    store = store_at(home)
    assert store.state.entry(NUMBER)["owner"] == LOCAL
    newest = home.stamped("backup", NUMBER)[0]
    backups.change(home, newest, owner="alice")
    assert json.loads((home.at(newest) / "backup.json").read_text())["owner"] == "alice"
    home.state_file.unlink()
    assert login_owner(store_at(home).state.entry(NUMBER)) == "alice"


def test_a_backup_of_another_owner_is_not_restored_by_itself_and_brings_its_owner_when_named(linked: World) -> None:
    home = Home(linked.inner, linked.inner / "sessions")
    store = store_at(home)
    newest = home.stamped("backup", NUMBER)[0]
    for one in home.stamped("backup", NUMBER):
        backups.change(home, one, owner="alice")
    assert {wrong for _, wrong in store.climbable(NUMBER, 3)} == {"of another owner"}
    assert linked.linda.run("restore", NUMBER).code == 13
    assert linked.linda.run("restore", NUMBER, "--from", newest.name).code == 0
    assert store.state.entry(NUMBER)["owner"] == "alice"
