"""Every hint works when it is pasted, with the home, the sandbox, the session and the port of the command that failed.

Each class of error is in one of the tables here, so that a new one cannot come without its hint being looked at.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.homes import home_at, make_profile, write_keys
from linda_cli import errors, installation
from linda_cli.console.own_command import pasteable
from linda_cli.sessions import served
from linda_cli.sessions.home import Home
from linda_cli.whatsapp.page import SANDBOX_KEY
from tests.linda import COMMAND, NUMBER, Linda, Result, World, flip
from tests.test_exit_codes import every_error

OTHER = "971505760057"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which ``linda`` is this one, as it is for whoever pastes a hint."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "linda").write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    (folder / "linda").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def linda(tmp_path: Path, path: str) -> Linda:
    """A home whose name wants quoting."""
    return Linda(tmp_path / "my home", PATH=path)


def filled(linda: Linda, *numbers: str, inner: bool = False) -> Home:
    home = home_at(linda.home / ".sandbox" if inner else linda.home)
    home.make()
    for number in numbers:
        make_profile(home.named_profile(number), number, rows=1)
        if inner:
            write_keys(home.named_profile(number), **{SANDBOX_KEY: "1"})
    return home


def damage(home: Home, number: str) -> None:
    store = home.named_profile(number) / "Default" / "IndexedDB" / "https_web.whatsapp.com_0.indexeddb.leveldb"
    for file in (*store.glob("*.log"), *store.glob("*.ldb")):
        flip(file)
    for file in store.glob("MANIFEST-*"):
        file.unlink()


def hint_of(done: Result) -> str:
    assert done.code != 0, done
    line = done.err.splitlines()[-1]
    assert line.startswith("  try: "), done.err
    return line.removeprefix("  try: ")


def paste(hint: str, linda: Linda, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Type it into a shell in another folder, with nothing but what the hint itself says."""
    return subprocess.run(
        ["bash", "-c", hint], capture_output=True, text=True, timeout=timeout, check=False, cwd="/",
        stdin=subprocess.DEVNULL, env={**os.environ, **linda.environ},
    )  # fmt: skip


@pytest.mark.parametrize("sandbox", [False, True], ids=["home", "sandbox"])
class TestPasted:
    """Each ends with 0, and does not fail in the way that led to it."""

    def failed(self, linda: Linda, sandbox: bool, *words: str) -> str:
        hint = hint_of(linda.run(*(["--sandbox"] if sandbox else []), *words))
        if "linda " in hint:
            assert shlex.quote(str(linda.home)) in hint
            assert ("--sandbox" in hint) == sandbox
        return hint

    def works(self, hint: str, linda: Linda) -> str:
        done = paste(hint, linda)
        assert done.returncode == 0, (hint, done)
        return done.stdout

    def test_bad_number(self, linda: Linda, sandbox: bool) -> None:
        assert "Usage" in self.works(self.failed(linda, sandbox, "info", "abc"), linda)

    def test_misused(self, linda: Linda, sandbox: bool) -> None:
        filled(linda, NUMBER, inner=sandbox)
        for words in (
            ["backup", "--all", NUMBER], ["cleanup", "--keep", "0"], ["cleanup", "--older-than", "often"],
            ["info", "--bogus"], ["start", "--timeout", "0"], ["completion", "csh"],
        ):  # fmt: skip
            self.works(self.failed(linda, sandbox, *words), linda)

    def test_ambiguous_session(self, linda: Linda, sandbox: bool) -> None:
        filled(linda, NUMBER, OTHER, inner=sandbox)
        assert NUMBER in self.works(self.failed(linda, sandbox, "backup"), linda)

    def test_answer_needed(self, linda: Linda, sandbox: bool) -> None:
        filled(linda, NUMBER, inner=sandbox)
        out = self.works(self.failed(linda, sandbox, "clear", NUMBER), linda)
        assert f"{NUMBER} is forgotten" in out

    @pytest.mark.parametrize("words", [[], ["--backups"]], ids=" ".join)
    def test_the_undo_of_a_clear(self, linda: Linda, sandbox: bool, words: list[str]) -> None:
        filled(linda, NUMBER, inner=sandbox)
        flag = ["--sandbox"] if sandbox else []
        out = linda.run(*flag, "clear", NUMBER, "--yes", *words).out
        undo = out.splitlines()[-1]
        assert undo.startswith("undo: "), out
        self.works(undo.removeprefix("undo: "), linda)
        assert linda.json(*flag, "info", NUMBER)["verdict"] == "restorable"

    def test_home_not_found(self, linda: Linda, sandbox: bool) -> None:
        hint = self.failed(linda, sandbox, "info")
        elsewhere = Path(os.environ["HOME"]) / "bots"
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "session-state.json").write_text('{"sessions": {}}')
        assert str(elsewhere) in self.works(hint, linda)

    def test_backup_not_found_and_unusable(self, linda: Linda, sandbox: bool) -> None:
        home = filled(linda, NUMBER, inner=sandbox)
        flag = ["--sandbox"] if sandbox else []
        backup = linda.json(*flag, "backup", NUMBER)["backup"]["name"]
        for name in (f"backup-{NUMBER}-1", backup):
            if name == backup:
                (home.at(backup) / "backup.json").write_text("{}")
            assert "can be restored from" in self.works(
                self.failed(linda, sandbox, "restore", NUMBER, "--from", name), linda
            )

    def test_profile_damaged_and_partly_done(self, linda: Linda, sandbox: bool) -> None:
        home = filled(linda, NUMBER, OTHER, inner=sandbox)
        damage(home, NUMBER)
        assert "damaged" in self.works(self.failed(linda, sandbox, "backup", NUMBER), linda)
        assert "damaged" in self.works(self.failed(linda, sandbox, "backup", "--all"), linda)

    def test_in_use(self, linda: Linda, sandbox: bool) -> None:
        home = filled(linda, NUMBER, inner=sandbox)
        with holding(home, NUMBER):
            hint = self.failed(linda, sandbox, "clear", NUMBER, "--yes")
            assert f"stop {NUMBER}" in hint
            self.works(hint, linda)
        flag = ["--sandbox"] if sandbox else []
        assert linda.run(*flag, "clear", NUMBER, "--yes").code == 0

    def test_not_ready(self, linda: Linda, sandbox: bool) -> None:
        filled(linda, NUMBER, inner=sandbox)
        assert NUMBER in self.works(self.failed(linda, sandbox, "info", NUMBER, "--check"), linda)

    def test_sandbox_not_found(self, linda: Linda, sandbox: bool) -> None:
        filled(linda, NUMBER)
        hint = self.failed(linda, sandbox, "sandbox", "status")
        with subprocess.Popen(
            ["bash", "-c", f"exec {hint}"], stdout=subprocess.PIPE, text=True, env={**os.environ, **linda.environ}
        ) as process:
            assert process.stdout is not None
            assert "serves" in process.stdout.readline()
            assert linda.run("sandbox", "status").code == 0
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(30) == 0


def holding(home: Home, number: str) -> subprocess.Popen[bytes]:
    """Another process that has the session for a whole run, and ends on SIGTERM as ``linda start`` does."""
    code = (
        "import sys, time; from pathlib import Path; from linda_cli.sessions.locks import held\n"
        "with held(Path(sys.argv[1]), what='x', run=True):\n    print('held', flush=True); time.sleep(1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(home.run_lock(number))], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


@pytest.mark.parametrize(
    "trouble",
    [OSError(28, "No space left"), OSError(24, "Too many open files"), TimeoutError(), PermissionError(13, "no", "y")],
    ids=lambda one: type(one).__name__,
)
def test_an_error_of_the_system(linda: Linda, trouble: OSError) -> None:
    filled(linda, NUMBER)
    named = errors.named(trouble, f"linda --home {shlex.quote(str(linda.home))} info")
    assert paste(named.hint, linda).returncode == 0


class TestSettingsInTheFile:
    def test_a_program_that_is_not_there_is_taken_out_of_the_file(self, linda: Linda) -> None:
        filled(linda)
        file = linda.home / "linda.toml"
        file.write_text('chrome = "/no/such/chromium"\n')
        file.chmod(0o600)
        hint = hint_of(linda.run("start"))
        assert paste(hint, linda).returncode == 0
        assert file.read_text() == '# chrome = "/no/such/chromium"\n'

    def test_a_variable_is_unset(self, linda: Linda) -> None:
        filled(linda)
        assert hint_of(linda.run("start", LINDA_CHROME="/no/such/chromium")) == "unset LINDA_CHROME"


class TestInstallation:
    def test_from_a_clone_the_clone_is_installed_with_its_extra(self) -> None:
        hint = installation.install_extra("server")
        folder = Path(__file__).parents[1]
        assert f"{folder}[server]" in hint
        done = subprocess.run(
            ["bash", "-c", f"{hint} --dry-run --no-deps"],
            capture_output=True, text=True, check=False, timeout=200, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done

    def test_without_a_clone_the_package_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(installation, "clone", lambda: None)
        assert installation.install_extra("server") == f"{sys.executable} -m pip install 'linda-cli[server]'"
        assert installation.upgrade() == f"{sys.executable} -m pip install --upgrade linda-cli"


class TestServedSession:
    def test_the_request_goes_to_the_address_and_with_the_token_that_the_server_wants(self, tmp_path: Path) -> None:
        home = home_at(tmp_path)
        home.make()
        assert served.request(home, 7, "/x") == "curl -X POST http://127.0.0.1:8350/x"
        served.note(home, "http://127.0.0.1:9001", 7, needs_token=False)
        assert served.request(home, 7, "/x") == "curl -X POST http://127.0.0.1:9001/x"
        assert served.request(home, 8, "/x") == "curl -X POST http://127.0.0.1:8350/x"
        served.note(home, "http://127.0.0.1:9001", 7, needs_token=True)
        assert served.request(home, 7, "/x") == (
            'curl -X POST -H "Authorization: Bearer $(linda token)" http://127.0.0.1:9001/x'
        )
        served.forget(home)
        assert served.request(home, 7, "/x") == "curl -X POST http://127.0.0.1:8350/x"

    @pytest.mark.parametrize("secret", ["", "s" * 40], ids=["loopback", "with a secret"])
    def test_stop_of_it_works_when_pasted(self, linked: World, path: str, secret: str) -> None:
        linda = Linda(linked.home, PATH=path, **({"JWT_SECRET": secret} if secret else {}))
        command = [*COMMAND, "--home", str(linked.home), "serve", "--sandbox", "--port", "0", "--restore-after", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **linda.environ}
        ) as server:
            try:
                assert server.stderr is not None
                assert server.stdout is not None
                assert "linda serves" in server.stdout.readline()
                for line in server.stderr:
                    if " ready, restored" in line:
                        break
                hint = hint_of(linda.run("--sandbox", "stop", NUMBER))
                done = paste(f"{hint} -sS --fail", linda)
                assert done.returncode == 0, (hint, done)
                deadline = time.monotonic() + 30
                while linda.json("--sandbox", "info", NUMBER)["running"] is not None:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
                assert linda.run("--sandbox", "stop", NUMBER).code == 0
            finally:
                server.send_signal(signal.SIGTERM)
                server.stderr.read()  # type: ignore[union-attr]
                server.wait(60)
        assert not (linked.inner / ".session-cache" / "serving.json").exists()


PASTED: dict[type[errors.LindaError], Callable[..., object] | str] = {
    errors.BadNumber: TestPasted.test_bad_number,
    errors.Misused: TestPasted.test_misused,
    errors.AmbiguousSession: TestPasted.test_ambiguous_session,
    errors.AnswerNeeded: TestPasted.test_answer_needed,
    errors.HomeNotFound: TestPasted.test_home_not_found,
    errors.BackupNotFound: TestPasted.test_backup_not_found_and_unusable,
    errors.BackupUnusable: TestPasted.test_backup_not_found_and_unusable,
    errors.ProfileDamaged: TestPasted.test_profile_damaged_and_partly_done,
    errors.PartlyDone: TestPasted.test_profile_damaged_and_partly_done,
    errors.InUse: TestPasted.test_in_use,
    errors.NotReady: TestPasted.test_not_ready,
    errors.SandboxNotFound: TestPasted.test_sandbox_not_found,
    errors.ConfigurationInvalid: "tests/test_configuration.py",
    errors.ConfigurationUnsafe: "tests/test_configuration.py",
    errors.DiskFull: test_an_error_of_the_system,
    errors.TooManyFiles: test_an_error_of_the_system,
    errors.NoAnswer: test_an_error_of_the_system,
    errors.HomeUnusable: test_an_error_of_the_system,
    errors.BrowserMissing: TestSettingsInTheFile.test_a_program_that_is_not_there_is_taken_out_of_the_file,
    errors.Failed: TestInstallation.test_from_a_clone_the_clone_is_installed_with_its_extra,
    errors.StoreUnreadable: "tests/test_wrong_owner.py",
    errors.WrongKey: "tests/test_moving.py",
    errors.ProfileNotFound: "tests/test_adopting.py",
    errors.OtherAccount: "tests/test_exit_codes.py",
    errors.ObjectStoreKeyWrong: "tests/object_store/test_commands.py",
}
"""Where the hint of each class is typed into a shell."""

NOT_PASTED: dict[type[errors.LindaError], str] = {
    errors.NotFound: "is only a heading: its kinds are raised",
    errors.SessionNotFound: "linda start NUMBER: shows a code and stays",
    errors.BrowserFailed: "cat of a log, or linda start: depends on the machine",
    errors.BrowserSilent: "cat of a log: depends on the machine",
    errors.BrowserTooOld: "apt-get: changes the machine",
    errors.DriverMismatch: "apt-get: changes the machine",
    errors.UnknownFormat: "pip install --upgrade, or git pull: changes the installation",
    errors.NotLinkedInTime: "linda start NUMBER: shows a code and stays",
    errors.LoggedOut: "linda start NUMBER: shows a code and stays",
    errors.NotSaved: "linda start NUMBER: stays",
    errors.Unreachable: "curl to WhatsApp, which tests never reach",
    errors.Blocked: "linda start NUMBER: stays",
    errors.PasskeyRequired: "linda start --headful: needs a screen",
    errors.WorldsApart: "linda start: stays",
    errors.ObjectStoreUnavailable: "a look at the store's address and credentials: depends on the store",
    errors.Interrupted: "the same command again",
    **dict.fromkeys(
        (
            errors.NotAuthenticated, errors.NotAllowed, errors.TooManyTries, errors.Unavailable, errors.DatabaseFull,
            errors.DatabaseTooNew, errors.AlreadyLinked, errors.RequestTooLarge, errors.RequestTooSlow,
        ),
        "answers a request of the server: its hint is a request (tests/server)",
    ),
}  # fmt: skip
"""Why a hint is not typed by a test; :func:`test_a_command_of_a_hint_is_one_that_linda_has` reads them all the same."""


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_class_of_error_has_its_hint_looked_at(kind: type[errors.LindaError]) -> None:
    assert kind in PASTED or NOT_PASTED.get(kind)


def commands_in_hints() -> Iterator[str]:
    """Every ``linda …`` in a string of the source that stands where a hint does."""
    for file in sorted((Path(__file__).parents[1] / "linda_cli").rglob("*.py")):
        for found in re.finditer(
            r'["\'\s;]linda ((?:--home \S+ )?[a-z][a-z-]*(?: --?[a-z][a-z-]*)*)', file.read_text()
        ):
            line = file.read_text()[: found.start()].count("\n")
            text = file.read_text().splitlines()[line]
            if re.search(r'^\s*(raise|return|f?"linda|hint|else)|Error|Misused|Failed|InUse|NotFound', text):
                yield found[1]


def test_a_command_of_a_hint_is_one_that_linda_has(linda: Linda) -> None:
    verbs = set(re.findall(r"^  ([a-z]+) ", linda.run("--help").out, re.M))
    seen = 0
    for command in set(commands_in_hints()):
        words = re.sub(r"--home \S+ ", "", command).split()
        if words[0] in verbs:
            seen += 1
            page = linda.run("help", words[0]).out + linda.run("--help").out
            if words[0] == "sandbox":
                # It serves where no other word follows.
                page += linda.run("sandbox", "serve", "--help").out
            for option in [word for word in words[1:] if word.startswith("--")]:
                assert option in page, command
    assert seen > 15


def test_a_hint_never_loses_what_it_says_itself() -> None:
    assert pasteable("linda restore 5 --list", "linda --home '/a b'") == "linda --home '/a b' restore 5 --list"
