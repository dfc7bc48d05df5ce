"""Invariant 3: a fact made unknown never enables what cannot be undone.

From a situation in which a page is watched, its last words are taken as they are, and once more with one fact unread.
Both are let stand for as long as any proof asks for. What is decided for good on less must be decided on more, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decide import decide
from linda_cli.lifecycle.decisions import Action, Target
from linda_cli.lifecycle.knowledge import Knowledge
from linda_cli.whatsapp.status import PageReading, PageStatus
from tests.lifecycle.page_model import Facts, reading_of
from tests.lifecycle.simulation import Simulation

MOMENTS = (0.0, 2.1, 5.1, 6.1, 31.0)
"""Seconds for which one reading stands: at once, and just after every time that a proof asks for."""


def for_good(action: Action) -> str | None:
    """What cannot be undone, in a word."""
    match action:
        case do.RevokeLogin() | do.RecordRejection() | do.RestoreBackup() | do.Quarantine():
            return type(action).__name__
        case do.Mismatch() | do.MoveOtherAccount() | do.BeginLinking() | do.SecondLook():
            return type(action).__name__
        case do.FailStep(kind=kind) if kind not in ("other", "refused", "unsupported"):
            return f"FailStep {kind}"
        case do.BeginRestoration(suspicion=suspicion) if suspicion is not None:
            return "BeginRestoration"
        case do.Press(target=target) if target in (Target.COMPUTER, Target.WINDOW):
            return f"Press {target.name}"
    return None


def decided(know: Knowledge, reading: PageReading, now: float) -> frozenset[str]:
    """What is decided for good while this stands."""
    after = know.after(seen.PageSeen(know.browser_id, reading, at=now))
    found: set[str] = set()
    for moment in MOMENTS:
        found.update(word for one in decide(after, now + moment) if (word := for_good(one)) is not None)
    return frozenset(found)


def with_one_fact_unread(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """The same page with each fact unread in turn."""
    for name in ("wid", "noise", "socket", "mode", "databases"):
        if getattr(facts, name) is not None:
            yield name, replace(facts, **{name: None})  # type: ignore[arg-type]
    if facts.wid is not None and facts.noise is not None:
        yield "localStorage", replace(facts, wid=None, noise=None)
    if facts.socket is not None or facts.mode is not None:
        yield "the page's modules", replace(facts, socket=None, mode=None)


def an_unknown_fact_enables_nothing(sim: Simulation) -> str | None:
    """3: what is decided for good with a fact unread is decided with the fact as it is."""
    facts = sim.world.facts_shown(sim.now)
    if facts is None or not sim.know.up or sim.over:
        return None
    known = reading_of(facts)
    if known.status in (PageStatus.GONE, PageStatus.UNREACHABLE):
        return None
    allowed = decided(sim.know, known, sim.now)
    for name, less in with_one_fact_unread(facts):
        more = decided(sim.know, reading_of(less), sim.now) - allowed
        if more:
            return f"an_unknown_fact_enables_nothing: {name} unread: {sorted(more)}, else {sorted(allowed)}"
    return None
