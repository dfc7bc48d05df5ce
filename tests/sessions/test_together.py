"""A few things at once, as if they were done one after the other."""

from __future__ import annotations

import threading

import pytest

from linda_cli.sessions import together


def test_answers_come_in_the_order_of_the_questions() -> None:
    first_waits = threading.Event()

    def act(one: int) -> int:
        if one == 0:
            assert first_waits.wait(20)
        elif one == 1:
            first_waits.set()
        return one * 10

    assert together.each(act, range(50)) == [one * 10 for one in range(50)]


def test_after_a_failure_nothing_runs_on_and_nothing_new_begins() -> None:
    running: set[int] = set()
    begun: list[int] = []

    def act(one: int) -> None:
        running.add(one)
        begun.append(one)
        try:
            if one == 3:
                raise FileNotFoundError("the third")
        finally:
            running.discard(one)

    with pytest.raises(FileNotFoundError, match="the third"):
        together.each(act, range(10_000))
    assert not running
    assert len(begun) < 10_000


def test_of_several_failures_the_first_in_order_is_told() -> None:
    all_of_them = threading.Barrier(2, timeout=20)

    def act(one: int) -> None:
        all_of_them.wait()
        raise ValueError(str(one))

    with pytest.raises(ValueError, match="0"):
        together.each(act, [0, 1])
