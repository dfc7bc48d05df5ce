"""The sandbox can be as nasty as the real page: whatever may lie over, before or beside a login that is in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from linda_cli.errors import Failed, Misused
from linda_cli.sandbox.documents import BREAKS, UNSUPPORTED
from linda_cli.sandbox.faults import DIALOGS, LANGUAGES, SCREENS
from linda_cli.sandbox.server import Sandbox, running

from .conftest import AGENT, URL, Screen

NUMBER = "971505760056"
OTHER = "971505760057"
OK = '[data-testid="popup-controls-ok"]'
CANCEL = '[data-testid="popup-controls-cancel"]'

Start = Callable[..., Screen]


@pytest.fixture
def linked(sandbox: Sandbox, screen: Screen) -> Screen:
    """The shared browser, linked and ready."""
    screen.code()
    sandbox.phone.scan(NUMBER)
    screen.ready()
    return screen


def _shown(screen: Screen, selector: str) -> bool:
    return bool(screen.until(lambda _: screen.has(selector)))


def _evaluate(screen: Screen, expression: str) -> Any:
    """Ask the page past the driver, whose own scripts need what is broken here."""
    answer = screen.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": expression, "returnByValue": True})
    return answer["result"].get("value")


def _eventually(wanted: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestDialogs:
    @pytest.mark.parametrize("kind", DIALOGS)
    def test_each_lies_over_the_pane_and_can_be_dismissed(self, sandbox: Sandbox, linked: Screen, kind: str) -> None:
        sandbox.phone.dialog(kind)
        _shown(linked, OK)
        assert linked.look()["pane"]
        assert linked.look()["state"] == "CONNECTED"
        sandbox.phone.dialog(None)
        linked.until(lambda _: not linked.has(OK))
        assert sandbox.phone.status()["pressed"] == []

    def test_ok_of_log_out_really_logs_out(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.dialog("log-out")
        _shown(linked, CANCEL)
        linked.click("popup-controls-cancel")
        assert linked.look()["keys"] == 2
        sandbox.phone.dialog("log-out")
        _shown(linked, OK)
        linked.click("popup-controls-ok")
        seen = linked.until(lambda page: page["url"] == f"{URL}?post_logout=1" and page["canvas"])
        assert seen["keys"] == 0
        assert all(device["removedAt"] for device in sandbox.phone.status()["devices"])
        assert [one["button"] for one in sandbox.phone.status()["pressed"]] == ["cancel", "ok"]

    def test_its_words_can_be_those_of_a_conflict(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.dialog("log-out", text="Log out of this computer or browser?")
        assert "this computer or browser" in linked.until(lambda page: "Log out of" in page["text"])["text"]

    def test_a_database_error_can_lie_over_a_code(self, sandbox: Sandbox, screen: Screen) -> None:
        screen.code()
        sandbox.phone.dialog("database-error")
        _shown(screen, OK)
        assert screen.look()["canvas"]
        sandbox.phone.scan(NUMBER)
        screen.ready()


class TestLanguages:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_everything_is_said_in_it(self, sandbox: Sandbox, linked: Screen, language: str) -> None:
        sandbox.phone.language(language)
        linked.driver.refresh()
        linked.ready()
        sandbox.phone.open_elsewhere("computer")
        words = linked.until(lambda page: page["state"] == "CONFLICT")["text"]
        assert ("computer" in words) == (language == "en")
        assert _evaluate(linked, "document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        linked.click("popup-controls-ok")
        linked.ready()
        labels = _evaluate(linked, "document.querySelector('[data-testid=chat-list]').getAttribute('aria-label')")
        assert (labels == "Chat list") == (language == "en")

    def test_the_unsupported_page_has_its_link_in_each(self, sandbox: Sandbox, browser: Start) -> None:
        screen = browser(agent=None)
        for language in LANGUAGES:
            sandbox.phone.language(language)
            screen.open()
            screen.until(lambda page, wanted=UNSUPPORTED[language]: wanted in page["text"])
            assert screen.has('a[href*="support.google.com/chrome/answer/95414"]')


class TestElsewhere:
    def test_another_computer_may_leave_the_pane_behind_its_popup(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.open_elsewhere("computer", pane=True)
        seen = linked.until(lambda page: page["state"] == "CONFLICT")
        assert (seen["pane"], seen["mode"]) == (True, "CONFLICT")
        linked.click("popup-controls-ok")
        linked.ready()
        sandbox.phone.open_elsewhere("computer")
        assert not linked.until(lambda page: page["state"] == "CONFLICT")["pane"]

    @pytest.mark.parametrize("socket", ["UNLAUNCHED", "OPENING"])
    def test_another_window_is_no_conflict_of_the_socket(self, sandbox: Sandbox, linked: Screen, socket: Any) -> None:
        sandbox.phone.open_elsewhere("window", socket=socket)
        _shown(linked, OK)
        seen = linked.look()
        assert (seen["pane"], seen["state"], seen["mode"]) == (False, socket, "MAIN")
        linked.click("popup-controls-ok")
        linked.ready()

    def test_the_same_login_in_another_browser_is_a_conflict(
        self, sandbox: Sandbox, browser: Start, tmp_path: Any
    ) -> None:
        from .conftest import copy_login

        first = browser("first").open()
        sandbox.phone.scan(NUMBER, qr=first.code()["ref"])
        first.ready()
        first.close()
        copy_login(first.profile, tmp_path / "second", "IndexedDB", "Local Storage")
        first = browser("first").open()
        first.ready()
        second = browser("second").open()
        second.ready()
        assert first.until(lambda page: page["state"] == "CONFLICT")["mode"] == "CONFLICT"


class TestBoots:
    def test_only_the_next_documents_boot_slowly(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.next_page(boot=1.0, documents=1)
        began = time.monotonic()
        linked.driver.refresh()
        seen = linked.until(lambda _: linked.has("#wa_web_initial_startup"))
        assert (seen["pane"], seen["state"], seen["keys"]) == (False, None, 2)
        assert not linked.has("[data-testid]"), "the shell of the real page has no test ids"
        linked.ready()
        assert time.monotonic() - began >= 1.0
        linked.driver.refresh()
        linked.until(lambda page: page["pane"], 5)

    def test_every_document_boots_slowly_by_timing(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.set_timing(boot=0.5)
        for _ in range(2):
            linked.driver.refresh()
            linked.until(lambda _: linked.has("#wa_web_initial_startup"))
            linked.ready()

    def test_a_page_reloads_itself_and_comes_back(self, sandbox: Sandbox, linked: Screen) -> None:
        linked.driver.execute_script("window.before = true")
        sandbox.phone.reload_page(boot=0.5)
        linked.until(lambda page: page["state"] is None)
        linked.ready()
        assert linked.driver.execute_script("return window.before") is None

    def test_a_linked_page_may_show_a_code_first_with_its_keys_in_place(self, sandbox: Sandbox, linked: Screen) -> None:
        linkings = sandbox.phone.status()["linkings"]
        sandbox.phone.reload_page(code=1.0)
        seen = linked.code()
        assert (seen["keys"], seen["mode"], seen["url"]) == (2, "QR", URL)
        linked.ready()
        assert sandbox.phone.status()["linkings"] == linkings

    def test_its_keys_may_have_other_names_meanwhile(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.reload_page(code=1.0, hide_keys=True)
        assert linked.code()["keys"] == 0
        assert linked.ready()["keys"] == 2

    def test_renamed_then_reloaded_then_a_code_then_back(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.rename_keys("both")
        linked.until(lambda page: page["keys"] == 0)
        sandbox.phone.reload_page(code=1.0, boot=0.3)
        assert linked.code()["keys"] == 0
        assert linked.ready()["keys"] == 0


class TestKeys:
    @pytest.mark.parametrize(("keys", "left"), [("noise", 1), ("wid", 1), ("both", 0)])
    def test_the_page_goes_on_with_other_names(self, sandbox: Sandbox, linked: Screen, keys: Any, left: int) -> None:
        sandbox.phone.rename_keys(keys)
        seen = linked.until(lambda page: page["keys"] == left)
        assert (seen["pane"], seen["state"]) == (True, "CONNECTED")
        linked.driver.refresh()
        assert linked.ready()["keys"] == left
        sandbox.phone.rename_keys("back")
        linked.until(lambda page: page["keys"] == 2)

    def test_it_also_does_after_a_restart(self, sandbox: Sandbox, browser: Start) -> None:
        screen = browser().open()
        sandbox.phone.scan(NUMBER, qr=screen.code()["ref"])
        screen.ready()
        sandbox.phone.rename_keys("both")
        screen.until(lambda page: page["keys"] == 0)
        screen.close()
        assert browser().open().ready()["keys"] == 0

    def test_nobody_linked_has_no_keys(self, sandbox: Sandbox, screen: Screen) -> None:
        screen.code()
        with pytest.raises(Failed, match="connected"):
            sandbox.phone.rename_keys("both")


class TestScreens:
    @pytest.mark.parametrize(
        ("name", "state", "buttons"),
        [
            ("temporary-ban", "OPENING", 2),
            ("service-unavailable", "OPENING", 0),
            ("app-lock", "CONNECTED", 0),
            ("call-takeover", "CONNECTED", 2),
            ("unsupported-takeover", "CONNECTED", 1),
        ],
    )
    def test_each_is_no_mode_and_hides_the_pane(
        self, sandbox: Sandbox, linked: Screen, name: str, state: str, buttons: int
    ) -> None:
        sandbox.phone.screen(name)
        for _ in range(2):
            seen = linked.until(lambda page: not page["pane"] and page["state"] == state)
            assert (seen["mode"], seen["keys"]) == ("MAIN", 2)
            linked.until(lambda _: linked.has(OK) + linked.has(CANCEL) == buttons)
            linked.driver.refresh()
        linked.until(lambda page: not page["pane"] and page["state"] == state)
        sandbox.phone.screen(None)
        linked.ready()

    def test_an_unknown_page_has_nothing_that_is_known(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.screen("unknown")
        seen = linked.until(lambda seen: linked.has("x-frame") and seen["state"] is None)
        assert (seen["pane"], seen["state"], seen["mode"], seen["ref"]) == (False, None, None, None)
        sandbox.phone.screen(None)
        linked.ready()

    def test_a_shell_is_all_there_is_where_the_scripts_cannot_be_loaded(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.screen("shell")
        linked.until(lambda page: page["state"] is None and linked.has("#wa_web_initial_startup"))
        time.sleep(0.5)
        assert not linked.has("[data-testid]")
        sandbox.phone.screen(None)
        linked.driver.refresh()
        linked.ready()

    def test_another_account_has_its_own(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.screen("app-lock", OTHER)
        linked.driver.refresh()
        linked.ready()

    def test_no_code_for_a_while(self, sandbox: Sandbox, screen: Screen) -> None:
        sandbox.phone.set_timing(qr_delay=1)
        screen.driver.refresh()
        seen = screen.until(lambda page: page["hint"])
        assert (seen["canvas"], seen["state"]) == (False, "PAIRING")
        screen.code()


class TestLogouts:
    def test_in_progress_the_keys_are_gone_and_the_address_comes_later(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.set_timing(logout=1.0)
        linked.driver.refresh()
        linked.ready()
        sandbox.phone.log_out_with(3)
        seen = linked.until(lambda page: page["keys"] == 0)
        assert (seen["pane"], seen["ref"], seen["url"]) == (False, None, URL)
        linked.until(lambda page: page["url"] == f"{URL}?post_logout=1&logout_reason=3" and page["canvas"])

    def test_without_the_address_a_code_comes_where_the_page_is(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.log_out_with(None, address=False)
        seen = linked.until(lambda page: page["canvas"])
        assert (seen["keys"], seen["url"]) == (0, URL)
        assert linked.databases() == []

    def test_without_the_address_also_for_a_page_that_was_away(self, sandbox: Sandbox, linked: Screen) -> None:
        linked.open("about:blank")
        sandbox.phone.log_out_with(None, address=False)
        seen = linked.open().code()
        assert (seen["keys"], seen["url"]) == (0, URL)

    def test_any_reason(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.log_out_with(17)
        linked.until(lambda page: page["url"].endswith("logout_reason=17") and page["canvas"])
        word = "require('WAWebLogoutReason').getPrevLogoutReasonCode()"
        assert _evaluate(linked, word) == "17"
        with pytest.raises(Misused):
            sandbox.phone.log_out_with(0)

    def test_a_newer_page_takes_the_reason_out_of_its_address(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.clean_address()
        sandbox.phone.log_out_with(1)
        seen = linked.until(lambda page: page["canvas"])
        assert seen["url"] == URL
        assert _evaluate(linked, "require('WAWebLogoutReason').getPrevLogoutReasonCode()") == "1"

    def test_the_address_stays_after_a_new_link_in_the_same_tab(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.log_out()
        linked.until(lambda page: "post_logout=1" in page["url"] and page["canvas"])
        sandbox.phone.scan(NUMBER)
        assert linked.ready()["url"] == f"{URL}?post_logout=1"

    def test_by_the_pages_own_function(self, sandbox: Sandbox, linked: Screen) -> None:
        _evaluate(linked, "void require('WAWebSocketModel').Socket.logout()")
        linked.until(lambda page: page["url"] == f"{URL}?post_logout=1" and page["canvas"])
        assert all(device["removedAt"] for device in sandbox.phone.status()["devices"])


class TestAccounts:
    def test_a_changed_number_keeps_its_noise_key(self, sandbox: Sandbox, linked: Screen) -> None:
        noise = _evaluate(linked, "localStorage.WANoiseInfo")
        sandbox.phone.change_number(OTHER)
        linked.until(lambda page: str(page["wid"]).startswith(f"{OTHER}:"))
        linked.driver.refresh()
        linked.ready()
        assert _evaluate(linked, "localStorage.WANoiseInfo") == noise

    def test_an_absent_page_learns_its_new_number_when_it_is_back(self, sandbox: Sandbox, linked: Screen) -> None:
        linked.open("about:blank")
        sandbox.phone.change_number(OTHER, NUMBER)
        assert linked.open().ready()["wid"].startswith(f"{OTHER}:")
        sandbox.phone.message("for the new number", OTHER)
        linked.until(lambda page: "for the new number" in page["text"])

    def test_another_account_in_the_same_profile_has_another_noise_key(self, sandbox: Sandbox, linked: Screen) -> None:
        noise = _evaluate(linked, "localStorage.WANoiseInfo")
        sandbox.phone.switch_account(OTHER)
        linked.until(lambda page: str(page["wid"]).startswith(f"{OTHER}:") and page["pane"])
        linked.ready()
        assert _evaluate(linked, "localStorage.WANoiseInfo") != noise
        standing = {device["number"] for device in sandbox.phone.status()["devices"] if not device["removedAt"]}
        assert standing == {NUMBER, OTHER}


def test_words_in_scripts_are_in_the_document_and_not_on_show(sandbox: Sandbox, screen: Screen) -> None:
    sandbox.phone.hide_words()
    screen.driver.refresh()
    seen = screen.code()
    assert "Google Chrome" not in seen["text"]
    for tag in ("script", "style", "template", "noscript", "div[hidden]"):
        found = f"[...document.querySelectorAll('{tag}')].some((one) => one.innerHTML.includes('Google Chrome 100+'))"
        assert _evaluate(screen, found), tag


class TestBrokenPages:
    @pytest.mark.parametrize(
        ("what", "expression"),
        [
            ("query-selector", "document.querySelector('body') && 1"),
            ("mutation-observer", "new MutationObserver(() => 0) && 1"),
            ("json", "JSON.stringify({}) && 1"),
            ("require-throws", "require('WAWebSocketModel') && 1"),
            ("require-absent", "require('WAWebSocketModel') && 1"),
            ("local-storage", "localStorage.getItem('last-wid-md') && 1"),
        ],
    )
    def test_each_is_broken_for_others_and_the_page_itself_goes_on(
        self, sandbox: Sandbox, linked: Screen, what: str, expression: str
    ) -> None:
        assert _evaluate(linked, expression) == 1
        accepted = sandbox.phone.status()["logins"]["accepted"]
        sandbox.phone.break_page(what)
        _eventually(lambda: _evaluate(linked, expression) != 1)
        linked.driver.execute_cdp_cmd("Page.reload", {})
        _eventually(lambda: sandbox.phone.status()["logins"]["accepted"] > accepted)
        assert _evaluate(linked, expression) != 1
        sandbox.phone.break_page()
        linked.driver.execute_cdp_cmd("Page.reload", {})
        linked.ready()

    def test_a_name_that_is_none_is_refused(self, sandbox: Sandbox) -> None:
        with pytest.raises(Misused, match="tea"):
            sandbox.phone.break_page("tea")
        assert len(BREAKS) == 6


class TestSyncs:
    def test_a_login_that_comes_back_syncs_connected_and_without_a_pane(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.set_timing(resync=1.0)
        linked.driver.refresh()
        first = linked.until(lambda page: page["mode"] == "SYNCING")
        assert (first["pane"], first["state"]) == (False, "CONNECTED")
        linked.until(lambda page: (page["percent"] or 0) > 10)
        assert linked.ready()["mode"] == "MAIN"

    def test_it_stands_still_while_bytes_reach_the_disk(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.set_timing(resync=1.5, sync_stall=30, sync_kilobytes=400)
        before = _size(linked)
        linked.driver.refresh()
        linked.until(lambda page: page["percent"] == 30)
        time.sleep(0.5)
        seen = linked.look()
        assert (seen["mode"], seen["percent"]) == ("SYNCING", 30)
        linked.ready()
        assert _size(linked) - before > 300 * 1024


def _size(screen: Screen) -> int:
    folder = screen.profile / "Default" / "IndexedDB"
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class TestNetwork:
    def test_silence_is_noticed_late_and_ends_by_itself(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.set_timing(keepalive=0.3, silence=1.0, notice=0, recover=0.1)
        linked.driver.refresh()
        linked.ready()
        sandbox.phone.drop_network("silent")
        seen = linked.until(lambda page: page["state"] in ("OPENING", "TIMEOUT"))
        assert (seen["pane"], seen["keys"]) == (True, 2)
        time.sleep(0.5)
        sandbox.phone.restore_network()
        linked.ready()

    def test_a_document_that_is_loaded_in_silence_waits(self, sandbox: Sandbox, linked: Screen) -> None:
        sandbox.phone.drop_network("silent")
        linked.open()
        time.sleep(1)
        sandbox.phone.restore_network()
        linked.ready()

    def test_a_browser_that_starts_without_a_name_service_says_so(self, sandbox: Sandbox, browser: Start) -> None:
        sandbox.phone.drop_network("dns")
        found = running(sandbox.folder)
        assert found is not None
        assert found.chrome_args == sandbox.chrome_args
        screen = browser("nameless").open()
        _eventually(lambda: "ERR_NAME_NOT_RESOLVED" in str(_evaluate(screen, "document.body.innerText")))
        sandbox.phone.restore_network()
        assert browser("named").open().code()["url"] == URL


def test_a_restarted_server_still_knows_what_it_did(tmp_path: Any) -> None:
    folder = tmp_path / "server"
    first = Sandbox(folder)
    first.start()
    port, left = first.port, (folder / "server.json").read_bytes()
    screen = Screen(tmp_path / "profile", first.chrome_args, AGENT)
    try:
        first.phone.scan(NUMBER, qr=screen.open().code()["ref"])
        screen.ready()
        first.phone.change_number(OTHER)
        screen.until(lambda page: str(page["wid"]).startswith(f"{OTHER}:"))
        first.stop()
        # As a killed server leaves it: the next one takes its ports, and a browser that was kept finds it.
        (folder / "server.json").write_bytes(left)
        with Sandbox(folder) as second:
            assert second.port == port
            screen.ready()
            assert second.phone.status()["devices"][0]["number"] == OTHER
    finally:
        screen.close()


def test_a_screen_or_dialog_that_makes_no_sense_is_refused(sandbox: Sandbox) -> None:
    for wrong in (
        lambda: sandbox.phone.screen("tea"),
        lambda: sandbox.phone.screen("shell", NUMBER),
        lambda: sandbox.phone.dialog("tea"),
        lambda: sandbox.phone.language("tlh"),
        lambda: sandbox.phone.drop_network("tea"),  # type: ignore[arg-type]
        lambda: sandbox.phone.change_number(OTHER),
    ):
        with pytest.raises(Misused):
            wrong()
    assert "shell" in SCREENS
