"""Every exit code of the contract, from a real command that deserves it, with its error in JSON and in words."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from linda_cli import errors
from linda_cli.app.exit_codes import BUG, EXIT_CODES, exit_code
from tests.linda import NUMBER, Linda, Result, World, flip
from tests.read_only import read_only

OTHER = "971505760057"

BAD_NUMBERS = [
    "../../etc",
    "",
    "1" * 40,
    "abcdefgh",
    "0971505760056",
    "123456",
    "97150576 0056x",
    "97150576+0056",
    "-1",
]


def assert_failed(done: Result, code: int, name: str | None = None) -> str:
    """One line and one hint in words, no traceback; gives what was said."""
    assert done.code == code, done
    assert "Traceback" not in done.err + done.out
    said = done.err.splitlines()[-2:]
    assert said[0].startswith("linda: "), done.err
    assert said[1].startswith("  try: "), done.err
    return "\n".join(said)


def every_error() -> list[type[errors.LindaError]]:
    def below(kind: type[errors.LindaError]) -> list[type[errors.LindaError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in below(child))]

    return below(errors.LindaError)[1:]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_named_failure_has_its_price_and_stands_in_the_tree(kind: type[errors.LindaError]) -> None:
    assert exit_code(kind("message")) != BUG
    assert kind.__name__ in (errors.__doc__ or "")
    assert set(EXIT_CODES.values()) == {1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 130}


class TestUsage:
    @pytest.mark.parametrize("number", BAD_NUMBERS)
    @pytest.mark.parametrize("verb", ["start", "info", "backup", "restore", "clear", "stop"])
    def test_what_is_no_number_is_refused_before_any_path_is_built(self, linda: Linda, verb: str, number: str) -> None:
        # Behind "--" even "-1" is a number that somebody typed.
        assert_failed(linda.run(verb, *(["--yes"] if verb == "clear" else []), "--", number), 2)
        assert not linda.home.exists()

    def test_a_number_may_be_written_as_people_write_it(self, linked: World) -> None:
        assert linked.linda.info("+971 50 576 0056")["session"] == NUMBER

    def test_a_nul_never_reaches_a_path(self, linda: Linda) -> None:
        assert_failed(linda.run("info", LINDA_NUMBER="97150576\\0"), 2)

    @pytest.mark.parametrize(
        "words",
        [
            ["bogus"],
            ["info", "--bogus"],
            ["start", "--engine", "firefox"],
            ["start", "--link-with", "smoke"],
            ["start", "--timeout", "0"],
            ["start", "--timeout", "soon"],
            ["start", "--backup-every", "often"],
            ["cleanup", "--older-than", "long"],
            ["cleanup", "--keep", "0"],
            ["backup", "--all", NUMBER],
            ["--home"],
        ],
        ids=" ".join,
    )
    def test_a_command_line_that_makes_no_sense(self, linda: Linda, words: list[str]) -> None:
        assert_failed(linda.run(*words, home=words != ["--home"]), 2)
        assert not linda.home.exists()

    def test_the_same_in_json_is_json(self, linda: Linda) -> None:
        done = linda.run("info", "--bogus", "--json")
        assert done.code == 2
        assert done.json["error"]["code"] == 2
        assert set(done.json["error"]) == {"code", "name", "message", "hint"}

    def test_several_sessions_and_none_named_is_a_list_and_exit_2(self, linda: Linda) -> None:
        for number in (NUMBER, OTHER):
            (linda.home / "sessions" / f"session-{number}").mkdir(parents=True)
        for verb in ("backup", "restore", "stop", "start"):
            said = assert_failed(linda.run(verb), 2)
            assert NUMBER in said
            assert OTHER in said

    def test_the_only_session_there_is_needs_no_number(self, linked: World) -> None:
        assert linked.linda.json("backup")["session"] == NUMBER

    def test_linda_number_names_one(self, linked: World) -> None:
        (linked.inner / "sessions" / f"session-{OTHER}").mkdir()
        assert linked.linda.json("info", LINDA_NUMBER=OTHER)["session"] == OTHER

    def test_a_question_without_a_terminal_needs_yes(self, linked: World) -> None:
        assert_failed(linked.linda.run("clear", NUMBER), 2)
        assert linked.profile.is_dir()

    @pytest.mark.parametrize("argument", ["--user-data-dir=/tmp/x", "--remote-debugging-port=1", "loose", "'open"])
    def test_browser_arguments_that_are_ours_to_choose(self, linda: Linda, argument: str) -> None:
        assert_failed(linda.run("start", LINDA_CHROME_ARGS=argument), 2)

    def test_the_origin_of_the_address_may_not_change(self, linda: Linda) -> None:
        assert_failed(linda.run("start", LINDA_URL="https://web.whatsapp.com.example.org/"), 2)

    def test_global_options_go_before_or_after_the_command(self, linked: World) -> None:
        home = str(linked.inner)
        for words in (["--json", "--home", home, "info"], ["info", f"--home={home}", "--json"]):
            assert linked.linda.run(*words, home=False).json["sessions"][0]["session"] == NUMBER


class TestHome:
    def test_no_home_names_the_places_that_were_looked_in(self, tmp_path: Path) -> None:
        empty = tmp_path / "a" / "b"
        empty.mkdir(parents=True)
        for verb in (["info"], ["backup"], ["restore"], ["cleanup"], ["stop"], ["clear", NUMBER, "--yes"]):
            said = assert_failed(Linda(empty).run(*verb), 10)
            assert str(empty) in said
        assert list(empty.iterdir()) == []

    def test_the_nearest_home_above_the_working_directory_is_found(
        self, linked: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        below = linked.inner / "deep" / "er"
        below.mkdir(parents=True)
        monkeypatch.chdir(below)
        assert linked.linda.run("info", "--json", home=False).json["sessions"][0]["session"] == NUMBER

    def test_looking_ends_at_the_users_home(self, linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
        below = linked.inner / "user"
        below.mkdir()
        monkeypatch.chdir(below)
        assert linked.linda.run("info", home=False, HOME=str(below)).code == 10

    def test_session_path_moves_the_sessions_alone(self, linked: World, tmp_path: Path) -> None:
        moved = tmp_path / "elsewhere"
        shutil.move(linked.inner / "sessions", moved)
        told = linked.linda.json("info", NUMBER, SESSION_PATH=str(moved))
        assert told["verdict"] == "restorable"
        assert told["profile"] == str(moved / f"session-{NUMBER}")

    def test_an_unknown_session_is_exit_10(self, linked: World) -> None:
        for verb in (["info"], ["backup"], ["restore"], ["stop"]):
            assert_failed(linked.linda.run(*verb, OTHER), 10)

    def test_a_home_that_is_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_text("kept")
        assert_failed(Linda(file).run("start", NUMBER), 1)
        assert_failed(Linda(file).run("info"), 10)
        assert file.read_text() == "kept"

    def test_a_read_only_home_is_exit_1_for_what_must_write(self, linked: World) -> None:
        with read_only(linked.inner):
            if os.access(linked.inner, os.W_OK):
                pytest.skip("this user may write everywhere and cannot take the right away")
            assert_failed(linked.linda.run("backup", NUMBER, "--label", "x"), 1)
            assert linked.linda.info()["verdict"] == "restorable"


class TestInUse:
    def test_a_second_start_says_at_once_who_runs_it(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as first:
            first.wait_for("saved")
            with linked.linda.start(NUMBER) as second:
                assert second.end(10) == 11
            told = second.last
            assert told["event"] == "error"
            assert f"pid {first.process.pid}" in told["message"]
            assert "start" in told["message"]
            for verb in (["restore"], ["clear", "--yes"]):
                assert_failed(linked.linda.run(verb[0], NUMBER, *verb[1:]), 11)
            assert linked.linda.run("backup", NUMBER).code == 0, "a backup needs only the store lock"
            assert first.stop() == 0

    def test_only_one_linking_run_in_a_home(self, world: World) -> None:
        with world.linda.start() as first:
            first.wait_for("qr")
            with world.linda.start() as second:
                assert second.end(10) == 11


class TestBrowser:
    def test_a_browser_that_is_missing(self, linked: World) -> None:
        before = tree(linked.profile)
        with linked.linda.start(NUMBER, LINDA_CHROME="/nonexistent/chromium") as run:
            assert run.end() == 14
        assert run.last["name"] == "BrowserMissing"
        assert tree(linked.profile) == before

    def test_a_driver_that_is_missing(self, linked: World) -> None:
        with linked.linda.start(NUMBER, LINDA_CHROMEDRIVER="/nonexistent/chromedriver") as run:
            assert run.end() == 14

    def test_a_browser_that_dies_at_start_leaves_its_last_words(self, linked: World, tmp_path: Path) -> None:
        dying = script(
            tmp_path / "dying",
            'case "$1" in --version) echo Chromium 999.0.1.1;; *) echo "I cannot" >&2; exit 5;; esac',
        )
        with linked.linda.start(NUMBER, LINDA_CHROME=dying) as run:
            assert run.end() == 14
        assert "I cannot" in run.last["message"]
        assert "code 5" in run.last["message"]
        assert linked.linda.info()["verdict"] == "restorable"

    def test_a_browser_that_hangs_is_given_up_after_20_seconds(self, linked: World, tmp_path: Path) -> None:
        hanging = script(
            tmp_path / "hanging", 'case "$1" in --version) echo Chromium 999.0.1.1;; *) exec sleep 300;; esac'
        )
        with linked.linda.start(NUMBER, LINDA_CHROME=hanging) as run:
            assert run.end(60) == 14
            assert 19_000 < run.last["elapsedMs"] < 40_000
        assert run.last["name"] == "BrowserSilent"

    def test_a_profile_of_a_newer_browser_is_left_alone(self, linked: World) -> None:
        (linked.profile / "Last Version").write_text("999.0.1.2")
        before = tree(linked.profile)
        assert linked.linda.info()["verdict"] == "too_new"
        with linked.linda.start(NUMBER) as run:
            assert run.end() == 14
        assert run.last["name"] == "BrowserTooOld"
        assert tree(linked.profile) == before
        assert linked.quarantined() == []


class TestPage:
    def test_an_unreachable_page_is_17_and_the_session_is_as_it_was(self, linked: World) -> None:
        linked.phone.drop_network()
        with linked.linda.start(NUMBER, "--timeout", "3") as run:
            assert run.end() == 17
        assert run.last["event"] == "error"
        assert linked.linda.info()["verdict"] == "restorable"
        assert linked.quarantined() == []
        linked.phone.restore_network()
        with linked.linda.start(NUMBER, "--once") as again:
            assert again.wait_for("ready")["source"] == "profile"

    def test_a_page_that_takes_too_long_is_17(self, linked: World) -> None:
        linked.phone.set_timing(page_delay=30)
        with linked.linda.start(NUMBER, "--timeout", "2") as run:
            assert run.end() == 17
        assert linked.linda.info()["verdict"] == "restorable"

    def test_a_blocked_client_is_17_and_named(self, linked: World) -> None:
        linked.phone.block("PROXYBLOCK")
        with linked.linda.start(NUMBER, "--timeout", "3") as run:
            assert run.end() == 17
        assert run.last["name"] == "Blocked"
        assert "PROXYBLOCK" in run.last["message"]
        assert linked.quarantined() == []


class TestLinking:
    def test_nobody_scans_in_time_is_15(self, world: World) -> None:
        with world.linda.start(NUMBER, "--qr-timeout", "8") as run:
            assert run.end() == 15
        assert run.all("qr")

    def test_a_passkey_cannot_be_given_headless_and_is_18(self, world: World) -> None:
        world.phone.ask_passkey()
        with world.linda.start(NUMBER) as run:
            run.wait_for("qr")
            world.phone.scan(NUMBER)
            assert run.end() == 18
        assert run.all("passkey_required")
        assert "--headful" in run.last["hint"]

    def test_another_account_is_19_and_nothing_is_overwritten(self, world: World) -> None:
        with world.linda.start(NUMBER) as run:
            run.wait_for("qr")
            world.phone.scan(OTHER)
            assert run.end() == 19
        told = run.last
        assert NUMBER in told["message"]
        assert OTHER in told["message"]
        name = world.quarantined()[0].name
        assert name.startswith(f"quarantine-{OTHER}-")
        assert told["hint"] == f"linda --home {world.home} --sandbox adopt {name}"
        (done,) = world.linda.json("adopt", name)["results"]
        assert (done["session"], done["action"]) == (OTHER, "adopted")
        with world.linda.start(OTHER, "--once") as adopted:
            assert adopted.wait_for("ready")["isRestored"] is True

    @pytest.mark.parametrize("kind", ["never linked", "cleared", "logged out", "damaged", "all backups corrupt"])
    def test_with_no_link_no_code_is_ever_shown(self, linked: World, kind: str) -> None:
        number, expected = NUMBER, {13}
        if kind == "never linked":
            number = OTHER
        elif kind == "cleared":
            linked.linda.json("clear", NUMBER, "--yes")
            expected = {16}
        elif kind == "logged out":
            linked.phone.log_out(NUMBER)
            expected = {16}
        else:
            database = linked.profile / "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
            (database / "CURRENT").write_text("")
            for backup in linked.backups():
                if kind == "damaged":
                    shutil.rmtree(backup)
                else:
                    flip(max(backup.rglob("*.log"), key=lambda one: one.stat().st_size))
            expected = {12} if kind == "damaged" else {13}
        with linked.linda.start(number, "--no-link") as run:
            assert run.end() in expected
        assert run.all("qr") == []

    def test_with_no_link_an_empty_home_shows_no_code_for_a_new_number(self, make_world: Callable[..., World]) -> None:
        run = make_world().linda.start("--no-link")
        with run:
            assert run.end() == 13
        assert run.all("qr") == []

    def test_a_logout_with_nowhere_to_show_a_code_is_16(self, linked: World) -> None:
        linked.phone.log_out(NUMBER)
        done = Linda(linked.home).run("start", "--sandbox", NUMBER)
        assert_failed(done, 16)


class TestBackups:
    def test_no_backup_to_restore_is_13_and_an_unknown_name_is_10(self, linked: World) -> None:
        assert_failed(linked.linda.run("restore", NUMBER, "--from", f"backup-{NUMBER}-1"), 10)
        assert_failed(linked.linda.run("restore", NUMBER, "--from", "../../etc"), 10)
        for backup in linked.backups():
            shutil.rmtree(backup)
        assert_failed(linked.linda.run("restore", NUMBER), 13)

    def test_a_named_bad_backup_is_13_without_a_substitute(self, linked: World) -> None:
        bad = linked.backups()[0]
        flip(max(bad.rglob("*.log"), key=lambda one: one.stat().st_size))
        before = tree(linked.profile)
        assert_failed(linked.linda.run("restore", NUMBER, "--from", bad.name), 13)
        assert_failed(linked.linda.run("restore", NUMBER, "--from", "latest"), 13)
        assert tree(linked.profile) == before

    def test_a_damaged_login_is_not_backed_up_and_is_12(self, linked: World) -> None:
        database = linked.profile / "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
        (database / "CURRENT").write_text("")
        assert_failed(linked.linda.run("backup", NUMBER), 12)
        assert len(linked.backups()) == 1

    def test_all_with_one_damaged_is_partly_done(self, linked: World) -> None:
        broken = linked.inner / "sessions" / f"session-{OTHER}"
        shutil.copytree(linked.profile, broken, symlinks=True)
        database = broken / "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"
        (database / "CURRENT").write_text("")
        done = linked.linda.run("backup", "--all", "--json")
        assert done.code == 3
        results = {one["session"]: one for one in done.json["results"]}
        assert results[NUMBER]["error"] is None
        assert results[OTHER]["error"]["name"] == "ProfileDamaged"


class TestInterrupted:
    def test_once_interrupted_before_saved_is_130(self, world: World) -> None:
        with world.linda.start("--once") as run:
            run.wait_for("qr")
            run.signal(signal.SIGINT)
            assert run.end() == 130
        assert run.last["event"] == "error"
        assert run.all("stopped") == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
    def test_a_run_that_is_stopped_is_0(self, linked: World, number: signal.Signals) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("ready")
            run.signal(number)
            assert run.end() == 0
        assert run.last == {**run.last, "event": "stopped", "reason": number.name}
        assert linked.browsers() == []

    def test_a_second_interrupt_is_130_at_once(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("ready")
            run.signal(signal.SIGSTOP)
            # Both wait while it is stopped, so that no way out can have been walked in between.
            run.signal(signal.SIGINT)
            run.signal(signal.SIGCONT)
            run.signal(signal.SIGINT)
            assert run.end() in (130, 0)


def test_a_bug_is_70_with_a_log_to_send(linked: World, tmp_path: Path) -> None:
    """A traceback reaches nobody except as the log of a bug."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("import linda_cli.sessions.reading as s\ns.Reading.info = lambda *_, **__: 1 / 0\n")
    done = linked.linda.run("info", NUMBER, PYTHONPATH=str(tmp_path), TMPDIR=str(tmp_path))
    said = assert_failed(done, 70)
    log = Path(said.split("please send ")[1].splitlines()[0])
    assert "ZeroDivisionError" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in sorted(folder.rglob("*"))
        if one.is_file() and not one.is_symlink()
    }
