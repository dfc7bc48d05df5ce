"""``linda adopt``: logins of other tools become sessions, copied and checked; what they lie in is not changed."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.homes import DATABASE, home_at, make_profile, make_sqlite_profile
from linda_cli.browser.binaries import find_browser
from linda_cli.sandbox.server import Sandbox
from linda_cli.sessions.portable.foreign import Kind, find_profiles, parse_states
from tests.as_nobody import NOBODY, give, linda_as_nobody, needs_root, shared_folder
from tests.linda import NUMBER, Linda, World, flip
from tests.server.served import install

OTHER = "971505760057"
THIRD = "971505760058"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my bot"
    folder.mkdir()
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def zip_of(profile: Path, target: Path, prefix: str = "") -> Path:
    """As RemoteAuth packs a session: the two stores and their folders, and nothing else."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(profile.rglob("*")):
            name = path.relative_to(profile).as_posix()
            if path.is_file() and name.startswith(("Default/IndexedDB/", "Default/Local Storage/")):
                archive.write(path, prefix + name)
    return target


class TestWhatIsFound:
    def test_a_login_of_each_tool_is_adopted_under_its_number_and_left_as_it_is(
        self, linda: Linda, project: Path
    ) -> None:
        make_profile(project / ".wwebjs_auth" / "session-sales", NUMBER)
        make_sqlite_profile(project / "tokens" / "support", OTHER)
        made = project.parent / "made"
        make_profile(made, THIRD)
        zip_of(made, project / ".wwebjs_auth" / "RemoteAuth-office.zip")
        before = bytes_of(project)
        done = linda.json("adopt", str(project))
        assert bytes_of(project) == before
        assert {(one["kind"], one["session"], one["action"]) for one in done["results"]} == {
            ("whatsapp-web.js LocalAuth", NUMBER, "adopted"),
            ("WPPConnect", OTHER, "adopted"),
            ("whatsapp-web.js RemoteAuth", THIRD, "adopted"),
        }
        sessions = {one["session"]: one for one in linda.json("info")["sessions"]}
        assert {number: one["verdict"] for number, one in sessions.items()} == dict.fromkeys(
            (NUMBER, OTHER, THIRD), "restorable"
        )
        for number in sessions:
            assert linda.info(number, "--deep")["canRestore"] is True
            assert [one["reason"] for one in sessions[number]["backups"]] == ["adopted"]

    @pytest.mark.parametrize("where", ["Default", "Profile 1", "the profile itself", "a zip with a folder around"])
    def test_any_profile_of_a_chromium(self, linda: Linda, tmp_path: Path, where: str) -> None:
        folder = path = tmp_path / "user data"
        make_profile(folder, NUMBER)
        (folder / "Last Version").write_text("100.0.0.0")
        if where in ("Profile 1", "the profile itself"):
            (folder / "Default").rename(folder / "Profile 1")
        if where == "the profile itself":
            path = folder / "Profile 1"
        if where.startswith("a zip"):
            path = zip_of(folder, tmp_path / "any.zip", "session/")
        (one,) = linda.json("adopt", str(path))["results"]
        assert (one["session"], one["action"]) == (NUMBER, "adopted")
        assert linda.info()["verdict"] == "restorable"
        last_version = linda.home / "sessions" / f"session-{NUMBER}" / "Last Version"
        assert last_version.exists() == (not where.startswith("a zip"))
        assert [path.name for path in (linda.home / ".session-cache").glob(".*-*-*")] == []

    def test_a_home_of_the_nodejs_bot_with_what_its_state_file_knew(self, linda: Linda, project: Path) -> None:
        make_profile(project / "sessions" / "session-arslan-malik", NUMBER)
        make_profile(project / ".session-cache" / f"backup-{NUMBER}-1674149502981", NUMBER, device=3)
        make_profile(project / ".session-cache" / f"backup-{OTHER}-1674149502981", OTHER, device=3)
        make_profile(project / ".session-cache" / f"backup-{OTHER}-1674149603456", OTHER, device=4)
        damaged = project / ".session-cache" / f"backup-{OTHER}-1674149703456"
        make_profile(damaged, OTHER, device=5)
        for file in (damaged / DATABASE).glob("*"):
            flip(file)
        told = {
            "timestamp": "2026-02-16T10:11:29.462Z",
            "version": "1.0",
            "accounts": {
                f"+{NUMBER}": {
                    "phoneNumber": f"+{NUMBER}", "deviceLinked": True, "sessionPath": "sessions/session-arslan-malik",
                    "deviceMetadata": {"linkedAt": "2026-02-16T10:11:29.376Z", "authMethod": None},
                }
            },
        }  # fmt: skip
        (project / "session-state.json").write_text(json.dumps(told))
        done = linda.run("adopt", str(project), "--json")
        # One of the backups is damaged: that is told, and an older one of its number is adopted.
        assert done.code == 3, done
        by = {Path(one["path"]).name: (one["kind"], one["session"], one["action"]) for one in done.json["results"]}
        assert by == {
            "session-arslan-malik": ("Linda", NUMBER, "adopted"),
            f"backup-{NUMBER}-1674149502981": ("Linda backup", NUMBER, "skipped"),
            f"backup-{OTHER}-1674149703456": ("Linda backup", OTHER, "failed"),
            f"backup-{OTHER}-1674149603456": ("Linda backup", OTHER, "adopted"),
            f"backup-{OTHER}-1674149502981": ("Linda backup", OTHER, "skipped"),
        }
        assert linda.info()["state"]["linkedAt"] == "2026-02-16T10:11:29.376Z"

    @pytest.mark.parametrize(
        ("told", "known"),
        [
            ({"sessions": {NUMBER: {"isLinked": True, "authMethod": "qr", "restoreCount": 15}}},
             {NUMBER: {"authMethod": "qr", "restoreCount": 15}}),
            ({"masterNumber": NUMBER, "isLinked": True, "authMethod": "code", "lastSeen": "…"},
             {NUMBER: {"authMethod": "code"}}),
            ({"accounts": {f"+{NUMBER}": {"lastAuthenticated": "2026-01-01T00:00:00.000Z"}}},
             {NUMBER: {"lastReady": "2026-01-01T00:00:00.000Z"}}),
            ({"accounts": {"office": {"phoneNumber": f"+{NUMBER}", "deviceMetadata": {"authMethod": "qr"}}}},
             {NUMBER: {"authMethod": "qr"}}),
            ({"accounts": {"../etc": {}, NUMBER: 7}}, {}),
            ({"sessions": {NUMBER: {"authMethod": {"not": "text"}, "restoreCount": "many"}}}, {NUMBER: {}}),
            ({"sessions": []}, {}), ([], {}), (None, {}),
        ],
    )  # fmt: skip
    def test_every_shape_of_that_bots_state_file(self, told: object, known: object) -> None:
        assert parse_states(told) == known

    def test_only_profiles_are_found_and_links_are_not_followed(self, project: Path) -> None:
        make_profile(project / "elsewhere", NUMBER)
        (project / "tokens").mkdir()
        (project / "tokens" / "link").symlink_to(project / "elsewhere")
        (project / "tokens" / "support.data.json").write_text("{}")
        assert find_profiles(project) == []
        assert [one.kind for one in find_profiles(project / "elsewhere")] == [Kind.CHROMIUM]


class TestWhatIsNotAdopted:
    def test_where_there_is_nothing_it_says_so(self, linda: Linda, project: Path) -> None:
        for path in (project, project / "nothing"):
            done = linda.run("adopt", str(path))
            assert done.code == 10, done
            hint = done.err.splitlines()[-1].removeprefix("  try: ")
            assert subprocess.run(["sh", "-c", hint], check=False, capture_output=True).returncode == 0, hint
        (project / "Default" / "Local Storage").mkdir(parents=True)
        done = linda.run("adopt", str(project))
        assert done.code == 10
        assert "there is no WhatsApp login" in done.err

    @needs_root
    def test_a_folder_that_may_not_be_entered_hides_no_other_and_is_named_where_nothing_is_found(self) -> None:
        for shared in shared_folder():
            closed, open_ = shared / "project" / "tokens" / "a", shared / "project" / "tokens" / "b"
            for folder in (closed, open_):
                make_profile(folder)
            give(shared, NOBODY)
            closed.chmod(0o700)
            os.chown(closed, 0, 0)
            words = ("--home", str(shared / "home"), "adopt", str(shared / "project"))
            done = linda_as_nobody(*words)
            assert done.code == 0, done
            shutil.rmtree(open_)
            nothing = linda_as_nobody(*words)
            assert nothing.code == 14, nothing
            assert f"{closed} belongs to another user" in nothing.err
            assert f"sudo chown -R {NOBODY}:" in nothing.err

    def test_a_damaged_login_a_session_that_is_there_and_one_that_was_unlinked_here(
        self, linda: Linda, tmp_path: Path
    ) -> None:
        folder = tmp_path / "profile"
        make_profile(folder, NUMBER)
        linda.json("adopt", str(folder))
        refused = linda.run("adopt", str(folder))
        assert refused.code == 11
        assert "--replace" in refused.err
        shutil.rmtree(folder)
        make_profile(folder, NUMBER, device=8)
        (one,) = linda.json("adopt", str(folder), "--replace")["results"]
        assert (linda.home / ".session-cache" / one["aside"]).is_dir()
        info = linda.info()
        assert (info["verdict"], info["backups"][0]["reason"]) == ("restorable", "adopted")
        assert linda.run("logout", NUMBER, "--local", "--yes").code == 0
        refused = linda.run("adopt", str(folder))
        assert (refused.code, "was unlinked at" in refused.err) == (13, True)
        for file in (folder / DATABASE).glob("*"):
            flip(file)
        fresh = Linda(tmp_path / "fresh")
        refused = fresh.run("adopt", str(folder))
        assert (refused.code, "is not sound" in refused.err) == (12, True)
        assert list((fresh.home / "sessions").glob("session-*")) == []
        assert list((fresh.home / ".session-cache").glob("backup-*")) == []

    def test_a_profile_of_a_newer_chromium(self, linda: Linda, tmp_path: Path) -> None:
        make_profile(tmp_path / "profile", NUMBER)
        (tmp_path / "profile" / "Last Version").write_text("999.1.2.3")
        refused = linda.run("adopt", str(tmp_path / "profile"))
        assert (refused.code, "999.1.2.3" in refused.err) == (14, True)
        assert list((linda.home / "sessions").glob("session-*")) == []
        assert list((linda.home / ".session-cache").glob("backup-*")) == []

    @pytest.mark.parametrize("name", ["../../outside/Default/LocalStorage", "/Default/LocalStorage"])
    def test_a_zip_that_wants_to_write_elsewhere_or_is_no_whole_one(
        self, linda: Linda, tmp_path: Path, name: str
    ) -> None:
        make_profile(tmp_path / "profile", NUMBER)
        file = zip_of(tmp_path / "profile", tmp_path / "evil.zip")
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(name, "x")
        (one,) = linda.json("adopt", str(file))["results"]
        assert one["action"] == "adopted"
        assert not (linda.home / "outside").exists()
        assert not any(path.name == "LocalStorage" for path in linda.home.rglob("*"))
        whole = file.read_bytes()
        file.write_bytes(whole[:500] + b"\0" * 200 + whole[700:])
        refused = Linda(tmp_path / "fresh").run("adopt", str(file))
        assert (refused.code, "cannot be used" in refused.err or "no WhatsApp login" in refused.err) in (
            (13, True), (10, True),
        )  # fmt: skip
        assert list((tmp_path / "fresh" / "sessions").glob("session-*")) == []


class TestFoldersUnderAnotherName:
    def test_info_names_them_with_the_command_that_adopts_them_until_they_are(self, linda: Linda, path: str) -> None:
        home = home_at(linda.home)
        home.make()
        make_profile(home.sessions / "session-arslan-malik", NUMBER)
        (home.sessions / "notes").mkdir()
        (other,) = linda.json("info")["otherLogins"]
        assert (other["session"], Path(other["path"]).name) == (NUMBER, "session-arslan-malik")
        text = linda.run("info").out
        command = text.splitlines()[-1].partition(f"{NUMBER}: ")[2]
        assert command.startswith("linda --home ")
        refused = linda.run("info", NUMBER)
        assert refused.code == 10
        assert refused.err.splitlines()[-1] == f"  try: {command}"
        pasted = subprocess.run(["sh", "-c", command], check=False, capture_output=True, env={"PATH": path}, cwd="/")
        assert pasted.returncode == 0, pasted
        assert linda.json("info")["otherLogins"] == []
        assert linda.info()["otherLogins"] == []
        # Another login of the same number is none of this session's.
        make_profile(home.sessions / "old", NUMBER, device=2)
        assert [Path(one["path"]).name for one in linda.info()["otherLogins"]] == ["old"]

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "linda").write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-m", "linda_cli"])} "$@"\n')
        (folder / "linda").chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    def test_start_names_them_before_it_shows_a_code(self, linked: World) -> None:
        linked.profile.rename(linked.profile.with_name("session-my-bot"))
        for backup in linked.backups():
            shutil.rmtree(backup)
        (linked.inner / "session-state.json").unlink()
        with linked.linda.start("--link-with", "qr") as run:
            run.wait_for("qr")
            assert run.names().index("note") < run.names().index("qr")
            (told,) = [one["what"] for one in run.all("note") if "session-my-bot" in one["what"]]
            assert f"holds a login of {NUMBER}: linda --home " in told
            assert run.stop() == 0
        linked.linda.json("adopt", str(linked.profile.with_name("session-my-bot")))
        with linked.linda.start("--no-link", "--once") as run:
            assert run.wait_for("ready")["source"] == "profile"
            run.wait_for("stopped")


def test_the_quarantined_profile_of_another_account_is_adopted_by_its_name(linked: World) -> None:
    with linked.linda.start(NUMBER) as run:
        run.wait_for("saved")
        linked.phone.switch_account(OTHER, NUMBER)
        assert run.end() == 19
    # The message of 19 names both numbers, and the hint the command that adopts it.
    assert NUMBER in run.last["message"]
    assert OTHER in run.last["message"]
    words = shlex.split(run.last["hint"])
    assert words[-2] == "adopt"
    (one,) = linked.linda.json(*words[-2:])["results"]
    assert (one["session"], one["action"]) == (OTHER, "adopted")
    with linked.linda.start(OTHER, "--no-link", "--once") as again:
        assert again.wait_for("ready")["number"] == OTHER
        again.wait_for("stopped")


# -- profiles that the tools themselves have made


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """puppeteer-core and playwright-core, once for all workers."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("not installed: node, npm")
    shared = tmp_path_factory.getbasetemp().parent / "linda-browser-tools"
    shared.mkdir(exist_ok=True)
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            install(shared, "puppeteer-core@25.16.0", "playwright-core@1.65.1")
            (shared / "done").touch()
    return shared / "node_modules"


class Tool:
    """A tool's own browser on a profile."""

    def __init__(self, modules: Path, name: str, folder: Path, sandbox: Sandbox) -> None:
        script = Path(__file__).with_name("tool_profile.mjs")
        agent = "--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"
        args = ["--no-sandbox", "--password-store=basic", agent, *sandbox.chrome_args]
        command = ["node", str(script), str(modules), name, str(find_browser()), str(folder), *args]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == word


@pytest.fixture(scope="session")
def _made_by_tools(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a sandbox, and beside it the profiles of both tools, each linked in the tool's own browser."""
    folder = tmp_path_factory.mktemp("tools")
    sandbox = Sandbox(folder / "home" / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(folder / "home", sandbox)
    profiles = (
        ("puppeteer-core", folder / "project" / ".wwebjs_auth" / "session-sales", NUMBER),
        ("playwright-core", folder / "playwright", OTHER),
    )
    try:
        for name, profile, number in profiles:
            profile.parent.mkdir(parents=True, exist_ok=True)
            with Tool(tools, name, profile, sandbox) as tool:
                tool.wait_for("qr")
                sandbox.phone.scan(number)
                tool.wait_for("ready")
    finally:
        world.end()
    return folder


@pytest.fixture
def made_by_tools(_made_by_tools: Path, tmp_path: Path, make_world: Callable[..., World]) -> tuple[World, Path]:
    folder = tmp_path / "tools"
    shutil.copytree(_made_by_tools, folder, symlinks=True)
    return make_world(folder / "home"), folder


@pytest.mark.browser
def test_a_profile_made_by_puppeteer_and_one_by_playwright_come_up_without_a_code(
    made_by_tools: tuple[World, Path], tools: Path
) -> None:
    world, folder = made_by_tools
    linkings = world.linkings
    local_auth = folder / "project" / ".wwebjs_auth" / "session-sales"
    with Tool(tools, "puppeteer-core", local_auth, world.sandbox) as tool:
        tool.wait_for("ready")
        refused = world.linda.run("adopt", str(folder / "project"))
        assert (refused.code, "stop the program that uses it" in refused.err) == (11, True)
    for path, number, kind in (
        (folder / "project", NUMBER, "whatsapp-web.js LocalAuth"),
        (folder / "playwright", OTHER, "Chromium"),
    ):
        (one,) = world.linda.json("adopt", str(path))["results"]
        assert (one["session"], one["kind"], one["action"]) == (number, kind, "adopted")
        with world.linda.start(number, "--no-link", "--once") as run:
            assert run.wait_for("ready")["source"] == "profile"
            run.wait_for("stopped")
    assert world.linkings == linkings
    # A real login of a tool is none of the sandbox's, and the other way round.
    refused = Linda(folder / "real").run("adopt", str(folder / "playwright"))
    assert (refused.code, "sandbox" in refused.err) == (2, True)


def test_a_remote_auth_zip_of_a_profile_made_by_puppeteer(made_by_tools: tuple[World, Path]) -> None:
    world, folder = made_by_tools
    file = zip_of(folder / "project" / ".wwebjs_auth" / "session-sales", folder / "RemoteAuth-sales.zip")
    (one,) = world.linda.json("adopt", str(file))["results"]
    assert (one["session"], one["kind"]) == (NUMBER, "whatsapp-web.js RemoteAuth")
    with world.linda.start("--no-link", "--once") as run:
        assert run.wait_for("ready")["source"] == "profile"
        run.wait_for("stopped")
