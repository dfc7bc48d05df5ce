"""The machines that people have: proxies in the environment, nohup, upgrades, Ctrl-Z, PID 1, systemd, noise."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import linda_cli
from linda_cli.browser.binaries import browser_version, find_browser, find_driver
from linda_cli.browser.processes import occupant
from linda_cli.errors import BrowserMissing
from linda_cli.lifecycle.signals import heard_signals
from tests.conftest import needs
from tests.environment.proxies import TestProxy, proxy
from tests.linda import COMMAND, NUMBER, Started, World


def environment_of(made: TestProxy, **more: str) -> dict[str, str]:
    """What a shell has where everything is to go through a proxy."""
    address = f"http://127.0.0.1:{made.port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    return {**dict.fromkeys(names, address), **more}


class TestProxiesOfTheEnvironment:
    @pytest.mark.parametrize("without", [{}, {"NO_PROXY": "intranet.example", "no_proxy": "intranet.example"}])
    def test_loopback_is_never_asked_for_through_one(self, linked: World, without: dict[str, str]) -> None:
        """The browser's DevTools, ChromeDriver, the stand-in's phone and the address of a server's page."""
        with proxy(leads={}) as made:
            environ = environment_of(made, **without)
            with linked.linda.start(NUMBER, "--keep-browser", "--once", **environ) as run:
                run.wait_for("ready", source="profile")
                assert run.end() == 0
            with linked.linda.start(NUMBER, "--once", **environ) as run:
                run.wait_for("ready", source="browser")
                assert run.end() == 0
            told = linked.linda.run("--json", "sandbox", "status", **environ)
            assert told.code in (0, 10), told
            assert made.asked == []

    def test_a_bot_reaches_its_driver(self, linked: World, tmp_path: Path) -> None:
        bot = tmp_path / "bot.py"
        bot.write_text(
            "import os\nfrom selenium import webdriver\n"
            "options = webdriver.ChromeOptions()\n"
            "options.debugger_address = os.environ['LINDA_DEBUGGER_ADDRESS']\n"
            "driver = webdriver.Chrome(options)\n"
            "print('the page is', driver.current_url.split('?')[0])\n"
        )
        with proxy(leads={}) as made:
            words = (NUMBER, "--once", "--watch", str(tmp_path), "--", sys.executable, str(bot))
            with linked.linda.start(*words, **environment_of(made, NO_PROXY="intranet.example")) as run:
                assert run.end(120) == 0
            assert any("the page is https://web.whatsapp.com/" in line for line in run.errors), run.errors
            assert made.asked == []

    def test_the_python_api_reaches_its_driver_and_the_browser_goes_through_the_proxy(
        self, linked: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stand-in's browser is else told to use no proxy; this one is not."""
        arguments = [one for one in linked.sandbox.chrome_args if one != "--no-proxy-server"]
        where = f"127.0.0.1:{linked.sandbox.port}"
        with proxy(leads={"web.whatsapp.com:443": where}) as made:
            for name, value in environment_of(made).items():
                monkeypatch.setenv(name, value)
            with linda_cli.start(NUMBER, home=linked.inner, browser_args=arguments, no_link=True) as live:
                assert live.driver.current_url.startswith("https://web.whatsapp.com/")
                live.driver.quit()
            assert "web.whatsapp.com:443" in made.asked
            assert not any(one.startswith(("127.0.0.1", "localhost")) for one in made.asked)


class TestSignals:
    @pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT])
    def test_what_was_ignored_at_the_start_stays_ignored(self, linked: World, ignored: signal.Signals) -> None:
        """``nohup linda start &``, and a script's ``linda start &``."""
        ignoring = f"trap '' {ignored.name.removeprefix('SIG')}; exec {shlex.join(COMMAND)} "
        words = ["--home", str(linked.home), "--json", "start", "--sandbox", NUMBER]
        with Started(["sh", "-c", ignoring + shlex.join(words)], {**os.environ}) as run:
            run.wait_for("saved")
            run.signal(ignored)
            run.signal(ignored)
            linked.phone.message("still here")
            with pytest.raises(AssertionError):
                run.wait_for("stopped", timeout=3)
            run.signal(signal.SIGTERM)
            assert run.end() == 0
            assert run.last["reason"] == "SIGTERM"

    def test_those_that_are_not_ignored_are_heard(self) -> None:
        assert set(heard_signals()) >= {signal.SIGTERM}
        kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert signal.SIGHUP not in heard_signals()
        finally:
            signal.signal(signal.SIGHUP, kept)

    def test_one_that_ctrl_z_has_stopped_ends_by_linda_stop(self, linked: World) -> None:
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            # As a terminal does: to the whole group, of which ChromeDriver is.
            os.killpg(run.process.pid, signal.SIGSTOP)
            done = linked.linda.run("--json", "stop", NUMBER)
            assert done.code == 0, done
            assert run.end() == 0
        assert linked.browsers() == []

    def test_a_group_of_which_every_process_gets_sigterm(self, linked: World) -> None:
        """systemd's default: the browser dies with linda's signal."""
        with linked.linda.start(NUMBER) as run:
            run.wait_for("saved")
            here = psutil.Process(run.process.pid)
            before = {one.name for one in linked.backups()}
            # Something that the backup at the end must have, and no earlier one has.
            linked.phone.message("the last one")
            everyone = [here, *here.children(recursive=True)]
            for process in everyone:
                # A helper process of the browser may end by itself once its parent got the signal.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGTERM)
            assert run.end() == 0
            assert run.last["event"] == "stopped"
        newest = json.loads((linked.backups()[0] / "backup.json").read_text())
        assert newest["cold"], (before, newest)
        assert newest["reason"] == "stop", (before, run.story())
        with linked.linda.start(NUMBER, "--once", "--no-link") as again:
            again.wait_for("ready", source="profile")
            assert again.end() == 0
        assert again.all("repaired") == [], again.story()


class TestUpgrades:
    @staticmethod
    def _browser_that_can_be_away(folder: Path) -> Path:
        link = folder / "chromium"
        link.write_text(f'#!/bin/sh\nexec {find_browser()} "$@"\n')
        link.chmod(0o755)
        return link

    def test_the_program_is_away_for_a_while_when_the_browser_crashes(self, linked: World, tmp_path: Path) -> None:
        browser = self._browser_that_can_be_away(tmp_path)
        with linked.linda.start(NUMBER, LINDA_CHROME=str(browser)) as run:
            run.wait_for("saved")
            browser.rename(tmp_path / "away")
            linked.browsers()[0].kill()
            told = run.wait_for("disconnected")
            time.sleep(max(0.0, 12 - told["retryIn"]) + told["retryIn"])
            (tmp_path / "away").rename(browser)
            back = run.wait_for("reconnected", timeout=120)
            assert back["downMs"] >= 12_000
            assert run.stop() == 0
        assert linked.quarantined() == []

    @staticmethod
    def _driver_that_refuses(folder: Path, refused: int) -> Path:
        """A ChromeDriver that does not take the browser of the process ``refused``, and any other one."""
        wrapper = folder / "chromedriver"
        wrapper.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            "from http.server import BaseHTTPRequestHandler, HTTPServer\n"
            f"if sys.argv[1:] == ['--version'] or not os.path.exists('/proc/{refused}'):\n"
            f"    os.execv({str(find_driver())!r}, [{str(find_driver())!r}, *sys.argv[1:]])\n"
            "class Refusing(BaseHTTPRequestHandler):\n"
            "    def do_POST(self):\n"
            "        said = 'session not created: This version of ChromeDriver only supports another one'\n"
            "        body = json.dumps({'value': {'error': 'session not created', 'message': said}}).encode()\n"
            "        self.send_response(500)\n"
            "        self.send_header('Content-Length', str(len(body)))\n"
            "        self.end_headers()\n"
            "        self.wfile.write(body)\n"
            "    def log_message(self, *_): pass\n"
            "server = HTTPServer(('127.0.0.1', 0), Refusing)\n"
            "print(f'ChromeDriver was started successfully on port {server.server_port}.', flush=True)\n"
            "server.serve_forever()\n"
        )
        wrapper.chmod(0o755)
        return wrapper

    def test_a_kept_browser_that_the_upgraded_driver_refuses_is_a_failed_step(
        self, linked: World, tmp_path: Path
    ) -> None:
        with linked.linda.start(NUMBER, "--once", "--keep-browser") as run:
            assert run.end() == 0
        kept = occupant(linked.profile)
        assert kept is not None
        driver = self._driver_that_refuses(tmp_path, kept.pid)
        with linked.linda.start(NUMBER, "--once", LINDA_CHROMEDRIVER=str(driver)) as run:
            failed = run.wait_for("rung_failed")
            assert failed["rung"] == "browser"
            assert "This version of ChromeDriver" in failed["reason"]
            run.wait_for("ready", source="profile")
            assert run.end() == 0
        assert not psutil.pid_exists(kept.pid)
        assert linked.quarantined() == []

    @staticmethod
    def _saying(folder: Path, name: str, says: str, program: Path) -> Path:
        wrapper = folder / name
        wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{says}" && exit\nexec {program} "$@"\n')
        wrapper.chmod(0o755)
        return wrapper

    def test_a_driver_of_another_major_version_is_told_at_once(self, linked: World, tmp_path: Path) -> None:
        version = browser_version(find_browser())
        driver = self._saying(tmp_path, "driver", "ChromeDriver 131.0.6778.87 (abc-refs/heads@{#1})", find_driver())
        done = linked.linda.start(NUMBER, LINDA_CHROMEDRIVER=str(driver))
        with done as run:
            assert run.end() == 14
        assert run.all("ready") == []
        assert linked.browsers() == []
        assert run.last["name"] == "DriverMismatch"
        assert "131.0.6778.87" in run.last["message"]
        assert version in run.last["message"]
        assert run.last["hint"] == "sudo apt-get install --only-upgrade chromium chromium-driver"
        # Upgraded in place, it is asked anew.
        self._saying(tmp_path, "driver", f"ChromeDriver {version} (abc)", find_driver())
        with linked.linda.start(NUMBER, "--once", LINDA_CHROMEDRIVER=str(driver)) as run:
            assert run.end() == 0

    def test_a_run_that_does_not_use_a_driver_needs_none(self, linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LINDA_CHROMEDRIVER", "/none")
        arguments = linked.sandbox.chrome_args
        heard: list[str] = []
        with linda_cli.start(
            NUMBER,
            lambda told: heard.append(told.event),
            home=linked.inner,
            browser_args=arguments,
            driver_at_once=False,
            no_link=True,
        ) as live:
            deadline = time.monotonic() + 60
            while "saved" not in heard:
                assert time.monotonic() < deadline, heard
                time.sleep(0.05)
            with pytest.raises(BrowserMissing):
                _ = live.driver
        assert "stopped" in heard


class TestPidOne:
    @needs("unshare")
    @pytest.mark.skipif(os.geteuid() != 0, reason="makes a PID namespace")
    def test_what_others_leave_behind_is_reaped_and_signals_are_heard(self, linked: World, tmp_path: Path) -> None:
        command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *COMMAND]
        words = ["--home", str(linked.home), "--json", "start", "--sandbox", NUMBER]
        with Started([*command, *words], {**os.environ}) as run:
            run.wait_for("saved")
            (init,) = psutil.Process(run.process.pid).children()
            # A process whose parent has gone becomes PID 1's, and ends once it may.
            release = tmp_path / "release"
            orphan = (
                "import os, time\nif not os.fork():\n"
                f"    while not os.path.exists({str(release)!r}): time.sleep(0.01)\n"
            )
            entered = ["nsenter", "--target", str(init.pid), "--pid", sys.executable, "-c", orphan]
            subprocess.run(entered, check=True)
            (left,) = [one for one in init.children() if str(release) in " ".join(one.cmdline())]
            release.touch()
            deadline = time.monotonic() + 30
            while psutil.pid_exists(left.pid):
                assert time.monotonic() < deadline, left
                time.sleep(0.02)
            assert run.all("stopped") == []
            init.send_signal(signal.SIGTERM)
            assert run.end() == 0
            assert run.last["reason"] == "SIGTERM"

    @needs("unshare")
    @pytest.mark.skipif(os.geteuid() != 0, reason="makes a PID namespace")
    def test_its_exit_code_is_lindas(self, linked: World) -> None:
        unshared = ["unshare", "--pid", "--fork", "--mount-proc", *COMMAND]
        for words, code in ((["info", "971500000000"], 10), (["start", "--nonsense"], 2), (["--version"], 0)):
            done = subprocess.run([*unshared, "--home", str(linked.inner), *words], capture_output=True, check=False)
            assert done.returncode == code, done


class TestWhatABrowserSays:
    NOISE = (
        "/usr/bin/chromium: 9: [: 25259950080: unexpected operator",
        "[1:1:1125/1.2:ERROR:dbus/bus.cc:408] Failed to connect to the bus: Could not parse server address",
        "chrome_crashpad_handler: --database is required",
        "Try 'chrome_crashpad_handler --help' for more information.",
        "[1:1:1125/1.2:ERROR:third_party/crashpad/crashpad/util/linux/ptrace_broker.cc:1] recvmsg: Connection reset",
        "Updating chromium 3.1",
        "Trace/breakpoint trap (core dumped)",
    )

    @pytest.mark.parametrize(
        "reason",
        [
            "[7:7:1125/0.1:FATAL:content/browser/zygote_host_impl_linux.cc:128] No usable sandbox!",
            "[7:7:1125/0.1:ERROR:ui/ozone/platform/x11/ozone_platform_x11.cc:256] Missing X server or $DISPLAY",
            "/usr/lib/chromium/chromium: error while loading shared libraries: libnss3.so: cannot open it",
        ],
    )
    def test_the_line_that_matters_is_shown(self, linked: World, tmp_path: Path, reason: str) -> None:
        browser = tmp_path / "browser"
        lines = [*self.NOISE[:3], reason, *self.NOISE[3:]]
        said = "\n".join(f"printf '%s\\n' {shlex.quote(line)} >&2" for line in lines)
        browser.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {find_browser()} --version\n{said}\nexit 1\n')
        browser.chmod(0o755)
        with linked.linda.start(NUMBER, LINDA_CHROME=str(browser)) as run:
            assert run.end() == 14
        assert reason in run.last["message"], run.last


class TestHung:
    def test_a_frozen_browser_is_replaced_as_the_option_says_and_down_ms_is_the_truth(self, linked: World) -> None:
        with linked.linda.start(NUMBER, "--hung-after", "10") as run:
            run.wait_for("saved")
            (browser,) = linked.browsers()
            frozen = [browser, *browser.children(recursive=True)]
            before = time.monotonic()
            for process in frozen:
                process.suspend()
            after = time.monotonic()
            gone = run.wait_for("disconnected")
            back = run.wait_for("reconnected")
            (silent,) = re.findall(r"no sign of life for (\d+) s", gone["reason"])
            assert 10 <= int(silent) < 30
            # Both by the same clock, so no patience of a busy machine counts; it was last heard a beat before.
            moment = run.began + back["elapsedMs"] / 1000
            down = back["downMs"] / 1000
            assert moment - after - 1 <= down <= moment - before + 15
            assert run.stop() == 0
        assert linked.quarantined() == []


class TestFewFiles:
    def test_a_low_limit_is_named_for_what_it_is(self, linked: World) -> None:
        words = ["--home", str(linked.home), "--json", "start", "--sandbox", NUMBER, "--once", "--no-link"]
        command = ["sh", "-c", f"ulimit -n 64; exec {shlex.join([*COMMAND, *words])}"]
        with Started(command, {**os.environ}) as run:
            code = run.end(120)
        assert code in (1, 14), run.story()
        assert "files" in run.last["message"], run.last
        assert "ulimit -n 4096" in run.last["hint"]
        assert linked.quarantined() == []
