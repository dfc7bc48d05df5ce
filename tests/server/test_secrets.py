"""No process that linda starts can read linda's secrets in its own environment."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from linda_cli.browser.environment import is_secret, scrubbed_environment
from tests.linda import NUMBER, World
from tests.server.served import Served

SECRETS = {
    "JWT_SECRET": "s3cret-" * 8,
    "JWT_SECRET_PREVIOUS": "before-" * 8,
    "LINDA_DATABASE_URL": "sqlite:////{home}/accounts-s3cret.db",
    "LINDA_PASSPHRASE": "correct horse s3cret staple",
    "LINDA_BACKUP_PASSPHRASE_FILE": "/run/s3cret/passphrase",
}


def environment_of(process: psutil.Process) -> bytes:
    return Path(f"/proc/{process.pid}/environ").read_bytes()


def test_no_chromium_and_no_driver_of_a_server_has_a_secret_in_its_environment(linked: World) -> None:
    secrets = {name: value.replace("{home}", str(linked.home)) for name, value in SECRETS.items()}
    with Served(linked, **secrets) as server:
        server.wait_for("ready")
        started = psutil.Process(server.process.pid).children(recursive=True)
        browsers = [one for one in started if "chrom" in one.name()]
        assert browsers
        for process in browsers:
            found = environment_of(process)
            assert b"PATH=" in found or "--type=" in " ".join(process.cmdline())
            for name, value in secrets.items():
                assert f"{name}=".encode() not in found, process.cmdline()[:2]
                assert value.encode() not in found


def test_no_bot_and_no_driver_of_a_run_has_a_secret_in_its_environment(linked: World, tmp_path: Path) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text("import os, time\nprint('up', os.environ['LINDA_SESSION'], flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, str(bot)]
    with linked.linda.start(NUMBER, "--watch", str(bot), "--", *command, **SECRETS, BOT_TOKEN="its own") as run:
        pid = run.wait_for("bot_started")["pid"]
        run.wait_for("saved")
        for process in psutil.Process(run.process.pid).children(recursive=True):
            if "linda_cli.sandbox" in " ".join(process.cmdline()):
                continue
            found = environment_of(process)
            for name in SECRETS:
                assert f"{name}=".encode() not in found, process.cmdline()[:2]
        # What is the bot's own reaches it.
        assert b"BOT_TOKEN=its own" in environment_of(psutil.Process(pid))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("JWT_SECRET", True), ("JWT_SECRET_FILE", True), ("jwt_secret", True), ("LINDA_DATABASE_URL", True),
        ("LINDA_PASSPHRASE", True), ("LINDA_BACKUP_PASSWORD", True), ("LINDA_API_TOKEN", True),
        ("LINDA_HOME", False), ("LINDA_SESSION", False), ("LINDA_DEBUGGER_ADDRESS", False), ("LINDA_CHROME", False),
        ("DATABASE_URL", False), ("PATH", False), ("BOT_TOKEN", False),
    ],
)  # fmt: skip
def test_only_the_secrets_of_linda_are_dropped(name: str, secret: bool) -> None:
    assert is_secret(name) is secret
    assert (name in scrubbed_environment({name: "value"})) is not secret
