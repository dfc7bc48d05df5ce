"""The library: ``Store`` without a browser, ``start`` with one."""

from __future__ import annotations

import shutil

import pytest

import linda_cli
from linda_cli.browser.strays import Driver
from linda_cli.browser.strays import drivers as drivers_on
from linda_cli.errors import LindaError, LoggedOut, SessionNotFound
from linda_cli.sandbox.running import running
from tests.linda import NUMBER, World


@pytest.fixture
def arguments(linked: World) -> dict[str, object]:
    """What a bot gives ``start`` to meet the stand-in instead of the real page."""
    found = running(linked.inner / "stand-in")
    assert found is not None
    return {"home": linked.inner, "browser_args": found.chrome_args}


def drivers(world: World) -> list[Driver]:
    """The ChromeDrivers on profiles of this home."""
    return list(drivers_on(world.inner / "sessions"))


class TestStore:
    """The seeds' SessionManager, function by function."""

    def test_can_restore_session(self, linked: World) -> None:
        store = linda_cli.Store(linked.inner)
        assert store.can_restore(NUMBER) is True
        shutil.rmtree(linked.profile / "Default")
        assert store.can_restore(NUMBER) is False

    def test_get_session_info_is_what_the_command_prints(self, linked: World) -> None:
        told = linda_cli.Store(linked.inner).info(NUMBER)
        printed = linked.linda.info()
        assert told.verdict == printed["verdict"] == "restorable"
        assert told.linked_as == printed["linkedAs"] == NUMBER
        assert [one.key for one in told.checks] == ["folder", "default", "session", "browser", "storage"]
        assert [one.name for one in told.backups] == [one["name"] for one in printed["backups"]]

    def test_backup_session_and_restore_from_backup(self, linked: World) -> None:
        store = linda_cli.Store(linked.inner)
        made = store.backup(NUMBER, label="before")
        assert made.backup.label == "before"
        assert made.is_new is False, "unchanged since the last run: the label goes on the backup that is there"
        shutil.rmtree(linked.profile / "Default" / "IndexedDB")
        done = store.restore(NUMBER, made.backup.name)
        assert done.restored is not None
        assert done.aside is not None
        assert store.can_restore(NUMBER) is True

    def test_save_session_state(self, linked: World) -> None:
        store = linda_cli.Store(linked.inner)
        store.save_state(NUMBER, is_linked=True, authMethod="code", colour="blue")
        state = store.info(NUMBER).state
        assert (state["isLinked"], state["authMethod"], state["colour"]) == (True, "code", "blue")

    def test_clear_session(self, linked: World) -> None:
        store = linda_cli.Store(linked.inner)
        done = store.clear(NUMBER)
        assert done.aside is not None
        assert store.info(NUMBER).verdict == "cleared"

    def test_cleanup_old_backups(self, linked: World) -> None:
        store = linda_cli.Store(linked.inner)
        planned = store.cleanup(older_than=0.0, keep=1, dry_run=True)
        assert [one.action for one in planned.items if one.kind == "backup"] == ["keep"]
        assert planned.removed == 0

    def test_what_is_not_there_is_a_named_error(self, linked: World) -> None:
        with pytest.raises(SessionNotFound):
            linda_cli.Store(linked.inner).info("971505760057")


class TestStart:
    """The seeds' restoreSession."""

    def test_a_bot_gets_a_ready_driver_its_number_and_its_events(
        self, linked: World, arguments: dict[str, object]
    ) -> None:
        heard: list[str] = []
        with linda_cli.start(NUMBER, lambda told: heard.append(told.event), **arguments) as live:
            assert live.number == NUMBER
            assert live.driver.execute_script("return document.querySelector('#pane-side') !== null") is True
            assert live.driver.execute_script("return navigator.webdriver") in (False, None)
            seen = []
            for told in live.events():
                seen.append(told.event)
                if told.event == "saved":
                    break
            assert seen[-2:] == ["ready", "saved"]
        assert heard[-1] == "stopped"
        assert linked.browsers() == []

    def test_without_a_driver_at_once_there_is_none_before_it_is_asked_for(
        self, linked: World, arguments: dict[str, object]
    ) -> None:
        with linda_cli.start(NUMBER, driver_at_once=False, **arguments) as live:
            for told in live.events():
                if told.event == "saved":
                    break
            assert drivers(linked) == []
            assert live.driver.execute_script("return document.querySelector('#pane-side') !== null") is True
            assert len(drivers(linked)) == 1
        assert drivers(linked) == []

    def test_it_attaches_where_a_browser_is_up(self, linked: World, arguments: dict[str, object]) -> None:
        sources = []
        for _ in range(2):
            with linda_cli.start(
                NUMBER,
                lambda told: sources.append(told.facts["source"]) if told.event == "ready" else None,
                keep_browser=True,
                **arguments,
            ):
                pass
        assert sources == ["profile", "browser"]

    def test_a_run_that_cannot_become_ready_raises_its_named_error(
        self, linked: World, arguments: dict[str, object]
    ) -> None:
        linked.phone.log_out(NUMBER)
        with pytest.raises(LoggedOut), linda_cli.start(NUMBER, no_link=True, **arguments):
            pass

    def test_an_error_inside_the_block_closes_the_browser_and_backs_up(
        self, linked: World, arguments: dict[str, object]
    ) -> None:
        with pytest.raises(ZeroDivisionError), linda_cli.start(NUMBER, **arguments):
            raise ZeroDivisionError
        assert linked.browsers() == []
        assert linked.linda.info()["verdict"] == "restorable"
        assert issubclass(LoggedOut, LindaError)
