"""Threads for requests that wait for a browser, the disk or the database, apart from those that only look.

However many work, the event loop answers from memory, and looking at the disk has threads of its own.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from linda_cli.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_WORKING, _READING = 32, 8
_MOST_WAITING = 500


class Workers:
    """Two pools. What waits for a thread is bounded: beyond that a request is told to come again."""

    def __init__(self) -> None:
        self._working = ThreadPoolExecutor(_WORKING, thread_name_prefix="working")
        self._reading = ThreadPoolExecutor(_READING, thread_name_prefix="reading")
        self._background = ThreadPoolExecutor(8, thread_name_prefix="background")
        self._waiting = 0

    async def work(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that changes things. Raises ``Unavailable`` where too much waits already."""
        return await self._run(self._working, functools.partial(what, *args, **kwargs))

    async def read(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Look at the disk."""
        return await self._run(self._reading, functools.partial(what, *args, **kwargs))

    async def _run(self, pool: ThreadPoolExecutor, what: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("too many requests are under way", "retry later", retryAfter=5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, what)
        finally:
            self._waiting -= 1

    def submit(self, what: Callable[[], None]) -> None:
        """Do something beside the answer; what it raises is its own to tell."""
        self._background.submit(what)

    def close(self) -> None:
        """Let what runs end by itself; what waits is not begun."""
        for pool in (self._working, self._reading, self._background):
            pool.shutdown(wait=False, cancel_futures=True)
