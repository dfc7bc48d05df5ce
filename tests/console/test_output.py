"""What a run says keeps it waiting nowhere: stopped terminals, full disks, readers that are slow, late or gone."""

from __future__ import annotations

import contextlib
import os
import pty
import resource
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linda_cli.console.writer import MOST

SPEAK = """
    import sys, time
    from linda_cli.console import output
    output.begin()
    began = time.monotonic()
    for at in range({lines}):
        output.put(sys.stdout, f"line {{at}} " + "x" * {width} + "\\n")
    spoken = time.monotonic() - began
    output.finish(0.5)
    open({out!r}, "w").write(f"{{spoken}} {{time.monotonic() - began}}")
"""


def script(out: Path, lines: int, width: int = 100) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(SPEAK.format(lines=lines, width=width, out=str(out)))]


def seconds(out: Path) -> tuple[float, float]:
    """How long it took to say everything, and until the end."""
    spoken, whole = out.read_text().split()
    return float(spoken), float(whole)


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal; ours is read by nobody unless the test does."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        for end in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(end)


class TestRuns:
    def test_a_terminal_stopped_with_ctrl_s_keeps_nobody_waiting(self, tmp_path: Path) -> None:
        with terminal() as (ours, theirs):
            os.write(ours, b"\x13")
            time.sleep(0.1)
            with subprocess.Popen(script(tmp_path / "told", 20_000), stdout=theirs) as process:
                assert process.wait(20) == 0
            # What stands in its queue would be waited for as a close of the last descriptor.
            termios.tcflush(theirs, termios.TCOFLUSH)
        spoken, whole = seconds(tmp_path / "told")
        assert spoken < 5
        assert whole - spoken < 3

    def test_a_terminal_that_has_vanished_ends_nothing(self, tmp_path: Path) -> None:
        with terminal() as (ours, theirs):
            os.close(ours)
            with subprocess.Popen(script(tmp_path / "told", 1000), stdout=theirs, stderr=subprocess.PIPE) as process:
                _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, b"")

    def test_a_full_disk_ends_nothing(self, tmp_path: Path) -> None:
        with (
            open("/dev/full", "wb") as full,
            subprocess.Popen(script(tmp_path / "told", 1000), stdout=full, stderr=subprocess.PIPE) as process,
        ):
            _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, b"")

    def test_a_file_that_may_not_grow_has_whole_lines_up_to_there(self, tmp_path: Path) -> None:
        """As a disk that gets full in the middle of a line."""

        def limited() -> None:
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_050, 100_050))

        told = tmp_path / "told"
        with open(tmp_path / "log", "wb") as log:
            done = subprocess.run(
                script(told, 2000), stdout=log, stderr=subprocess.PIPE, preexec_fn=limited, check=False, timeout=20
            )
        assert (done.returncode, done.stderr) == (0, b"")
        lines = (tmp_path / "log").read_text().splitlines()
        assert [line.split()[1] for line in lines[:-1]] == [str(at) for at in range(len(lines) - 1)]

    def test_a_slow_reader_gets_every_line_in_order(self, tmp_path: Path) -> None:
        with subprocess.Popen(script(tmp_path / "told", 8000), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            heard = b""
            while chunk := os.read(process.stdout.fileno(), 1 << 14):
                heard += chunk
                time.sleep(0.01)
            assert process.wait(20) == 0
        assert [int(line.split()[1]) for line in heard.splitlines()] == list(range(8000))
        assert seconds(tmp_path / "told")[0] < 1

    def test_a_reader_who_comes_late_is_told_what_was_left_out(self, tmp_path: Path) -> None:
        code = """
            import sys, time
            from linda_cli.console import output
            from linda_cli.console.writer import MOST
            output.begin()
            for at in range(MOST // 1000 + 500):
                output.put(sys.stdout, f"line {at} ".ljust(999) + "\\n")
            print("said", file=sys.stderr, flush=True)
            sys.stdin.readline()
            output.put(sys.stdout, "the last\\n")
            output.finish(1)
        """
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stderr.readline() == b"said\n"
            heard = b""
            while len(heard) < MOST - 10_000:
                heard += os.read(process.stdout.fileno(), 1 << 16)
            process.stdin.write(b"\n")
            process.stdin.flush()
            heard += process.stdout.read()
            assert process.wait(20) == 0
        lines = heard.decode().splitlines()
        said = [line for line in lines if "left out" in line]
        assert len(said) == 1
        assert lines[-1] == "the last"
        whole = [line for line in lines if line.startswith("line ")]
        assert int(said[0].split()[1]) == MOST // 1000 + 500 - len(whole)

    def test_stdout_and_stderr_of_one_terminal_keep_their_order(self, tmp_path: Path) -> None:
        code = """
            import sys
            from linda_cli.console import output
            output.begin()
            for at in range(500):
                output.put((sys.stdout, sys.stderr)[at % 2], f"{at}\\n")
            output.finish()
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=20
        )
        assert done.stdout.split() == [str(at) for at in range(500)]

    def test_an_unread_stdout_does_not_silence_stderr(self, tmp_path: Path) -> None:
        code = """
            import sys
            from linda_cli.console import output
            output.begin()
            for _ in range(100):
                output.put(sys.stdout, "x" * 9999 + "\\n")
            output.put(sys.stderr, "still there\\n")
            output.finish(0.5)
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == b"still there\n"
            assert process.wait(20) == 0


class TestAnswers:
    @pytest.mark.parametrize("words", [["info"], ["info", "--json"], ["--version"], ["--help"], ["cleanup", "--help"]])
    def test_a_full_disk_is_a_failure_and_no_traceback(self, tmp_path: Path, words: list[str]) -> None:
        (tmp_path / "sessions").mkdir()
        (tmp_path / ".session-cache").mkdir()
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "linda_cli", "--home", str(tmp_path), *words],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=20,
            )
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    @pytest.mark.parametrize("words", ["info", "info --json", "--version", "--help", "info 12"])
    def test_closed_streams_change_no_exit_code(self, tmp_path: Path, closed: str, words: str) -> None:
        (tmp_path / "sessions").mkdir()
        (tmp_path / ".session-cache").mkdir()
        command = f"{sys.executable} -m linda_cli --home {tmp_path} {words} {closed}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == (2 if words == "info 12" else 0)
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr

    @pytest.mark.parametrize("words", ["--help", "info --help", "info"])
    def test_a_reader_who_has_seen_enough_is_no_failure(self, tmp_path: Path, words: str) -> None:
        (tmp_path / "sessions").mkdir()
        (tmp_path / ".session-cache").mkdir()
        command = f"{sys.executable} -m linda_cli --home {tmp_path} {words} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=20)
        assert (done.returncode, done.stderr) == (0, "")
