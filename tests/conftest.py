"""Homes, stand-ins and lindas for the tests; and the guard that keeps all of them out of the real home."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tests.linda
from linda_cli.sandbox.server import Sandbox, Timing
from tests.linda import Linda, World

_OURS = ("LINDA_", "SESSION_PATH")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --engine undetected tests/test_ladder.py``: the browser tests on the other engine."""
    parser.addoption("--engine", choices=["selenium", "undetected"], help="for every linda start that names none")


def pytest_configure(config: pytest.Config) -> None:
    engine = config.getoption("--engine")
    tests.linda.ENGINE[:] = ["--engine", engine] if engine else []
    # A shell's background job starts with these ignored, every program below it too: linda leaves them ignored, as it
    # should, and the tests that send them would wait in vain.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


_BROWSER_FIXTURES = {
    "make_world",
    "world",
    "linked",
    "_linked_once",
    "browser",
    "screen",
    "shared",
    "server",
    "sandbox",
}
"""Fixtures that start a Chromium, or whose tests do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _BROWSER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(autouse=True, scope="session")
def _away_from_the_real_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every test, and every process it starts, has a home, a config and a cache folder of its own."""
    home = tmp_path_factory.mktemp("user")
    kept = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(_OURS) and name != "LINDA_NO_SKIP":
            del os.environ[name]
    os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), XDG_CACHE_HOME=str(home / ".cache"))
    working = Path.cwd()
    # A relative path, or a home looked for from the working directory, must not meet the checkout's own sessions/.
    os.chdir(home)
    yield home
    os.chdir(working)
    os.environ.clear()
    os.environ.update(kept)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where nothing may skip, a skip is a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if os.environ.get("LINDA_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may skip: {report.longrepr}"


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip, with the reason, where a tool is missing."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Make a home with a stand-in beside it: ``make_world(page_delay=0.2)``. All of it ends with the test."""
    made: list[World] = []

    def make(folder: Path | None = None, **timing: float) -> World:
        home = folder or tmp_path / f"home-{len(made)}"
        sandbox = Sandbox(home / ".sandbox" / "stand-in", timing=Timing(**timing))  # type: ignore[arg-type]
        sandbox.start()
        world = World(home, sandbox)
        made.append(world)
        return world

    yield make
    for world in made:
        world.end()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An empty home with a stand-in beside it."""
    return make_world()


@pytest.fixture(scope="session")
def _linked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose session was linked once, stopped and backed up: what most tests begin with."""
    folder = tmp_path_factory.mktemp("linked") / "home"
    sandbox = Sandbox(folder / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(folder, sandbox)
    try:
        with world.linda.start("--once") as run:
            run.wait_for("qr")
            sandbox.phone.scan()
            run.wait_for("stopped")
    finally:
        world.end()
    return folder


@pytest.fixture
def linked(_linked_once: Path, make_world: Callable[..., World], tmp_path: Path) -> World:
    """A copy of that home, with a stand-in that knows its device."""
    folder = tmp_path / "linked"
    shutil.copytree(_linked_once, folder, symlinks=True)
    return make_world(folder)


@pytest.fixture
def linda(tmp_path: Path) -> Linda:
    """The command line in an empty home, without a stand-in."""
    return Linda(tmp_path / "home")
