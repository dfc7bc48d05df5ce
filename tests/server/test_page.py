"""The page in a real Chromium: an account is linked by what the page shows."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from linda_cli.browser.binaries import find_browser, find_driver
from linda_cli.server.auth import make
from tests.conftest import needs
from tests.linda import NUMBER, World
from tests.server.served import Served

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"


class Page:
    """A person's browser on the server's page."""

    def __init__(self, folder: Path, *, phone: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(find_browser())
        if phone:
            # A window cannot be narrower than 500 pixels; the screen of a phone is.
            metrics = {"width": 390, "height": 844, "pixelRatio": 2.0}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        for word in ("--headless=new", "--window-size=1180,900", f"--user-data-dir={folder}", "--disable-gpu"):
            options.add_argument(word)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(str(find_driver())))

    def open(self, server: Served) -> None:
        self.driver.get(server.url)

    def find(self, css: str, text: str = "") -> WebElement | None:
        """The first visible element of this kind with this text in it."""
        # Between being found and being asked an element may have been replaced.
        with contextlib.suppress(StaleElementReferenceException):
            for one in self.driver.find_elements(By.CSS_SELECTOR, css):
                if one.is_displayed() and text in one.text:
                    return one
        return None

    def click(self, css: str, text: str = "", timeout: float = 30) -> None:
        """Click it once it is there; one that was replaced under the pointer is clicked where it is now."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.until(css, text, timeout).click()
                return
            except StaleElementReferenceException:
                assert time.monotonic() < deadline, css

    def until(self, css: str, text: str = "", timeout: float = 30) -> WebElement:
        """The same, waited for."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.find(css, text)
            if found is not None:
                return found
            assert time.monotonic() < deadline, (css, text, self.driver.find_element(By.TAG_NAME, "body").text)
            time.sleep(0.05)

    def until_gone(self, css: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while self.find(css) is not None:
            assert time.monotonic() < deadline, css
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Type on whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    @property
    def focused(self) -> str:
        element: Any = self.driver.switch_to.active_element
        return str(element.text or element.get_attribute("id"))

    def code(self, folder: Path) -> str:
        """What a camera reads off the screen."""
        shot = folder / "screen.png"
        self.driver.save_screenshot(str(shot))
        read = subprocess.run(["zbarimg", "--quiet", "--raw", str(shot)], capture_output=True, text=True, check=False)
        return read.stdout.strip()

    def complaints(self) -> list[str]:
        """What the browser's console holds against the page."""
        told = self.driver.get_log("browser")
        return [one["message"] for one in told if one["level"] == "SEVERE" and " 401 " not in one["message"]]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Callable[..., Page]]:
    made: list[Page] = []

    def build(*, phone: bool = False) -> Page:
        made.append(Page(tmp_path / f"person-{len(made)}", phone=phone))
        return made[-1]

    yield build
    for one in made:
        one.driver.quit()


@needs("zbarimg")
def test_an_account_is_added_linked_backed_up_restored_and_removed_on_the_page(
    world: World, browser: Callable[..., Page], tmp_path: Path
) -> None:
    with Served(world) as server:
        page = browser()
        page.open(server)
        page.until("#live", "live")
        assert page.find("#empty")
        page.until("#number").send_keys("+971 50 576 0056", Keys.ENTER)
        page.until(".badge", "not started")
        page.click("[data-do=link]")
        page.until(".qr img[src]")
        page.until(".badge", "waiting for your phone")
        seen = page.code(tmp_path)
        assert seen == server.ask("GET", f"accounts/{NUMBER}/qr").body.decode()
        # WhatsApp changes the code: so does the page, by itself.
        deadline = time.monotonic() + 90
        world.phone.set_timing(first_code=1, next_code=1)
        server.post(f"accounts/{NUMBER}/stop")
        page.until_gone(".qr")
        page.click("[data-do=link]")
        page.until(".qr img[src]")
        first = page.code(tmp_path)
        while page.code(tmp_path) in (first, ""):
            assert time.monotonic() < deadline
        world.phone.scan(NUMBER)
        page.until(".badge", "ready")
        page.until_gone(".code")
        page.until("#summary", "1 of 1 accounts ready")
        server.wait_for("saved")
        page.click(".backups summary")
        page.until(".backups li", "linked")
        page.click(".backups li button")
        page.click("#sure button[value=no]")
        page.click(".backups li button")
        page.click("#sure-yes")
        page.until(".about", "restored from the profile", timeout=60)
        page.click(".story summary")
        page.until(".story li", "ready")
        page.click("[data-do=clear]")
        page.click("#sure-yes", "Remove")
        page.until("#empty")
        assert page.complaints() == []


def test_it_works_by_keyboard_on_a_phone_with_a_token_and_says_so_to_a_screen_reader(
    linked: World, browser: Callable[..., Page]
) -> None:
    with Served(linked, JWT_SECRET=SECRET) as server:
        server.token = make(SECRET, "root", "admin", 60)
        server.wait_for("ready")
        page = browser(phone=True)
        page.open(server)
        page.until("#sign-in")
        page.until("#token")
        assert page.focused == "token"
        page.press("nonsense", Keys.ENTER)
        page.until("[role=alert]", "not valid")
        page.press(server.token, Keys.ENTER)
        page.until("#live", "live")
        page.until(".badge", "ready")
        width = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390
        # Every control is reached by the keyboard, and has a name.
        seen = []
        page.driver.execute_script("document.body.focus()")
        for _ in range(25):
            page.press(Keys.TAB)
            seen.append(page.driver.switch_to.active_element.accessible_name)
            if seen[-1] == "What happened":
                break
        assert [one for one in seen if one in ("Add", "Stop", "Back up now", "Remove", "Backups", "What happened")] == [
            "Add", "Stop", "Back up now", "Remove", "Backups", "What happened"
        ]  # fmt: skip
        assert all(seen[1:])
        badge = page.until(".badge")
        assert badge.aria_role == "status"
        assert page.until("#live").aria_role == "status"
        assert page.until(".account h3").aria_role == "heading"
        page.until("[data-do=stop]").send_keys(Keys.ENTER)
        page.until(".badge", "disconnected")
        page.until("[data-do=start]").send_keys(Keys.ENTER)
        page.until(".badge", "ready", timeout=60)
        # The server goes away and comes back: the page says so and catches up.
        linked.phone.log_out(NUMBER)
        page.until(".problem", "by the phone")
        page.until("[data-do=link]")
        assert page.complaints() == []


def test_a_page_reconnects_when_the_server_was_started_anew(linked: World, browser: Callable[..., Page]) -> None:
    with Served(linked) as server:
        server.wait_for("ready")
        page = browser()
        page.open(server)
        page.until(".badge", "ready")
        port = server.url.rsplit(":", 1)[1].strip("/")
        server.stop()
        page.until("#live", "reconnecting")
    with Served(linked, "--port", port):
        page.until("#live", "live", timeout=60)
        page.until(".badge", "ready", timeout=60)
