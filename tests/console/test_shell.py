"""What a shell and a person at it see: help, aliases, completion, the manual, colours, times, narrow windows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.homes import home_at, make_profile, write_keys
from linda_cli.app.verbs import ALIASES, VERBS
from linda_cli.console import Console, colours, moments, words
from linda_cli.console.completion import SCRIPTS
from linda_cli.console.own_command import begin, pasteable, program
from linda_cli.console.wrapping import columns, fitted
from linda_cli.whatsapp.page import SANDBOX_KEY
from tests.conftest import needs
from tests.linda import COMMAND, NUMBER, Linda
from tests.terminal import Terminal

OTHER = "971505760057"


@pytest.fixture
def two(tmp_path: Path) -> Linda:
    """A home with two sessions and a backup of each."""
    home = home_at(tmp_path / "home")
    home.make()
    for number in (NUMBER, OTHER):
        make_profile(home.named_profile(number), number, rows=1)
    linda = Linda(home.root)
    linda.json("backup", "--all")
    return linda


class TestHelp:
    def test_linda_alone_is_plain_help(self, linda: Linda) -> None:
        alone = linda.run(home=False)
        assert (alone.code, alone.err) == (0, "")
        assert alone.out == linda.run("--help", home=False).out
        assert not re.search("[─│╭╮╰╯\x1b]", alone.out)

    def test_no_summary_is_cut_at_any_width(self, linda: Linda) -> None:
        for width in ("60", "80", "200"):
            out = linda.run("--help", COLUMNS=width).out
            assert "..." not in out.replace("[ARGS]...", "")
            assert max(map(len, out.splitlines())) <= int(width)
            assert "put aside" not in out

    @pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "try"])
    def test_help_of_a_verb_is_the_same_in_three_spellings(self, linda: Linda, verb: str) -> None:
        told = {linda.run(*words).out for words in ((verb, "-h"), (verb, "--help"), ("help", verb))}
        assert len(told) == 1
        assert f"Usage: linda {verb}" in told.pop()

    @pytest.mark.parametrize(("alias", "verb"), ALIASES.items())
    def test_what_people_try_is_understood(self, linda: Linda, alias: str, verb: str) -> None:
        assert linda.run(alias, "-h").out == linda.run(verb, "-h").out

    def test_the_version_has_a_short_option(self, linda: Linda) -> None:
        assert linda.run("-V").out == linda.run("--version").out

    def test_a_typing_error_names_the_nearest_command(self, linda: Linda) -> None:
        assert "Did you mean 'backup'?" in linda.run("backpu").err


class TestSandboxOption:
    def test_it_is_the_home_of_every_command(self, tmp_path: Path) -> None:
        inner = home_at(tmp_path / "home" / ".sandbox")
        inner.make()
        make_profile(inner.named_profile(NUMBER), NUMBER, rows=1)
        write_keys(inner.named_profile(NUMBER), **{SANDBOX_KEY: "1"})
        linda = Linda(tmp_path / "home")
        assert linda.json("--sandbox", "backup")["session"] == NUMBER
        assert [one["session"] for one in linda.json("info", "--sandbox")["sessions"]] == [NUMBER]
        assert linda.run("info").code == 10


class TestCompletion:
    def asked(self, linda: Linda, *typed: str, shell: str = "fish") -> list[str]:
        done = linda.run("__complete", shell, *typed, home=False, LINDA_HOME=str(linda.home))
        assert (done.code, done.err) == (0, "")
        return [line.split("\t")[0] for line in done.out.splitlines()]

    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            (["st"], ["start", "stop"]),
            (["info", "97"], [NUMBER, OTHER]),
            (["status", "97"], [NUMBER, OTHER]),
            (["info", "--deep", "97150576005"], [NUMBER, OTHER]),
            (["help", "cle"], ["clear", "cleanup"]),
            (["start", "--link-with", ""], ["qr", "code"]),
            (["start", "--engine", "sel"], ["selenium"]),
            (["start", "--qr-file", ""], [":files"]),
            (["--home", ""], [":dirs"]),
            (["completion", ""], ["bash", "zsh", "fish"]),
            (["sandbox", "off"], ["offline"]),
            (["sandbox", "offline", "d"], ["down", "dns"]),
            (["token", "rev"], ["revoke"]),
            (["start", "--watch", "src", "--", ""], [":files"]),
            (["start", "--back"], ["--backup-every"]),
            (["info", NUMBER, "9"], []),
            (["nonsense", ""], []),
        ],
        ids=" ".join,
    )
    def test_a_word_is_completed(self, two: Linda, typed: list[str], offered: list[str]) -> None:
        assert self.asked(two, *typed) == offered

    def test_backup_names_are_those_of_the_number(self, two: Linda) -> None:
        (name,) = [one["name"] for one in two.info()["backups"]]
        assert self.asked(two, "restore", NUMBER, "--from", "") == ["latest", name]
        assert self.asked(two, "restore", NUMBER, "--from=b") == [f"--from={name}"]
        # bash takes the word apart at the sign.
        assert self.asked(two, "restore", NUMBER, "--from", "=", "b", shell="bash") == [name]
        assert len(self.asked(two, "restore", "--from", "b")) == 2

    def test_the_home_that_was_typed_counts(self, two: Linda, tmp_path: Path) -> None:
        done = Linda(tmp_path).run("__complete", "fish", "--home", str(two.home), "info", "9", home=False)
        assert NUMBER in done.out

    def test_a_broken_home_offers_nothing_and_says_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "linda.toml").write_text("broken")
        for typed in (["info", ""], [], ["restore", "--from", ""]):
            done = Linda(tmp_path).run("__complete", "fish", *typed, home=False, LINDA_HOME=str(tmp_path))
            assert (done.code, done.out, done.err) == (0, "", "")

    @pytest.mark.parametrize(
        ("shell", "words"),
        [
            pytest.param("bash", ["bash", "--norc", "--noprofile", "-i"], marks=needs("bash", "tmux")),
            pytest.param("zsh", ["zsh", "-f", "-i"], marks=needs("zsh", "tmux")),
            pytest.param("fish", ["fish", "--no-config"], marks=needs("fish", "tmux")),
        ],
    )
    def test_tab_completes_in_a_real_shell(self, two: Linda, tmp_path: Path, shell: str, words: list[str]) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "linda").write_text(f'#!/bin/sh\nexec {sys.executable} -m linda_cli "$@"\n')
        (folder / "linda").chmod(0o755)
        script = tmp_path / "script"
        script.write_text(two.run("completion", shell).out)
        path = f"{folder}:{os.environ['PATH']}"
        with Terminal(words, columns=120, PATH=path, HOME=str(tmp_path), LINDA_HOME=str(two.home)) as terminal:
            terminal.type(f"source {script}; echo is ready", "Enter")
            terminal.wait_for(lambda text: text.count("is ready") >= 2)
            terminal.type("linda compl", "Tab")
            terminal.wait_for("linda completion")
            terminal.type("C-u", f"linda restore {NUMBER} --from b", "Tab")
            terminal.wait_for(f"backup-{NUMBER}-")
            # bash lists them where a Tab has nothing more to add; fish leaves out the first digits of each.
            terminal.type("C-u", "linda info 9715", "Tab", "Tab", "Tab")
            terminal.wait_for(lambda text: OTHER[2:] in text.replace("\n", ""))
            terminal.type("C-u", "exit", "Enter")

    @pytest.mark.parametrize("shell", SCRIPTS)
    def test_json_has_the_script(self, linda: Linda, shell: str) -> None:
        assert linda.json("completion", shell)["script"] == SCRIPTS[shell]

    def test_another_shell_is_refused(self, linda: Linda) -> None:
        assert linda.run("completion", "csh").code == 2


class TestManual:
    @pytest.mark.skipif(not Path("/usr/bin/groff").exists(), reason="not installed: groff")
    def test_groff_has_nothing_to_say_about_it(self, linda: Linda) -> None:
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8"], input=linda.run("man").out, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        # Bold is a letter printed twice.
        page = re.sub(".\x08", "", done.stdout)
        assert "NAME" in page
        assert "linda cleanup" in page

    def test_every_verb_and_option_is_in_it(self, linda: Linda) -> None:
        page = linda.run("man").out.replace("\\-", "-")
        for verb in VERBS:
            assert f".SS linda {verb}" in page
            for option in re.findall(r"^  (--[a-z-]+)", linda.run(verb, "-h").out, re.M):
                assert option in page


class TestMoments:
    NOW = 1_795_254_462.0

    @pytest.mark.parametrize(
        ("before", "said"),
        [
            (0, "just now"),
            (1, "1 second ago"),
            (119, "1 minute ago"),
            (120, "2 minutes ago"),
            (7200, "2 hours ago"),
            (86400, "1 day ago"),
            (86400 * 45, "1 month ago"),
            (86400 * 800, "2 years ago"),
            (-60, "in the future: look at the clock"),
        ],
    )
    def test_how_long_ago(self, before: float, said: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.NOW - before))
        assert moments.ago(moment, self.NOW) == said

    def test_they_are_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", "Asia/Dubai")
        time.tzset()
        try:
            assert moments.local("2026-11-21T09:47:42.123Z") == "2026-11-21 13:47:42"
            assert moments.clock("2026-11-21T22:47:42.123Z") == "02:47:42"
        finally:
            monkeypatch.delenv("TZ")
            time.tzset()

    @pytest.mark.parametrize("text", [None, "", "never", "9999-99-99", 5])
    def test_what_is_no_moment_stays_as_it_is(self, text: object) -> None:
        assert moments.ago(text) == ""
        assert moments.local(text) == str(text)

    def test_info_says_both_and_json_stays_in_utc(self, two: Linda) -> None:
        created = two.info()["backups"][0]["createdAt"]
        assert created.endswith("Z")
        out = two.run("info", NUMBER, TZ="Asia/Dubai").out
        hour = (int(created[11:13]) + 4) % 24
        assert f" {hour:02d}:{created[14:19]} (" in out
        assert " ago)" in out or "just now" in out


class TestColours:
    @staticmethod
    def _luminance(colour: int) -> float:
        """WCAG 2 of a colour of the cube of the 256."""
        steps = (0, 95, 135, 175, 215, 255)
        red, green, blue = (steps[(colour - 16) // size % 6] / 255 for size in (36, 6, 1))
        linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in (red, green, blue)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    @pytest.mark.parametrize("colour", [colours.GOOD, colours.WATCH, colours.BAD])
    def test_each_is_read_on_black_and_on_white(self, colour: int) -> None:
        """WCAG asks for 3:1 where text is bold or a sign; both backgrounds get more."""
        light = self._luminance(colour)
        assert 1.05 / (light + 0.05) > 3.5
        assert (light + 0.05) / 0.05 > 3.5

    @needs("tmux")
    def test_a_terminal_has_them_and_a_pipe_has_none(self, two: Linda) -> None:
        command = [*COMMAND, "--home", str(two.home), "info"]
        with Terminal(command, TERM="tmux-256color") as terminal:
            terminal.exit_code()
            assert f"\x1b[38;5;{colours.GOOD}mrestorable" in terminal.screen()
            assert terminal.text(all_of_it=True).replace("\n", "").startswith(f"home {two.home}")
        with Terminal(command, NO_COLOR="1") as terminal:
            terminal.exit_code()
            assert "\x1b" not in terminal.screen()
        assert "\x1b" not in two.run("info").out


class TestNarrowWindows:
    @needs("tmux")
    def test_nothing_is_wrapped_by_the_terminal_at_60_columns(self, two: Linda) -> None:
        for verb in (["info"], ["info", NUMBER], ["restore", NUMBER, "--list"], ["config"], ["start", "-h"]):
            with Terminal([*COMMAND, "--quiet", "--home", str(two.home), *verb], columns=60, lines=200) as terminal:
                terminal.exit_code()
                text = terminal.text(all_of_it=True)
            lines = [line.rstrip() for line in text.splitlines()]
            # A line that the terminal had to break would fill it to the last column.
            full = [line for line in lines if len(line) >= 60 and "/" not in line]
            assert full == [], verb

    def test_a_wide_table_stays_a_table_in_a_pipe(self) -> None:
        rows = [["one", "x" * 40, "y" * 40]]
        assert columns(rows) == [f"one  {'x' * 40}  {'y' * 40}"]

    def test_the_last_cell_is_wrapped_below_itself(self) -> None:
        lines = columns([["  key", "ok", "one two three four five six seven"]], 36)
        assert lines == ["  key  ok  one two three four five", "           six seven"]

    def test_a_sentence_ends_at_a_word_and_a_command_is_left_whole(self) -> None:
        undo = f"undo: linda restore {NUMBER} --from backup-{NUMBER}-1795602120804"
        lines = fitted(f"  {NUMBER} is saved as backup-{NUMBER}-1795602120804\n{undo}", 50, "linda").split("\n")
        assert lines == [f"  {NUMBER} is saved as", f"    backup-{NUMBER}-1795602120804", undo]

    def test_where_that_leaves_too_little_a_row_is_stacked_and_the_header_left_out(self) -> None:
        rows = [["session", "verdict", "last ready"], [NUMBER, "restorable", "2026-11-21 13:47:42 (2 minutes ago)"]]
        lines = columns(rows, 40, header=True)
        assert lines[0] == NUMBER
        assert all(len(line) <= 40 for line in lines)
        assert " ".join(" ".join(lines[1:]).split()) == "restorable 2026-11-21 13:47:42 (2 minutes ago)"

    def test_an_overview_of_any_width_has_every_verdict(self) -> None:
        session = SimpleNamespace(session=NUMBER, verdict="logged_out", running=None, backups=(), state={})
        told: Any = SimpleNamespace(home="/srv", sessions=[session], other_logins=())
        assert "logged out" in words.overview(told, Console())


class TestHowACommandBegins:
    def test_by_its_name_where_a_shell_finds_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = tmp_path / "linda"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        assert program(str(script)) == str(script)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert program(str(script)) == "linda"
        assert program("/somewhere/__main__.py") == "linda"

    @pytest.mark.parametrize(
        ("hint", "home", "sandbox", "becomes"),
        [
            ("linda info", None, False, "linda info"),
            ("linda info", "/srv/my bots", False, "linda --home '/srv/my bots' info"),
            ("linda stop 5", "/srv", True, "linda --home /srv --sandbox stop 5"),
            ("linda start --sandbox", "/srv", True, "linda --home /srv start --sandbox"),
            ("linda --home /other start", "/srv", True, "linda --home /other start"),
            ("A=b linda token; linda serve", "/srv", False, "A=b linda --home /srv token; linda --home /srv serve"),
            ("openssl rand > linda.secret", "/srv", False, "openssl rand > linda.secret"),
            ("ls -l /srv/linda x", "/srv", False, "ls -l /srv/linda x"),
        ],
    )  # fmt: skip
    def test_with_the_home_and_the_sandbox_that_were_typed(
        self, hint: str, home: str | None, sandbox: bool, becomes: str
    ) -> None:
        assert pasteable(hint, begin(Path(home) if home else None, sandbox, "linda")) == becomes


class TestBackupOfAll:
    def test_an_account_that_waits_to_be_linked_is_skipped(self, two: Linda) -> None:
        waiting = "971505760058"
        (two.home / "sessions" / f"session-{waiting}" / "Default").mkdir(parents=True)
        told = {one["session"]: one for one in two.json("backup", "--all")["results"]}
        assert told[waiting]["skipped"] == "it waits to be linked"
        assert told[waiting]["error"] is None
        assert told[NUMBER]["skipped"] is None
        assert "skipped: it waits to be linked" in two.run("backup", "--all").out
