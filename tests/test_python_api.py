"""The library: ``Store`` without a browser, ``start`` with one, and what both refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import linda_cli
from linda_cli.browser.strays import Driver
from linda_cli.browser.strays import drivers as drivers_on
from linda_cli.errors import BadNumber, LindaError, LoggedOut, Misused, SessionNotFound
from linda_cli.sandbox.phone import Phone
from linda_cli.sandbox.running import running
from linda_cli.sessions.home import find_home
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

    def test_sandbox_is_the_home_and_the_page_of_the_sandbox(self, world: World) -> None:
        heard: list[str] = []

        def tell(event: linda_cli.Event) -> None:
            heard.append(event.event)
            if event.event == "qr":
                served = running(find_home(world.home).home.sandbox().sandbox_server)
                assert served is not None
                Phone(served.control_url).scan(NUMBER)

        with linda_cli.start(home=world.home, on_event=tell, sandbox=True) as session:
            assert session.number == NUMBER
            assert isinstance(session, linda_cli.Live)
        assert heard.count("ready") == 1
        assert not list((world.home / "sessions").glob("*"))
        assert linda_cli.Store(world.inner).can_restore(NUMBER)


WRONG: list[tuple[dict[str, Any], type[LindaError], str]] = [
    ({"number": 971505760056}, BadNumber, "a number is a string, not 971505760056"),
    ({"number": "12"}, BadNumber, "not a WhatsApp number"),
    ({"engine": "firefox"}, Misused, "engine is selenium or undetected, not 'firefox'"),
    ({"engine": None}, Misused, "engine"),
    ({"link_with": "letter"}, Misused, "link_with is qr or code"),
    ({"timeout": -1}, Misused, "timeout is too small"),
    ({"timeout": 0}, Misused, "timeout is too small"),
    ({"timeout": float("nan")}, Misused, "timeout is a number of seconds"),
    ({"timeout": float("inf")}, Misused, "timeout is a number of seconds"),
    ({"timeout": "60"}, Misused, "timeout is a number of seconds"),
    ({"timeout": True}, Misused, "timeout is a number of seconds"),
    ({"qr_timeout": -0.5}, Misused, "qr_timeout is too small"),
    ({"hung_after": None}, Misused, "hung_after is a number of seconds"),
    ({"backup_every": -1}, Misused, "backup_every is too small"),
    ({"backup_every": "soon"}, Misused, "not a length of time"),
    ({"max_generations": -1}, Misused, "max_generations"),
    ({"max_generations": 1.5}, Misused, "max_generations"),
    ({"headful": "yes"}, Misused, "headful is True or False"),
    ({"sandbox": 1}, Misused, "sandbox is True or False"),
    ({"on_event": "print"}, Misused, "on_event is a function"),
    ({"browser_args": "--lang=fr"}, Misused, "browser_args is a list of strings"),
    ({"browser_args": [1]}, Misused, "browser_args is a list of strings"),
    ({"pace": 5}, Misused, "pace is a Pace"),
    ({"qr_file": 5}, Misused, "qr_file is a path"),
    ({"home": 5}, Misused, "home is a path"),
    ({"proxy": "nonsense"}, Misused, "proxy"),
]


@pytest.mark.parametrize(("arguments", "kind", "words"), WRONG, ids=[str(wrong[0]) for wrong in WRONG])
def test_a_wrong_argument_is_a_named_error_before_anything_is_made(
    tmp_path: Path, arguments: dict[str, Any], kind: type[LindaError], words: str
) -> None:
    home = tmp_path / "home"
    with pytest.raises(kind) as refused, linda_cli.start(**{"home": home, **arguments}):
        pass
    assert words in refused.value.message
    assert refused.value.hint
    assert not home.exists()


def test_an_argument_that_start_does_not_have_is_a_type_error_of_python_itself() -> None:
    with pytest.raises(TypeError), linda_cli.start(tiemout=5):  # type: ignore[call-arg]
        pass


def test_every_public_name_can_be_imported_and_the_version_is_the_packages() -> None:
    assert {name: getattr(linda_cli, name) for name in linda_cli.__all__}
    assert linda_cli.__version__ == version("linda-cli")
    assert set(linda_cli.__all__) <= set(dir(linda_cli))
    assert issubclass(linda_cli.errors.LoggedOut, linda_cli.LindaError)
    with pytest.raises(AttributeError):
        _ = linda_cli.nothing_of_this_name  # type: ignore[attr-defined]


GOOD_USE = """
import linda_cli
from linda_cli import Event, Info, LindaError, Session, Store, start

def tell(event: Event) -> None:
    print(event.event, event.facts)

with start("971505760056", tell, engine="undetected", timeout=60, sandbox=True) as session:
    live: Session = session
    number: str = session.number
    for event in session.events():
        tell(event)
info: Info = Store().info("971505760056")
version: str = linda_cli.__version__
"""
BAD_USE = {
    "start(971505760056)": "arg-type",
    'start(engine="firefox")': "arg-type",
    'start(timeout="60")': "arg-type",
    "start(tiemout=60)": "call-arg",
    "start(on_event=print)": "",
}


def test_type_checkers_see_what_start_takes_and_gives(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD_USE)
    (tmp_path / "bad.py").write_text("from linda_cli import start\n" + "\n".join(BAD_USE) + "\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "good.py", "bad.py"],
        cwd=tmp_path,
        # An editable install is found by a hook of the interpreter, which a type checker does not run.
        env={**os.environ, "MYPYPATH": str(Path(linda_cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for line in checked.stdout.splitlines():
        if line.startswith("bad.py"):
            found.setdefault(line.split(":")[1], line)
    assert not [line for line in checked.stdout.splitlines() if line.startswith("good.py")], checked.stdout
    for at, (use, code) in enumerate(BAD_USE.items(), 2):
        assert (f"[{code}]" in found.get(str(at), "")) if code else (str(at) not in found), (use, checked.stdout)
