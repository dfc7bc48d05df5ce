"""What is asked of the browser's program before it is started, and in which surroundings it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from linda_cli.browser.binaries import ask_version, version_in
from linda_cli.errors import BrowserMissing
from tests.linda import NUMBER, World

TRUE = "156.0.8078.79"


def _wrapper(path: Path, before: str, *, to: str = "chromium") -> Path:
    path.write_text(f'#!/bin/sh\n{before}\nexec {to} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (f"Chromium {TRUE} built on Debian GNU/Linux 12 (bookworm)\n", TRUE),
        (f"Updating chromium 3.1\nChromium {TRUE}\n", TRUE),
        (f"chromium-wrapper 9.9.9.9\nChromium {TRUE}\n", TRUE),
        (f"Google Chrome {TRUE} \n", TRUE),
        (f"1.2.3.4 packages to update\nChromium {TRUE}\nbye 5.6\n", TRUE),
        ("Chromium 99.0\n", "99.0"),
        (f"\N{REPLACEMENT CHARACTER} HeadlessShell {TRUE}", TRUE),
        ("Updating 3.1", None),
        ("", None),
    ],
)
def test_the_version_is_found_among_what_a_wrapper_says(said: str, version: str | None) -> None:
    assert version_in(said) == version


@pytest.mark.parametrize("before", ["echo Updating chromium 3.1", r"printf '\377\376 9.1 \200\n'"])
def test_a_wrapper_that_speaks_first_is_no_other_browser(linked: World, tmp_path: Path, before: str) -> None:
    """A line of its own made every profile too new, and a byte that is no UTF-8 was a bug of linda's."""
    wrapper = _wrapper(tmp_path / "wrapper", before)
    assert ask_version(wrapper) == ask_version(Path("/usr/bin/chromium"))
    with linked.linda.start(NUMBER, "--once", "--no-link", LINDA_CHROME=str(wrapper)) as run:
        assert run.end() == 0, run.story()
    assert run.wait_for("ready")["source"] == "profile"


def test_what_says_no_version_is_no_browser(tmp_path: Path) -> None:
    with pytest.raises(BrowserMissing):
        ask_version(_wrapper(tmp_path / "wrapper", r"printf '\377\376'; exit 0"))


def test_a_missing_tmpdir_is_no_reason_not_to_start(linked: World, tmp_path: Path) -> None:
    with linked.linda.start(NUMBER, "--once", "--no-link", TMPDIR=str(tmp_path / "missing")) as run:
        assert run.end() == 0, run.story()
    assert run.wait_for("ready")["source"] == "profile"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a filesystem; the counterpart is the missing folder")
def test_a_read_only_tmpdir_is_no_reason_not_to_start(linked: World, tmp_path: Path) -> None:
    place = tmp_path / "ro"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(place)], check=False)
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with linked.linda.start(NUMBER, "--once", "--no-link", TMPDIR=str(place)) as run:
            assert run.end() == 0, run.story()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
    assert run.wait_for("ready")["source"] == "profile"
