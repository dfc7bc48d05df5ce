"""Nothing irrevocable rests on a guess: what a page that was not written here may show, and what linda makes of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import linda_cli
from linda_cli.browser.binaries import find_browser
from linda_cli.lifecycle.events import Event
from linda_cli.lifecycle.options import Pace
from linda_cli.sandbox.running import running
from linda_cli.sessions.locks import held
from tests.linda import NUMBER, Started, World

OTHER = "971505760057"
HARMLESS = ("disconnected", "logged_out", "qr", "quarantined", "rung_failed", "conflict", "waiting", "auth_failure")


def nothing_follows(run: Started, world: World, seconds: float = 7.0) -> None:
    """Longer than a blip: no outage, no state, nothing pressed, and the device is still linked."""
    time.sleep(seconds)
    assert [one for one in run.names() if one in HARMLESS] == [], run.story()
    status = world.phone.status()
    assert status["pressed"] == []
    assert [one["removedAt"] for one in status["devices"]] == [None]


def comes_back_from_the_profile(world: World) -> Started:
    """The next start is ready from the profile itself and reaches saved; nothing is quarantined."""
    with world.linda.start(NUMBER, "--once") as again:
        assert again.wait_for("ready")["source"] == "profile"
        again.wait_for("saved")
        again.wait_for("stopped")
    assert world.quarantined() == []
    assert again.all("qr") == []
    assert [one["rung"] for one in again.all("restoring")] == ["profile"]
    return again


class TestRenamedKeys:
    @pytest.mark.parametrize("keys", ["noise", "wid", "both"])
    def test_a_ready_page_that_renames_its_keys_is_no_logout(self, linked: World, keys: str) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.rename_keys(keys)  # type: ignore[arg-type]
            nothing_follows(run, linked)
            assert run.stop() == 0
        comes_back_from_the_profile(linked)

    def test_renamed_keys_a_reload_and_a_code_for_two_seconds_are_no_logout(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.rename_keys("both")
            linked.phone.reload_page(code=2)
            run.wait_for("page_reloaded", timeout=30)
            assert [one for one in run.names() if one in HARMLESS] == [], run.story()
            assert run.stop() == 0
        comes_back_from_the_profile(linked)

    def test_storage_that_throws_when_it_is_read_is_unknown_and_proves_nothing(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.break_page("local-storage")
            nothing_follows(run, linked)
            assert run.stop() == 0
        linked.phone.break_page()
        comes_back_from_the_profile(linked)


class TestDialogs:
    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("log-out", None),
            ("log-out", "Log out of this computer or browser?"),
            ("delete-chat", None),
            ("whats-new", None),
            ("cookies", None),
        ],
    )
    def test_a_dialog_over_a_ready_page_is_never_pressed_and_is_no_state(
        self, linked: World, kind: str, text: str | None
    ) -> None:
        with linked.linda.start(NUMBER, "--takeover") as run:
            run.wait_for("saved")
            linked.phone.dialog(kind, NUMBER, text=text)
            nothing_follows(run, linked)
            run.stop()

    def test_a_database_error_does_not_hide_the_code(self, world: World) -> None:
        world.phone.dialog("database-error")
        with world.linda.start(NUMBER, "--once") as run:
            run.wait_for("qr", timeout=20)
            world.phone.scan(NUMBER)
            run.wait_for("ready")
            run.wait_for("stopped")

    def test_words_inside_scripts_are_no_text_of_the_page(self, world: World) -> None:
        world.phone.hide_words()
        with world.linda.start(NUMBER, "--once") as run:
            run.wait_for("qr", timeout=20)
            world.phone.scan(NUMBER)
            run.wait_for("stopped")


class TestElsewhere:
    @pytest.mark.parametrize(("language", "pane"), [("fr", False), ("ar", True)])
    def test_another_computer_is_left_alone_in_every_language(self, linked: World, language: str, pane: bool) -> None:
        linked.phone.language(language)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.open_elsewhere("computer", NUMBER, pane=pane)
            assert run.wait_for("conflict")["where"] == "open on another computer"
            run.wait_for("disconnected")
            time.sleep(3)
            assert linked.phone.status()["pressed"] == []
            run.stop()
        assert linked.phone.status()["devices"][0]["removedAt"] is None

    def test_the_popup_of_another_window_without_another_window_is_not_pressed(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--takeover") as run:
            run.wait_for("saved")
            linked.phone.open_elsewhere("window", NUMBER)
            assert run.wait_for("waiting", **{"for": "account"})["reason"]
            assert linked.phone.status()["pressed"] == []
            run.stop()


class TestSlowPages:
    def test_a_page_that_reloads_itself_for_an_update_is_no_outage(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.reload_page(boot=9)
            run.wait_for("page_reloaded", timeout=40)
            assert run.all("disconnected") == []
            assert len(linked.browsers()) == 1
            run.stop()

    def test_a_login_that_syncs_is_left_alone(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.set_timing(resync=15)
            linked.phone.reload_page()
            run.wait_for("page_reloaded", timeout=60)
            assert run.all("disconnected") == []
            run.stop()

    def test_a_code_for_two_seconds_while_the_page_starts_is_waited_for(self, linked: World) -> None:
        linked.phone.next_page(code=2, hide_keys=True)
        comes_back_from_the_profile(linked)
        assert not linked.state().get("rejected")


class TestStaleAddresses:
    def test_a_relink_in_the_same_tab_leaves_a_stale_address_that_condemns_nothing(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as first:
            first.wait_for("stopped")
        linked.phone.log_out(NUMBER)
        linked.phone.scan(NUMBER)
        deadline = time.monotonic() + 20
        while not linked.phone.status()["devices"][-1]["online"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with linked.linda.start(NUMBER) as run:
            assert run.wait_for("ready")["source"] == "browser"
            run.wait_for("saved")
            linked.phone.set_timing(notice=0.1, recover=0.1)
            linked.phone.drop_network()
            time.sleep(2)
            linked.phone.restore_network()
            time.sleep(6)
            assert run.all("logged_out") == [], run.story()
            assert run.all("qr") == []
            run.stop()
        assert linked.linda.info()["verdict"] == "restorable"

    @pytest.mark.parametrize("clean", [False, True], ids=["address kept", "address cleaned"])
    def test_a_kept_browser_that_was_logged_out_before_is_judged_by_the_recorded_login(
        self, linked: World, clean: bool
    ) -> None:
        linked.phone.clean_address(clean)
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as first:
            first.wait_for("stopped")
        linked.phone.log_out(NUMBER)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("logged_out", timeout=90)
            run.wait_for("qr")
            assert run.all("ready") == []
            run.stop()

    @pytest.mark.parametrize("reason", [1, 17])
    def test_a_logout_that_names_a_reason_is_confirmed_by_its_newest_verified_backup(
        self, linked: World, reason: int
    ) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.log_out_with(reason, NUMBER)
            run.wait_for("disconnected", timeout=30)
            assert run.wait_for("restoring", rung="backup", timeout=30)["backup"] == linked.backups()[0].name
            run.wait_for("logged_out", timeout=60)
            run.wait_for("qr")
            run.stop()

    @pytest.mark.slow
    def test_a_login_that_vanishes_without_an_address_is_confirmed_too(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.log_out_with(None, NUMBER, address=False)
            run.wait_for("logged_out", timeout=90)
            run.wait_for("qr")
            run.stop()
        assert [one["rung"] for one in run.all("restoring")] == ["profile", "backup"]


class TestOtherAccounts:
    def test_another_account_in_the_same_profile_is_19_and_nothing_is_lost(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.switch_account(OTHER, NUMBER)
            assert run.end() == 19
        assert run.last["name"] == "OtherAccount"
        kept = re.search(rf"quarantine-{OTHER}-\d+", run.last["message"])
        assert kept is not None
        assert (linked.cache / kept[0]).is_dir()
        assert all(f"-{NUMBER}-" in one.name for one in linked.backups())

    def test_where_it_cannot_be_moved_the_truth_is_said(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            # The other number's store is held by somebody else for longer than it is waited for.
            with held(linked.cache / "locks" / f"store-{OTHER}.lock", what="the test"):
                linked.phone.switch_account(OTHER, NUMBER)
                assert run.end() == 19
        assert "None" not in run.last["message"]
        assert linked.profile.is_dir()

    def test_a_changed_number_of_the_same_device_is_told_and_nothing_moved(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.change_number(OTHER, NUMBER)
            told = run.wait_for("number_changed")
            assert (told["from"], told["to"]) == (NUMBER, OTHER)
            time.sleep(7)
            assert run.all("disconnected") == []
            assert run.stop() == 0
        with linked.linda.start(NUMBER, "--once") as again:
            assert again.wait_for("ready")["source"] == "profile"
            again.wait_for("number_changed")
            again.wait_for("stopped")
        assert linked.quarantined() == []


class TestNetwork:
    def test_an_outage_of_the_network_ends_in_the_same_browser(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            (browser,) = linked.browsers()
            linked.phone.drop_network()
            run.wait_for("disconnected")
            assert "web.whatsapp.com" in run.wait_for("waiting", **{"for": "network"})["reason"]
            time.sleep(15)
            linked.phone.restore_network()
            run.wait_for("reconnected", timeout=20)
            assert [one.pid for one in linked.browsers()] == [browser.pid]
            assert run.wait_for("reconnected")["via"] in ("page", "reload")
            run.stop()
        assert len(run.all("disconnected")) == 1

    @pytest.mark.parametrize(
        ("how", "words"),
        [("dns", "DNS lookup of web.whatsapp.com failed"), ("down", "web.whatsapp.com"), ("silent", "no answer")],
    )
    def test_a_start_without_a_network_says_so_and_why(self, linked: World, how: str, words: str) -> None:
        linked.phone.drop_network(how)  # type: ignore[arg-type]
        with linked.linda.start(NUMBER, "--timeout", "14") as run:
            told = run.wait_for("waiting", **{"for": "network"}, timeout=20)
            assert words in told["reason"]
            assert run.end() == 17
        assert words in run.last["message"]
        linked.phone.restore_network()
        assert linked.linda.info()["verdict"] == "restorable"
        assert linked.quarantined() == []

    def test_a_start_that_meets_the_network_again_is_ready(self, linked: World) -> None:
        linked.phone.drop_network()
        with linked.linda.start(NUMBER, "--once") as run:
            run.wait_for("waiting", **{"for": "network"})
            linked.phone.restore_network()
            run.wait_for("ready", timeout=15)
            run.wait_for("stopped")


class TestScreens:
    @pytest.mark.parametrize(
        ("screen", "what"),
        [
            ("temporary-ban", "account"),
            ("service-unavailable", "account"),
            ("app-lock", "unlock"),
            ("call-takeover", "account"),
            ("unsupported-takeover", "account"),
            ("unknown", "page"),
        ],
    )
    def test_a_screen_instead_of_the_chats_is_named_and_left_alone(self, linked: World, screen: str, what: str) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            documents = len(run.all("page_reloaded"))
            linked.phone.screen(screen, NUMBER)
            run.wait_for("disconnected", timeout=20)
            assert run.wait_for("waiting", **{"for": what}, timeout=20)["reason"]
            time.sleep(8)
            assert len(run.all("page_reloaded")) == documents
            assert linked.phone.status()["pressed"] == []
            linked.phone.screen(None, NUMBER)
            run.wait_for("reconnected", timeout=20)
            run.stop()
        assert linked.phone.status()["devices"][0]["removedAt"] is None
        if screen == "unknown":
            (kept,) = (linked.inner / "logs").glob("unknown-page-*.txt")
            assert kept.stat().st_mode & 0o777 == 0o600
            assert len(kept.read_text().splitlines()) > 2

    def test_a_start_on_such_a_screen_ends_with_17_and_its_name(self, linked: World) -> None:
        linked.phone.screen("app-lock", NUMBER)
        with linked.linda.start(NUMBER, "--timeout", "9") as run:
            run.wait_for("waiting", **{"for": "unlock"})
            assert run.end() == 17
        assert "locked" in run.last["message"]
        assert "linda restore" in run.last["hint"]
        assert linked.quarantined() == []

    def test_the_reason_of_a_slow_logout_is_waited_for(self, linked: World) -> None:
        linked.phone.set_timing(logout=8)
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.log_out(NUMBER)
            run.wait_for("logged_out", timeout=40)
            run.wait_for("qr")
            run.stop()
        assert run.all("rung_failed") == [] or run.all("rung_failed")[0]["reason"] == "logged out"


class TestObserver:
    @pytest.mark.parametrize("broken", ["mutation-observer", "json", "require-absent", "require-throws"])
    def test_a_page_that_breaks_what_an_observer_uses_stays_ready(self, linked: World, broken: str) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            linked.phone.break_page(broken)
            nothing_follows(run, linked)
            run.stop()

    def test_an_observer_that_throws_is_a_named_error(self, linked: World) -> None:
        linked.phone.break_page("query-selector")
        with linked.linda.start(NUMBER, "--timeout", "10") as run:
            told = run.wait_for("waiting", **{"for": "page"}, timeout=30)
            assert "observed" in told["reason"]
            assert run.end() == 17
        assert linked.quarantined() == []


def dying(tmp_path: Path, when: str) -> Path:
    """A Chromium that dies a second after its start where the shell's test ``when`` is true of its profile."""
    wrapper = tmp_path / "chromium-that-dies"
    wrapper.write_text(
        f"""#!/bin/bash
case " $* " in *" --version "*) exec '{find_browser()}' --version;; esac
for word in "$@"; do case "$word" in --user-data-dir=*) profile="${{word#--user-data-dir=}}";; esac; done
if {when}; then
  '{find_browser()}' "$@" & child=$!
  sleep 1.2; kill -KILL $child; wait $child; exit 133
fi
exec '{find_browser()}' "$@"
"""
    )
    wrapper.chmod(0o755)
    return wrapper


class TestDeaths:
    def test_a_profile_on_which_chromium_dies_twice_is_a_failed_step_and_a_backup_is_tried(
        self, linked: World, tmp_path: Path
    ) -> None:
        (linked.profile / "deadly").touch()
        # It dies before the page is ready, however fast the machine is.
        linked.phone.set_timing(page_delay=5)
        wrapper = dying(tmp_path, '[ -e "$profile/deadly" ]')
        with linked.linda.start(NUMBER, "--once", LINDA_CHROME=str(wrapper)) as run:
            assert run.wait_for("ready", timeout=90)["source"] == "backup"
            run.wait_for("stopped")
        assert run.wait_for("rung_failed")["rung"] == "profile"
        assert len(linked.quarantined()) == 1, "the profile is kept"
        assert run.all("qr") == []

    def test_a_browser_that_dies_on_every_profile_moves_nothing(self, linked: World, tmp_path: Path) -> None:
        before = linked.backups()
        linked.phone.set_timing(page_delay=5)
        with linked.linda.start(NUMBER, LINDA_CHROME=str(dying(tmp_path, "true"))) as run:
            assert run.end(120) == 14
        linked.phone.set_timing(page_delay=0)
        assert linked.quarantined() == []
        assert linked.backups()[-1] == before[-1]
        comes_back_from_the_profile(linked)

    def test_a_browser_killed_while_a_code_is_on_show_is_replaced_and_shows_a_new_one(self, world: World) -> None:
        with world.linda.start(NUMBER) as run:
            run.wait_for("qr")
            for browser in world.browsers():
                browser.kill()
            run.wait_for("qr", count=2, timeout=30)
            world.phone.scan(NUMBER)
            run.wait_for("ready")
            run.stop()


class TestLinking:
    def test_a_pairing_code_needs_a_number_at_once(self, world: World) -> None:
        with world.linda.start("--link-with", "code") as run:
            assert run.end(20) == 2
        assert world.browsers() == []

    def test_a_first_start_that_ends_without_a_link_leaves_no_folder_and_a_log(self, world: World) -> None:
        for _ in range(2):
            with world.linda.start() as run:
                run.wait_for("qr")
                assert run.stop() == 0
        assert list((world.inner / "sessions").glob("*linking-*")) == []
        assert (world.inner / "logs" / "session-linking.log").is_file()

    def test_an_unsupported_browser_is_named_while_linking(self, world: World) -> None:
        args = {"LINDA_CHROME_ARGS": "--user-agent=HeadlessChrome/1"}
        with world.linda.start(NUMBER, **args) as run:
            assert run.end(60) == 17
        assert "Chrome" in run.last["message"]

    @pytest.mark.parametrize("field", ["code_text", "selectors"])
    def test_a_broken_description_of_the_page_is_2_when_it_is_loaded(
        self, linked: World, tmp_path: Path, field: str
    ) -> None:
        mine = tmp_path / "page.json"
        broken = {"code_text": "(["} if field == "code_text" else {"selectors": {"pane": ["div["]}}
        mine.write_text(json.dumps(broken))
        with linked.linda.start(NUMBER, "--signals", str(mine)) as run:
            assert run.end(20) == 2
        assert linked.browsers() == []


class TestState:
    def test_a_state_file_that_is_held_ends_no_run(self, linked: World) -> None:
        with held(linked.cache / "locks" / "state.lock", what="the test"), linked.linda.start(NUMBER) as run:
            run.wait_for("ready")
            run.wait_for("note", timeout=40)
            assert run.process.poll() is None
            assert len(linked.browsers()) == 1

    def test_a_home_whose_path_is_not_utf8_works_or_says_so_before_anything_is_recorded(
        self, linked: World, tmp_path: Path, make_world: Callable[..., World]
    ) -> None:
        strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/h\xf6me"))
        linked.sandbox.stop()
        shutil.copytree(linked.home, strange, symlinks=True)
        world = make_world(strange)
        with world.linda.start(NUMBER, "--once") as run:
            code = run.end(90)
        assert code in (0, 1, 2), (code, run.story())
        assert not world.state().get("rejected")
        assert world.quarantined() == []


class TestInProcess:
    def test_its_own_events_are_told_from_the_runs_own_beginning(self, linked: World) -> None:
        found = running(linked.inner / "stand-in")
        assert found is not None
        heard: list[Event] = []
        time.sleep(1.0)
        with linda_cli.start(
            NUMBER, heard.append, home=linked.inner, browser_args=found.chrome_args, pace=Pace(blip=0.5)
        ) as live:
            assert live.number == NUMBER
        ready = next(one for one in heard if one.event == "ready")
        assert ready.elapsed_ms < 30_000
