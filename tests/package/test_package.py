"""The wheel and the source archive: what is in them, and that they run in a clean environment on each Python here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement

from tests.linda import NUMBER

PROJECT = Path(__file__).parents[2]
LARGEST = 1_500_000
"""Bytes of the wheel: swagger-ui alone is 1.5 MB before it is packed."""


def pythons() -> list[Path]:
    """The newest of each minor version from 3.11 on that this machine has."""
    beside = Path(sys.base_prefix).parent.glob("3.*/bin/python3")
    named = [Path(one) for minor in range(11, 16) if (one := shutil.which(f"python3.{minor}"))]
    found: dict[tuple[int, int], Path] = {}
    for one in [Path(sys.executable), *sorted(beside), *named, Path("/usr/bin/python3")]:
        if not one.is_file():
            continue
        asked = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
        done = subprocess.run([one, "-c", asked], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            major, minor = map(int, done.stdout.split())
            if (major, minor) >= (3, 11):
                found.setdefault((major, minor), one)
    return [found[version] for version in sorted(found)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(wheel, source archive), the wheel made from the archive as publishers do."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (PROJECT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(source)], check=True, capture_output=True
    )
    (wheel,) = (folder / "dist").glob("*.whl")
    (archive,) = (folder / "dist").glob("*.tar.gz")
    return wheel, archive


class TestContents:
    def test_everything_of_the_package_is_in_both_and_nothing_else(self, built: tuple[Path, Path]) -> None:
        tracked = subprocess.run(
            ["git", "ls-files", "linda_cli"], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        ours = {name for name in tracked.stdout.splitlines() if (PROJECT / name).is_file()}
        with zipfile.ZipFile(built[0]) as wheel:
            packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert packed == ours
        with tarfile.open(built[1]) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert ours <= names
        # A source archive holds what a wheel is made from; tests and attacks stay in the repository.
        assert not {name for name in names if name.startswith(("chaos", "benchmarks"))}

    def test_the_wheel_is_small_and_has_every_licence(self, built: tuple[Path, Path]) -> None:
        assert built[0].stat().st_size < LARGEST
        with zipfile.ZipFile(built[0]) as wheel:
            licences = {Path(name).name for name in wheel.namelist() if "/licenses/" in name}
        assert {"LICENSE", "THIRD-PARTY-NOTICES.md", "socket.io-client.LICENSE", "swagger-ui.LICENSE"} <= licences


def _needed(name: str, extras: tuple[str, ...], found: dict[str, str]) -> None:
    """The licences of what is installed with linda, by name."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        there = distribution(name)
    except PackageNotFoundError:
        return
    if key in found and not extras:
        return
    told = there.metadata.get_all("Classifier") or []
    listed = [one.rpartition("::")[2].strip() for one in told if one.startswith("License")]
    found[key] = there.metadata.get("License-Expression") or ", ".join(listed) or there.metadata.get("License") or "?"
    for line in there.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            _needed(requirement.name, tuple(requirement.extras), found)


class TestNotices:
    def test_each_package_that_is_installed_with_linda_is_named_beside_its_licence(self) -> None:
        found: dict[str, str] = {}
        _needed("linda-cli", ("server",), found)
        del found["linda-cli"]
        rows = [
            line.split("|") for line in (PROJECT / "THIRD-PARTY-NOTICES.md").read_text().splitlines() if "|" in line
        ]
        named = {
            re.sub(r"[-_.]+", "-", name.strip(" *").partition(":")[0]).lower(): row[1].replace("*", "")
            for row in rows
            if len(row) > 3
            for name in row[2].split(",")
        }
        missing = {name: licence for name, licence in found.items() if name not in named}
        assert missing == {}
        strict = {
            name: licence for name, licence in found.items() if re.search(r"GPL|General Public|MPL|Mozilla", licence)
        }
        for name, licence in strict.items():
            wanted = "LGPL" if "LGPL" in licence else "MPL" if "M" in licence.split("(")[0][:8] else "GPL"
            assert wanted in named[name], (name, licence)

    def test_the_gpl_is_imported_in_one_place_and_only_for_its_engine(self) -> None:
        using = {
            path.relative_to(PROJECT).as_posix()
            for path in (PROJECT / "linda_cli").rglob("*.py")
            if re.search(r"^\s*(from|import) undetected_chromedriver", path.read_text(), re.MULTILINE)
        }
        assert using == {"linda_cli/browser/undetected.py"}


class Installed:
    """A clean environment with linda in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.run(
            [self.folder / "bin" / "linda", "--home", str(self.folder / "home"), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=environ,
        )


@pytest.fixture(scope="module", params=pythons(), ids=lambda one: str(one.parent.parent.name))
def installed(
    request: pytest.FixtureRequest, built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The wheel on the first and last Python, the source archive on those between, with what the server needs."""
    python: Path = request.param
    every = pythons()
    package = built[0] if python in (every[0], every[-1]) else built[1]
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
    done = subprocess.run(
        [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "-c",
            PROJECT / "constraints.txt",
            f"{package}[server]",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    yield Installed(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.browser
class TestInstalled:
    def test_it_links_a_session_comes_back_and_serves(self, installed: Installed) -> None:
        assert installed.run("--version").stdout.startswith("linda ")
        start = [
            installed.folder / "bin" / "linda",
            "--home",
            installed.folder / "home",
            "--json",
            "start",
            "--sandbox",
        ]
        linking = subprocess.Popen(
            [*start, NUMBER, "--once"],
            stdout=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=installed.folder,
        )
        try:
            assert linking.stdout is not None
            events = []
            for line in linking.stdout:
                events.append(json.loads(line)["event"])
                if events[-1] == "qr":
                    assert installed.run("sandbox", "scan").returncode == 0
            assert linking.wait(60) == 0, events
        finally:
            for process in psutil.Process(linking.pid).children(recursive=True) if linking.poll() is None else ():
                process.kill()
            linking.kill()
            linking.wait(10)
        assert "saved" in events
        for engine in ("selenium", "undetected"):
            again = installed.run("--json", "start", "--sandbox", NUMBER, "--once", "--no-link", "--engine", engine)
            assert again.returncode == 0, (engine, again.stdout[-2000:], again.stderr[-2000:])
        served = subprocess.Popen(
            [installed.folder / "bin" / "linda", "--home", installed.folder / "other", "serve", "--port", "0"],
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, cwd=installed.folder,
        )  # fmt: skip
        assert served.stderr is not None
        deadline = time.monotonic() + 60
        line = ""
        while "http://127.0.0.1:" not in line and time.monotonic() < deadline:
            line = served.stderr.readline()
        served.terminate()
        assert served.wait(60) == 0
        served.stderr.close()
        assert "http://127.0.0.1:" in line

    def test_its_public_names_are_typed_and_can_be_imported(self, installed: Installed) -> None:
        asked = "import linda_cli; print(linda_cli.Store, linda_cli.start)"
        python = installed.folder / "bin" / "python"
        done = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        assert list(installed.folder.rglob("linda_cli/py.typed"))

    def test_without_the_gpl_package_all_but_its_engine_works(self, installed: Installed) -> None:
        pip = [installed.folder / "bin" / "python", "-m", "pip", "uninstall", "-qy", "undetected-chromedriver"]
        subprocess.run(pip, check=True, capture_output=True)
        done = installed.run("--json", "start", "--sandbox", NUMBER, "--once", "--no-link")
        assert done.returncode == 0, done.stdout[-2000:]
        done = installed.run("--json", "start", "--sandbox", NUMBER, "--once", "--no-link", "--engine", "undetected")
        last = json.loads(done.stdout.splitlines()[-1])
        assert (done.returncode, last["event"]) == (14, "error")
        assert "undetected-chromedriver" in last["message"] + last["hint"]
