"""A progress bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from linda_cli.console import Console


@contextlib.contextmanager
def bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with (done, of)."""
    if not console.fancy or console.quiet:
        yield lambda _done, _of: None
        return
    from rich.console import Console as Rich
    from rich.progress import Progress

    with Progress(console=Rich(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)
