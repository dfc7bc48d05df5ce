"""What the fence believes of its claims, as tables of what was asked, answered, and when."""

from __future__ import annotations

import pytest

from linda_cli.fleet.deadlines import Deadlines, Held

ONE, TWO = "971505760056", "971505760057"
NOTHING = Deadlines(lease=30.0, margin=5.0, held={})


def numbers(overdue: tuple[Held, ...]) -> list[str]:
    return [one.number for one in overdue]


def test_a_deadline_counts_from_before_the_request_and_ends_before_the_lease() -> None:
    held = NOTHING.claimed(ONE, 1, asked_at=100.0)
    assert held.held[ONE] == Held(ONE, 1, 125.0)
    assert numbers(held.overdue(124.9)) == []
    assert numbers(held.overdue(125.0)) == [ONE]


def test_a_renewal_moves_the_deadline_of_what_was_answered() -> None:
    held = NOTHING.claimed(ONE, 1, 100.0).renewed({ONE: 1}, {ONE: 1}, asked_at=110.0)
    assert held.held[ONE].deadline == 135.0


def test_a_renewal_that_was_late_never_shortens_a_deadline() -> None:
    held = NOTHING.claimed(ONE, 2, 120.0).renewed({ONE: 2}, {ONE: 2}, asked_at=110.0)
    assert held.held[ONE].deadline == 145.0


@pytest.mark.parametrize("answered", [{}, {ONE: 2}, {TWO: 1}], ids=["nothing", "another epoch", "another number"])
def test_what_was_asked_for_and_not_answered_is_overdue_at_once(answered: dict[str, int]) -> None:
    held = NOTHING.claimed(ONE, 1, 100.0).renewed(answered, {ONE: 1}, asked_at=110.0)
    assert numbers(held.overdue(110.0)) == [ONE]


def test_a_claim_that_came_while_a_renewal_was_under_way_is_not_lost_by_it() -> None:
    held = NOTHING.claimed(ONE, 1, 100.0).claimed(TWO, 4, 110.5).renewed({ONE: 1}, {ONE: 1}, asked_at=110.0)
    assert numbers(held.overdue(120.0)) == []


def test_a_claim_that_was_taken_again_meanwhile_is_judged_by_its_new_epoch() -> None:
    held = NOTHING.claimed(ONE, 3, 111.0).renewed({}, {ONE: 1}, asked_at=110.0)
    assert numbers(held.overdue(120.0)) == []


def test_a_fenced_number_is_not_brought_back_by_a_renewal_that_comes_later() -> None:
    held = NOTHING.claimed(ONE, 1, 100.0).without(ONE).renewed({ONE: 1}, {ONE: 1}, asked_at=126.0)
    assert held.held == {}


def test_a_database_that_does_not_answer_moves_no_deadline() -> None:
    held = NOTHING.claimed(ONE, 1, 100.0).unanswered()
    assert numbers(held.overdue(125.0)) == [ONE]


def test_a_host_is_steady_once_every_renewal_was_answered_for_a_full_lease() -> None:
    began = NOTHING.renewed({}, {}, asked_at=100.0)
    assert not NOTHING.is_steady(1e9)
    assert not began.is_steady(129.9)
    later = began.renewed({}, {}, asked_at=120.0)
    assert later.is_steady(130.0)
    assert not later.unanswered().is_steady(131.0)
    assert not later.unanswered().renewed({}, {}, asked_at=135.0).is_steady(160.0)
