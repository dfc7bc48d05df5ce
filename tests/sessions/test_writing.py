"""Writes of a home's files by many threads of one process, as ``linda serve`` makes them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from linda_cli.sessions import durable
from linda_cli.sessions.durable import unfinished, write_whole


def test_a_file_that_another_thread_is_just_writing_is_not_taken_for_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    lock = durable.fcntl.flock
    found: list[list[Path]] = []

    def look_meanwhile(handle: int, how: int) -> Any:
        if threading.current_thread() is not threading.main_thread():
            return lock(handle, how)
        # Made, and not locked yet: only its writer knows that this is no leftover.
        with ThreadPoolExecutor(1) as other:
            found.append(other.submit(unfinished, tmp_path, path.name).result())
        return lock(handle, how)

    monkeypatch.setattr(durable.fcntl, "flock", look_meanwhile)
    write_whole(path, b"new")
    assert found == [[]]
    assert path.read_bytes() == b"new"


def test_threads_that_write_one_file_at_once_leave_one_of_their_words_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    words = [bytes([65 + index]) * 100_000 for index in range(8)]
    with ThreadPoolExecutor(8) as writers:
        for _ in range(20):
            list(writers.map(lambda word: write_whole(path, word, durable=False), words))
            assert path.read_bytes() in words
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_what_a_thread_that_has_ended_left_behind_is_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    left: list[Path] = []

    def die_at_it() -> None:
        # A kill, as far as a file can tell: nothing after the making of it happened.
        fresh = durable.fresh_name(path)
        fresh.write_bytes(b"half")
        left.append(fresh)

    writer = threading.Thread(target=die_at_it)
    writer.start()
    writer.join()
    assert unfinished(tmp_path, path.name) == left
