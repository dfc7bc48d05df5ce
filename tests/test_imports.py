"""No command imports what it does not use: the whole list for those that must answer at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from linda_cli.app.verbs import VERBS
from tests.linda import NUMBER, World

# Typer brings annotated_doc and shellingham; google_crc32c reads the checksums of a login's database.
ALWAYS = {"annotated_doc", "google_crc32c", "linda_cli", "shellingham", "typer"}

# What makes a start slow, wherever it comes from.
NEVER = {
    "asyncio", "cryptography", "email", "http", "multiprocessing", "psutil", "pydantic", "qrcode", "rich", "selenium",
    "sqlite3", "ssl", "undetected_chromedriver", "unittest", "watchfiles", "websocket",
}  # fmt: skip

_SHOW = """
import json, sys
# What the interpreter and its site brought by themselves is not ours.
before = set(sys.modules)
from linda_cli.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("linda_cli.")}


@pytest.mark.parametrize(
    ("words", "entered", "verbs"),
    [
        (
            ["info", NUMBER],
            {
                "__main__",
                "app",
                "browser",
                "commands",
                "console",
                "errors",
                "lifecycle",
                "plain_help",
                "sessions",
                "storage_format",
                "whatsapp",
            },
            {"info"},
        ),
        (
            ["cleanup"],
            {
                "__main__",
                "app",
                "browser",
                "commands",
                "console",
                "errors",
                "installation",
                "lifecycle",
                "plain_help",
                "sessions",
                "storage_format",
                "whatsapp",
            },
            {"cleanup"},
        ),
        (
            ["--help"],
            {
                "__main__",
                "app",
                "browser",
                "commands",
                "console",
                "errors",
                "installation",
                "lifecycle",
                "notifications",
                "object_store",
                "plain_help",
                "sessions",
                "storage_format",
                "whatsapp",
            },
            {verb.replace("-", "_") for verb in VERBS},
        ),
    ],
)
def test_what_a_command_imports(linked: World, words: list[str], entered: set[str], verbs: set[str]) -> None:
    modules = imported("--home", str(linked.inner), *words)
    # cramjam opens compressed tables, which a database has or has not.
    foreign = tops(modules) - set(sys.stdlib_module_names) - {"cramjam"}
    assert foreign == ALWAYS
    assert tops(modules) & NEVER == set()
    assert rooms(modules) == entered
    assert {name.split(".")[2] for name in modules if name.startswith("linda_cli.commands.")} == verbs


def test_a_start_imports_the_watcher_and_the_bot_only_for_a_bot() -> None:
    late = {"selenium", "psutil", "watchfiles", "linda_cli.lifecycle.bot", "linda_cli.lifecycle.changes"}
    assert imported("start", "--help") & late == set()


def test_a_whole_start_goes_without_what_only_other_ways_need(linked: World) -> None:
    modules = imported("--home", str(linked.home), "start", "--sandbox", "--once", NUMBER)
    for_others = {
        "asyncio",
        "cryptography",
        "pydantic",
        "qrcode",
        "rich",
        "selenium",
        "sqlite3",
        "undetected_chromedriver",
    }
    assert tops(modules) & for_others == set()
