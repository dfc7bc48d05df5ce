"""What a person sees: the code on a real terminal, read back by a reader of QR codes."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos.homes import home_at, make_profile
from tests.conftest import needs
from tests.linda import COMMAND, NUMBER, World
from tests.terminal import DARK, LIGHT, Terminal, codes_in, codes_on

pytestmark = needs("tmux", "zbarimg")

BLOCKS = re.compile("[▀▄█]")
CAPTION = re.compile(r"code (\d+): scan it with .* a new one in (\d+) s")


def start(world: World, *words: str) -> list[str]:
    return [*COMMAND, "--home", str(world.home), "start", "--sandbox", *words]


def test_the_code_is_read_off_the_terminal_and_gone_after_the_scan(world: World, tmp_path: Path) -> None:
    with Terminal(start(world, "--once")) as terminal:
        terminal.wait_for("a new one in 5")
        first = terminal.text()
        assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]
        seconds = CAPTION.findall(first)[0][1]
        later = terminal.wait_for(lambda text: CAPTION.findall(text)[0][1] < seconds)
        assert len(CAPTION.findall(later)) == 1
        # Another window beside this one: the code stands there once, whole, as before.
        terminal.resize(80, 44)
        time.sleep(1.5)
        assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]
        assert len(CAPTION.findall(terminal.text())) == 1
        world.phone.scan(NUMBER)
        terminal.wait_for("saved as backup-")
        assert terminal.exit_code() == 0
        left = terminal.text(all_of_it=True)
    assert not BLOCKS.search(left)
    assert "code 1" not in left
    assert "971505760056 is ready after" in left


def test_a_new_code_takes_the_place_of_the_old_one(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world(first_code=2.5, next_code=3)
    with Terminal(start(world)) as terminal:
        for attempt in (1, 2, 3):
            text = terminal.wait_for(f"code {attempt}: scan")
            assert len(CAPTION.findall(text)) == 1
            assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]
        whole = terminal.text(all_of_it=True)
        assert [attempt for attempt, _ in CAPTION.findall(whole)] == ["3"]
        terminal.type("C-c")
        assert terminal.exit_code() == 0
        assert not BLOCKS.search(terminal.text(all_of_it=True))


def test_a_terminal_that_is_too_small_says_what_it_needs_and_shows_the_code_once_it_has_that(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(first_code=4, next_code=60)
    with Terminal(start(world), columns=80, lines=24) as terminal:
        text = terminal.wait_for("code 1: needs 56x30, has 80x24: enlarge, or --qr-file code.png")
        assert "--link-with code" in text.replace("\n", "")
        assert not BLOCKS.search(terminal.text(all_of_it=True))
        assert text.count("needs") == 1
        terminal.wait_for("code 2: needs 56x30, has 80x24")
        terminal.resize(80, 31)
        text = terminal.wait_for("code 2: scan")
        assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]
        assert "needs" not in text
        terminal.type("C-c")
        assert terminal.exit_code() == 0


@pytest.mark.parametrize(("columns", "lines"), [(60, 40), (58, 31), (57, 30), (56, 30), (80, 30), (200, 33)])
def test_the_smallest_quiet_zone_that_fits_is_read(world: World, tmp_path: Path, columns: int, lines: int) -> None:
    with Terminal(start(world), columns=columns, lines=lines) as terminal:
        terminal.wait_for("code 1: ")
        assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]


def test_an_encoding_without_blocks_gets_spaces_on_colour(world: World, tmp_path: Path) -> None:
    with Terminal(start(world), columns=125, lines=66, PYTHONIOENCODING="latin-1") as terminal:
        terminal.wait_for("code 1: scan")
        screen = terminal.screen()
        assert codes_on(screen, tmp_path) == [world.phone.status()["code"]]
    assert not BLOCKS.search(screen)
    assert "\\u" not in screen


def test_an_encoding_without_blocks_and_without_room_says_so(world: World) -> None:
    with Terminal(start(world), PYTHONIOENCODING="latin-1") as terminal:
        text = terminal.wait_for("needs 111x57, has 100x50")
    assert "\\u" not in text
    with Terminal(start(world), PYTHONIOENCODING="latin-1", NO_COLOR="1") as terminal:
        text = terminal.wait_for("no characters for it, or --qr-file code.png")
    assert "\\u" not in text


def test_the_c_locale_shows_the_code(world: World, tmp_path: Path) -> None:
    with Terminal(start(world), LC_ALL="C") as terminal:
        terminal.wait_for("code 1: scan")
        assert codes_on(terminal.screen(), tmp_path) == [world.phone.status()["code"]]


def test_a_log_is_read_on_a_dark_background_and_on_a_light_one(world: World, tmp_path: Path) -> None:
    with (
        open(tmp_path / "log", "wb") as log,
        subprocess.Popen(start(world, "--qr-file", str(tmp_path / "code.png")), stdout=log, stderr=log) as run,
    ):
        deadline = time.monotonic() + 30
        while "code 1: scan it" not in (tmp_path / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        code = world.phone.status()["code"]
        run.terminate()
        assert run.wait(30) == 0
    text = (tmp_path / "log").read_text()
    assert "\x1b" not in text
    for theme in (DARK, LIGHT):
        assert code in codes_on(text, tmp_path, theme=theme)


def test_no_colour_means_none(world: World) -> None:
    with Terminal(start(world), NO_COLOR="1") as terminal:
        terminal.wait_for("code 1: scan")
        screen = terminal.screen(all_of_it=True)
    assert "\x1b" not in screen
    assert "▀▀▀▀▀▀▀" in screen


def test_a_run_without_a_terminal_speaks_plainly(world: World, tmp_path: Path) -> None:
    """And the code goes into a picture for the owner's eyes alone, which does not outlive it."""
    picture = tmp_path / "code.png"
    with world.linda.start("--once", "--qr-file", str(picture)) as run:
        told = run.wait_for("qr")
        assert codes_in(picture) == [told["qr"]]
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600
        assert picture.stat().st_uid == os.geteuid()
        world.phone.scan(NUMBER, qr=told["qr"])
        run.wait_for("ready")
        assert not picture.exists()
        run.wait_for("stopped")
    assert [one.name for one in tmp_path.glob(".code.png*")] == []
    for words in (["info", NUMBER], ["info"], ["backup", NUMBER], ["--help"], ["start", "--help"], ["cleanup"]):
        done = world.linda.run(*words)
        assert done.code == 0
        assert "\x1b" not in done.out + done.err
        assert not re.search("[─│╭╮╰╯┃━]", done.out + done.err), words


def test_a_picture_that_linda_did_not_make_is_left_alone(linked: World, tmp_path: Path) -> None:
    picture = tmp_path / "holiday.png"
    picture.write_bytes(b"sun and sea")
    with linked.linda.start(NUMBER, "--once", "--qr-file", str(picture)) as run:
        run.wait_for("stopped")
        assert run.all("qr") == []
    assert picture.read_bytes() == b"sun and sea"


def test_clear_asks_and_no_leaves_everything(linked: World) -> None:
    before = linked.linda.info()
    command = [*COMMAND, "--home", str(linked.inner), "clear", NUMBER]
    for answer in ("n", "Enter", "C-c", "C-d"):
        with Terminal(command) as terminal:
            terminal.wait_for(f"Forget the login of {NUMBER}? [y/N]")
            terminal.type(answer)
            if answer == "n":
                terminal.type("Enter")
            assert terminal.exit_code() == 130
    assert linked.linda.info() == before
    with Terminal(command) as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y", "Enter")
        assert terminal.exit_code() == 0
        undo = f"undo: linda --home {linked.inner} restore {NUMBER} --from backup-{NUMBER}-"
        assert undo in terminal.text().replace("\n", "")
    assert linked.linda.info()["verdict"] == "cleared"


def test_many_sessions_show_how_far_it_is_on_a_terminal_alone(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.make()
    for index in range(20):
        number = f"9715057600{index:02d}"
        make_profile(home.named_profile(number), number, rows=1)
    command = [*COMMAND, "--home", str(tmp_path)]
    for words, what in ((["info"], "looking"), (["backup", "--all"], "backing up"), (["cleanup"], "cleaning up")):
        shown = seen_by_a_terminal([*command, *words])
        assert what in shown
        assert "100%" in shown
    piped = subprocess.run([*command, "info"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "looking" not in piped.stdout + piped.stderr


def seen_by_a_terminal(command: list[str]) -> str:
    """All that a command writes to the terminal that it stands on, a bar that goes away again too."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environ, "TERM": "xterm", "COLUMNS": "100"}
    ) as process:
        os.close(theirs)
        shown = b""
        # Where everybody has closed the other end, reading it is an error.
        with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as stream:
            while more := stream.read(4096):
                shown += more
        assert process.wait(60) == 0
    return shown.decode()
