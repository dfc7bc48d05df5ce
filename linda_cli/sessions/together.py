"""A few things at once: while one waits for the disk the other hashes, and hashing lets go of the interpreter."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")

WORKERS = 6
"""Two keep the cores of a small server busy, the others wait for the disk, which writes what waits together at once."""


def each(act: Callable[[_T], _R], of: Iterable[_T]) -> list[_R]:
    """``act`` of everything, in the order given. Whatever is raised is raised here, and nothing runs on then.

    Of several failures the first in that order is told.
    """
    todo = list(of)
    if len(todo) < 2:
        return [act(one) for one in todo]
    done: dict[int, _R] = {}
    failed: dict[int, BaseException] = {}
    alone: list[int] = []
    waiting = iter(enumerate(todo))
    taking = threading.Lock()

    def work() -> None:
        for index, one in _taken(waiting, taking, failed):
            try:
                done[index] = act(one)
            except BaseException as problem:  # noqa: BLE001 - raised again below, in the thread that asked
                if isinstance(problem, OSError) and problem.errno in (errno.EMFILE, errno.ENFILE):
                    alone.append(index)
                else:
                    failed[index] = problem

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(WORKERS, len(todo)) - 1)]
    try:
        for thread in threads:
            # Where no more threads are allowed this one does it all.
            with contextlib.suppress(RuntimeError):
                thread.start()
        work()
    except BaseException as problem:  # noqa: BLE001 - raised again below
        # An interruption: what runs in this thread is the first to know, and the others must not write on.
        failed.setdefault(-1, problem)
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    if failed:
        raise failed[min(failed)]
    for index in sorted(alone):
        # So many files may not be open at once: one thing at a time needs the fewest.
        done[index] = act(todo[index])
    return [done[index] for index in range(len(todo))]


def _taken(
    waiting: Iterator[tuple[int, _T]], taking: threading.Lock, failed: dict[int, BaseException]
) -> Iterator[tuple[int, _T]]:
    while not failed:
        with taking:
            one = next(waiting, None)
        if one is None:
            return
        yield one
