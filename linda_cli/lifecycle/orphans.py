"""What a linking run that was killed leaves: a browser that shows a code to nobody, and its driver."""

from __future__ import annotations

import contextlib

from linda_cli.errors import InUse
from linda_cli.sessions.finding import linked_number
from linda_cli.sessions.store import Store


def end_dead_linkings(store: Store) -> list[str]:
    """End them, a line for each. ``Browser.close`` writes what the page knows, a login of the last seconds too.

    A login on disk is another thing: that browser is for the next start to attach to.
    """
    said: list[str] = []
    linkings = store.home.linkings()
    # Held by whoever is linking now; where it is free, nobody is.
    with contextlib.suppress(InUse), contextlib.ExitStack() as locks:
        if linkings:
            locks.enter_context(store.run_lock("linking"))
        for linking in linkings:
            if linked_number(linking) is not None:
                continue
            from linda_cli.browser.attach import find
            from linda_cli.browser.close import close
            from linda_cli.browser.launch import Running
            from linda_cli.browser.processes import DevToolsPort, main_process

            found = main_process(linking)
            if found is not None:
                close(find(linking) or Running(linking, found.pid, found.started, DevToolsPort(0, "")))
                said.append(f"the browser of a linking that was killed (pid {found.pid}) was closed")
            said += store.end_strays(linking)
    return said
