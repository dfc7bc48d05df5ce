"""A ``SingletonLock`` of another host: a leftover where that host's run is silent, and hands off where it is not."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.linda import NUMBER, World

HOST = "otherhost"
MENDED = "the lock of a browser that is gone was removed"


def locked_by_another_host(world: World, heard_of: float | None) -> None:
    """As a container leaves it; ``heard_of``: seconds since its run last said that it is there, None for no run."""
    (world.profile / "SingletonLock").symlink_to(f"{HOST}-1234")
    if heard_of is not None:
        told = {"pid": 1234, "command": "linda start", "run": True, "host": HOST, "bootId": "another boot"}
        lock = world.inner / "sessions" / f".run-{NUMBER}.lock"
        lock.write_text(json.dumps({**told, "beat": time.time() - heard_of}))


@pytest.mark.parametrize("heard_of", [None, 61.0], ids=["no run", "not heard of for a minute"])
def test_a_container_made_anew_under_another_name_starts_and_says_what_it_mended(
    linked: World, heard_of: float | None
) -> None:
    """Chromium itself would exit with 21, and ChromeDriver would not even say why."""
    locked_by_another_host(linked, heard_of)
    assert linked.linda.info()["verdict"] == "repairable"
    with linked.linda.start(NUMBER, "--once") as run:
        assert run.end() == 0
    assert MENDED in [one["what"] for one in run.all("repaired")]
    assert run.wait_for("ready")["source"] == "profile"
    assert run.all("qr") == []
    assert linked.linda.info()["verdict"] == "restorable"


def test_a_second_host_that_lives_is_left_alone(linked: World) -> None:
    locked_by_another_host(linked, heard_of=20.0)
    before = sorted(one.name for one in linked.cache.iterdir())
    with linked.linda.start(NUMBER, "--once") as run:
        assert run.end() == 11
    assert run.last["event"] == "error"
    assert HOST in run.last["message"]
    assert linked.linda.run("stop", NUMBER).code == 11
    assert linked.linda.run("restore", NUMBER).code == 11
    assert os.readlink(linked.profile / "SingletonLock") == f"{HOST}-1234"
    assert sorted(one.name for one in linked.cache.iterdir()) == before
    assert linked.browsers() == []
