"""A failure is named for what it is, and a bug leaves one report, in the home."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from linda_cli import errors
from linda_cli.sessions import bug_report
from tests.linda import COMMAND, Linda


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        (TimeoutError("timed out"), errors.NoAnswer, "no answer in time"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), errors.NoAnswer, "no answer in time"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), errors.NoAnswer, "connection was lost"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), errors.NoAnswer, "Connection refused"),
        (ConnectionError(), errors.NoAnswer, "ConnectionError"),
        (OSError(errno.EMFILE, "Too many open files", "x"), errors.TooManyFiles, "x: too many files are open"),
        (OSError(errno.ENFILE, "Too many open files in system"), errors.TooManyFiles, "too many files"),
        (OSError(errno.ENOSPC, "No space left on device", "/home/x"), errors.DiskFull, "/home/x: No space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errors.DiskFull, "quota"),
        (PermissionError(errno.EACCES, "Permission denied", "y"), errors.HomeUnusable, "y: Permission denied"),
    ],
    ids=str,
)
def test_an_error_of_the_system_is_named_for_what_it_is(
    trouble: OSError, kind: type[errors.LindaError], words: str
) -> None:
    named = errors.named(trouble, "linda info")
    assert type(named) is kind
    assert words in named.message
    assert "\n" not in named.message
    assert ("df -h" in named.hint) == issubclass(kind, errors.HomeUnusable)
    if kind is errors.TooManyFiles:
        assert named.hint == "ulimit -n 4096; linda info"


def test_a_bug_leaves_one_report_in_the_home_and_none_elsewhere(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "sessions").mkdir(parents=True)
    (home / ".session-cache").mkdir()
    (home / "logs").mkdir()
    elsewhere.mkdir()
    code = f"""
        import sys
        import linda_cli.lifecycle.reading as reading
        def broken(*_, **__):
            raise RuntimeError("bug " + sys.argv[-1])
        reading.open_reading = broken
        sys.argv = ["linda", "--home", {str(home)!r}, "info", sys.argv[-1]]
        from linda_cli.__main__ import main
        main()
    """
    for number in ("971505760056", "971505760057"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), number],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
            env={**os.environ, "TMPDIR": str(elsewhere)},
        )
        assert done.returncode == 70, done
        assert f"cat {home / 'logs' / bug_report.NAME}" in done.stderr
    report = home / "logs" / bug_report.NAME
    assert [one.name for one in report.parent.iterdir()] == [bug_report.NAME]
    assert "bug 971505760057" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert list(elsewhere.iterdir()) == []


def test_without_a_home_it_is_one_file_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for at in range(2):
        bug_report.write(tmp_path / "nothing", ["info"], RuntimeError(f"bug {at}"))
    (report,) = tmp_path.iterdir()
    assert "bug 1" in report.read_text()


def test_few_open_files_are_named(tmp_path: Path) -> None:
    """``ulimit -n`` as it is where a login shell was told so."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / ".session-cache").mkdir()
    command = f"ulimit -n 10; exec {' '.join(COMMAND)} --home {tmp_path} info"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode in (0, 1)
    if done.returncode:
        assert "too many files are open" in done.stderr
        assert "df -h" not in done.stderr


def test_a_browser_that_may_open_too_few_files_is_named_so(linda: Linda) -> None:
    command = f"ulimit -n 64; exec {' '.join(COMMAND)} --home {linda.home} start --sandbox --once --timeout 20"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 14
    assert "more than the 64 files" in done.stderr
    assert f"ulimit -n 4096; linda --home {linda.home} start --sandbox" in done.stderr


def test_a_bug_in_a_thread_of_a_run_is_reported_in_one_line(tmp_path: Path) -> None:
    for name in ("sessions", ".session-cache", "logs"):
        (tmp_path / name).mkdir()
    code = f"""
        import pathlib, threading
        from linda_cli.app.error_boundary import Invocation, report_bugs_of_threads
        from linda_cli.app.global_options import GlobalOptions
        from linda_cli.console import Console
        options = GlobalOptions(pathlib.Path({str(tmp_path)!r}), False, False, False)
        report_bugs_of_threads(Invocation(["start"], {{}}, Console(), ["start"], options))
        def broken():
            raise RuntimeError("a bug of a thread")
        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stderr == f"linda: this is a bug in linda; please send {tmp_path / 'logs' / bug_report.NAME}\n"
    assert "a bug of a thread" in (tmp_path / "logs" / bug_report.NAME).read_text()
