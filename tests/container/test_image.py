"""The Dockerfile, step by step, in a root of its own; and linda in it, made anew under another host's name."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needs
from tests.container.image import PROJECT, Image, base, build, stages
from tests.doctor.mending import needs_namespaces
from tests.linda import NUMBER

# Made from packages that are fetched and unpacked.
pytestmark = [pytest.mark.slow, needs("mmdebstrap"), needs_namespaces, pytest.mark.timeout(1200)]

LINDA = "linda --json"
QUIET = "export DEBIAN_FRONTEND=noninteractive"


class Container:
    """A container that runs: a PID namespace whose end is the end of all in it."""

    def __init__(self, image: Image, script: str, hostname: str) -> None:
        self.out = image.root.parent / f"{hostname}.out"
        with open(self.out, "w") as out:
            self.process = subprocess.Popen(
                image.script(script, hostname=hostname), stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def wait_for(self, text: str, within: float = 120) -> None:
        deadline = time.monotonic() + within
        while text not in self.out.read_text():
            assert time.monotonic() < deadline, (text, self.out.read_text()[-3000:])
            assert self.process.poll() is None, self.out.read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """``docker rm -f``: PID 1 is killed, and with it everything, before anything could be tidied."""
        (first,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGKILL)
        self.process.wait(20)

    def end(self) -> int:
        """``docker stop``: SIGTERM to PID 1."""
        (first,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        return self.process.wait(90)


def test_the_steps_of_the_dockerfile_make_an_image_in_which_linda_runs(tmp_path: Path) -> None:
    """One test, because the image is made once: it takes longer than everything that is done in it."""
    # Below /tmp of root's own, where the container's user could not come.
    for one in (tmp_path, *tmp_path.parents[:2]):
        one.chmod(0o755)
    first, second = stages(PROJECT / "Dockerfile")
    try:
        building = base(tmp_path / "build")
        subprocess.run(["cp", "-a", building.root, tmp_path / "final"], check=True)
        image = Image(tmp_path / "final")
        build(building, first)
        _the_doctor_installs_what_is_missing(image, building, second)
        build(image, second, building)
        _is_for_a_user(image)
        _holds_only_the_package(image)
        _chromiums_own_sandbox_works(image)
        _comes_back_without_a_code(image)
        _answers_its_own_health_check_and_stops_cleanly(image)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", tmp_path / "build", tmp_path / "final"], check=False)


def _doctor(image: Image) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(image.run("PATH=/opt/linda/bin:$PATH linda doctor --json --timeout 60").stdout)
    return told


def _the_doctor_installs_what_is_missing(image: Image, building: Image, steps: list[dict[str, Any]]) -> None:
    """By the commands that it prints, before Debian's packages are installed in the second stage."""
    build(image, [step for step in steps if "--from" in step["value"]], building)
    # The interpreter is Debian's too, and one of the packages that the stage installs.
    image.built(f"{QUIET}; apt-get update -q && apt-get install -qy --no-install-recommends python3 > /dev/null")
    commands = {one["topic"]: one["command"] for one in _doctor(image)["findings"]}
    for topic in ("browser", "driver", "fonts"):
        assert "apt-get install -y" in commands[topic]
        assert "sudo" not in commands[topic]
    for topic in ("browser", "fonts"):
        image.built(f"{QUIET}; {commands[topic]} > /tmp/said 2>&1 || cat /tmp/said")
    left = {one["topic"] for one in _doctor(image)["findings"]}
    assert left.isdisjoint({"browser", "driver", "fonts"})


def _is_for_a_user(image: Image) -> None:
    assert image.user == "10001:10001"
    assert image.entrypoint == ["linda"]
    assert image.stop_signal == "SIGTERM"
    assert image.volumes == ["/data"]
    done = image.run("id -u; linda --version; ls -ld /data; command -v chromium chromedriver")
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[0] == "10001"
    assert "drwx------" in done.stdout


def _holds_only_the_package(image: Image) -> None:
    found = image.run(
        "find / -xdev \\( -name chaos -o -name conftest.py -o -name .git \\) -not -path '*/dist-packages/*' "
        "-not -path '*/site-packages/*' 2> /dev/null"
    ).stdout
    assert found.split() == []


def _chromiums_own_sandbox_works(image: Image) -> None:
    told = _doctor(image)
    by = next(one["detail"] for one in told["checks"] if one["topic"] == "sandbox")
    assert by == "by user namespaces"
    assert "browser" not in {one["topic"] for one in told["findings"]}


def _comes_back_without_a_code(image: Image) -> None:
    """Killed with its whole container, and made anew under another host's name."""
    start = f"{LINDA} start --sandbox {NUMBER}"
    # linda is PID 1 of the first and of the second, as without an init.
    first = Container(image, f"exec {start}", "0123456789ab")
    try:
        first.wait_for('"event": "qr"')
        inside = Path(f"/proc/{first.process.pid}/task/{first.process.pid}/children").read_text().strip()
        user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"]
        environ = ["env", "HOME=/data", "LINDA_HOME=/data", f"PATH={image.environ['PATH']}"]
        scanned = subprocess.run(
            ["nsenter", "--target", inside, "--all", "--root", "--wd", *user, *environ, "linda", "sandbox", "scan"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert scanned.returncode == 0, (scanned, first.out.read_text()[-2000:])
        first.wait_for('"event": "saved"')
    finally:
        first.kill()
    profile = image.root / "data/.sandbox/sessions" / f"session-{NUMBER}"
    assert os.readlink(profile / "SingletonLock").startswith("0123456789ab-")

    second = Container(image, f"exec {start} --no-link", "ba9876543210")
    try:
        second.wait_for('"event": "ready"')
    finally:
        code = second.end()
    events = [json.loads(line) for line in second.out.read_text().splitlines() if line.startswith("{")]
    names = [one["event"] for one in events]
    assert code == 0, events[-3:]
    assert "qr" not in names
    assert next(one for one in events if one["event"] == "ready")["source"] == "profile"
    assert names[-1] == "stopped"
    assert not os.path.lexists(profile / "SingletonLock")


def _answers_its_own_health_check_and_stops_cleanly(image: Image) -> None:
    """The server, as the image runs it."""
    check = shlex.join(json.loads(image.healthcheck.partition("CMD ")[2]))
    served = shlex.join([*image.entrypoint, *image.command, "--sandbox"])
    # In a network of its own: the port is the image's. Secrets as compose.yaml gives them.
    script = (
        f"export JWT_SECRET=0123456789abcdef0123456789abcdef; {served} & server=$!\n"
        f"for second in $(seq 60); do {check} 2> /dev/null && break; sleep 1; done\n"
        f"{check} && echo healthy; kill -TERM $server; wait $server; echo ended $?"
    )
    command = image.script(script)
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", f"ip link set lo up; exec {shlex.join(command)}"],
        capture_output=True, text=True, check=False, timeout=180, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "healthy" in done.stdout, done
    assert "ended 0" in done.stdout, done
