"""Where walks and tests begin: the interesting moments of a run, each reached in the model world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from linda_cli.lifecycle.knowledge import Phase
from linda_cli.lifecycle.options import Options
from tests.lifecycle import moves
from tests.lifecycle.invariants import CHECKS
from tests.lifecycle.model_world import Backup, Profile, World
from tests.lifecycle.page_model import NUMBER
from tests.lifecycle.simulation import Simulation

Scene = Callable[[], Simulation]

OPTIONS = Options(timeout=40.0, backup_every=0.0, hung_after=10.0)
"""The times of the real page, with a shorter timeout: it is the least of what a walk would have to wait for."""


def new_run(world: World | None = None, options: Options = OPTIONS, number: str | None = NUMBER) -> Simulation:
    """A run that has not decided anything yet."""
    return Simulation(world or linked_world(), options, CHECKS, number=number)


def linked_world() -> World:
    """A linked login with a profile, a verified backup and one that is older."""
    world = World()
    world.bytes_made = 4
    world.profile = Profile("own.4")
    world.backups = (Backup("backup-own.3", Profile("own.3")), Backup("backup-own.2", Profile("own.2")))
    return world


def fresh_start() -> Simulation:
    """Nothing has been looked at."""
    return new_run().start()


def launched() -> Simulation:
    """A browser is up on the profile; its page is loading."""
    sim = new_run().start()
    assert sim.rest_until(lambda one: one.know.up, 10.0), sim.story()
    return sim


def ready() -> Simulation:
    """Ready and saved."""
    sim = new_run().start()
    assert sim.rest_until(lambda one: "saved" in one.names(), 30.0), sim.story()
    return sim


def away() -> Simulation:
    """An outage was told: the network is away."""
    sim = ready()
    moves.apply(sim, moves.network_goes)
    assert sim.rest_until(lambda one: "disconnected" in one.names(), 30.0), sim.story()
    return sim


def linking() -> Simulation:
    """A first linking: a code is on show."""
    world = World()
    world.linked = frozenset()
    world.profile = world.ready_login = None
    sim = new_run(world).start()
    assert sim.rest_until(lambda one: "qr" in one.names(), 30.0), sim.story()
    return sim


def suspicion() -> Simulation:
    """A logout that named a reason: its newest verified backup is about to tell."""
    sim = ready()
    moves.apply(sim, moves.unlinked_with_a_reason)
    assert sim.rest_until(lambda one: one.know.restoration.suspicion is not None, 60.0), sim.story()
    return sim


def shutting_down() -> Simulation:
    """A run that was stopped while it was ready."""
    sim = ready()
    moves.apply(sim, moves.stopped)
    assert sim.know.phase is Phase.SHUTDOWN, sim.story()
    return sim


def attached() -> Simulation:
    """A browser that was kept, attached to."""
    world = linked_world()
    world.process, world.document = True, 0
    sim = new_run(world)
    world.new_document(sim.now - 600.0)
    sim.start()
    assert sim.rest_until(lambda one: one.know.up, 10.0), sim.story()
    return sim


def damaged_start() -> Simulation:
    """A profile whose login Chromium would drop."""
    world = linked_world()
    assert world.profile is not None
    world.profile = replace(world.profile, damaged=True)
    return new_run(world).start()


def fatal_start() -> Simulation:
    """A profile whose storage the page cannot open."""
    world = linked_world()
    assert world.profile is not None
    world.profile = replace(world.profile, ends="0")
    return new_run(world).start()


def failing_start() -> Simulation:
    """A profile on which the page's sync fails: it ends with that reason, and a backup works."""
    world = linked_world()
    assert world.profile is not None
    world.profile = replace(world.profile, ends="1")
    return new_run(world).start()


def takeover() -> Simulation:
    """Ready, with ``--takeover``."""
    sim = new_run(options=replace(OPTIONS, takeover=True)).start()
    assert sim.rest_until(lambda one: "saved" in one.names(), 30.0), sim.story()
    return sim


def renamed_start() -> Simulation:
    """The keys had other names already when the last run ended: none is found on the disk or by the page."""
    world = linked_world()
    assert world.profile is not None
    world.profile = replace(world.profile, renamed=True)
    world.lies = replace(world.lies, renamed=True)
    return new_run(world).start()


def emptied_start() -> Simulation:
    """A profile in which something of the page is left and no login; a backup works."""
    world = linked_world()
    world.profile = Profile("empty.4", login=None)
    return new_run(world).start()


def unlinked_meanwhile() -> Simulation:
    """The device was unlinked while no run was there."""
    world = linked_world()
    world.linked = frozenset()
    sim = new_run(world).start()
    assert sim.rest_until(lambda one: one.know.up, 10.0), sim.story()
    return sim


def another_account_in_the_profile() -> Simulation:
    """A person linked another account in the same profile."""
    world = linked_world()
    world.linked = frozenset({"own", "other"})
    world.profile = Profile("other.4", login="other")
    sim = new_run(world).start()
    assert sim.rest_until(lambda one: one.know.up, 10.0), sim.story()
    return sim


def rejected_start() -> Simulation:
    """An earlier run recorded a rejection of these bytes, and there is no backup."""
    world = linked_world()
    world.rejected = frozenset({"own.4"})
    world.backups = ()
    return new_run(world).start()


def broken_backup_start() -> Simulation:
    """The profile is gone; the newest backup does not verify, the one below does."""
    world = linked_world()
    world.profile = None
    world.backups = (replace(world.backups[0], readable=False), world.backups[1])
    return new_run(world).start()


SCENES: tuple[Scene, ...] = (
    fresh_start,
    launched,
    ready,
    away,
    linking,
    suspicion,
    shutting_down,
    attached,
    damaged_start,
    fatal_start,
    failing_start,
    takeover,
    renamed_start,
    emptied_start,
    unlinked_meanwhile,
    another_account_in_the_profile,
    rejected_start,
    broken_backup_start,
)
