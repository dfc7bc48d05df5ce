"""A progress bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from linda_cli.console import Console

# A bar for fewer is gone before it is seen, and rich takes longer to come than they do.
_MANY = 20


@contextlib.contextmanager
def bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with (done, of)."""
    if not console.fancy or console.quiet:
        yield lambda _done, _of: None
        return
    with contextlib.ExitStack() as ends:
        advance: Callable[[int, int], None] | None = None

        def each(done: int, of: int) -> None:
            nonlocal advance
            if advance is None and of >= _MANY:
                advance = _shown(what, ends)
            if advance is not None:
                advance(done, of)

        yield each


def _shown(what: str, ends: contextlib.ExitStack) -> Callable[[int, int], None]:
    from rich.console import Console as Rich
    from rich.progress import Progress

    progress = ends.enter_context(Progress(console=Rich(stderr=True), transient=True))
    task = progress.add_task(what, total=None)
    return lambda done, of: progress.update(task, completed=done, total=of)
