"""The fence as a process: real PostgreSQL, a real frozen Chromium, signals; times of a tenth of the real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from linda_cli.errors import Failed, Unavailable
from linda_cli.fleet import claims
from linda_cli.fleet.claims import Claim, Holder
from linda_cli.fleet.enclosure import (
    Cgroups,
    EnclosureKind,
    PidNamespace,
    cgroup_root,
    choose,
    first_process,
    namespace_command,
    usable_cgroups,
)
from linda_cli.fleet.fence_client import Claimed, Held, find_fence, start_fence
from linda_cli.sessions.home import Home
from tests.fleet.fences import alive, fence, frozen, start_chromium
from tests.linda import NUMBER

TENTH = {"lease": 3.0, "renew_every": 0.5, "margin": 0.5, "grace": 6.0}
BETA = Holder("beta", "b1")


def until(holds: Callable[[], object], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def address(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture(autouse=True)
def _registered(postgres: Engine) -> None:
    with Session(postgres) as session, session.begin():
        claims.register(session, NUMBER, is_linked=True)


def by_another(engine: Engine) -> object:
    with Session(engine) as session, session.begin():
        return claims.claim(session, NUMBER, BETA, steady=True, lease=30)


@pytest.mark.parametrize(
    ("mounts", "own", "root"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0", "0::/", "/sys/fs/cgroup/linda-fence-a"),
        ("x /u cgroup2 rw 0 0", "4:memory:/m\n0::/system.slice/l.service", "/u/system.slice/l.service/linda-fence-a"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0", "1:cpu:/", None),
        ("", "", None),
    ],
)  # fmt: skip
def test_where_cgroups_are_made(mounts: str, own: str, root: str | None) -> None:
    assert cgroup_root(mounts, own, "a") == (Path(root) if root else None)


@pytest.mark.browser
def test_a_frozen_chromium_in_a_cgroup_is_gone_with_all_its_children(tmp_path: Path) -> None:
    cgroups = usable_cgroups(f"test-{os.getpid()}")
    if cgroups is None:
        pytest.skip("no cgroup2 that may be written here")
    child = start_chromium(tmp_path / "session", cgroups.enclose(NUMBER))
    everyone = frozen(child)
    assert len(everyone) > 3
    began = time.monotonic()
    assert cgroups.kill(NUMBER)
    assert time.monotonic() - began < 2
    assert alive(everyone) == []
    child.wait(5)
    cgroups.close()
    assert not cgroups.root.exists()


@pytest.mark.browser
def test_a_frozen_chromium_in_a_pid_namespace_is_gone_with_the_namespace(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from tests.fleet.fences import start_chromium\n"
        "start_chromium(Path(sys.argv[1]), None); print('up', flush=True); input()"
    )
    repository = str(Path(__file__).parents[2])
    command = namespace_command([sys.executable, "-c", script, str(tmp_path / "session"), repository])
    if command is None:
        pytest.skip("no pid namespace may be made here")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outside:
        assert outside.stdout is not None
        assert outside.stdout.readline() == b"up\n"
        first = first_process(outside.pid)
        assert first is not None
        everyone = frozen(outside)[1:]
        outside.send_signal(signal.SIGCONT)
        assert len(everyone) > 4
        assert PidNamespace(first).kill_all()
        until(lambda: alive(everyone) == [])


def test_a_namespace_ends_with_whoever_made_it(tmp_path: Path) -> None:
    command = namespace_command(["sleep", "300"])
    if command is None:
        pytest.skip("no pid namespace may be made here")
    words = f"import subprocess, time; p = subprocess.Popen({command!r}); print(p.pid, flush=True); time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE) as made_it:
        assert made_it.stdout is not None
        unshare = int(made_it.stdout.readline())
        until(lambda: first_process(unshare))
        inside = first_process(unshare)
        made_it.kill()
        until(lambda: not Path(f"/proc/{inside}").exists())


def test_this_host_can_end_its_browsers_one_way_or_the_other() -> None:
    assert choose(f"choice-{os.getpid()}") is not EnclosureKind.NONE


def test_a_claim_is_renewed_for_as_long_as_the_fence_runs_and_released_at_its_end(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        got = one.client.claim(NUMBER)
        assert got == Claimed(NUMBER, 1, "", adopted=False)
        # The member asks again: the browser is its own and goes on under the same epoch.
        assert one.client.claim(NUMBER) == Claimed(NUMBER, 1, "alpha", adopted=True)
        time.sleep(TENTH["lease"] + 1)
        assert not isinstance(by_another(postgres), Claim)
        assert one.fenced == []
        assert one.client.state()["steady"]
        with pytest.raises(Failed, match="another fence has this home"):
            start_fence(one.settings)
    assert by_another(postgres) == Claim(NUMBER, 2, "alpha")
    assert find_fence(home.root) is None


@pytest.mark.browser
def test_a_released_number_is_free_at_once_and_nothing_of_its_browser_is_left(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        one.client.claim(NUMBER)
        child = start_chromium(home.sessions / f"session-{NUMBER}", one.client.enclose(NUMBER))
        everyone = frozen(child)
        assert one.client.release(NUMBER, 1)
        assert alive(everyone) == []
        child.wait(5)
        with pytest.raises(Unavailable, match="is not claimed"):
            one.client.enclose(NUMBER)
        assert by_another(postgres) == Claim(NUMBER, 2, "alpha")
        held = one.client.claim(NUMBER)
        assert isinstance(held, Held)
        assert held.host == "beta"


@pytest.mark.browser
def test_a_database_that_is_away_longer_than_the_lease_ends_the_browser_before_the_lease_is_over(
    postgres: Engine, home: Home
) -> None:
    # The fence reaches the database through a relay that is cut; the test looks at it directly.
    from tests.fleet.relay import Relay

    with Relay(postgres) as relay, fence(relay.url, home, **TENTH) as one:
        one.client.claim(NUMBER)
        child = start_chromium(home.sessions / f"session-{NUMBER}", one.client.enclose(NUMBER))
        everyone = frozen(child)
        relay.cut()
        until(lambda: one.fenced)
        gone_at = time.time()
        assert alive(everyone) == []
        with postgres.connect() as connection:
            lease_until = connection.exec_driver_sql("SELECT lease_until FROM fleet_numbers").scalar_one()
        assert gone_at < lease_until
        child.wait(5)
        assert not isinstance(by_another(postgres), Claim)
        relay.heal()
        # The database is back: its own number is its own at once, under a new epoch.
        until(lambda: one.client.state()["problem"] is None)
        assert one.client.claim(NUMBER) == Claimed(NUMBER, 2, "alpha", adopted=False)


@pytest.mark.browser
def test_a_fence_that_was_frozen_ends_the_browser_first_when_it_wakes(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        one.client.claim(NUMBER)
        child = start_chromium(home.sessions / f"session-{NUMBER}", one.client.enclose(NUMBER))
        everyone = [*frozen(child)]
        for process in one.processes:
            process.suspend()
        time.sleep(TENTH["lease"] + 0.3)
        assert by_another(postgres) == Claim(NUMBER, 2, "alpha")
        woken = time.monotonic()
        for process in (*one.processes, *everyone):
            process.resume()
        until(lambda: alive(everyone) == [])
        assert time.monotonic() - woken < 2
        child.wait(5)
        until(lambda: one.fenced)
        assert not one.client.release(NUMBER, 1)


def test_a_claim_that_was_taken_away_ends_its_browser_with_the_next_renewal(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        one.client.claim(NUMBER)
        with postgres.begin() as connection:
            connection.exec_driver_sql("UPDATE fleet_numbers SET epoch = 7, host = 'beta', incarnation = 'b1'")
        until(lambda: one.fenced)
        assert (one.fenced[0].number, one.fenced[0].epoch, one.fenced[0].ended) == (NUMBER, 1, True)


@pytest.mark.browser
def test_a_fence_that_is_killed_takes_the_browsers_with_it(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        one.client.claim(NUMBER)
        child = start_chromium(home.sessions / f"session-{NUMBER}", one.client.enclose(NUMBER))
        everyone = frozen(child)
        one.child.kill()
        one.child.wait(5)
        until(lambda: alive(everyone) == [])
        child.wait(5)
        until(lambda: one.gone)


@pytest.mark.browser
def test_the_fence_outlives_its_member_for_the_grace_and_then_lets_everything_go(postgres: Engine, home: Home) -> None:
    with fence(address(postgres), home, **TENTH) as one:
        one.client.claim(NUMBER)
        child = start_chromium(home.sessions / f"session-{NUMBER}", one.client.enclose(NUMBER))
        one.client.detach()
        time.sleep(TENTH["lease"] + 1)
        # A member that comes back adopts what runs, same epoch, no restart.
        again = one.connect()
        assert again.claim(NUMBER) == Claimed(NUMBER, 1, "alpha", adopted=True)
        assert child.poll() is None
        one.child.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert child.poll() is None, "the member closes browsers; the fence leaves them to it"
        again.detach()
        assert one.child.wait(TENTH["grace"] + 10) == 0
        child.wait(5)
        assert by_another(postgres) == Claim(NUMBER, 2, "alpha")
        assert isinstance(one.cgroups, Cgroups | None)
