"""What a run does next: a pure function of what it knows and the time. No clock, no I/O, no logging.

The phases are ``restore``, ``link``, ``supervise`` and ``shutdown``; the proofs that acts which cannot be undone need
are in ``proofs``. A row ends with :class:`~linda_cli.lifecycle.decisions.Wait` where there is nothing to do now.
"""

from __future__ import annotations

from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle.decisions import Action
from linda_cli.lifecycle.knowledge import Knowledge, Phase
from linda_cli.lifecycle.link import link
from linda_cli.lifecycle.restore import restore
from linda_cli.lifecycle.shutdown import shutdown, stopped_early
from linda_cli.lifecycle.supervise import supervise


def decide(know: Knowledge, now: float) -> tuple[Action, ...]:
    """The next actions, at least one."""
    if know.phase is Phase.OVER:
        return (do.End(know.ending.error),)
    if know.stop is not None and know.phase is not Phase.SHUTDOWN:
        return (do.Shutdown(stopped_early(know)),)
    match know.phase:
        case Phase.RESTORE:
            return restore(know, now)
        case Phase.LINK:
            return link(know, now)
        case Phase.SUPERVISE:
            return supervise(know, now)
        case _:
            return shutdown(know, now)
