"""Every state that the page can show has the signals that docs/whatsapp-web.md names."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from linda_cli.errors import Failed
from linda_cli.sandbox.phone_api import KINDS
from linda_cli.sandbox.server import Sandbox

from .conftest import URL, Screen

pytestmark = pytest.mark.browser

NUMBER = "971505760056"


def test_an_unpaired_start_shows_the_linking_screen_before_its_code(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.set_timing(qr_delay=0.5)
    screen.driver.refresh()
    seen = screen.until(lambda page: page["hint"] and page["state"] == "PAIRING")
    assert not seen["canvas"]
    assert seen["ref"] is None
    assert screen.code()["mode"] == "QR"


def test_the_canvas_holds_exactly_the_text_of_data_ref(screen: Screen, tmp_path: Path) -> None:
    ref = screen.code()["ref"]
    picture = tmp_path / "code.png"
    assert screen.driver.find_element(By.CSS_SELECTOR, "[data-ref]").screenshot(str(picture))
    read = subprocess.run(["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True, check=True)
    assert read.stdout.rstrip("\n") == ref


def test_codes_rotate_then_run_out_and_a_button_brings_new_ones(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.set_timing(first_code=0.6, next_code=0.5, codes=3)
    screen.driver.refresh()
    shown: list[str] = []
    end = time.monotonic() + 10
    while time.monotonic() < end:
        page = screen.look()
        if page["ref"] and page["ref"] not in shown:
            shown.append(page["ref"])
        if page["state"] == "UNPAIRED_IDLE":
            break
        time.sleep(0.02)
    assert len(shown) == 3
    assert screen.has("[data-ref] button")
    with pytest.raises(Failed, match="expired"):
        sandbox.phone.scan(NUMBER, qr=shown[-1])
    screen.driver.execute_script("document.querySelector('[data-ref] button').click()")
    assert screen.code()["ref"] not in shown


def test_a_wrong_text_is_refused_and_the_right_one_links(sandbox: Sandbox, screen: Screen) -> None:
    ref = screen.code()["ref"]
    with pytest.raises(Failed, match="does not take"):
        sandbox.phone.scan(NUMBER, qr=ref[:-1])
    sandbox.phone.scan(NUMBER, qr=ref)
    screen.ready()
    with pytest.raises(Failed, match="does not take"):
        sandbox.phone.scan(NUMBER, qr=ref)


def test_a_pairing_code_links_the_number_it_was_made_for(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.set_timing(pairing_code=5)
    screen.click("link-device-qrcode-alt-linking-hint")
    screen.driver.find_element(By.CSS_SELECTOR, '[data-testid="phone-number-input"]').send_keys("+971 50 576 0056\n")
    screen.until(lambda _: screen.has("[data-link-code]"))
    code = screen.driver.find_element(By.CSS_SELECTOR, "[data-link-code]").text
    assert len(code) == 9
    assert code[4] == "-"
    with pytest.raises(Failed):
        sandbox.phone.enter_code(code, "971505760057")
    sandbox.phone.enter_code(code)
    assert screen.ready()["wid"].startswith(f"{NUMBER}:")


def test_an_expired_pairing_code_is_taken_off_and_refused(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.set_timing(pairing_code=0.4)
    screen.click("link-device-qrcode-alt-linking-hint")
    screen.driver.find_element(By.CSS_SELECTOR, '[data-testid="phone-number-input"]').send_keys(f"{NUMBER}\n")
    # Read in the very look that finds it: it does not stay for long.
    read = "return document.querySelector('[data-link-code]')?.innerText.replaceAll('\\n', '') ?? null"
    seen: list[str | None] = []
    screen.until(lambda _: seen.append(screen.driver.execute_script(read)) or seen[-1])
    code = str(seen[-1])
    screen.until(lambda _: screen.has('[data-testid="phone-number-input"]'))
    with pytest.raises(Failed):
        sandbox.phone.enter_code(code)


def test_a_passkey_stands_between_the_scan_and_the_login(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.ask_passkey()
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.until(lambda _: screen.has('[data-testid="shortcake_passkey_screen"]'))
    assert screen.look()["keys"] == 0
    sandbox.phone.finish_passkey()
    screen.ready()


def test_the_first_sync_shows_its_percent_and_is_connected_before_it_is_ready(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.set_timing(sync=0.8)
    screen.driver.refresh()
    screen.code()
    sandbox.phone.scan(NUMBER)
    first = screen.until(lambda page: page["mode"] == "SYNCING" and page["percent"] is not None)
    assert (first["pane"], first["state"]) == (False, "CONNECTED")
    screen.until(lambda page: page["mode"] == "SYNCING" and page["percent"] > first["percent"])
    assert screen.ready()["mode"] == "MAIN"


def test_a_link_writes_keys_and_databases(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    assert screen.databases() == []
    sandbox.phone.scan(NUMBER)
    page = screen.ready()
    assert page["wid"].startswith(f"{NUMBER}:")
    assert page["wid"].endswith("@c.us")
    assert screen.databases() == sorted(
        ["signal-storage", "model-storage", "wawc", "wawc_db_enc", "fts-storage", "jobs-storage", "offd-storage"]
    )
    assert screen.driver.execute_script("return localStorage.getItem('linda-sandbox')") == "1"
    key = screen.driver.execute_async_script(
        """const done = arguments[0];
        indexedDB.open("wawc_db_enc").onsuccess = ({ target: { result: db } }) =>
          (db.transaction("keys").objectStore("keys").get("1").onsuccess = async ({ target: { result: { key } } }) => {
            db.close();
            const word = await crypto.subtle.exportKey("pkcs8", key).then(() => "exported", (error) => error.name);
            done([key.type, key.extractable, word]);
          });"""
    )
    assert key == ["private", False, "InvalidAccessError"]
    databases = screen.profile / "Default" / "IndexedDB"
    assert any(file.stat().st_size > 65536 for file in databases.glob("*.blob/**/*") if file.is_file())


def test_the_pane_comes_before_the_server_has_accepted_the_login(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    sandbox.phone.set_timing(page_delay=0.3, login=0.5)
    screen.driver.refresh()
    screen.until(lambda page: not page["pane"] and screen.has('[data-testid="wa-web-loading-screen"]'))
    early = screen.until(lambda page: page["pane"])
    assert (early["state"], early["mode"]) == ("OPENING", "MAIN")
    screen.ready()


def test_a_dropped_network_keeps_the_pane_and_the_page_comes_back_by_itself(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    sandbox.phone.set_timing(notice=0.3, recover=0.2)
    screen.driver.refresh()
    screen.ready()
    linkings = sandbox.phone.status()["linkings"]
    sandbox.phone.drop_network()
    assert screen.look()["state"] == "CONNECTED"
    seen = screen.until(lambda page: page["state"] in ("OPENING", "TIMEOUT"))
    assert seen["pane"]
    assert seen["keys"] == 2
    sandbox.phone.message("sent while you were away")
    time.sleep(1)
    assert screen.look()["pane"]
    sandbox.phone.restore_network()
    screen.ready()
    screen.until(lambda page: "sent while you were away" in page["text"])
    assert sandbox.phone.status()["linkings"] == linkings


def test_without_a_network_a_new_page_is_chromiums_own_error_page(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.drop_network()
    screen.open()
    end = time.monotonic() + 5
    while time.monotonic() < end and screen.has("#app"):
        time.sleep(0.05)
    assert screen.has("#main-frame-error, .neterror, #main-message")
    assert not screen.has("#app")
    sandbox.phone.restore_network()
    screen.open().code()


def test_a_401_keeps_both_keys_under_a_code_until_it_is_over(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    wid = screen.ready()["wid"]
    sandbox.phone.refuse(60)
    seen = screen.code()
    assert (seen["keys"], "post_logout" in seen["url"]) == (2, False)
    refused = sandbox.phone.status()["logins"]["refused"].get("401", 0)
    screen.driver.refresh()  # returns when the new document has loaded: what is seen from here on is its own
    assert screen.code()["keys"] == 2
    assert sandbox.phone.status()["logins"]["refused"]["401"] > refused
    sandbox.phone.refuse(0)
    screen.driver.refresh()
    assert screen.ready()["wid"] == wid


def test_open_on_another_computer_use_here_takes_over(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    sandbox.phone.open_elsewhere("computer")
    seen = screen.until(lambda page: page["state"] == "CONFLICT")
    assert "another computer" in seen["text"]
    assert screen.has('[data-testid="popup-controls-cancel"]')
    screen.click("popup-controls-ok")
    assert screen.ready()["keys"] == 2


def test_open_on_another_computer_cancel_logs_out(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    wid = screen.ready()["wid"]
    sandbox.phone.open_elsewhere("computer")
    screen.until(lambda page: page["state"] == "CONFLICT")
    screen.click("popup-controls-cancel")
    seen = screen.until(lambda page: "post_logout=1" in page["url"] and page["canvas"])
    assert seen["keys"] == 0
    device = next(device for device in sandbox.phone.status()["devices"] if device["wid"] == wid)
    assert device["removedAt"]


def test_a_second_window_takes_over_and_the_first_says_so(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    first = screen.driver.current_window_handle
    screen.driver.switch_to.new_window("tab")
    screen.open().ready()
    second = screen.driver.current_window_handle
    screen.driver.switch_to.window(first)
    seen = screen.until(lambda page: page["state"] == "UNLAUNCHED")
    assert (seen["pane"], seen["mode"]) == (False, "MAIN")
    assert "another window" in seen["text"]
    screen.click("popup-controls-ok")
    screen.ready()
    screen.driver.switch_to.window(second)
    screen.until(lambda page: page["state"] == "UNLAUNCHED")
    screen.driver.close()
    screen.driver.switch_to.window(first)


def test_client_fatal_says_reason_0_and_leaves_the_device_linked(sandbox: Sandbox, screen: Screen) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    wid = screen.ready()["wid"]
    sandbox.phone.break_storage()
    seen = screen.until(lambda page: page["url"] == f"{URL}?post_logout=1&logout_reason=0" and page["canvas"])
    assert seen["keys"] == 0
    assert "wawc_db_enc" not in screen.databases()
    device = next(device for device in sandbox.phone.status()["devices"] if device["wid"] == wid)
    assert device["removedAt"] is None


@pytest.mark.parametrize("reason", [None, 1, 3])
def test_a_logout_says_so_in_the_address_and_takes_everything(
    sandbox: Sandbox, screen: Screen, reason: int | None
) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    sandbox.phone.log_out_with(reason)
    wanted = f"{URL}?post_logout=1" + (f"&logout_reason={reason}" if reason else "")
    seen = screen.until(lambda page: page["url"] == wanted and page["canvas"])
    assert seen["keys"] == 0
    assert screen.databases() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_is_named_and_keeps_the_login(sandbox: Sandbox, screen: Screen, kind: str) -> None:
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    sandbox.phone.block(kind)
    seen = screen.until(lambda page: kind in (page["state"], page["mode"]))
    assert (seen["pane"], seen["keys"]) == (False, 2)
    screen.driver.refresh()
    screen.until(lambda page: kind in (page["state"], page["mode"]))
    sandbox.phone.block(None)
    screen.driver.refresh()
    screen.ready()


def test_headless_by_name_gets_the_unsupported_page(browser: Callable[..., Screen]) -> None:
    screen = browser(agent=None).open()
    screen.until(lambda page: "WhatsApp works with Google Chrome 100+" in page["text"])
    assert screen.look()["state"] is None


def test_require_is_there_first_and_throws_for_what_it_does_not_know(screen: Screen) -> None:
    word = screen.driver.execute_script("try { require('Nothing'); } catch (error) { return error.message; }")
    assert "Nothing" in word
