"""A run with an object store, in a real Chromium: uploaded, away, caught up, and restored where nothing is left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.linda import NUMBER, World
from tests.object_store import places


def test_from_saved_to_another_machine_without_a_code(
    linked: World, make_world: Callable[..., World], tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One story: the store is away at first, told, caught up; at the end the last backup is there; then the machine is
    gone, and a new one comes up from the store."""
    monkeypatch.setenv("LINDA_REMOTE_IDENTITY", str(key))
    port = places.free_port()
    served = tmp_path / "served"
    (served / "bucket").mkdir(parents=True)
    for name, value in places.environ(port).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LINDA_REMOTE", "s3://bucket/linda")
    command = places.rclone_command(served, port)

    with linked.linda.start(NUMBER) as run:
        run.wait_for("saved")
        assert "cannot be used" in run.wait_for("upload_failed")["reason"]
        with places.served(command, port, tmp_path / "rclone.log"):
            caught_up = run.wait_for("uploaded")
            assert caught_up["backups"]
            run.stop()
            run.wait_for("stopped")
            names = [one["event"] for one in run.events]
            assert names.count("upload_failed") == 1
            # What the end of the run saved is there before the end is told.
            assert names[-1] == "stopped"
            newest = linked.linda.info()["backups"][0]["name"]
            assert linked.linda.info()["state"]["uploaded"] == newest

    # A new machine: WhatsApp knows the device, and nothing of the home is there.
    linked.end()
    other = tmp_path / "other"
    shutil.copytree(linked.home / ".sandbox" / "stand-in", other / ".sandbox" / "stand-in")
    new = make_world(other)
    with new.linda.start(NUMBER) as run:
        # Whether the store has a backup is unknown: no code follows from that.
        assert run.wait_for("error")["name"] == "ObjectStoreUnavailable"
        assert "qr" not in [one["event"] for one in run.events]
    with places.served(command, port, tmp_path / "again.log"), new.linda.start(NUMBER, "--no-link") as run:
        restoring = run.wait_for("restoring")
        assert restoring["backup"] == newest
        assert restoring["ageSeconds"] >= 0
        ready = run.wait_for("ready")
        assert (ready["source"], ready["isRestored"]) == ("backup", True)
        assert "qr" not in [one["event"] for one in run.events]
        run.stop()
        run.wait_for("stopped")
