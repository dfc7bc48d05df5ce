"""``linda service`` with systemd's units and with a crontab: what is written, and what is left alone."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from chaos.homes import NUMBER, home_at, make_profile
from linda_cli.app.exit_codes import EXIT_CODES
from linda_cli.lifecycle.program import absolute_command
from linda_cli.service.crontab import block, lines_of, with_block, without
from linda_cli.service.models import Plan, Scope
from linda_cli.service.units import exec_line, units
from linda_cli.sessions.home import Home
from tests.conftest import needs
from tests.doctor.mending import MOUNTS, needs_namespaces
from tests.linda import COMMAND, Linda, Result

AWKWARD = 'a home, 100% $HOME\'s "own" ü'
SPACED = "a home, 100% of $HOME ü"
"""What systemd takes in the path of a program: no quote and no backslash."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path / "home")
    made.make()
    make_profile(made.named_profile(NUMBER))
    return made


def plan_of(home: Path, scope: Scope = Scope.USER, number: str | None = NUMBER, **more: object) -> Plan:
    return Plan(scope, home, absolute_command(), number, "root", **more)  # type: ignore[arg-type]


def verified(folder: Path, scope: Scope) -> subprocess.CompletedProcess[str]:
    which = ["--user"] if scope is Scope.USER else []
    files = map(str, [*sorted(folder.glob("*.service")), *sorted(folder.glob("*.timer"))])
    # A short path: sockets of other packages' units are made below it, as far as their names fit.
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        return subprocess.run(
            ["systemd-analyze", "verify", *which, *files],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "XDG_RUNTIME_DIR": runtime},
        )


def complaints(done: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """What it says of our units; of others on this machine it may say anything."""
    return [line for line in (done.stderr + done.stdout).splitlines() if str(folder) in line or "linda" in line]


def wrote(folder: Path, plan: Plan) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units(plan).items():
        (folder / name).write_text(text)


@needs("systemd-analyze")
class TestVerified:
    @pytest.mark.parametrize("scope", [Scope.USER, Scope.SYSTEM])
    @pytest.mark.parametrize("number", [NUMBER, None], ids=["start", "serve"])
    def test_systemd_finds_nothing_wrong(self, tmp_path: Path, scope: Scope, number: str | None) -> None:
        home = tmp_path / AWKWARD
        home.mkdir()
        plan = plan_of(
            home,
            scope,
            number,
            extra=("--signals", 'a "b" $c %d'),
            variables={"LINDA_CHROME_ARGS": '--lang="e n" $x %y'},
        )
        wrote(tmp_path / "units", plan)
        done = verified(tmp_path / "units", scope)
        assert complaints(done, tmp_path / "units") == []
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("KillMode=mixed", "KillMode=gentle"),
            ("WatchdogSec=120", "WatchdogSeconds=120"),
            ("Type=notify", "Type=told"),
        ],
    )
    def test_it_would_find_a_mistake(self, tmp_path: Path, right: str, wrong: str) -> None:
        folder = tmp_path / "units"
        wrote(folder, plan_of(tmp_path))
        unit = folder / f"linda-{NUMBER}.service"
        assert right in unit.read_text()
        unit.write_text(unit.read_text().replace(right, wrong))
        assert complaints(verified(folder, Scope.USER), folder)

    @pytest.mark.parametrize("name", [SPACED, AWKWARD])
    def test_it_reads_the_path_of_the_program_as_we_mean_it(self, tmp_path: Path, name: str) -> None:
        """A program of that name is looked for: with the quotes wrong it would be another one."""
        program = tmp_path / name / "linda"
        program.parent.mkdir()
        folder = tmp_path / "units"
        plan = Plan(Scope.USER, tmp_path, (str(program),), NUMBER, "root")
        wrote(folder, plan)
        if name == SPACED:
            assert any("not executable" in line for line in complaints(verified(folder, Scope.USER), folder))
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert complaints(verified(folder, Scope.USER), folder) == []


class TestUnits:
    def test_the_home_is_spelled_out_and_no_code_is_ever_shown(self, tmp_path: Path) -> None:
        text = units(plan_of(tmp_path))[f"linda-{NUMBER}.service"]
        assert f"--home {tmp_path} start {NUMBER} --no-link" in text
        for line in ("KillMode=mixed", "Type=notify", "Restart=on-failure", "WatchdogSec=120"):
            assert line in text.splitlines()

    def test_only_ends_that_need_a_person_are_not_tried_again(self, tmp_path: Path) -> None:
        text = units(plan_of(tmp_path))[f"linda-{NUMBER}.service"]
        (line,) = [one for one in text.splitlines() if one.startswith("RestartPreventExitStatus=")]
        codes = set(map(int, line.partition("=")[2].split()))
        assert codes <= set(EXIT_CODES.values())
        # A browser that is being upgraded, a network that is away, a bug, a lock that is let go of: again.
        assert codes.isdisjoint({1, 11, 14, 17, 70})

    def test_words_are_escaped_as_systemd_reads_them(self) -> None:
        words = ("/a b/linda", "--x", "100%", "$HOME", 'say "hi"', "back\\slash", "")
        assert exec_line(words) == '"/a b/linda" --x "100%%" "$$HOME" "say \\"hi\\"" "back\\\\slash" ""'

    def test_a_program_that_systemd_would_not_start_is_started_by_a_shell(self) -> None:
        line = exec_line(("/it's/linda", "--home", "/x"))
        assert line == '/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" "/it\'s/linda" --home /x'

    def test_without_timers_there_is_one_unit(self, tmp_path: Path) -> None:
        assert list(units(plan_of(tmp_path, timers=False))) == [f"linda-{NUMBER}.service"]


class TestInstall:
    def _service(self, home: Home, *words: str, **environ: str) -> Result:
        return Linda(home.root).run("service", *words, **environ)

    def test_units_are_written_for_this_user_and_told_what_is_left_to_do(self, home: Home, tmp_path: Path) -> None:
        if Path("/run/systemd/system").is_dir():
            pytest.skip("systemd runs here: the test would start it")
        config = tmp_path / "config"
        done = self._service(home, "install", NUMBER, "--", "--timeout", "90", XDG_CONFIG_HOME=str(config))
        assert done.code == 0, done
        folder = config / "systemd" / "user"
        assert "systemctl --user enable --now" in done.out
        unit = (folder / f"linda-{NUMBER}.service").read_text()
        assert f"start {NUMBER} --no-link --timeout 90" in unit
        assert "WantedBy=default.target" in unit
        status = self._service(home, "status", "--json", XDG_CONFIG_HOME=str(config)).json
        assert {one["name"] for one in status["units"]} == {path.name for path in folder.iterdir()}
        removed = self._service(home, "remove", XDG_CONFIG_HOME=str(config))
        assert removed.code == 0
        assert list(folder.iterdir()) == []
        assert self._service(home, "status", XDG_CONFIG_HOME=str(config)).code == 10
        assert self._service(home, "remove", XDG_CONFIG_HOME=str(config)).code == 0

    def test_the_server_for_the_machine_runs_as_the_owner_of_the_home(self, home: Home, tmp_path: Path) -> None:
        folder = tmp_path / "units"
        words = ("install", "--serve", "--system", "--directory", str(folder), "--", "--port", "8351")
        assert self._service(home, *words).code == 0
        unit = (folder / "linda-serve.service").read_text()
        assert f"User={home.root.owner()}" in unit
        assert "serve --port 8351" in unit

    def test_the_only_session_needs_no_number_and_several_are_exit_2(self, home: Home, tmp_path: Path) -> None:
        folder = str(tmp_path / "units")
        assert self._service(home, "install", "--directory", folder).code == 0
        home.named_profile("971505760057").mkdir()
        assert self._service(home, "install", "--directory", folder).code == 2
        assert self._service(home, "install", "--serve", NUMBER, "--directory", folder).code == 2
        assert self._service(home, "install", NUMBER, "--name", "../x", "--directory", folder).code == 2

    def test_without_a_home_or_a_session_it_is_exit_10(self, tmp_path: Path) -> None:
        for words in (("install",), ("status",), ("remove",), ("logs",)):
            assert Linda(tmp_path / "none").run("service", *words).code == 10

    def test_settings_are_copied_and_secrets_are_not(self, home: Home, tmp_path: Path) -> None:
        folder = tmp_path / "units"
        environ = {"LINDA_CHROME_ARGS": "--lang=en", "JWT_SECRET": "x" * 40, "LINDA_PROXY": "http://a:pw-1@127.0.0.1:1"}
        done = self._service(home, "install", "--serve", "--directory", str(folder), **environ)
        written = "".join(path.read_text() for path in folder.iterdir())
        assert "Environment=LINDA_CHROME_ARGS=--lang=en" in written
        for secret in ("x" * 40, "pw-1"):
            assert secret not in written + done.out + done.err
        assert "JWT_SECRET is a secret" in done.out
        assert "linda.env" in written

    def test_somebody_elses_file_is_never_touched(self, home: Home, tmp_path: Path) -> None:
        folder = tmp_path / "units"
        folder.mkdir()
        foreign = folder / f"linda-{NUMBER}.service"
        foreign.write_text("[Service]\nExecStart=/bin/true\n")
        assert self._service(home, "install", NUMBER, "--directory", str(folder)).code == 1
        assert [path.name for path in folder.iterdir()] == [foreign.name]
        assert self._service(home, "install", NUMBER, "--name", "mine", "--directory", str(folder)).code == 0
        assert self._service(home, "remove", "--directory", str(folder)).code == 0
        assert [path.name for path in folder.iterdir()] == [foreign.name]

    def test_another_homes_units_are_in_use(self, home: Home, tmp_path: Path) -> None:
        folder = tmp_path / "units"
        other = home_at(tmp_path / "other")
        other.make()
        assert self._service(home, "install", "--serve", "--directory", str(folder)).code == 0
        assert self._service(other, "install", "--serve", "--directory", str(folder)).code == 11
        assert self._service(other, "remove", "--directory", str(folder)).code == 0
        assert (folder / "linda-serve.service").exists()


class TestCrontab:
    def test_what_is_not_ours_stays_byte_for_byte(self, tmp_path: Path) -> None:
        theirs = "# mine\nPATH=/usr/bin\n\n5 5 * * * echo '100\\%'\n"
        plan = plan_of(tmp_path)
        once = with_block(theirs, plan)
        assert once.startswith(theirs)
        assert with_block(once, plan) == once
        assert without(once, tmp_path) == theirs
        other = plan_of(tmp_path / "other")
        assert without(with_block(once, other), tmp_path / "other") == once

    def test_the_lines_spell_the_home_and_a_percent_sign_out(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path / "100% of it")
        lines = lines_of(block(plan), plan.home)
        assert len(lines) == 4
        assert all("100\\% of it" in line for line in lines)
        assert all(str(Path(absolute_command()[0])) in line for line in lines)

    @needs("cron", "crontab")
    @needs_namespaces
    def test_a_real_cron_runs_the_line(self, home: Home, tmp_path: Path) -> None:
        """Its spool is one of the test's own; the hour is changed to every minute, and nothing else of the line."""
        left = home.work_in_cache("making", NUMBER, 1700000000000)
        left.mkdir(mode=0o700)
        linda = " ".join([*COMMAND, "--home", str(home.root)])
        script = f"""
            mount -t tmpfs -o mode=1730 tmpfs /var/spool/cron/crontabs && chgrp crontab /var/spool/cron/crontabs
            mount -t tmpfs tmpfs /run
            echo '5 5 * * * echo kept' | crontab -
            {linda} service install {NUMBER} --cron || exit 1
            crontab -l > {tmp_path}/installed
            {linda} service status > {tmp_path}/status
            crontab -l | grep ' cleanup$' | sed 's/^0 4 /\\* \\* /' | crontab -
            cron -f & cron=$!
            for second in $(seq 75); do [ -e {left} ] || break; sleep 1; done
            kill $cron; wait $cron 2> /dev/null
            crontab {tmp_path}/installed
            {linda} service remove > {tmp_path}/removed && crontab -l > {tmp_path}/after
        """
        began = time.monotonic()
        done = subprocess.run(
            [*MOUNTS, "sh", "-c", script], capture_output=True, text=True, timeout=150, check=False, cwd="/"
        )
        assert not left.exists(), (done, time.monotonic() - began)
        installed = (tmp_path / "installed").read_text()
        assert f"start {NUMBER} --no-link" in installed
        assert "5 5 * * * echo kept" in installed
        assert "crontab" in (tmp_path / "status").read_text()
        assert (tmp_path / "after").read_text() == "5 5 * * * echo kept\n"
