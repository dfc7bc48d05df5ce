"""Telling a real HTTP server by apprise and a real program: bounded, in no argument list, and nobody waits."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from linda_cli.console.own_arguments import without_passwords
from linda_cli.errors import Failed, Misused
from linda_cli.lifecycle.events import event
from linda_cli.notifications import announcer as announcing_module
from linda_cli.notifications import announcing, targets
from linda_cli.notifications.announcer import Announcer
from linda_cli.notifications.targets import Command, Target, Url
from linda_cli.sessions.home import Home
from tests.linda import COMMAND, NUMBER, Linda, World
from tests.server.served import Served

SECRET = "geheim-token"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path / "home" / "sessions")
    home.make()
    return home


class Hook:
    """A web server that keeps what it was sent."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the tests ask for what was heard."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"json://{SECRET}:x@127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def until(holds: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def program(tmp_path: Path, code: str) -> str:
    path = tmp_path / "told.py"
    path.write_text(code)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


KEEPS = "import sys, pathlib; pathlib.Path(__file__).with_suffix('.out').open('a').write(sys.stdin.read())"


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    out = tmp_path / "told.out"
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def test_a_url_and_a_command_hear_a_trouble_and_its_end(home: Home, hook: Hook, tmp_path: Path) -> None:
    said: list[str] = []
    with announcing(home, [hook.url], program(tmp_path, KEEPS), said.append) as tell:
        tell(event("logged_out", NUMBER, {"reason": "by the phone"}))
        tell(event("logged_out", NUMBER, {"reason": "by the phone"}))
        until(lambda: hook.heard and lines(tmp_path))
        tell(event("ready", NUMBER, {}))
        until(lambda: len(hook.heard) == 2 and len(lines(tmp_path)) == 2)
    assert hook.heard[0]["title"] == f"linda: {NUMBER}: logged out"
    assert "logged out: by the phone" in hook.heard[0]["message"]
    assert hook.heard[1]["title"] == f"linda: {NUMBER}: logged out is over"
    first, second = lines(tmp_path)
    assert (first["version"], first["event"], first["kind"], first["session"]) == (1, "trouble", "logged_out", NUMBER)
    assert (second["event"], second["since"]) == ("trouble_over", first["since"])
    assert first["home"] == str(home.root)
    assert said == []


def test_a_restart_of_linda_does_not_tell_it_again(home: Home, tmp_path: Path) -> None:
    command = program(tmp_path, KEEPS)
    for _ in range(3):
        with announcing(home, [], command, lambda _: None) as tell:
            tell(event("error", NUMBER, {"name": "LoggedOut", "message": "logged out"}))
    assert [one["event"] for one in lines(tmp_path)] == ["trouble"]


def test_a_target_that_hangs_is_killed_and_keeps_nobody_waiting(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linda_cli.notifications.targets.TRY", 0.5)
    monkeypatch.setattr(announcing_module, "PAUSES", (0.01,))
    # What the program has started goes with it.
    code = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '1000'])\n"
        "open(__file__ + '.pid', 'w').write(str(child.pid)); time.sleep(1000)"
    )
    command = program(tmp_path, code)
    said: list[str] = []
    announcer = Announcer(home, targets.targets([], command), said.append)
    began = time.monotonic()
    for index in range(500):
        announcer(event("logged_out", str(971505760000 + index), {}))
    assert time.monotonic() - began < 2
    until(lambda: any("could not be sent: no answer within 0.5 s" in line for line in said))
    assert any("the oldest was dropped" in line for line in said)
    pid = int((tmp_path / "told.py.pid").read_text())
    announcer.close(5)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def test_a_target_that_fails_is_tried_again_and_named_without_its_address(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing_module, "PAUSES", (0.01, 0.01))

    class Fails:
        name = "--notify number 1"
        tries = 0

        def send(self, _: Mapping[str, Any]) -> str | None:
            self.tries += 1
            return "exit code 1"

    target: Target = Fails()
    said: list[str] = []
    announcer = Announcer(home, [target], said.append)
    announcer(event("logged_out", NUMBER, {}))
    until(lambda: said)
    announcer.close()
    assert said == ["--notify number 1: a notice could not be sent: exit code 1"]
    assert target.tries == 3  # type: ignore[attr-defined]


def test_a_url_that_cannot_be_reached_is_a_failure_without_the_url(hook: Hook) -> None:
    hook.server.shutdown()
    hook.server.server_close()
    why = Url(hook.url, 1).send(
        {"event": "trouble", "kind": "outage", "session": None, "message": "", "at": "", "home": ""}
    )
    assert why == "exit code 1"
    assert SECRET not in Url(hook.url, 1).name


def test_a_command_is_started_without_a_shell(home: Home, tmp_path: Path) -> None:
    code = "import sys, pathlib; pathlib.Path(__file__).with_suffix('.args').write_text(repr(sys.argv[1:]))"
    command = program(tmp_path, code)
    with announcing(home, [], f"{command} '$(id)' '; true' '*'", lambda _: None) as tell:
        tell(event("logged_out", NUMBER, {}))
        until((tmp_path / "told.args").exists)
    assert (tmp_path / "told.args").read_text() == "['$(id)', '; true', '*']"


def test_the_bots_secrets_of_linda_are_not_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINDA_START_NOTIFY", f"json://{SECRET}@host")
    monkeypatch.setenv("JWT_SECRET", SECRET)
    code = "import os, pathlib; pathlib.Path(__file__).with_suffix('.env').write_text(repr(dict(os.environ)))"
    assert Command(tuple(shlex.split(program(tmp_path, code)))).send({"event": "trouble"}) is None
    assert SECRET not in (tmp_path / "told.env").read_text()


class TestMistakes:
    @pytest.mark.parametrize("verb", ["start", "serve"])
    def test_a_url_that_apprise_does_not_know_is_refused_without_being_shown(self, linda: Linda, verb: str) -> None:
        done = linda.run(verb, "--sandbox", "--notify", f"nonsense+{SECRET}://x")
        assert done.code == 2
        assert "--notify number 1" in done.err
        assert SECRET not in done.err + done.out

    @pytest.mark.parametrize("command", ["no-such-program-anywhere --x", "", "'open"])
    def test_a_command_that_is_not_there_is_refused(self, linda: Linda, command: str) -> None:
        assert linda.run("start", "--sandbox", "--on-event", command).code == 2

    def test_without_apprise_the_hint_installs_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(targets, "find_spec", lambda _: None)
        with pytest.raises(Failed) as failed:
            targets.targets(["json://x"], None)
        assert "[notify]" in failed.value.hint
        assert failed.value.hint.startswith(sys.executable)

    def test_no_shown_command_line_has_the_url(self) -> None:
        shown = without_passwords(["linda", "start", "--notify", f"tgram://{SECRET}/1", f"--notify=tgram://{SECRET}/2"])
        assert shown == ["linda", "start", "--notify", "***", "--notify=***"]

    def test_config_does_not_show_it(self, home: Home) -> None:
        (home.root / "linda.toml").write_text(f'[start]\nnotify = ["tgram://{SECRET}/1"]\n')
        (home.root / "linda.toml").chmod(0o600)
        done = Linda(home.root).run("config", LINDA_SERVE_NOTIFY=f"tgram://{SECRET}/2")
        assert SECRET not in done.out
        assert done.out.count("***") == 2

    def test_an_unknown_target_type_is_no_target(self) -> None:
        with pytest.raises(Misused):
            targets.targets(["this is no url"], None)


def test_a_run_tells_a_logout_and_its_end_and_shows_the_url_nowhere(world: World, hook: Hook, tmp_path: Path) -> None:
    words = ["--notify", hook.url, "--on-event", program(tmp_path, KEEPS)]
    with world.linda.start(*words) as run:
        run.wait_for("qr")
        arguments = " ".join(
            word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ()
        )
        assert SECRET not in arguments
        world.phone.scan(NUMBER)
        run.wait_for("saved")
        world.phone.log_out(NUMBER)
        run.wait_for("logged_out")
        until(lambda: len(hook.heard) == 1 and len(lines(tmp_path)) == 1)
        run.wait_for("qr")
        world.phone.scan(NUMBER)
        run.wait_for("ready")
        until(lambda: len(hook.heard) == 2 and len(lines(tmp_path)) == 2)
    assert [one["event"] for one in lines(tmp_path)] == ["trouble", "trouble_over"]
    kept = "".join(path.read_text("utf-8", "replace") for path in world.home.rglob("*.log"))
    assert SECRET not in kept
    assert SECRET not in json.dumps([line.__dict__ if hasattr(line, "__dict__") else line for line in run.all("note")])


def test_a_server_tells_a_logout_of_an_account_and_its_end(linked: World, hook: Hook, tmp_path: Path) -> None:
    words = ["--notify", hook.url, "--on-event", program(tmp_path, KEEPS)]
    with Served(linked, *words) as server:
        server.until(lambda one: one["isReady"])
        shown = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        assert SECRET.encode() not in shown
        linked.phone.log_out(NUMBER)
        until(lambda: len(hook.heard) == 1 and len(lines(tmp_path)) == 1)
        server.post(f"accounts/{NUMBER}/start")
        server.until(lambda one: one["code"] == "qr")
        linked.phone.scan(NUMBER)
        until(lambda: len(hook.heard) == 2 and len(lines(tmp_path)) == 2)
        assert server.stop() == 0
    assert [(one["event"], one["kind"], one["session"]) for one in lines(tmp_path)] == [
        ("trouble", "logged_out", NUMBER), ("trouble_over", "logged_out", NUMBER),
    ]  # fmt: skip
    kept = "".join(path.read_text("utf-8", "replace") for path in linked.home.rglob("*.log"))
    assert SECRET not in kept + "".join(server.errors) + json.dumps(server.events)


def test_the_url_leaves_the_argument_list_of_linda_itself(tmp_path: Path, hook: Hook) -> None:
    command = [*COMMAND, "--home", str(tmp_path), "--sandbox", "start", "--notify", hook.url, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ}) as process:
        assert process.stdout is not None
        process.stdout.readline()
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.terminate()
        process.wait(60)
    assert SECRET.encode() not in shown
    assert b"--notify" in shown
