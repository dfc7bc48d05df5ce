"""What nature, the page and people may do at any moment: the alphabet of the walk. Each says whether it could be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.knowledge import Phase
from tests.lifecycle.page_model import SLOW_BOOT
from tests.lifecycle.simulation import CLOSE, Simulation

Move = Callable[[Simulation], bool]

SHORT_LIE = 4.0
"""Seconds of the longest lie about a code: from five on it is what the contract calls proof."""


def _page(sim: Simulation) -> bool:
    world = sim.world
    return world.page is not None and world.process and not world.page.error and world.gone_at is None


# -- time


def before(sim: Simulation) -> bool:
    """To just before the next moment."""
    moment = sim.next_moment() - CLOSE
    if moment <= sim.now:
        return False
    sim.advance(moment)
    return True


def at(sim: Simulation) -> bool:
    """To the next moment."""
    sim.advance(sim.next_moment())
    return True


def past(sim: Simulation) -> bool:
    """To just after the next moment."""
    sim.advance(sim.next_moment() + CLOSE)
    return True


def half_a_minute(sim: Simulation) -> bool:
    """31 seconds."""
    sim.advance(sim.now + 31.0)
    return True


def two_minutes(sim: Simulation) -> bool:
    """More than any timeout of the walk."""
    sim.advance(sim.now + 125.0)
    return True


# -- the network


def network_goes(sim: Simulation) -> bool:
    """It is away from now on."""
    if not sim.world.network:
        return False
    sim.world.network, sim.world.network_at = False, sim.now
    return True


def network_returns(sim: Simulation) -> bool:
    """It is there again."""
    if sim.world.network:
        return False
    sim.world.network, sim.world.network_at = True, sim.now
    return True


# -- the page


def keys_get_other_names(sim: Simulation) -> bool:
    """The page reloads itself into a version that calls its login keys otherwise."""
    world = sim.world
    page = world.page
    if not _page(sim) or world.lies.renamed or world.lies.refuses or page is None or page.address is not None:
        return False
    world.lies = replace(world.lies, renamed=True)
    world.new_document(sim.now)
    return True


def keys_vanish_under_it(sim: Simulation) -> bool:
    """A page that is open renames its keys without a new document."""
    world = sim.world
    if not _page(sim) or world.lies.renamed or world.lies.refuses or not world.is_ready(sim.now):
        return False
    world.lies = replace(world.lies, renamed=True)
    return True


def one_key_gets_another_name(sim: Simulation) -> bool:
    """Only one of both keys is not found under its name any more."""
    if not _page(sim) or sim.world.lies.half_renamed:
        return False
    sim.world.lies = replace(sim.world.lies, half_renamed=True)
    return True


def storage_throws(sim: Simulation) -> bool:
    """localStorage cannot be read for eight seconds."""
    if not _page(sim) or sim.now < sim.world.lies.unreadable_until:
        return False
    sim.world.lies = replace(sim.world.lies, unreadable_until=sim.now + 8.0)
    return True


def code_for_a_moment(sim: Simulation) -> bool:
    """A code is on show for some seconds although the login is in place."""
    world = sim.world
    if not _page(sim) or sim.now < world.lies.code_until + 1.0 or world.lies.refuses:
        return False
    world.lies = replace(world.lies, code_until=sim.now + SHORT_LIE)
    return True


def modules_cannot_be_read(sim: Simulation) -> bool:
    """The page's own word for the connection cannot be read for eight seconds."""
    if not _page(sim) or sim.now < sim.world.lies.blind_until:
        return False
    sim.world.lies = replace(sim.world.lies, blind_until=sim.now + 8.0)
    return True


def stale_address(sim: Simulation) -> bool:
    """The tab comes to the address of a logout that was not: the keys are in place."""
    world = sim.world
    page = world.page
    if not _page(sim) or page is None or page.login is None or world.lies.renamed:
        return False
    world.new_document(sim.now, address="", strips=False)
    return True


def stale_address_stripped(sim: Simulation) -> bool:
    """The same, and the page takes it out of its address a moment later."""
    world = sim.world
    page = world.page
    if not _page(sim) or page is None or page.login is None or world.lies.renamed:
        return False
    world.new_document(sim.now, address="")
    return True


def reloads_itself(sim: Simulation) -> bool:
    """The page loads itself anew for an update and takes long to start."""
    world = sim.world
    if not _page(sim) or world.page is None:
        return False
    world.new_document(sim.now, boot=SLOW_BOOT, address=world.page.address, strips=world.page.strips)
    return True


def syncs(sim: Simulation) -> bool:
    """A login that was away for days syncs, for longer than a minute."""
    world = sim.world
    page = world.page
    if not _page(sim) or page is None or page.login is None or sim.now < page.synced_at:
        return False
    world.page = replace(page, synced_at=sim.now + 70.0)
    return True


def dialog(sim: Simulation) -> bool:
    """ "Log out?" comes up, or goes."""
    if not _page(sim):
        return False
    sim.world.lies = replace(sim.world.lies, dialog=not sim.world.lies.dialog)
    return True


def opened_on_another_computer(sim: Simulation) -> bool:
    """The page says CONFLICT, or that is over."""
    if not _page(sim) or sim.world.lies.other_tab:
        return False
    sim.world.lies = replace(sim.world.lies, conflict=not sim.world.lies.conflict)
    return True


def opened_in_another_tab(sim: Simulation) -> bool:
    """A second tab of this browser takes the page's lock, or is closed."""
    if not _page(sim) or sim.world.lies.conflict:
        return False
    sim.world.lies = replace(sim.world.lies, other_tab=not sim.world.lies.other_tab)
    return True


def refused(sim: Simulation) -> bool:
    """The server answers 401 although the device is linked, or that is over."""
    world = sim.world
    if not _page(sim) or world.lies.renamed or world.page is None or world.page.login is None:
        return False
    world.lies = replace(world.lies, refuses=not world.lies.refuses)
    return True


def locked(sim: Simulation) -> bool:
    """A person locks the page with a password, or unlocks it."""
    if not _page(sim):
        return False
    sim.world.lies = replace(sim.world.lies, locked=not sim.world.lies.locked)
    return True


def crashes(sim: Simulation) -> bool:
    """The page's process crashes."""
    if not _page(sim):
        return False
    sim.world.lies = replace(sim.world.lies, crashed=True)
    return True


def observer_throws(sim: Simulation) -> bool:
    """The observer has lost its place in the document."""
    if not _page(sim):
        return False
    sim.world.lies = replace(sim.world.lies, unobserved=True)
    return True


# -- the browser and the machine


def browser_dies(sim: Simulation) -> bool:
    """The browser that is up is killed."""
    world = sim.world
    if not world.process or world.gone_at is not None or not sim.know.up:
        return False
    world.gone_at = sim.now + CLOSE
    return True


def browser_hangs(sim: Simulation) -> bool:
    """The browser gives no sign of life any more."""
    if not sim.world.process or sim.world.hung:
        return False
    sim.world.hung = True
    return True


def next_browsers_die(sim: Simulation) -> bool:
    """The machine kills the next two browsers."""
    if sim.world.kills:
        return False
    sim.world.kills = 2
    return True


def machine_is_broken(sim: Simulation) -> bool:
    """No browser lives here, on no profile."""
    if sim.world.empty_dies:
        return False
    sim.world.kills, sim.world.empty_dies = 99, True
    return True


def next_action_fails(sim: Simulation) -> bool:
    """Whatever is begun next fails."""
    if sim.world.fails_next:
        return False
    sim.world.fails_next = True
    return True


# -- the phone, the person


def _unlinked(sim: Simulation, how: str) -> bool:
    world = sim.world
    login = world.profile.login if world.profile is not None else None
    if world.unlinked_at is not None or login is None or login not in world.linked:
        return False
    world.linked -= {login, "own", "moved"} if login in ("own", "moved") else {login}
    world.unlinked_at, world.how = sim.now, how
    return True


def unlinked(sim: Simulation) -> bool:
    """The device is unlinked on the phone; the page says so in its address."""
    return _unlinked(sim, "")


def unlinked_with_a_reason(sim: Simulation) -> bool:
    """The same, and the address names a reason."""
    return _unlinked(sim, "3")


def unlinked_without_a_word(sim: Simulation) -> bool:
    """The same, and the address says nothing."""
    return _unlinked(sim, "absent")


def _scanned(sim: Simulation, login: str) -> bool:
    world = sim.world
    if not world.code_on_show(sim.now) or world.page is None or login in world.linked:
        return False
    world.linked |= {login}
    if world.profile is not None:
        world.profile = replace(world.profile, login=login, bytes=world.new_bytes(login), renamed=world.lies.renamed)
    world.page = replace(world.page, login=login, wiped=False, synced_at=sim.now + 4.0)
    return True


def scanned(sim: Simulation) -> bool:
    """A person scans the code with the account that was asked for."""
    return _scanned(sim, "new")


def scanned_by_another(sim: Simulation) -> bool:
    """A person scans it with another account."""
    return _scanned(sim, "other")


def number_changes(sim: Simulation) -> bool:
    """The account moves to another number: the same device."""
    world = sim.world
    if not _page(sim) or world.page is None or world.page.login != "own" or world.profile is None:
        return False
    if "own" not in world.linked or not world.is_ready(sim.now):
        return False
    # The device's own key is what the server knows: a copy from before the change logs in, too.
    world.linked |= {"moved"}
    world.page = replace(world.page, login="moved")
    world.profile = replace(world.profile, login="moved", bytes=world.new_bytes("moved"))
    return True


def stopped(sim: Simulation) -> bool:
    """Somebody stops the run."""
    if sim.know.phase in (Phase.SHUTDOWN, Phase.OVER) or sim.know.stop is not None:
        return False
    sim.observe(seen.StopAsked("stopped by you", at=sim.now))
    return True


TIME: tuple[Move, ...] = (before, at, past, half_a_minute, two_minutes)

MOVES: tuple[Move, ...] = (
    at,
    past,
    before,
    half_a_minute,
    network_goes,
    network_returns,
    keys_get_other_names,
    keys_vanish_under_it,
    one_key_gets_another_name,
    storage_throws,
    code_for_a_moment,
    modules_cannot_be_read,
    stale_address,
    stale_address_stripped,
    reloads_itself,
    syncs,
    dialog,
    opened_on_another_computer,
    opened_in_another_tab,
    refused,
    locked,
    crashes,
    observer_throws,
    browser_dies,
    browser_hangs,
    next_browsers_die,
    machine_is_broken,
    next_action_fails,
    unlinked,
    unlinked_with_a_reason,
    unlinked_without_a_word,
    scanned,
    scanned_by_another,
    number_changes,
    stopped,
)


def apply(sim: Simulation, move: Move) -> bool:
    """Make one move and let the run answer. False where it cannot be made now."""
    if sim.over:
        return False
    sim.way = (*sim.way, move.__name__)
    if not move(sim):
        return False
    if move not in TIME:
        sim.actions = 0
        sim.look()
    return True
