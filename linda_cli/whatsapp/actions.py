"""What linda does to the page, through Selenium: never more than a person would click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linda_cli.whatsapp.signals import Signals

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement


def take_over(driver: WebDriver, signals: Signals) -> bool:
    """Click "Use here". The button beside it may mean "log out" and is never touched. False: no such button."""
    return _click(driver, signals, "use_here")


def renew_codes(driver: WebDriver, signals: Signals) -> bool:
    """Ask for new QR codes after the page stopped showing them."""
    return _click(driver, signals, "qr_renew")


def ask_for_code(driver: WebDriver, signals: Signals, number: str) -> bool:
    """Go from the QR code to the pairing code for ``number``; call again until True, the page takes its steps."""
    field = _first(driver, signals, "phone_input")
    if field is None:
        _click(driver, signals, "code_link")
        return False
    from selenium.webdriver.common.keys import Keys

    # The page fills in a country code by itself: the whole field is ours.
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE)
    field.send_keys(f"+{number}")
    if not _click(driver, signals, "phone_submit"):
        field.send_keys(Keys.ENTER)
    return True


def _failures() -> tuple[type[Exception], ...]:
    """What a driver raises: its own errors, and those of the connection to it where it was killed meanwhile."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    return WebDriverException, HTTPError


def _first(driver: WebDriver, signals: Signals, name: str) -> WebElement | None:
    for selector in signals.selectors(name):
        try:
            found = driver.find_elements("css selector", selector)
        except _failures():
            continue
        if found:
            return found[0]
    return None


def _click(driver: WebDriver, signals: Signals, name: str) -> bool:
    found = _first(driver, signals, name)
    if found is None:
        return False
    try:
        found.click()
    except _failures():
        # Something lies over it, or it was redrawn between the look and the click: the page's own click still works.
        try:
            driver.execute_script("arguments[0].click()", found)
        except _failures():
            return False
    return True
