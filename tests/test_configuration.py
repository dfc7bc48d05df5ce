"""``linda.toml``: an option beats its variable, a variable the file, the file the default; and whom linda believes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from linda_cli.app.option_sources import boolean
from linda_cli.errors import ConfigurationInvalid, ConfigurationUnsafe
from linda_cli.lifecycle.api import Store
from linda_cli.sessions import configuration
from tests.linda import NUMBER, Linda

NOBODY = 65534


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def write(home: Path, text: str) -> Path:
    path = home / "linda.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def settings(home: Path, *words: str, **environ: str) -> dict[str, tuple[Any, str]]:
    told = Linda(home, **environ).json("config", *words)
    return {one["key"]: (one["value"], one["source"]) for one in told["settings"]}


class TestPrecedence:
    def test_a_variable_beats_the_file_and_the_file_the_default(self, home: Path) -> None:
        write(home, 'number = "971505760057"\n[start]\ntimeout = 30\nbackup-every = "1h"\n')
        found = settings(home, LINDA_NUMBER=NUMBER, LINDA_START_TIMEOUT="40")
        assert found["number"] == (NUMBER, "variable")
        assert found["start.timeout"] == ("40", "variable")
        assert found["start.backup-every"] == ("1h", "file")
        assert found["start.hung-after"] == (10.0, "default")

    # Each value is one that the verb itself refuses, which shows whose word counted.
    @pytest.mark.parametrize(
        ("words", "environ", "counts"),
        [
            (["--keep", "0"], {"LINDA_CLEANUP_KEEP": "3"}, "--keep must be at least 1"),
            ([], {"LINDA_CLEANUP_KEEP": "0"}, "--keep must be at least 1"),
            ([], {}, "--keep must be at least 1"),
            (["--keep", "3"], {"LINDA_CLEANUP_KEEP": "0"}, None),
            ([], {"LINDA_CLEANUP_KEEP": "3"}, None),
        ],
        ids=["option", "variable", "file", "option over variable", "variable over file"],
    )
    def test_an_option_beats_its_variable_and_a_variable_the_file(
        self, home: Path, words: list[str], environ: Mapping[str, str], counts: str | None
    ) -> None:
        (home / "session-state.json").write_text('{"sessions": {}}')
        write(home, "[cleanup]\nkeep = 0\n")
        done = Linda(home, **environ).run("cleanup", *words)
        assert (counts in done.err) if counts else done.code == 0, done

    def test_the_number_of_the_file_is_the_session_that_is_meant(self, home: Path) -> None:
        (home / "session-state.json").write_text('{"sessions": {}}')
        write(home, f'number = "{NUMBER}"\n')
        assert NUMBER in Linda(home).run("info").err
        assert "971505760058" in Linda(home, LINDA_NUMBER="971505760058").run("info").err

    def test_sessions_lie_where_the_file_says_also_for_the_python_api(self, home: Path) -> None:
        write(home, 'session-path = "elsewhere"\n')
        (home / "elsewhere" / f"session-{NUMBER}" / "Default").mkdir(parents=True)
        assert Store(home).home.sessions == home / "elsewhere"
        assert Linda(home).json("info", NUMBER)["profile"] == str(home / "elsewhere" / f"session-{NUMBER}")

    @pytest.mark.parametrize("environ", [{}, {"SESSION_PATH": "/nowhere"}])
    def test_the_sandbox_has_its_sessions_apart_whatever_is_said(self, home: Path, environ: dict[str, str]) -> None:
        write(home, 'session-path = "elsewhere"\n')
        profile = home / ".sandbox" / "sessions" / f"session-{NUMBER}"
        (profile / "Default").mkdir(parents=True)
        assert Linda(home, **environ).json("info", NUMBER, "--sandbox")["profile"] == str(profile)

    def test_a_relative_path_of_a_table_is_below_the_home(self, home: Path) -> None:
        write(home, '[start]\nqr-file = "code.png"\n')
        assert settings(home)["start.qr-file"] == (str(home / "code.png"), "file")

    def test_underscores_are_hyphens(self, home: Path) -> None:
        write(home, '[start]\nbackup_every = "2h"\n')
        assert settings(home)["start.backup-every"] == ("2h", "file")

    def test_a_bad_variable_is_named(self, home: Path) -> None:
        (home / "session-state.json").write_text('{"sessions": {}}')
        done = Linda(home, LINDA_CLEANUP_KEEP="many").run("cleanup")
        assert done.code == 2
        assert "LINDA_CLEANUP_KEEP" in done.err

    @pytest.mark.parametrize(("word", "means"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
    def test_a_switch_is_said_with_the_usual_words(self, word: str, means: bool) -> None:
        assert boolean(word) is means

    def test_a_switch_is_said_with_no_other(self) -> None:
        with pytest.raises(ValueError):
            boolean("perhaps")


class TestConfig:
    def test_it_needs_no_home(self, tmp_path: Path) -> None:
        told = Linda(tmp_path / "nothing").json("config")
        assert told["home"] == str(tmp_path / "nothing")
        assert told["homeSource"] == "option"
        assert told["file"] is None
        assert {one["source"] for one in told["settings"]} == {"default"}
        assert not (tmp_path / "nothing").exists()

    def test_it_says_what_named_the_home(self, home: Path) -> None:
        done = Linda(home).run("config", "--json", home=False, LINDA_HOME=str(home))
        assert done.json["homeSource"] == "variable"

    def test_a_password_is_not_shown(self, home: Path) -> None:
        write(home, 'proxy = "http://ada:secret@proxy.example:3128"\n')
        done = Linda(home).run("config")
        assert "http://***@proxy.example:3128" in done.out
        assert "secret@" not in done.out

    def test_words_have_each_value_with_its_source(self, home: Path) -> None:
        write(home, "[start]\ntimeout = 30\n")
        lines = Linda(home, LINDA_START_ENGINE="undetected").run("config", "--changed").out.splitlines()
        assert [line.split() for line in lines if line.startswith(("timeout", "engine"))] == [
            ["engine", "undetected", "variable", "LINDA_START_ENGINE"],
            ["timeout", "30", "linda.toml"],
        ]

    def test_every_key_may_be_written_as_it_is_shown(self, home: Path) -> None:
        """Each option of each table, at its own default."""
        lines: list[str] = []
        for one in Linda(home).json("config")["settings"]:
            table, _, key = one["key"].rpartition(".")
            if table and one["value"] is not None:
                if f"[{table}]" not in lines:
                    lines.append(f"[{table}]")
                lines.append(f"{key} = {json.dumps(one['value'])}")
        write(home, "\n".join(lines))
        written = settings(home)
        assert [line.split(" ")[0] for line in lines if not line.startswith("[")] == [
            key.rpartition(".")[2] for key, (_, source) in written.items() if source == "file"
        ]


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "says", "then"),
        [
            ("[start]\nbackup-evry = '1h'\n", "did you mean backup-every?", "[start]\nbackup-every = '1h'\n"),
            ("[strat]\ntimeout = 5\n", "did you mean start?", "[start]\ntimeout = 5\n"),
            ("numbr = '971505760056'\n", "did you mean number?", "number = '971505760056'\n"),
            ("[start]\nwatch = 'src'\n", "unknown key", "[start]\n# watch = 'src'\n"),
            ("[start]\nzzzz = 1\n", "unknown key", "[start]\n# zzzz = 1\n"),
            ("[start]\ntimeout = 'soon'\n", "must be a number", "[start]\n# timeout = 'soon'\n"),
            ("[start]\ntimeout = true\n", "must be a number", "[start]\n# timeout = true\n"),
            ("[start]\nheadful = 1\n", "must be true or false", "[start]\n# headful = 1\n"),
            ("[start]\nmax-generations = 1e400\n", "whole number", "[start]\n# max-generations = 1e400\n"),
            ("chrome = ''\n", "not empty", "# chrome = ''\n"),
        ],
        ids=lambda value: value.splitlines()[-1] if "\n" in value else value,
    )
    def test_are_errors_and_the_hint_mends_exactly_that_line(self, home: Path, text: str, says: str, then: str) -> None:
        path = write(home, text)
        done = Linda(home).run("config", "--json")
        assert done.code == 2, done
        assert says in done.json["error"]["message"]
        subprocess.run(done.json["error"]["hint"], shell=True, check=True)
        assert path.read_text() == then
        assert Linda(home).run("config").code == 0

    def test_a_verb_refuses_its_own_table(self, home: Path) -> None:
        write(home, "[start]\nbackup-evry = '1h'\n")
        done = Linda(home).run("start")
        assert done.code == 2
        assert "backup-every" in done.err
        assert not (home / "sessions").exists()

    def test_help_works_all_the_same(self, home: Path) -> None:
        write(home, "no toml")
        for words in (["--help"], ["start", "-h"], ["help", "info"], ["--version"]):
            assert Linda(home).run(*words).code == 0, words

    @pytest.mark.parametrize("data", [b"[start", b"\xff\xfe", b"#" * (configuration.LARGEST + 1)])
    def test_what_is_no_toml_is_named_with_its_file(self, home: Path, data: bytes) -> None:
        (home / "linda.toml").write_bytes(data)
        with pytest.raises(ConfigurationInvalid) as refused:
            configuration.read(home)
        assert str(home / "linda.toml") in refused.value.message
        assert "${EDITOR:-vi}" in refused.value.hint


class TestWhomLindaBelieves:
    @pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
    def test_a_file_that_others_may_write_is_refused_until_the_hint_was_typed(self, home: Path, mode: int) -> None:
        path = write(home, "[start]\ntimeout = 30\n")
        path.chmod(mode)
        done = Linda(home).run("config", "--json")
        assert (done.code, done.json["error"]["name"]) == (2, "ConfigurationUnsafe")
        subprocess.run(done.json["error"]["hint"], shell=True, check=True)
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
        assert settings(home)["start.timeout"] == (30.0, "file")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_a_file_of_somebody_else_is_refused_until_the_hint_was_typed(self, home: Path) -> None:
        path = write(home, "[start]\ntimeout = 30\n")
        os.chown(path, NOBODY, NOBODY)
        done = Linda(home).run("config", "--json")
        assert (done.code, done.json["error"]["name"]) == (2, "ConfigurationUnsafe")
        subprocess.run(done.json["error"]["hint"], shell=True, check=True)
        assert settings(home)["start.timeout"] == (30.0, "file")

    def test_a_pipe_of_that_name_holds_nothing_up(self, home: Path) -> None:
        os.mkfifo(home / "linda.toml")
        with pytest.raises(ConfigurationUnsafe):
            configuration.read(home)

    def test_a_folder_of_that_name_is_refused(self, home: Path) -> None:
        (home / "linda.toml").mkdir()
        with pytest.raises(ConfigurationUnsafe):
            configuration.read(home)
