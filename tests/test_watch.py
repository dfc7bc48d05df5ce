"""``linda start --watch PATH -- COMMAND``: the bot restarts, the browser and the login never notice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from linda_cli.browser.binaries import find_driver
from linda_cli.lifecycle.bot import Bot, Wanted
from linda_cli.lifecycle.event_socket import EventSocket
from linda_cli.lifecycle.events import Event, event
from linda_cli.lifecycle.start import prepare
from linda_cli.sessions import story_log
from linda_cli.sessions.home import Home
from tests.conftest import needs
from tests.linda import NUMBER, Linda, World

EXAMPLE = Path(__file__).parents[1] / "examples" / "bot.py"


def bot_file(folder: Path, code: str) -> Path:
    path = folder / "bot.py"
    path.write_text(code)
    return path


def touch(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


WAITING = "import signal; print('up'); signal.pause()"


class TestUsage:
    @pytest.mark.parametrize(
        "words",
        [
            ["--watch", "."],
            ["--watch", ".", "--"],
            ["--", "true"],
            ["--"],
            ["--watch", "no-such-file", "--", "true"],
            ["--watch", ".", "--", "no-such-command-anywhere"],
        ],
    )
    def test_one_without_the_other_is_a_usage_error(self, linda: Linda, tmp_path: Path, words: list[str]) -> None:
        done = linda.run("--json", "start", *words)
        assert done.code == 2, done
        assert done.json["event"] == "error"
        assert not linda.home.exists()

    def test_everything_behind_the_dashes_is_the_bots(self, linda: Linda) -> None:
        done = linda.run(
            "--json", "start", "--watch", ".", "--", "no-such-command", "--json", "--home", "x", "--", "-1"
        )
        assert done.code == 2
        assert "no-such-command" in done.json["message"]


class TestForty:
    def test_forty_restarts_that_browser_and_login_never_notice(self, linked: World, tmp_path: Path) -> None:
        bot = tmp_path / "bot.py"
        shutil.copy(EXAMPLE, bot)
        with linked.linda.start(NUMBER, "--watch", str(bot), "--", sys.executable, str(bot)) as run:
            run.wait_for("ready")
            (browser,) = linked.browsers()
            until(lambda: any("attached to" in line for line in run.errors))
            for attempt in range(2, 42):
                touch(bot)
                run.wait_for("bot_started", attempt=attempt, timeout=20)
            seen = len(run.errors)
            # The last one is as well as the first.
            until(lambda: any("heard ready" in line for line in run.errors[seen:]))
            assert [one.pid for one in linked.browsers()] == [browser.pid]
            assert run.stop() == 0
        assert linked.linkings == 1
        assert run.all("qr") == run.all("disconnected") == []
        assert len(run.all("ready")) == 1
        assert len(run.all("bot_exited")) == 41
        assert [one["what"] for one in run.all("note")].count("bot.py changed: restarting the bot") >= 40
        assert linked.browsers() == []
        assert run.names()[-1] == "stopped"
        # Interrupted 41 times by SIGTERM, nothing of the bot is left: no driver, no socket.
        assert not [one for one in psutil.process_iter(["cmdline"]) if str(bot) in (one.info["cmdline"] or [])]


class TestBeside:
    def test_the_bot_comes_after_ready_with_all_it_needs(self, linked: World, tmp_path: Path) -> None:
        code = (
            "import json, os, socket, sys\n"
            "told = {key: os.environ[key] for key in ('LINDA_DEBUGGER_ADDRESS', 'LINDA_SESSION', 'LINDA_EVENTS')}\n"
            "client = socket.socket(socket.AF_UNIX)\n"
            "client.connect(told['LINDA_EVENTS'])\n"
            "print(json.dumps({**told, 'first': json.loads(client.makefile().readline()), 'argv': sys.argv[1:]}))\n"
        )
        bot = bot_file(tmp_path, code)
        command = [sys.executable, str(bot), "--json", "--", "-1"]
        with linked.linda.start(NUMBER, "--watch", str(bot), "--", *command) as run:
            assert run.end() == 0, "a bot that ends with 0 ends linda with 0"
        names = run.names()
        assert names.index("ready") < names.index("bot_started") < names.index("bot_exited") < names.index("stopped")
        assert run.all("bot_exited")[0]["code"] == 0
        (line,) = [one for one in run.errors if one.startswith("bot | ")]
        told = json.loads(line.removeprefix("bot | "))
        ready = run.all("ready")[0]
        assert told["argv"] == ["--json", "--", "-1"]
        assert told["LINDA_DEBUGGER_ADDRESS"] == ready["debuggerAddress"]
        assert told["LINDA_SESSION"] == NUMBER
        assert told["first"] == ready, "the same object as --json"
        assert not Path(told["LINDA_EVENTS"]).parent.exists()
        assert linked.browsers() == []

    def test_once_runs_it_to_its_end_and_names_its_code(self, linked: World, tmp_path: Path) -> None:
        bot = bot_file(tmp_path, "raise SystemExit(7)")
        with linked.linda.start(NUMBER, "--once", "--watch", str(bot), "--", sys.executable, str(bot)) as run:
            assert run.end() == 1
        assert run.last["event"] == "error"
        assert "7" in run.last["message"]
        assert run.all("saved"), "it was saved all the same"
        assert len(run.all("bot_started")) == 1
        kept = [one["event"] for one in story_log.read(linked.inner / "logs" / f"session-{NUMBER}.log")]
        assert kept[kept.index("bot_started") + 1 :].count("bot_exited") == 1, "the session's log tells of the bot too"
        bot.write_text("print('done')")
        with linked.linda.start(NUMBER, "--once", "--watch", str(bot), "--", sys.executable, str(bot)) as run:
            assert run.end() == 0
        assert run.last["event"] == "stopped"

    def test_it_is_started_anew_when_the_browser_was_replaced(self, linked: World, tmp_path: Path) -> None:
        code = "import os, signal; print('at', os.environ['LINDA_DEBUGGER_ADDRESS']); signal.pause()"
        bot = bot_file(tmp_path, code)
        with linked.linda.start(NUMBER, "--watch", str(bot), "--", sys.executable, str(bot)) as run:
            run.wait_for("bot_started", attempt=1)
            run.wait_for("saved")
            linked.phone.drop_network()
            run.wait_for("disconnected")
            linked.phone.restore_network()
            assert run.wait_for("reconnected")["via"] == "page"
            assert len(run.all("bot_started")) == 1, "the page's own recovery is none of the bot's business"
            for browser in linked.browsers():
                browser.kill()
            address = run.wait_for("reconnected", via="profile")["debuggerAddress"]
            run.wait_for("bot_started", attempt=2)
            until(lambda: f"bot | at {address}\n" in run.errors)
        assert run.all("qr") == []

    def test_in_talk_its_words_come_with_a_prefix_and_its_stdout_on_stdout(self, linked: World, tmp_path: Path) -> None:
        bot = bot_file(tmp_path, "import sys; print('plain \\x1b[31m'); print('loud', file=sys.stderr)")
        words = ["start", "--sandbox", NUMBER, "--watch", str(bot), "--", sys.executable, str(bot)]
        done = Linda(linked.home).run(*words)
        assert done.code == 0, done
        assert "bot | plain \\x1b[31m\n" in done.out
        assert "bot | loud\n" in done.err

    def test_linda_killed_at_once_is_noticed_on_the_socket(self, linked: World, tmp_path: Path) -> None:
        bot = tmp_path / "bot.py"
        shutil.copy(EXAMPLE, bot)
        with linked.linda.start(NUMBER, "--watch", str(bot), "--", sys.executable, str(bot)) as run:
            pid = run.wait_for("bot_started")["pid"]
            until(lambda: any("heard ready" in line for line in run.errors))
            alive = psutil.Process(pid)
            run.signal(signal.SIGKILL)
            with contextlib.suppress(psutil.NoSuchProcess):
                alive.wait(20)


def until(holds: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


class Beside:
    """A bot without a browser: the run is played."""

    def __init__(self, wanted: Wanted, **rest: Any) -> None:
        self.number: str | None = NUMBER
        self.stopped: list[str] = []
        self.woken = threading.Event()
        self.kept: list[str] = []
        self.told: list[Event] = []
        self._changed = threading.Condition()
        self.bot = Bot(wanted, self, self._hear, **rest)

    def stop(self, reason: str) -> None:
        self.stopped.append(reason)

    def wake(self) -> None:
        self.woken.set()

    def keep(self, told: Event) -> None:
        self.kept.append(told.event)

    def _hear(self, told: Event) -> None:
        with self._changed:
            self.told.append(told)
            self._changed.notify_all()

    def ready(self, address: str = "127.0.0.1:1") -> None:
        self.bot.tell(event("ready", NUMBER, {"debuggerAddress": address}))

    def wait_for(self, name: str, count: int = 1, timeout: float = 20) -> Event:
        def found() -> list[Event]:
            return [one for one in self.told if one.event == name]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, timeout), [one.event for one in self.told]
        return found()[count - 1]


@pytest.fixture
def beside() -> Iterator[Callable[..., Beside]]:
    made: list[Beside] = []

    def make(watch: Path, *command: str, show: Callable[[str, bool], None] = lambda *_: None, **rest: Any) -> Beside:
        made.append(Beside(Wanted.checked(command, [watch], lambda told: told.event, show), **rest))
        return made[-1]

    yield make
    for one in made:
        one.bot.end()
        one.bot.close()


class TestTheBotItself:
    def test_a_burst_of_changes_is_not_a_restart_for_each(self, beside: Callable[..., Beside], tmp_path: Path) -> None:
        bot = bot_file(tmp_path, WAITING)
        run = beside(tmp_path, sys.executable, str(bot))
        run.ready()
        run.wait_for("bot_started")
        for index in range(20):
            (tmp_path / f"{index}.py").write_text("")
        run.wait_for("bot_started", 2)
        touch(bot)
        run.wait_for("bot_started", 3)
        # Three, but on a machine that let us wait in the middle of the burst.
        assert len([one for one in run.told if one.event == "bot_started"]) < 10
        # What has changed is told before the bot is started again.
        notes = [str(one.facts["what"]) for one in run.told if one.event == "note"]
        assert all(re.fullmatch(r"\d+\.py( and \d+ more)? changed: restarting the bot", one) for one in notes[:-1]), (
            notes
        )
        assert notes[-1] == "bot.py changed: restarting the bot"

    def test_what_is_no_source_does_not_count(self, beside: Callable[..., Beside], tmp_path: Path) -> None:
        bot = bot_file(tmp_path, WAITING)
        run = beside(tmp_path, sys.executable, str(bot), ignored=(f"{tmp_path}/sessions/",))
        run.ready()
        run.wait_for("bot_started")
        for name in ("__pycache__/bot.pyc", ".git/index", "bot.py~", ".bot.py.swp", "sessions/session-1/Default/x"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
        # The events of one watch come in order: were any of those counted, this would be the third.
        time.sleep(0.3)
        (tmp_path / "sessions.py").write_text("")
        run.wait_for("bot_started", 2)
        assert len([one for one in run.told if one.event == "bot_started"]) == 2

    def test_a_file_that_an_editor_replaces_is_still_watched(
        self, beside: Callable[..., Beside], tmp_path: Path
    ) -> None:
        bot = bot_file(tmp_path, WAITING)
        run = beside(bot, sys.executable, str(bot))
        run.ready()
        for attempt in (1, 2, 3):
            run.wait_for("bot_started", attempt)
            (tmp_path / "beside.py").write_text("")
            fresh = tmp_path / "bot.py.new"
            fresh.write_text(WAITING)
            fresh.replace(bot)
        run.wait_for("bot_started", 4)

    def test_the_whole_group_is_ended_with_it(self, beside: Callable[..., Beside], tmp_path: Path) -> None:
        said: list[str] = []
        code = (
            "import subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
            "print(child.pid); child.wait()\n"
        )
        bot = bot_file(tmp_path, code)
        run = beside(bot, sys.executable, str(bot), show=lambda line, _: said.append(line))
        run.ready()
        until(lambda: said)
        child = psutil.Process(int(said[0]))
        touch(bot)
        run.wait_for("bot_started", 2)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE

    def test_one_that_does_not_listen_is_killed(
        self, beside: Callable[..., Beside], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("linda_cli.lifecycle.bot.GRACE", 0.5)
        said: list[str] = []
        deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up')\nwhile True: signal.pause()"
        run = beside(tmp_path, sys.executable, "-c", deaf, show=lambda line, _: said.append(line))
        run.ready()
        until(lambda: said)
        (tmp_path / "x.py").write_text("")
        assert run.wait_for("bot_exited").facts["code"] == 128 + signal.SIGKILL
        run.wait_for("bot_started", 2)

    def test_a_failing_bot_comes_back_with_growing_pauses(
        self, beside: Callable[..., Beside], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("linda_cli.lifecycle.bot._FIRST_PAUSE", 0.1)
        run = beside(tmp_path, sys.executable, "-c", "raise SystemExit(3)")
        run.ready()
        moments = []
        for attempt in range(1, 5):
            run.wait_for("bot_started", attempt)
            moments.append(time.monotonic())
            assert run.wait_for("bot_exited", attempt).facts["code"] == 3
        assert moments[3] - moments[2] >= 0.4
        assert run.stopped == []

    def test_a_logout_ends_it_and_the_next_ready_starts_it(self, beside: Callable[..., Beside], tmp_path: Path) -> None:
        run = beside(tmp_path, sys.executable, "-c", WAITING)
        run.ready()
        run.wait_for("bot_started")
        run.bot.tell(event("logged_out", NUMBER, {"reason": "phone"}))
        run.wait_for("bot_exited")
        (tmp_path / "x.py").write_text("")
        run.ready("127.0.0.1:2")
        run.wait_for("bot_started", 2)

    def test_an_end_with_0_because_its_file_was_just_being_written_is_no_end(
        self, beside: Callable[..., Beside], tmp_path: Path
    ) -> None:
        bot = bot_file(tmp_path, "")
        run = beside(bot, sys.executable, str(bot))
        run.ready()
        run.wait_for("bot_exited")
        bot.write_text(WAITING)
        run.wait_for("bot_started", 2)
        assert run.stopped == []

    def test_a_bot_that_ends_well_ends_the_run(self, beside: Callable[..., Beside], tmp_path: Path) -> None:
        run = beside(tmp_path, "true")
        run.ready()
        until(lambda: run.stopped)
        assert run.stopped == ["the bot ended"]


class TestEventSocket:
    @pytest.fixture
    def served(self) -> Iterator[EventSocket]:
        served = EventSocket(lambda told: json.dumps({"event": told.event, **told.facts}))
        yield served
        served.close()

    def connect(self, served: EventSocket) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(str(served.path))
        return client

    def heard(self, client: socket.socket, count: int) -> list[str]:
        with client.makefile() as lines:
            return [json.loads(lines.readline())["event"] for _ in range(count)]

    def test_only_the_owner_can_reach_it_and_its_path_is_short(self, served: EventSocket) -> None:
        assert stat.S_IMODE(served.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(served.path.parent.stat().st_mode) == 0o700
        assert len(os.fsencode(served.path)) <= 107

    def test_a_long_tmpdir_does_not_make_it_too_long(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        long = tmp_path / ("x" * 100)
        long.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(long))
        served = EventSocket(lambda told: told.event)
        served.close()
        assert len(os.fsencode(served.path)) <= 107

    def test_the_state_comes_first_and_several_hear(self, served: EventSocket) -> None:
        def tell(name: str, **facts: object) -> None:
            served.tell(event(name, NUMBER, facts))

        for name in ("checked", "restoring", "loading"):
            tell(name)
        tell("ready", debuggerAddress="127.0.0.1:1")
        tell("saved")
        tell("disconnected")
        early = self.connect(served)
        assert self.heard(early, 3) == ["ready", "saved", "disconnected"]
        tell("reconnected", debuggerAddress="127.0.0.1:2")
        late = self.connect(served)
        with late.makefile() as lines:
            assert json.loads(lines.readline()) == {"event": "ready", "debuggerAddress": "127.0.0.1:2"}
            assert json.loads(lines.readline())["event"] == "saved"
        tell("backed_up")
        assert self.heard(early, 2) == ["reconnected", "backed_up"]
        assert self.heard(late, 1) == ["backed_up"]

    def test_a_slow_client_keeps_nobody_waiting_and_is_let_go_of(self, served: EventSocket) -> None:
        slow = self.connect(served)
        began = time.monotonic()
        for _ in range(5000):
            served.tell(event("note", NUMBER, {"what": "x" * 2000}))
        assert time.monotonic() - began < 10
        with slow.makefile() as lines:
            assert sum(1 for _ in lines) < 5000, "it ends where it was let go of"
        served.tell(event("ready", NUMBER, {}))
        assert self.heard(self.connect(served), 1) == ["ready"]


def test_what_a_run_and_its_bot_tell_at_once_is_all_kept(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "sessions")
    home.make()
    run = prepare(home, None, lambda _: None)

    def tell(who: int) -> None:
        for index in range(50):
            if (who, index) == (0, 25):
                run.number = NUMBER
            run.keep(event("note", run.number, {"what": f"{who} {index}"}))

    tellers = [threading.Thread(target=tell, args=(who,)) for who in range(8)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    kept = [one["what"] for one in story_log.read(home.session_log(NUMBER))]
    assert sorted(kept) == sorted(f"{who} {index}" for who in range(8) for index in range(50))


LIMITED = """
    import pathlib, sys, threading, time
    from linda_cli.lifecycle.changes import Changes
    folder = pathlib.Path(sys.argv[1])
    seen = threading.Semaphore(0)
    def say(*words):
        # One write for a line: two threads speak here, and print writes each word for itself.
        sys.stdout.write(" ".join(words) + chr(10))
        sys.stdout.flush()
    changes = Changes([folder], lambda _: seen.release(), (), lambda what: say("said", what))
    changes.wait_until_up()
    while seen.acquire(timeout=1.5):
        pass
    for where in sys.argv[2:]:
        path = folder / where
        path.parent.mkdir(exist_ok=True)
        path.write_text(where)
        say("heard" if seen.acquire(timeout=10) else "missed", where)
        while seen.acquire(timeout=1.5):
            pass
    changes.close()
"""


@needs("unshare")
class TestFewWatchers:
    """As on a machine where other programs have used up what the kernel gives."""

    @pytest.mark.parametrize(
        ("limit", "value", "said"),
        [
            ("max_inotify_watches", 30, "fs.inotify.max_user_watches"),
            ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
            ("max_inotify_watches", 5000, None),
        ],
    )
    def test_no_change_is_missed_and_it_is_said_once(
        self, tmp_path: Path, limit: str, value: int, said: str | None
    ) -> None:
        folder = tmp_path / "sources"
        for at in range(80):
            (folder / f"d{at}").mkdir(parents=True)
        done = self._run(folder, limit, value, "d3/one.py", "d79/two.py", "one.py", "late/three.py")
        assert [line for line in done if line.startswith("heard")] == [
            "heard d3/one.py",
            "heard d79/two.py",
            "heard one.py",
            "heard late/three.py",
        ], done
        told = [line for line in done if line.startswith("said")]
        assert len(told) == (said is not None)
        if said is not None:
            assert f"sudo sysctl {said}=" in told[0]

    def test_a_folder_that_comes_when_none_is_left_is_not_missed(self, tmp_path: Path) -> None:
        folder = tmp_path / "sources"
        for at in range(20):
            (folder / f"d{at}").mkdir(parents=True)
        done = self._run(folder, "max_inotify_watches", 21, "new/one.py", "new/two.py")
        assert "heard new/two.py" in done
        assert len([line for line in done if line.startswith("said")]) == 1

    @staticmethod
    def _run(folder: Path, limit: str, value: int, *paths: str) -> list[str]:
        command = f'echo {value} > /proc/sys/user/{limit}; exec "$@"'
        python = [sys.executable, "-c", textwrap.dedent(LIMITED), str(folder), *paths]
        done = subprocess.run(
            ["unshare", "-Ur", "sh", "-c", command, "sh", *python],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if "unshare" in done.stderr:
            pytest.skip(f"no user namespaces here: {done.stderr}")
        assert done.returncode == 0, done
        return done.stdout.splitlines()


class TestListenersThatFail:
    def test_the_bot_goes_on_and_its_end_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        reported: list[str] = []
        monkeypatch.setattr(threading, "excepthook", lambda ended: reported.append(str(ended.exc_value)))
        side = SideOfNoRun()
        source = bot_file(tmp_path, "print('up'); raise SystemExit(0)")

        def listen(told: Event) -> None:
            if told.event != "ready":
                raise RuntimeError("a bug of the listener")

        def show(_: str, __: bool) -> None:
            raise RuntimeError("a bug of the show")

        wanted = Wanted.checked([sys.executable, str(source)], [source], lambda told: told.event, show)
        bot = Bot(wanted, side, listen)
        bot.tell(event("ready", NUMBER, {"debuggerAddress": "127.0.0.1:1"}))
        assert side.stopped.acquire(timeout=20), "the bot ended by itself, and the run is told"
        bot.end()
        bot.close()
        assert {"a bug of the listener", "a bug of the show"} <= set(reported)


def test_selenium_in_a_bot_takes_our_driver_and_asks_nobody_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SE_OFFLINE", raising=False)
    code = """
        import os
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        from selenium.webdriver.common.driver_finder import DriverFinder
        print(DriverFinder(Service(), webdriver.ChromeOptions()).get_driver_path(), os.environ["SE_OFFLINE"])
    """
    source = bot_file(tmp_path, textwrap.dedent(code))
    said: list[str] = []
    # Nowhere on the way to a bot is there a driver to be found by chance.
    driver = find_driver()
    monkeypatch.setenv("LINDA_CHROMEDRIVER", str(driver))
    monkeypatch.setenv("PATH", str(tmp_path))
    side = SideOfNoRun()
    wanted = Wanted.checked(
        [sys.executable, str(source)], [source], lambda told: told.event, lambda one, _: said.append(one)
    )
    bot = Bot(wanted, side, lambda _: None)
    bot.tell(event("ready", NUMBER, {"debuggerAddress": "127.0.0.1:1"}))
    assert side.stopped.acquire(timeout=60)
    bot.end()
    bot.close()
    assert said == [f"{driver} true"]


class SideOfNoRun:
    """What a bot needs of a run."""

    number: str | None = NUMBER

    def __init__(self) -> None:
        self.stopped = threading.Semaphore(0)

    def stop(self, reason: str) -> None:
        self.stopped.release()

    def wake(self) -> None:
        self.stopped.release()

    def keep(self, told: Event) -> None:
        """Kept nowhere."""
