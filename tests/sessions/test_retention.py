"""Which backups live: whatever the list, the policy and the clock, the last good one is never eaten."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from linda_cli.sessions.retention import Kept, Policy, plan

DAY = 86_400_000

backups = st.lists(
    st.builds(
        lambda ms, labelled, valid, verified: (ms, labelled, valid, verified),
        st.integers(0, 4_000_000_000_000),
        st.booleans(),
        st.sampled_from([True, False, None]),
        st.booleans(),
    ),
    max_size=40,
    unique_by=lambda one: one[0],
).map(lambda rows: [Kept(f"backup-971505760056-{row[0]}", *row) for row in rows])
policies = st.builds(Policy, st.integers(0, 12), st.sampled_from([0.0, 60.0, 3600.0, 86400.0, 7 * 86400.0, 1e9]))
moments = st.integers(0, 4_000_000_000_000)


@settings(max_examples=500)
@given(backups, policies, moments)
def test_what_must_stay_stays_and_every_decision_has_its_reason(there: list[Kept], policy: Policy, now: int) -> None:
    decisions = plan(there, policy, now)
    assert sorted(one.name for one in decisions) == sorted(one.name for one in there)
    assert all(one.reason for one in decisions)
    kept = {one.name for one in decisions if one.keep}
    ordered = sorted(there, key=lambda one: one.ms, reverse=True)
    good = [one for one in ordered if one.valid is not False]
    verified = [one for one in good if one.verified]
    assert not good or good[0].name in kept
    assert not verified or verified[0].name in kept
    assert {one.name for one in there if one.labelled} <= kept
    unlabelled = [one for one in there if not one.labelled and one.name in kept]
    anchors = {one.name for one in (good[:1] + verified[:1]) if not one.labelled}
    assert len(unlabelled) <= max(policy.keep, len(anchors))
    for one in unlabelled:
        assert one.name in anchors or now - one.ms <= policy.older_than * 1000


@settings(max_examples=300)
@given(backups, policies, moments)
def test_planning_what_a_plan_left_changes_nothing(there: list[Kept], policy: Policy, now: int) -> None:
    kept = {one.name for one in plan(there, policy, now) if one.keep}
    again = plan([one for one in there if one.name in kept], policy, now)
    assert all(one.keep for one in again)


@given(backups, policies, moments, st.randoms())
def test_the_order_in_which_they_are_listed_does_not_matter(
    there: list[Kept], policy: Policy, now: int, luck: random.Random
) -> None:
    shuffled = list(there)
    luck.shuffle(shuffled)
    assert plan(shuffled, policy, now) == plan(there, policy, now)


def restart(there: list[Kept], now: int, *, valid: bool = True) -> list[Kept]:
    """One more backup, and retention after it."""
    there = [*there, Kept(f"backup-971505760056-{now}", now, False, valid, valid)]
    kept = {one.name for one in plan(there, Policy(), now) if one.keep}
    return [one for one in there if one.name in kept]


def test_forty_restarts_in_a_row_leave_one_from_before_it_went_bad_at_the_twentieth() -> None:
    """Going bad is not seen by anybody until later: these backups read well and do not log in."""
    now = 100 * DAY
    there: list[Kept] = []
    for turn in range(40):
        now += 90_000
        there = restart(there, now)
        if turn == 19:
            went_bad = now
    assert any(one.ms < went_bad for one in there)
    assert len(there) <= 5


def test_a_day_of_restarts_does_not_push_out_yesterdays() -> None:
    now = 100 * DAY
    yesterday = now
    there = restart([], now)
    now += DAY
    for _ in range(60):
        now += 60_000
        there = restart(there, now)
    assert any(one.ms == yesterday for one in there)


def test_generations_thin_out_with_age() -> None:
    """One backup an hour for a week: the kept ones reach back days, each step back longer than the one before."""
    now = 100 * DAY
    there: list[Kept] = []
    for _ in range(7 * 24):
        now += 3_600_000
        there = restart(there, now)
    ages = sorted(now - one.ms for one in there)
    assert len(ages) == 5
    assert ages[-1] > 3 * DAY
    assert ages[1] <= 12 * 3_600_000
