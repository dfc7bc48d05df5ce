"""The Dockerfile and the compose files as their checkers see them, and the profile of system calls in the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linda_cli.browser.binaries import find_browser
from tests.as_nobody import NOBODY, needs_root, shared_folder
from tests.container.image import PROJECT

DOCKER = PROJECT / "examples" / "docker"
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))
TOOLS = Path(sys.executable).parent


def checked(tool: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / tool, *words], capture_output=True, text=True, check=False, timeout=60)


def test_hadolint_finds_nothing_and_would_find_something(tmp_path: Path) -> None:
    done = checked("hadolint", str(PROJECT / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")
    worse = tmp_path / "Dockerfile"
    worse.write_text((PROJECT / "Dockerfile").read_text().replace("USER 10001:10001", "USER root\nRUN cd /tmp"))
    done = checked("hadolint", str(worse))
    assert done.returncode != 0
    assert "DL3002" in done.stdout


@pytest.mark.parametrize("file", COMPOSE, ids=lambda one: one.name)
def test_a_compose_file_is_valid_and_a_mistake_would_not_be(file: Path, tmp_path: Path) -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = checked("check-jsonschema", *schema, str(file))
    assert done.returncode == 0, done.stdout
    worse = tmp_path / file.name
    worse.write_text(file.read_text().replace("restart:", "restrat:"))
    assert checked("check-jsonschema", *schema, str(worse)).returncode != 0


def test_the_compose_files_give_chromium_what_it_needs() -> None:
    for name in ("compose.yaml", "compose.session.yaml"):
        text = (DOCKER / name).read_text()
        for line in ("shm_size: 1gb", "init: true", "stop_grace_period: 90s", "- seccomp=seccomp.json", "- data:/data"):
            assert line in text, (name, line)


def test_what_is_sent_to_the_build_is_what_is_copied() -> None:
    copied = {
        word
        for line in (PROJECT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    kept = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    assert all((PROJECT / one).exists() for one in kept)


_FILTERED = f"""
import ctypes, json, os, sys
import pyseccomp as seccomp
profile, without_namespaces, *command = sys.argv[1:]
told = json.load(open(profile))
made = seccomp.SyscallFilter(defaction={{"SCMP_ACT_ALLOW": seccomp.ALLOW}}[told["defaultAction"]])
for rule in told["syscalls"]:
    for name in rule["names"]:
        if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) != -1:
            made.add_rule(seccomp.ERRNO(rule["errnoRet"]), name)
if without_namespaces == "yes":
    # As Docker's own profile: a new user namespace by none of the three ways.
    made.add_rule(seccomp.ERRNO(1), "unshare")
    made.add_rule(seccomp.ERRNO(38), "clone3")
    made.add_rule(seccomp.ERRNO(1), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, 0x10000000, 0x10000000))
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
libc = ctypes.CDLL(None, use_errno=True)
keyctl = lambda: (libc.syscall(seccomp.resolve_syscall(seccomp.Arch.NATIVE, "keyctl"), 0, -3, 0), ctypes.get_errno())
print("before", keyctl()[0] >= 0)
made.load()
print("after", keyctl())
sys.stdout.flush()
os.execv(command[0], command)
"""


@needs_root
class TestSystemCalls:
    """The profile of ``examples/docker/seccomp.json``, loaded into the kernel for a user who is not root."""

    def _filtered(
        self, folder: Path, *words: str, without_namespaces: bool = False
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                _FILTERED,
                str(DOCKER / "seccomp.json"),
                "yes" if without_namespaces else "no",
                *words,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )

    @staticmethod
    def _chromium(folder: Path) -> list[str]:
        folder.chmod(0o777)
        quiet = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
        profile = f"--user-data-dir={folder}/profile"
        return [str(find_browser()), "--headless=new", *quiet, profile, "--dump-dom", "data:text/html,<p>here"]

    def test_chromium_runs_with_its_own_sandbox(self, folder: Path) -> None:
        done = self._filtered(folder, *self._chromium(folder))
        assert "<p>here" in done.stdout, done.stderr[-2000:]

    def test_without_user_namespaces_as_in_dockers_own_profile_it_does_not(self, folder: Path) -> None:
        done = self._filtered(folder, *self._chromium(folder), without_namespaces=True)
        assert "<p>here" not in done.stdout
        assert "sandbox" in done.stderr.lower(), done

    def test_what_no_browser_needs_is_refused(self, folder: Path) -> None:
        done = self._filtered(folder, "/bin/true")
        assert done.stdout.splitlines() == ["before True", "after (-1, 1)"], done


@pytest.fixture
def folder() -> Iterator[Path]:
    yield from shared_folder()
