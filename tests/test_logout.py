"""``linda logout``: unlinked by the page's own call, believed only on proof, and nothing offered that cannot work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from linda_cli.errors import BackupUnusable
from linda_cli.lifecycle.store import store_at
from linda_cli.sessions.home import Home, find_home
from tests.linda import NUMBER, Linda, World

pytestmark = pytest.mark.browser


def _logins(world: World) -> list[dict[str, object]]:
    told = world.linda.json("restore", NUMBER, "--list")["backups"]
    assert isinstance(told, list)
    return told


def _device(world: World) -> dict[str, object]:
    (device,) = world.phone.status()["devices"]
    return dict(device)


def test_a_session_nobody_runs_is_unlinked_by_a_browser_of_its_own_and_nothing_is_offered_afterwards(
    linked: World,
) -> None:
    linda = linked.linda
    done = Linda(linked.home).run("--json", "logout", NUMBER, "--yes", "--sandbox")
    assert done.code == 0, done
    assert done.json["unlinked"] is True
    assert done.json["revokedAt"]
    assert _device(linked)["removedAt"] is not None
    info = linda.info()
    assert (info["verdict"], info["canRestore"], info["state"]["lastState"]) == ("logged_out", False, "logged_out")
    assert {one["revokedAt"] for one in info["backups"]} == {done.json["revokedAt"]}
    assert {one["revokedAt"] for one in _logins(linked)} == {done.json["revokedAt"]}
    newest = info["backups"][0]["name"]
    for words in ([], ["--from", "latest"]):
        refused = linda.run("restore", NUMBER, *words)
        assert refused.code == 13
        assert str(done.json["revokedAt"]) in refused.err
    assert linda.run("restore", NUMBER, "--from", newest).code == 2, "a question without a terminal"
    assert linda.run("restore", NUMBER, "--from", newest, "--yes").code == 0
    # What a person brought back all the same is refused by WhatsApp itself, and unlinked it is.
    assert linda.run("logout", NUMBER, "--yes", **_to_the_sandbox(linked)).code == 0
    again = linda.run("logout", NUMBER, "--yes", **_to_the_sandbox(linked))
    assert (again.code, "was logged out before" in again.err) == (16, True)


def test_a_run_that_holds_the_session_is_asked_beside_it_and_does_what_follows_a_logout(linked: World) -> None:
    with linked.linda.start("--no-link") as run:
        run.wait_for("saved")
        done = linked.linda.run("--json", "logout", NUMBER, "--yes")
        assert done.code == 0, done
        assert run.wait_for("logged_out")["reason"] == "by you"
        assert run.end() == 16
    assert _device(linked)["removedAt"] is not None
    assert linked.linda.info()["verdict"] == "logged_out"


def test_a_kept_browser_is_taken_up_for_it(linked: World) -> None:
    with linked.linda.start("--once", "--keep-browser") as run:
        run.wait_for("stopped")
    done = linked.linda.run("logout", NUMBER, "--yes", **_to_the_sandbox(linked))
    assert done.code == 0, done
    assert _device(linked)["removedAt"] is not None
    assert linked.browsers() == []


@pytest.mark.parametrize("held", [True, False])
def test_without_the_proof_it_is_17_within_20_seconds_and_nothing_is_forgotten(
    linked: World, tmp_path: Path, held: bool
) -> None:
    # From the call on the page says nothing any more: the way to WhatsApp is slow, and the address does not come.
    linked.phone.set_timing(logout=300.0)
    before = linked.linda.info()["backups"]
    if held:
        with linked.linda.start("--no-link") as run:
            run.wait_for("saved")
            done = linked.linda.run("logout", NUMBER, "--yes", timeout=90)
            assert run.all("logged_out") == []
    else:
        done = linked.linda.run("logout", NUMBER, "--yes", timeout=120, **_to_the_sandbox(linked))
    assert done.code == 17, done
    assert "nothing was forgotten" in done.err
    assert done.err.splitlines()[-1] == f"  try: linda --home {linked.inner} logout {NUMBER} --local"
    after = linked.linda.info()
    assert after["state"]["linkAfter"] is None
    assert all(one["revokedAt"] is None for one in after["backups"])
    assert {one["name"] for one in before} & {one["name"] for one in after["backups"]}


def test_local_forgets_here_only_says_so_and_can_be_undone(linked: World) -> None:
    linda = linked.linda
    done = linda.run("logout", NUMBER, "--local", "--yes")
    assert done.code == 0, done
    assert "here only" in done.out
    assert _device(linked)["removedAt"] is None
    info = linda.info()
    assert (info["verdict"], info["canRestore"]) == ("logged_out", False)
    assert linda.run("restore", NUMBER).code == 13
    undo = done.out.split("undo: linda ", 1)[1].split()
    assert linda.run(*undo).code == 0
    assert linda.info()["verdict"] == "restorable"
    with linked.linda.start("--no-link", "--once") as run:
        run.wait_for("ready")
        run.wait_for("stopped")


def test_it_asks_first(linked: World) -> None:
    asked = linked.linda.run("logout", NUMBER)
    assert asked.code == 2
    assert "--yes" in asked.err
    assert linked.linda.info()["verdict"] == "restorable"


def test_logins_that_earlier_versions_condemned_have_the_moment_of_their_file(linked: World) -> None:
    home = linked.inner
    store = store_at(Home(home, home / "sessions"))
    login = store.info(NUMBER).backups[0].login
    told = {"version": 1, "number": NUMBER, "linkAfter": None, "reason": "logged_out", "condemned": [login]}
    store.home.forgotten(NUMBER).write_text(json.dumps(told))
    assert find_home(home).home.is_there()
    assert store.info(NUMBER).backups[0].revoked_at is not None
    with pytest.raises(BackupUnusable, match="was unlinked at"):
        store.restore(NUMBER, "latest")


def _to_the_sandbox(world: World) -> dict[str, str]:
    import shlex

    return {"LINDA_CHROME_ARGS": shlex.join(world.sandbox.chrome_args)}
