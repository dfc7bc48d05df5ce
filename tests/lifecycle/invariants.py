"""The twelve invariants of a run, each by name. They speak of the truth in the model world, not of what a run believes.

Those that are about one moment are checked at every action, row and observation of every walk (``CHECKS``); those that
are about what must come (a logout is told, a stop ends, a healthy world is ready again) let a copy of the simulation
go on (``AFTERWARDS``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decisions import Action, Lane, Target
from linda_cli.lifecycle.knowledge import Knowledge, Phase
from linda_cli.lifecycle.observations import Observation
from tests.lifecycle import page_model
from tests.lifecycle.model_world import Profile
from tests.lifecycle.simulation import Checks, Simulation

LOGOUT_TOLD_WITHIN = 90.0
STOPS_WITHIN = 15.0
GRACE = 10.0
"""Seconds after which a run must know that the network is away: two to notice, five where packets are dropped."""

LOGOUT_UNDER_WAY = 20.0


# -- 1: truth linked


def a_linked_login_is_never_revoked(sim: Simulation, action: Action) -> str | None:
    """1: truth linked, never RevokeLogin."""
    if isinstance(action, do.RevokeLogin) and action.login in sim.world.linked:
        return f"{action.login} is linked"
    return None


def no_code_while_a_copy_works(sim: Simulation, action: Action) -> str | None:
    """1: no code is shown while a copy of the login works."""
    if not isinstance(action, do.BeginLinking) or sim.know.number is None:
        return None
    world = sim.world
    found = [one.profile for one in world.backups if world.may_be_found(one)][: sim.know.options.max_generations]
    if world.works(world.profile) and world.profile is not None and world.profile.bytes not in world.rejected:
        return f"the profile works: {world.profile}"
    working = [one for one in found if world.works(one)]
    if working:
        return f"a backup works: {working[0]}"
    original = dict(world.quarantine).get(sim.know.restoration.original or "")
    return f"what was quarantined works: {original}" if world.works(original) and original is not None else None


def what_works_is_never_displaced(sim: Simulation, action: Action) -> str | None:
    """1: a profile that works is not moved, but where two browsers died on it while an empty profile's lived."""
    if not isinstance(action, (do.RestoreBackup, do.Quarantine)) or not sim.world.works(sim.world.profile):
        return None
    if sim.world.died_on_profile >= 2 and not sim.world.empty_dies:
        return None
    return f"{sim.world.profile} works"


def what_works_is_never_recorded_as_rejected(sim: Simulation, action: Action) -> str | None:
    """1: a rejection is recorded only of bytes that do not work."""
    if not isinstance(action, do.RecordRejection):
        return None
    world = sim.world
    known: list[Profile | None] = [world.profile, *(one.profile for one in world.backups)]
    known += [profile for _, profile in world.quarantine]
    if any(one is not None and one.bytes == action.fingerprint and world.works(one) for one in known):
        return f"{action.fingerprint} works"
    return None


def another_account_is_moved_only_where_one_is(sim: Simulation, action: Action) -> str | None:
    """1: the profile of the account that was asked for is not taken for another's; a changed number is the same."""
    if not isinstance(action, (do.Mismatch, do.MoveOtherAccount)):
        return None
    login = sim.world.profile.login if sim.world.profile is not None else None
    return None if login == "other" else f"{login} is linked here"


def a_changed_number_is_told_only_where_it_changed(sim: Simulation, action: Action) -> str | None:
    """1: ``number_changed`` is about the same device under another number, and nothing else."""
    if not isinstance(action, do.Tell) or action.event != "number_changed":
        return None
    login = sim.world.page.login if sim.world.page is not None else None
    return None if login == "moved" else f"{login} is linked here"


def nothing_is_pressed_that_is_not_meant(sim: Simulation, action: Action) -> str | None:
    """1: "use here" is pressed only in its own popup, for another computer only with --takeover."""
    if not isinstance(action, do.Press) or action.target not in (Target.COMPUTER, Target.WINDOW):
        return None
    lies = sim.world.lies
    reading = sim.world.reading(sim.now)
    if reading is not None and reading.popups > 1:
        return "another dialog is there"
    if action.target is Target.COMPUTER:
        return None if lies.conflict and sim.know.options.takeover else "it is not open on another computer"
    locked = lies.other_tab and sim.world.page is not None and sim.world.page.login is not None
    return None if locked else "it is not open in another window"


# -- 4: whose evidence


def what_is_revoked_was_there_and_has_a_name(sim: Simulation, action: Action) -> str | None:
    """4: what is condemned is never empty, and never a login that was linked later."""
    if not isinstance(action, do.RevokeLogin):
        return None
    if not action.login:
        return "it has no name"
    return None if action.login in ("own", "moved", "new", "other", "older") else f"nobody knows {action.login}"


def what_is_rejected_has_a_name(sim: Simulation, action: Action) -> str | None:
    """4: a rejection is of bytes that were looked at."""
    if isinstance(action, do.RecordRejection) and not action.fingerprint:
        return "it has no fingerprint"
    return None


def evidence_of_another_browser_or_document_counts_for_nothing(sim: Simulation, observation: Observation) -> str | None:
    """4: what another browser or an older document says changes nothing."""
    know = sim.know
    if isinstance(observation, seen.PageSeen) and observation.browser == know.browser_id and know.up:
        if know.after(replace(observation, browser=observation.browser - 1)) != know:
            return "a reading of an earlier browser changed something"
        if know.page.document > 1:
            older = replace(observation.reading, document=know.page.document - 1)
            if know.after(replace(observation, reading=older)) != know:
                return "a reading of an earlier document changed something"
    if isinstance(observation, seen.BrowserGone) and know.up:
        earlier = replace(observation, browser=observation.browser - 1)
        if know.after(earlier) != know:
            return "the end of an earlier browser changed something"
    if isinstance(observation, seen.Begun) and isinstance(observation.action, (do.Launch, do.Attach)):
        page = know.after(observation).page
        if page.login or page.reading or page.began_with or page.logout or page.was_ready:
            return "evidence outlived its browser"
    return None


# -- 5: one browser, safe bytes

_MOVES = (do.RestoreBackup, do.PutBack, do.Quarantine, do.MoveOtherAccount, do.CopyToQuarantine)
_NEEDS_PEACE = (*_MOVES, do.PrepareProfile, do.DropServiceWorker, do.TidyProfile)


def a_browser_is_started_only_where_none_is(sim: Simulation, action: Action) -> str | None:
    """5: Launch only after the last browser's exit."""
    if isinstance(action, (do.Launch, do.TryEmptyProfile)) and sim.world.process:
        return "one is running"
    return None


def nothing_moves_under_a_browser(sim: Simulation, action: Action) -> str | None:
    """5: nothing of a profile moves while a browser has it open, or while another move is under way."""
    if not isinstance(action, _NEEDS_PEACE):
        return None
    if sim.world.process:
        return "a browser is on it"
    if any(one.action.lane in (Lane.DISK, Lane.BROWSER) for one in sim.world.pending):
        return f"{[type(one.action).__name__ for one in sim.world.pending]} under way"
    return None


def bytes_are_safe_before_a_browser_has_them(sim: Simulation, action: Action) -> str | None:
    """5: a login is opened only after its bytes were prepared, with a copy where one could be made."""
    if not isinstance(action, do.Launch) or sim.know.phase is not Phase.RESTORE or sim.world.prepared:
        return None
    return "nobody has made them safe"


def one_thing_at_a_time(sim: Simulation, action: Action) -> str | None:
    """5: two actions of a lane never run at once."""
    if action.lane is Lane.NONE or action.lane is Lane.BOT:
        return None
    same = [one.action for one in sim.world.pending if one.action.lane is action.lane]
    # A row may hand a lane several things: they run one after the other.
    if same and action in same:
        return f"{type(action).__name__} is under way already"
    return None


# -- 6: patience

_DISTURBS = (do.Reload, do.Launch, do.CloseBrowser, do.BeginRestoration)


def _alive(sim: Simulation) -> bool:
    world = sim.world
    return world.process and not world.hung and not world.lies.crashed and world.page is not None and sim.know.up


def nothing_is_disturbed_while_the_network_is_away(sim: Simulation, action: Action) -> str | None:
    """6: no reload, no new browser, no growing back-off while the network is away."""
    if sim.world.network or sim.know.phase in (Phase.SHUTDOWN, Phase.OVER) or not _alive(sim):
        return None
    since = max(sim.world.network_at, sim.know.browser_at)
    if sim.now - since < GRACE or sim.world.page is None or sim.now - sim.world.page.began < GRACE:
        return None
    if sim.world.lies.unobserved or _logout_is_proven(sim) or _code_is_told(sim):
        return None
    if isinstance(action, _DISTURBS):
        return f"away for {sim.now - since:.0f} s"
    if sim.know.after(seen.Done(action, at=sim.now)).retries > sim.know.retries:
        return "the back-off grows"
    return None


def _logout_is_proven(sim: Simulation) -> bool:
    page = sim.world.page
    return sim.know.restoration.logout is not None or (page is not None and page.address is not None)


def _code_is_told(sim: Simulation) -> bool:
    """What stands in front of a person or of the judgement about a login is not the network's matter."""
    reading = sim.know.page.reading
    return reading is not None and reading.code_on_show


def progress_is_left_alone(sim: Simulation, action: Action) -> str | None:
    """6: a page that syncs, and says so anew every few seconds, is not loaded anew and keeps its browser."""
    page, world = sim.world.page, sim.world
    if not isinstance(action, _DISTURBS) or not _alive(sim) or page is None or page.address is not None:
        return None
    if sim.know.phase in (Phase.SHUTDOWN, Phase.OVER) or page.login not in world.linked or sim.world.lies.unobserved:
        return None
    quiet = not (world.lies.refuses or world.lies.conflict or world.lies.other_tab or sim.now < world.lies.code_until)
    if quiet and page.began + page.boot + 1.0 < sim.now < page.synced_at and sim.world.network:
        return "it syncs"
    return None


def vanishing_keys_are_waited_for(sim: Simulation, action: Action) -> str | None:
    """6: a page whose keys are vanishing is left alone until it says why."""
    page = sim.world.page
    if not isinstance(action, (do.Reload, do.CloseBrowser)) or page is None or not _alive(sim):
        return None
    if sim.know.phase is not Phase.SUPERVISE or sim.world.lies.renamed or page.login is None:
        return None
    truth = sim.world.truth()
    gone = page_model.keys_go_at(page, truth)
    return "its keys are going" if gone <= sim.now < page_model.leaves_at(page, truth) else None


def a_person_with_a_code_is_left_alone(sim: Simulation, action: Action) -> str | None:
    """6: nothing is loaded anew and no browser is replaced while a person has a code."""
    if not isinstance(action, _DISTURBS) or sim.know.phase is not Phase.LINK or not _alive(sim):
        return None
    return "a code is on show" if sim.world.code_on_show(sim.now) and "qr" in sim.names() else None


# -- 7: totality


def a_row_is_never_empty_and_every_wait_ends(sim: Simulation, row: tuple[Action, ...]) -> str | None:
    """7: decide is total; every wait ends; a wait is the last of its row."""
    if not row:
        return "nothing was decided"
    for place, action in enumerate(row):
        if not isinstance(action, do.Wait):
            continue
        if place != len(row) - 1:
            return "something comes after a wait"
        if action.until <= sim.now:
            return f"it waits for the past: {action.until - sim.now}"
        if math.isinf(action.until) and not sim.know.busy:
            return "it waits for nothing"
    if sim.know.busy and not sim.world.pending:
        return f"{sim.know.busy} never ends"
    return None


# -- 8: facts, not their order


def the_same_again_changes_nothing(sim: Simulation, observation: Observation) -> str | None:
    """8: the same observation again changes nothing but by time."""
    if not isinstance(
        observation, (seen.PageSeen, seen.DocumentBegan, seen.BrowserGone, seen.NetworkSeen, seen.StopAsked)
    ):
        return None
    once = sim.know.after(observation)
    return None if once.after(observation) == once else f"{observation} counts twice"


def page_and_disk_commute(sim: Simulation, observation: Observation) -> str | None:
    """8: facts of page and disk of one moment commute."""
    know = sim.know
    if not isinstance(observation, (seen.PageSeen, seen.DocumentBegan)) or not know.up:
        return None
    for action in know.busy:
        for disk in _ends(action, observation.at):
            one, other = know.after(observation).after(disk), know.after(disk).after(observation)
            if one != other:
                return f"{type(action).__name__} and {type(observation).__name__} do not commute: {_unlike(one, other)}"
    return None


def _ends(action: Action, moment: float) -> Iterable[Observation]:
    match action:
        case do.Save():
            yield seen.Done(action, seen.SaveResult(True, login="own"), at=moment)
            yield seen.Done(action, seen.SaveResult(False, "not yet"), at=moment)
        case do.MeasureLogin():
            yield seen.Done(action, "changed", at=moment)
        case do.BackUp() | do.RecordRejection() | do.RevokeLogin() | do.LearnNumber():
            yield seen.Done(action, None, at=moment)


def _unlike(one: Knowledge, other: Knowledge) -> str:
    return "; ".join(
        f"{name}: {getattr(one, name)} or {getattr(other, name)}"
        for name in one.__dataclass_fields__
        if getattr(one, name) != getattr(other, name)
    )


# -- 9: after a stop

_WAY_OUT = (do.Shutdown, do.EndBot, do.CloseBrowser, do.BackUp, do.TidyProfile, do.Note, do.Tell, do.End)


def after_a_stop_only_the_way_out(sim: Simulation, action: Action) -> str | None:
    """9: after a stop only tell, save, back up, close, end."""
    if sim.stopped_at is None or isinstance(action, _WAY_OUT):
        return None
    return f"stopped {sim.now - sim.stopped_at:.1f} s ago"


# -- 11: the grammar of events


def events_follow_their_grammar(sim: Simulation, action: Action) -> str | None:
    """11: ready once, saved once after it, disconnected then reconnected, logged_out or the end."""
    told = list(sim.names())
    since_logout = told[len(told) - told[::-1].index("logged_out") :] if "logged_out" in told else told
    outage = False
    for event in told:
        outage = event == "disconnected" or (outage and event not in ("reconnected", "logged_out"))
    if isinstance(action, do.Arrive):
        return "ready twice" if "ready" in since_logout else None
    if isinstance(action, do.Save) and "saved" in since_logout:
        return "saved twice"
    if not isinstance(action, do.Tell):
        return None
    if "stopped" in told:
        return f"{action.event} after stopped"
    match action.event:
        case "disconnected":
            return "disconnected twice" if outage else None if "ready" in since_logout else "it was not ready"
        case "reconnected":
            return None if outage else "nothing was disconnected"
        case "logged_out":
            return "logged_out twice" if since_logout != told and not since_logout else None
        case "qr" | "pairing_code":
            return None if sim.know.phase is Phase.LINK else "not linking"
        case "authenticated":
            return "authenticated twice" if "authenticated" in since_logout else None
        case "page_reloaded" | "save_delayed" | "number_changed":
            return "in an outage" if outage and action.event != "number_changed" else None
    return None


CHECKS = Checks(
    on_action=(
        a_linked_login_is_never_revoked,
        no_code_while_a_copy_works,
        what_works_is_never_displaced,
        what_works_is_never_recorded_as_rejected,
        another_account_is_moved_only_where_one_is,
        a_changed_number_is_told_only_where_it_changed,
        nothing_is_pressed_that_is_not_meant,
        what_is_revoked_was_there_and_has_a_name,
        what_is_rejected_has_a_name,
        a_browser_is_started_only_where_none_is,
        nothing_moves_under_a_browser,
        bytes_are_safe_before_a_browser_has_them,
        one_thing_at_a_time,
        nothing_is_disturbed_while_the_network_is_away,
        progress_is_left_alone,
        vanishing_keys_are_waited_for,
        a_person_with_a_code_is_left_alone,
        after_a_stop_only_the_way_out,
        events_follow_their_grammar,
    ),
    on_row=(a_row_is_never_empty_and_every_wait_ends,),
    on_observation=(
        evidence_of_another_browser_or_document_counts_for_nothing,
        the_same_again_changes_nothing,
        page_and_disk_commute,
    ),
)
