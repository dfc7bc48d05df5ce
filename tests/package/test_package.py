"""The wheel and the source archive: what is in them, and that they run in a clean environment on each Python here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement

from tests.linda import NUMBER

PROJECT = Path(__file__).parents[2]
LARGEST = 1_500_000
"""Bytes of the wheel: 1.07 million were measured, of which swagger-ui is half."""


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
        _needed("linda-cli", ("notify", "server"), found)
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

    def __init__(self, folder: Path, python: Path, package: Path) -> None:
        self.folder = folder
        subprocess.run([python, "-m", "venv", folder], check=True, capture_output=True)
        words = ["-m", "pip", "install", "-q", "-c", PROJECT / "constraints.txt", f"{package}[server]"]
        self.python(*words)

    def python(self, *words: object) -> str:
        done = subprocess.run(
            [self.folder / "bin" / "python", *map(str, words)],
            capture_output=True, text=True, check=False, timeout=300, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """``linda`` with these words; what it says on both streams is one."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return subprocess.Popen(
            [self.folder / "bin" / "linda", "--home", str(self.folder / "home"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=environ,
        )

    def run(self, *words: str, timeout: float = 120) -> tuple[int, str]:
        """The exit code, and all that was said."""
        process = self.begin(*words)
        try:
            said, _ = process.communicate(timeout=timeout)
        finally:
            _end(process)
        return process.returncode, said

    def driven(self, engine: str) -> str:
        """Come back from Python and ask the driver: the command line alone starts none."""
        return self.python("-I", "-c", _DRIVEN, self.folder / "home", engine)


_DRIVEN = f"""
import sys
import linda_cli
from linda_cli.errors import BrowserFailed
with linda_cli.start("{NUMBER}", home=sys.argv[1], sandbox=True, no_link=True, engine=sys.argv[2]) as session:
    try:
        print("driven:", session.driver.current_url)
    except BrowserFailed as problem:
        print("failed:", problem.message, problem.hint)
"""


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait(10)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("python", pythons(), ids=lambda one: str(one.parent.parent.name))
def test_it_links_comes_back_and_serves_on_each_python(python: Path, built: tuple[Path, Path], tmp_path: Path) -> None:
    """The wheel on the first and the last Python, the source archive on those between; all with the server."""
    every = pythons()
    outer = python in (every[0], every[-1])
    there = Installed(tmp_path / "venv", python, built[0] if outer else built[1])
    assert there.run("--version")[1].startswith("linda ")
    # Not from the folder that the tests run in.
    assert "Store" in there.python("-I", "-c", "import linda_cli; print(linda_cli.Store, linda_cli.start)")
    assert list(there.folder.rglob("linda_cli/py.typed"))
    _links(there)
    # distutils, which it imports, is no part of Python 3.12 and newer.
    assert "driven: https://web.whatsapp.com" in there.driven("undetected")
    _serves(there)
    if python == every[-1]:
        _works_without_the_gpl_package(there)


def _links(there: Installed) -> None:
    linking = there.begin("--json", "start", "--sandbox", NUMBER, "--once")
    events = []
    try:
        assert linking.stdout is not None
        for line in linking.stdout:
            events.append(json.loads(line)["event"] if line.startswith("{") else line)
            if events[-1] == "qr":
                assert there.run("sandbox", "scan")[0] == 0
        assert linking.wait(60) == 0, events
    finally:
        _end(linking)
    assert "saved" in events


def _serves(there: Installed) -> None:
    served = there.begin("--home", str(there.folder / "other"), "serve", "--port", "0")
    try:
        assert served.stdout is not None
        said = ""
        while "http://127.0.0.1:" not in said and (line := served.stdout.readline()):
            said += line
        assert "http://127.0.0.1:" in said
        served.terminate()
        assert served.wait(60) == 0
    finally:
        _end(served)


def _works_without_the_gpl_package(there: Installed) -> None:
    there.python("-m", "pip", "uninstall", "-qy", "undetected-chromedriver")
    for patched in there.folder.rglob("undetected-*-*"):
        patched.unlink()
    assert "pip install setuptools undetected-chromedriver" in there.driven("undetected")
    assert "driven: https://web.whatsapp.com" in there.driven("selenium")
