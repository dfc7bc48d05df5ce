"""Every clause of every proof is needed: a sequence that lacks exactly that clause, and what comes of it without it.

With the proofs as they are, nothing happens in any of these sequences that could not be undone. With the clause taken
to hold always, the invariants of the walk fail for the same sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle.knowledge import Browser, Knowledge
from linda_cli.lifecycle.proofs import REPLACE_PROFILE, SHOW_CODE, Proof
from tests.lifecycle import known, moves, scenes
from tests.lifecycle.model_world import Profile
from tests.lifecycle.scenes import OPTIONS, linked_world, new_run
from tests.lifecycle.simulation import Simulation
from tests.lifecycle.weaken import Weak, every_clause, weaken

Way = Callable[[], None]


def _lie(sim: Simulation, **lies: object) -> None:
    sim.world.lies = replace(sim.world.lies, **lies)  # type: ignore[arg-type]


def _new_document(sim: Simulation, address: str | None, boot: float = 3.0) -> None:
    sim.world.new_document(sim.now, boot=boot, address=address, strips=False)
    sim.actions = 0
    sim.look()


def _did_nothing_for_good(sim: Simulation) -> None:
    for kind in (do.RevokeLogin, do.RecordRejection, do.RestoreBackup, do.Quarantine, do.BeginLinking, do.Mismatch):
        assert not sim.did(kind), sim.story()


def _nameless(how: Callable[[Simulation], bool]) -> None:
    """The page never showed its keys under their known names, and no state recorded whose login it is."""
    world = linked_world()
    world.profile, world.ready_login = Profile("own.4", renamed=True), None
    world.lies = replace(world.lies, renamed=True)
    sim = new_run(world).start()
    assert sim.rest_until(lambda one: one.know.was_ready, 30.0), sim.story()
    moves.apply(sim, how)
    sim.rest(80.0)
    assert not sim.did(do.RevokeLogin), sim.story()


def no_login_is_known_at_the_address() -> None:
    _nameless(moves.unlinked)


def no_login_is_known_at_the_address_with_a_reason() -> None:
    _nameless(moves.unlinked_with_a_reason)


def no_login_is_known_where_it_vanished() -> None:
    _nameless(moves.unlinked_without_a_word)


def a_sync_fails() -> None:
    """The address names a reason, and the device is still linked: a backup of it becomes ready."""
    sim = scenes.failing_start()
    sim.rest(60.0)
    assert "ready" in sim.names(), sim.story()


def _unreadable_at_the_address(reason: str) -> None:
    """A stale address while localStorage cannot be read and the chats are in another tab."""
    sim = scenes.ready()
    _lie(sim, other_tab=True, unreadable_until=sim.now + 30.0)
    _new_document(sim, reason)
    sim.rest(8.0)
    _did_nothing_for_good(sim)


def keys_cannot_be_read_at_the_address() -> None:
    _unreadable_at_the_address("")


def keys_cannot_be_read_at_the_address_with_a_reason() -> None:
    _unreadable_at_the_address("3")


def _loading_at_the_address(reason: str) -> None:
    """Keys of other names at a stale address, in a page that loads and is then ready."""
    sim = scenes.ready()
    _lie(sim, renamed=True)
    _new_document(sim, reason)
    sim.rest(30.0)
    _did_nothing_for_good(sim)


def a_loading_page_explains_missing_keys() -> None:
    _loading_at_the_address("")


def a_loading_page_explains_missing_keys_also_with_a_reason() -> None:
    _loading_at_the_address("3")


def a_storage_that_cannot_be_opened_is_no_logout() -> None:
    """Reason 0, on the profile and on every backup."""
    world = linked_world()
    world.profile = Profile("own.4", ends="0")
    world.backups = tuple(replace(one, profile=replace(one.profile, ends="0")) for one in world.backups)
    sim = new_run(world).start()
    sim.rest(60.0)
    assert not sim.did(do.RevokeLogin), sim.story()


def keys_of_other_names_behind_another_tab() -> None:
    """Keys gone, no pane, not connected, and no code."""
    sim = scenes.ready()
    moves.apply(sim, moves.keys_get_other_names)
    moves.apply(sim, moves.opened_in_another_tab)
    sim.world.lies = replace(sim.world.lies, second_tab=True)
    sim.rest(2.0)
    _did_nothing_for_good(sim)


def another_profile_is_opened() -> None:
    """The browser opened another profile than it was told to: a page that never held the login proves nothing."""
    world = linked_world()
    world.elsewhere = True
    sim = new_run(world).start()
    sim.rest(100.0)
    assert not sim.did(do.RecordRejection), sim.story()


def a_code_for_four_seconds() -> None:
    """The document began with both keys; they got other names, and a code was on show for four seconds."""
    sim = scenes.launched()
    sim.rest(1.0)
    moves.apply(sim, moves.keys_get_other_names)
    moves.apply(sim, moves.code_for_a_moment)
    sim.rest(30.0)
    _did_nothing_for_good(sim)


def a_window_that_waits() -> None:
    """A start behind another tab: no pane, not connected, and no address."""
    sim = scenes.launched()
    moves.apply(sim, moves.opened_in_another_tab)
    sim.rest(20.0)
    _did_nothing_for_good(sim)


def a_loading_page_at_the_address_of_a_storage_that_cannot_be_opened() -> None:
    """Reason 0 in a stale address, keys of other names, and the page loads."""
    sim = scenes.launched()
    sim.rest(1.0)
    _lie(sim, renamed=True)
    _new_document(sim, "0")
    sim.rest(30.0)
    _did_nothing_for_good(sim)


def a_code_for_ten_seconds_where_the_keys_have_other_names() -> None:
    """Nobody knows which login was on the disk: ten seconds of a code prove nothing."""
    sim = scenes.renamed_start()
    assert sim.rest_until(lambda one: one.know.up, 10.0)
    _lie(sim, code_until=sim.now + 10.0)
    sim.rest(60.0)
    _did_nothing_for_good(sim)


def another_login_was_there_first() -> None:
    """The page began with the keys of another login than the disk held, then showed a code without them."""
    sim = scenes.launched()
    assert sim.world.page is not None
    sim.world.page = replace(sim.world.page, login="moved")
    sim.world.linked |= {"moved"}
    sim.rest(1.0)
    _lie(sim, renamed=True, code_until=sim.now + 7.0)
    sim.rest(8.0)
    _did_nothing_for_good(sim)


def a_code_for_four_seconds_in_a_page_of_a_new_version() -> None:
    """The page came in a version that calls its keys otherwise, and showed a code for four seconds."""
    sim = scenes.launched()
    _lie(sim, renamed=True, code_until=sim.now + 4.0)
    sim.rest(30.0)
    _did_nothing_for_good(sim)


def the_keys_came_under_their_names() -> None:
    """The disk told no login, the page did; then a code without them for half a minute."""
    world = linked_world()
    world.profile = Profile("own.4", renamed=True)
    sim = new_run(world, options=replace(OPTIONS, timeout=200.0)).start()
    assert sim.rest_until(lambda one: one.know.page.login is not None, 10.0), sim.story()
    _lie(sim, renamed=True, code_until=sim.now + 33.0)
    sim.rest(33.0)
    _did_nothing_for_good(sim)


def two_dialogs_and_another_computer() -> None:
    """ "Log out?" over a page that is open on another computer, with --takeover."""
    sim = scenes.takeover()
    _lie(sim, dialog=True)
    moves.apply(sim, moves.opened_on_another_computer)
    sim.rest(5.0)


def a_dialog_over_a_ready_page() -> None:
    """With --takeover, while the network is away, and nothing says that it is open elsewhere."""
    sim = scenes.takeover()
    moves.apply(sim, moves.dialog)
    moves.apply(sim, moves.network_goes)
    sim.rest(5.0)


def another_computer_without_takeover() -> None:
    sim = scenes.ready()
    moves.apply(sim, moves.opened_on_another_computer)
    sim.rest(5.0)


def two_dialogs_and_another_tab() -> None:
    sim = scenes.ready()
    _lie(sim, dialog=True)
    moves.apply(sim, moves.opened_in_another_tab)
    sim.rest(5.0)


def a_dialog_over_the_chats_while_the_network_is_away() -> None:
    """Another tab is there; it takes nothing from this one."""
    sim = scenes.ready()
    _lie(sim, dialog=True, second_tab=True)
    moves.apply(sim, moves.network_goes)
    sim.rest(5.0)


def a_dialog_over_a_code() -> None:
    """ "An error occurred in the database of your browser", and this browser has another tab."""
    sim = scenes.linking()
    _lie(sim, second_tab=True)
    moves.apply(sim, moves.dialog)
    sim.rest(5.0)


def a_dialog_over_a_locked_page() -> None:
    """Connected, no pane, another tab."""
    sim = scenes.ready()
    _lie(sim, locked=True, second_tab=True)
    moves.apply(sim, moves.dialog)
    sim.rest(5.0)


def a_dialog_over_a_locked_page_without_the_network() -> None:
    """No pane, not connected, and no other tab."""
    sim = scenes.ready()
    _lie(sim, locked=True)
    moves.apply(sim, moves.network_goes)
    moves.apply(sim, moves.dialog)
    sim.rest(5.0)


def a_page_that_crashes_twice() -> None:
    """A start that fails and proves nothing of the profile: a backup works, and stays where it is."""
    sim = scenes.launched()
    for _ in range(2):
        assert sim.rest_until(lambda one: one.know.up, 10.0), sim.story()
        moves.apply(sim, moves.crashes)
        sim.rest(1.0)
    sim.rest(20.0)
    _did_nothing_for_good(sim)


def linked_anew_under_the_same_number() -> None:
    """A person links the same number anew in the same tab: another device."""
    sim = scenes.ready()
    assert sim.world.page is not None
    sim.world.linked, sim.world.profile = frozenset({"new"}), Profile("new.9", login="new")
    sim.world.page = replace(sim.world.page, login="new")
    sim.look()
    sim.rest(20.0)
    _did_nothing_for_good(sim)


def the_number_of_the_device_changes() -> None:
    sim = scenes.ready()
    moves.apply(sim, moves.number_changes)
    sim.rest(10.0)
    assert "number_changed" in sim.names()
    _did_nothing_for_good(sim)


def other_keys_for_three_seconds() -> None:
    """A page that has been ready for long shows the keys of another account for three seconds."""
    sim = scenes.ready().rest(60.0)
    _lie(sim, other_until=sim.now + 3.0)
    sim.actions = 0
    sim.look()
    sim.rest(10.0)
    _did_nothing_for_good(sim)


def other_keys_for_three_seconds_after_a_linking() -> None:
    sim = scenes.linking()
    moves.apply(sim, moves.scanned)
    _lie(sim, other_until=sim.now + 7.0)
    sim.rest(20.0)
    assert not sim.did(do.Mismatch), sim.story()
    assert "ready" in sim.names()


def other_keys_while_the_connection_cannot_be_read() -> None:
    """The keys of another account for eight seconds, in a page that is ready by its looks alone."""
    sim = scenes.ready().rest(60.0)
    _lie(sim, other_until=sim.now + 8.0, blind_until=sim.now + 9.0)
    sim.actions = 0
    sim.look()
    sim.rest(20.0)
    _did_nothing_for_good(sim)


def other_keys_unread_connection_after_a_linking() -> None:
    sim = scenes.linking()
    moves.apply(sim, moves.scanned)
    _lie(sim, other_until=sim.now + 12.0, blind_until=sim.now + 13.0)
    sim.rest(30.0)
    assert not sim.did(do.Mismatch), sim.story()
    assert "ready" in sim.names()


def another_account_in_the_profile() -> None:
    """Its number is another and its device, too: that is no number that was changed."""
    scenes.another_account_in_the_profile().rest(20.0)


NEEDED: dict[str, Way] = {
    "CONDEMN: the login of this browser is known": no_login_is_known_at_the_address,
    "CONDEMN: the address of a logout came, without a reason": a_sync_fails,
    "CONDEMN: both keys are gone": keys_cannot_be_read_at_the_address,
    "CONDEMN: nothing explains that": a_loading_page_explains_missing_keys,
    "SUSPECT_BY_REASON: the login of this browser is known": no_login_is_known_at_the_address_with_a_reason,
    "SUSPECT_BY_REASON: the address of a logout came, with a reason other than 0": (
        a_storage_that_cannot_be_opened_is_no_logout
    ),
    "SUSPECT_BY_REASON: both keys are gone": keys_cannot_be_read_at_the_address_with_a_reason,
    "SUSPECT_BY_REASON: nothing explains that": a_loading_page_explains_missing_keys_also_with_a_reason,
    "SUSPECT_BY_ABSENCE: the login of this browser is known": no_login_is_known_where_it_vanished,
    "SUSPECT_BY_ABSENCE: a code, no pane, no keys, no databases for 30 s": keys_of_other_names_behind_another_tab,
    "CONFIRMED: its newest verified backup ended the same way in a fresh browser": a_sync_fails,
    "REJECT: a document began with both keys of this login": another_profile_is_opened,
    "REJECT: a code, no pane and no keys for 5 s": a_code_for_four_seconds,
    "FATAL: the address says so": a_window_that_waits,
    "FATAL: nothing explains that": a_loading_page_at_the_address_of_a_storage_that_cannot_be_opened,
    "VANISHED: the disk held a login": a_code_for_ten_seconds_where_the_keys_have_other_names,
    "VANISHED: no document began with a login": another_login_was_there_first,
    "VANISHED: a code, no pane and no keys for 5 s": a_code_for_four_seconds_in_a_page_of_a_new_version,
    "SHOWN_EMPTY: no document began with a login": the_keys_came_under_their_names,
    "SHOWN_EMPTY: a code, no pane and no keys for 30 s": a_code_for_ten_seconds_where_the_keys_have_other_names,
    "PRESS_COMPUTER: it is in the only confirm dialog": two_dialogs_and_another_computer,
    "PRESS_COMPUTER: the page says CONFLICT": a_dialog_over_a_ready_page,
    "PRESS_COMPUTER: --takeover was given": another_computer_without_takeover,
    "PRESS_WINDOW: it is in the only confirm dialog": two_dialogs_and_another_tab,
    "PRESS_WINDOW: there is no pane": a_dialog_over_the_chats_while_the_network_is_away,
    "PRESS_WINDOW: no code is on show": a_dialog_over_a_code,
    "PRESS_WINDOW: the page is neither connected nor in conflict": a_dialog_over_a_locked_page,
    "PRESS_WINDOW: this browser has another tab of the origin": a_dialog_over_a_locked_page_without_the_network,
    "REPLACE_PROFILE[0]: nothing of a login is on the disk": a_page_that_crashes_twice,
    "REPLACE_PROFILE[1]: the same damage was read twice": a_page_that_crashes_twice,
    "REPLACE_PROFILE[2]: cleared by a person, or proven to be unlinked": a_page_that_crashes_twice,
    "REPLACE_PROFILE[3]: an earlier run recorded a rejection of it": a_page_that_crashes_twice,
    "REPLACE_PROFILE[4]: a browser has shown why": a_page_that_crashes_twice,
    "OTHER_ACCOUNT: the page is ready, connected, and has both keys": other_keys_while_the_connection_cannot_be_read,
    "OTHER_LINKED: the page is ready, connected, and has both keys": other_keys_unread_connection_after_a_linking,
    "OTHER_ACCOUNT: they are of another number": linked_anew_under_the_same_number,
    "OTHER_ACCOUNT: and of another device": the_number_of_the_device_changes,
    "OTHER_ACCOUNT: still so after 5 s": other_keys_for_three_seconds,
    "OTHER_LINKED: still so after 5 s": other_keys_for_three_seconds_after_a_linking,
    "NUMBER_CHANGED: and of the same device": another_account_in_the_profile,
    "NUMBER_CHANGED: they are of another number": linked_anew_under_the_same_number,
}
"""A clause, and a sequence that lacks exactly it."""

IMPLIED: dict[str, str] = {
    **{f"REPLACE_PROFILE[{place}]: no browser is on it": "decide asks only where none is" for place in range(5)},
    "SHOWN_EMPTY: no login was found on the disk": "VANISHED comes first where one was",
    "OTHER_LINKED: they are of another number": "decide asks only where they are",
    "NUMBER_CHANGED: the page is ready and has both keys": "decide asks only of a ready page",
    "SHOW_CODE: the profile is no way": "the order of the restore steps",
    "SHOW_CODE: no backup is left": "the order of the restore steps",
    "SHOW_CODE: the login is not merely refused for now": "the order of the restore steps",
}
"""Clauses that hold already where their proof is asked for: the proof says what the contract says, and does not rest on
who asks. Their tables are below."""


def test_every_clause_is_needed_or_known_to_be_implied() -> None:
    assert {str(one) for one in every_clause()} == set(NEEDED) | set(IMPLIED)


WAYS: dict[str, Way] = {way.__name__: way for way in NEEDED.values()}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_nothing_is_done_for_good_where_one_clause_is_missing(way: str) -> None:
    WAYS[way]()


@pytest.mark.parametrize("weak", [one for one in every_clause() if str(one) in NEEDED], ids=str)
def test_the_walk_notices_that_a_clause_is_missing(monkeypatch: pytest.MonkeyPatch, weak: Weak) -> None:
    weaken(monkeypatch, weak)
    with pytest.raises(AssertionError):
        NEEDED[str(weak)]()


def _with(know: Knowledge, **restoration: object) -> Knowledge:
    return replace(know, restoration=replace(know.restoration, **restoration))  # type: ignore[arg-type]


_FAILED = _with(known.inspected(known.began(), known.GOOD), replaceable="the login was rejected", damage_seen=2)
_TRIED = _with(known.inspected(known.began(), known.GOOD), profile_tried=True, exhausted=True)


@pytest.mark.parametrize("proof", REPLACE_PROFILE, ids=lambda one: one.name)
@pytest.mark.parametrize("browser", [Browser.STARTING, Browser.UP, Browser.DEAD])
def test_no_profile_gives_way_under_a_browser(proof: Proof, browser: Browser) -> None:
    for facts in (known.GOOD, known.DAMAGED, known.MISSING, known.REJECTED, replace(known.GOOD, verdict="cleared")):
        assert not proof.holds(replace(_FAILED, disk=facts, browser=browser), 0.0)
        assert not proof.holds(replace(_FAILED, disk=facts, busy=(do.BackUp("interval"),)), 0.0)


@pytest.mark.parametrize(
    ("lacks", "know"),
    [
        ("the profile was not opened yet", _with(_TRIED, profile_tried=False)),
        ("a backup is left", _with(_TRIED, exhausted=False)),
        ("refused for now", _with(_TRIED, refused=True)),
    ],
)
def test_no_code_while_something_is_left(lacks: str, know: Knowledge) -> None:
    assert SHOW_CODE.holds(_TRIED, 0.0)
    assert not SHOW_CODE.holds(know, 0.0), lacks
