"""The Dockerfile, step by step, in a root of its own; and linda in it, made anew under another host's name."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needs
from tests.container.image import PROJECT, Image, base, build, stages
from tests.doctor.mending import needs_namespaces
from tests.linda import NUMBER

pytestmark = [pytest.mark.slow, needs("mmdebstrap"), needs_namespaces, pytest.mark.xdist_group("container")]

LINDA = "linda --json"


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Image, Image]]:
    """The base image twice, as the two stages begin."""
    folder = tmp_path_factory.mktemp("container")
    # Below /tmp of root's own, where the container's user could not come.
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    first = base(folder / "build")
    subprocess.run(["cp", "-a", first.root, folder / "final"], check=True)
    yield first, Image(folder / "final")
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=False)


@pytest.fixture(scope="module")
def bare(roots: tuple[Image, Image]) -> Image:
    """The second stage after the first one's linda was copied, and before Debian's packages were installed."""
    building, final = roots
    first, second = stages(PROJECT / "Dockerfile")
    build(building, first)
    (packages, *rest) = second
    assert "chromium" in packages["value"]
    final.steps.append("packages wait")
    copied = [step for step in rest if "--from" in step["value"]]
    build(final, copied, building)
    # The interpreter is Debian's, and one of the packages that the stage installs.
    final.built("apt-get update -q && apt-get install -qy --no-install-recommends python3 ca-certificates > /dev/null")
    return final


@pytest.fixture(scope="module")
def mended(bare: Image) -> dict[str, Any]:
    """What the doctor says without the browser; the commands that it prints are run; and what it says then."""
    path = "PATH=/opt/linda/bin:$PATH"
    before = bare.run(f"{path} linda doctor --json --timeout 60").stdout
    commands = {one["topic"]: one["command"] for one in json.loads(before)["findings"]}
    said = {}
    for topic in ("browser", "fonts"):
        said[topic] = bare.built(
            f"export DEBIAN_FRONTEND=noninteractive; {commands[topic]} > /tmp/said 2>&1 || cat /tmp/said"
        )
    after = bare.run(f"{path} linda doctor --json --timeout 60").stdout
    return {"before": json.loads(before), "after": json.loads(after), "commands": commands, "said": said}


@pytest.fixture(scope="module")
def image(bare: Image, mended: dict[str, Any], roots: tuple[Image, Image]) -> Image:
    """The image as its Dockerfile ends."""
    assert mended
    _, second = stages(PROJECT / "Dockerfile")
    build(bare, second, roots[0])
    return bare


@pytest.mark.parametrize("topic", ["browser", "driver", "fonts"])
def test_the_doctor_installs_what_is_missing_by_the_commands_it_prints(mended: dict[str, Any], topic: str) -> None:
    def found(when: str) -> list[dict[str, Any]]:
        return [one for one in mended[when]["findings"] if one["topic"] == topic]

    assert found("before")
    assert "apt-get install -y" in mended["commands"][topic]
    assert "sudo" not in mended["commands"][topic]
    assert found("after") == [], mended["said"]


def test_every_step_ran_and_the_image_is_for_a_user(image: Image) -> None:
    assert image.user == "10001:10001"
    assert image.entrypoint == ["linda"]
    assert image.stop_signal == "SIGTERM"
    assert image.volumes == ["/data"]
    done = image.run("id -u; linda --version; ls -ld /data; python --version; command -v chromium chromedriver")
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[0] == "10001"
    assert "drwx------" in done.stdout


def test_nothing_of_the_project_but_the_package_is_in_it(image: Image) -> None:
    found = image.run(
        "find / -xdev \\( -name chaos -o -name conftest.py -o -name .git \\) -not -path '*/dist-packages/*' "
        "-not -path '*/site-packages/*' 2> /dev/null"
    ).stdout
    assert found.split() == []


def test_chromiums_own_sandbox_works_in_it_for_its_user(image: Image) -> None:
    told = json.loads(image.run("linda doctor --json --timeout 60").stdout)
    wrong = {one["topic"]: one["message"] for one in told["findings"]}
    # There is no network here.
    assert set(wrong) <= {"network"}, wrong
    by = next(one["detail"] for one in told["checks"] if one["topic"] == "sandbox")
    assert by == "by user namespaces"


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


def test_a_container_made_anew_under_another_name_comes_back_without_a_code(image: Image) -> None:
    start = f"{LINDA} start --sandbox {NUMBER}"
    # linda is PID 1 of the first and of the second, as without an init.
    first = Container(image, f"exec {start}", "0123456789ab")
    try:
        first.wait_for('"event": "qr"')
        inside = Path(f"/proc/{first.process.pid}/task/{first.process.pid}/children").read_text().strip()
        user = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups"]
        environ = ["env", "HOME=/data", "LINDA_HOME=/data", f"PATH={image.environ['PATH']}"]
        scanned = subprocess.run(
            ["nsenter", "--target", inside, "--all", "--wd=/data", *user, *environ, "linda", "sandbox", "scan"],
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


def test_the_server_answers_its_own_health_check_and_stops_cleanly(image: Image) -> None:
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
