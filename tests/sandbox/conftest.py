"""A stand-in, and real Chromiums on it, all below a temporary folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from linda_cli.sandbox.server import Sandbox, Timing

URL = "https://web.whatsapp.com/"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"

_LOOK = """
const word = (name, key, field) => {
  try { return require(name)[key][field]; } catch { return null; }
};
return {
  state: word("WAWebSocketModel", "Socket", "state"),
  mode: word("WAWebStreamModel", "Stream", "mode"),
  pane: Boolean(document.querySelector("#pane-side") && document.querySelector("#side")
    && document.querySelector('[data-testid="chat-list"]')),
  ref: document.querySelector('[data-testid="link-device-qr-code"]')?.dataset.ref ?? null,
  canvas: Boolean(document.querySelector("[data-ref] canvas")),
  hint: Boolean(document.querySelector('[data-testid^="link-device-qrcode-alt-linking"]')),
  keys: ["last-wid-md", "WANoiseInfo"].filter((key) => localStorage.getItem(key) !== null).length,
  wid: JSON.parse(localStorage.getItem("last-wid-md")),
  percent: document.querySelector("progress[value]")?.value ?? null,
  url: location.href,
  text: document.body?.innerText ?? "",
};
"""


class Screen:
    """One browser on one profile."""

    def __init__(self, profile: Path, args: list[str], agent: str | None) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        options.add_argument("--headless=new")
        options.add_argument(f"--user-data-dir={profile}")
        if agent:
            options.add_argument(f"--user-agent={agent}")
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        for arg in args:
            options.add_argument(arg)
        # Loading is watched, not waited for.
        options.page_load_strategy = "none"
        self.profile = profile
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(10)

    def open(self, url: str = URL) -> Screen:
        self.driver.get(url)
        return self

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = self.driver.execute_script(_LOOK)
        return found

    def until(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 10) -> dict[str, Any]:
        end = time.monotonic() + seconds
        seen: dict[str, Any] = {}
        while time.monotonic() < end:
            try:
                seen = self.look()
                if wanted(seen):
                    return seen
            except Exception as between:  # noqa: BLE001 - the driver names its failures differently
                seen = {"error": str(between).splitlines()[0]}
            time.sleep(0.02)
        raise AssertionError(f"not seen within {seconds} s; last: {seen}")

    def ready(self) -> dict[str, Any]:
        return self.until(lambda page: page["pane"] and page["state"] == "CONNECTED")

    def code(self) -> dict[str, Any]:
        return self.until(lambda page: page["canvas"] and page["state"] == "UNPAIRED")

    def click(self, testid: str) -> None:
        self.driver.execute_script(f"document.querySelector('[data-testid=\"{testid}\"]').click()")

    def has(self, selector: str) -> bool:
        return bool(self.driver.execute_script("return Boolean(document.querySelector(arguments[0]))", selector))

    def databases(self) -> list[str]:
        names: list[str] = self.driver.execute_async_script(
            "const done = arguments[0]; indexedDB.databases().then((all) => done(all.map((db) => db.name).sort()))"
        )
        return names

    def close(self) -> None:
        self.driver.quit()


@pytest.fixture(scope="session", autouse=True)
def no_real_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Chromium and its driver keep things in HOME; a test's browser keeps them in a temporary one."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        patch.setenv(name, str(home))
    yield home
    patch.undo()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox") / "server") as running:
        yield running


@pytest.fixture
def sandbox(server: Sandbox) -> Iterator[Sandbox]:
    """The session's server with the network up, nobody blocked or refused, no time taken and no device linked."""
    yield server
    phone = server.phone
    phone.restore_network()
    phone.block(None)
    phone.refuse(0)
    phone.ask_passkey(False)
    phone.screen(None)
    phone.dialog(None)
    phone.language("en")
    phone.break_page()
    phone.hide_words(False)
    phone.clean_address(False)
    phone.next_page(documents=0)
    phone.forget_pressed()
    phone.set_timing(**{name: getattr(Timing(), name) for name in Timing.__dataclass_fields__})
    if any(device["removedAt"] is None for device in phone.status()["devices"]):
        phone.log_out()


@pytest.fixture
def browser(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Start a browser: on a profile of its own, or on a named one."""
    started: list[Screen] = []

    def start(name: str = "profile", agent: str | None = AGENT) -> Screen:
        started.append(Screen(tmp_path / name, sandbox.chrome_args, agent))
        return started[-1]

    yield start
    for screen in started:
        screen.close()


@pytest.fixture(scope="session")
def shared(server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    screen = Screen(tmp_path_factory.mktemp("shared"), server.chrome_args, AGENT)
    yield screen
    screen.close()


@pytest.fixture
def screen(sandbox: Sandbox, shared: Screen) -> Iterator[Screen]:
    """One browser for all tests that need no restart, unlinked and on the linking screen."""
    shared.open()
    shared.until(lambda page: page["url"] == URL and page["state"] == "UNPAIRED")
    yield shared
    # Away from the page before its devices are removed: it would navigate under the next test's feet.
    shared.open("about:blank")
    shared.driver.execute_cdp_cmd(
        "Storage.clearDataForOrigin", {"origin": URL.rstrip("/"), "storageTypes": "local_storage,indexeddb"}
    )


def copy_login(source: Path, target: Path, *parts: str) -> None:
    """Some parts of a login into an otherwise empty profile."""
    for part in parts:
        shutil.copytree(source / "Default" / part, target / "Default" / part, dirs_exist_ok=True)
