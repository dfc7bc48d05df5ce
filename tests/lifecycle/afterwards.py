"""Invariants about what must come: a copy of a simulation goes on until it has come, or its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from linda_cli.errors import LindaError
from linda_cli.lifecycle.knowledge import Phase
from tests.lifecycle import moves
from tests.lifecycle.invariants import LOGOUT_TOLD_WITHIN, STOPS_WITHIN
from tests.lifecycle.page_model import Lies
from tests.lifecycle.simulation import Simulation

READY_WITHIN = 450.0
"""Seconds in which a healthy world must be ready again: the longest pause of the back-off with its spread, and a
start."""

SETTLED_AFTER = 130.0
"""Seconds of ready after which the pauses begin anew."""

PATIENCE = 120.0


def heal(sim: Simulation) -> None:
    """From here on everything is as it should be: network, machine, page."""
    world = sim.world
    if not world.network:
        world.network, world.network_at = True, sim.now
    world.kills, world.empty_dies, world.fails_next = 0, False, False
    world.hung = False
    crashed = world.lies.crashed
    world.lies = Lies(renamed=world.lies.renamed, crashed=crashed)
    world.pending = tuple(replace(one, fails=False) for one in world.pending)
    sim.actions = 0
    sim.look()


def a_stop_ends_within_its_time(before: Simulation) -> str | None:
    """9: after a stop the run ends, bounded: at once, within two minutes at the very worst."""
    if before.over:
        return None
    sim = before.clone()
    if sim.know.stop is None and sim.know.phase is not Phase.SHUTDOWN:
        moves.apply(sim, moves.stopped)
    stopped = sim.now
    bound = PATIENCE + 2.0 if sim.world.pending else STOPS_WITHIN
    if not sim.rest_until(lambda one: one.over, bound):
        return f"a_stop_ends_within_its_time: {bound:.0f} s after the stop it runs\n{sim.story()}"
    took = sim.now - stopped
    if not before.world.pending and not before.world.hung and took > STOPS_WITHIN:
        return f"a_stop_ends_within_its_time: it took {took:.1f} s\n{sim.story()}"
    ends = sim.names().count("stopped")
    if ends != (0 if sim.error is not None else 1):
        return f"stopped {ends} times, error {sim.error}\n{sim.story()}"
    return None


def a_healthy_world_is_ready_again(before: Simulation) -> str | None:
    """12: the world healthy again: ready within a bound, or the run ended with an error of its own; counters settle."""
    if before.over or before.know.phase is Phase.SHUTDOWN or before.know.stop is not None:
        return None
    sim = before.clone()
    heal(sim)
    if sim.over:
        return None
    login = sim.world.profile.login if sim.world.profile is not None else None
    if login is not None and login not in sim.world.linked:
        return None
    if sim.know.phase is not Phase.LINK and not _something_works(sim):
        return None
    if sim.know.phase is Phase.LINK:
        if not sim.rest_until(lambda one: one.over or moves.scanned(one) or one.know.was_ready, READY_WITHIN):
            return f"a_healthy_world_is_ready_again: no code came\n{sim.story()}"
        sim.look()
    if not sim.rest_until(lambda one: one.over or _is_ready(one), READY_WITHIN):
        if sim.know.phase is Phase.LINK or "logged_out" in sim.names():
            return None
        return f"a_healthy_world_is_ready_again: {READY_WITHIN:.0f} s later it is not ready\n{sim.story()}"
    if sim.over:
        return None if isinstance(sim.error, LindaError) else f"it ended without a word\n{sim.story()}"
    sim.rest(SETTLED_AFTER)
    if sim.over:
        return None
    know = sim.know
    if not _is_ready(sim) or know.outage is not None:
        return f"a_healthy_world_is_ready_again: it did not stay ready\n{sim.story()}"
    if know.restoration.attempt is not None or know.restoration.suspicion is not None:
        return f"a_healthy_world_is_ready_again: counters did not settle: {know.restoration}\n{sim.story()}"
    return None


def _something_works(sim: Simulation) -> bool:
    world = sim.world
    return world.works(world.profile) or any(
        world.works(one.profile) for one in world.backups if world.may_be_found(one)
    )


def _is_ready(sim: Simulation) -> bool:
    return sim.know.phase is Phase.SUPERVISE and sim.know.outage is None and sim.world.is_ready(sim.now)


def _a_logout_is_told(before: Simulation, move: Callable[[Simulation], bool]) -> str | None:
    if before.over or before.know.phase is not Phase.SUPERVISE:
        return None
    sim = before.clone()
    heal(sim)
    sim.rest(0.0)
    if sim.over or not _is_ready(sim) or sim.world.lies.renamed or sim.world.gone_at is not None:
        return None
    if not moves.apply(sim, move):
        return None
    if move is not moves.unlinked and not _has_verified_backup(before):
        # Nothing could confirm what the page hints at: the login is not condemned, and the run goes on.
        return None
    if not sim.rest_until(lambda one: one.over or one.names()[-40:].count("logged_out") > 0, LOGOUT_TOLD_WITHIN):
        return f"a_logout_is_told_within_90_s: not told after {move.__name__}\n{sim.story()}"
    if sim.over and "logged_out" not in sim.names():
        return f"a_logout_is_told_within_90_s: it ended with {sim.error}\n{sim.story()}"
    return None


def _has_verified_backup(sim: Simulation) -> bool:
    login = sim.world.profile.login if sim.world.profile is not None else None
    return any(one.verified and one.readable and one.profile.login == login for one in sim.world.backups)


def a_logout_is_told(sim: Simulation) -> str | None:
    """2: truth unlinked: ``logged_out`` within 90 s, whatever the page says of the reason; where it says more or less
    than the address alone, a verified backup confirms it."""
    for move in (moves.unlinked, moves.unlinked_with_a_reason, moves.unlinked_without_a_word):
        wrong = _a_logout_is_told(sim, move)
        if wrong is not None:
            return wrong
    return None


AFTERWARDS: tuple[Callable[[Simulation], str | None], ...] = (
    a_stop_ends_within_its_time,
    a_healthy_world_is_ready_again,
    a_logout_is_told,
)


def everything_comes(sim: Simulation) -> str | None:
    """All of them, in order."""
    for check in AFTERWARDS:
        wrong = check(sim)
        if wrong is not None:
            return wrong
    return None
