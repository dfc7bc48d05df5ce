"""The contract of claims, on SQLite and on a real PostgreSQL: whatever happens, one number has one holder."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from linda_cli.fleet import claims
from linda_cli.fleet.claims import Claim, Holder, Refused
from linda_cli.server.db.models import AccountRow, FleetBackupRow, FleetNumberRow
from tests.linda import NUMBER

ALPHA, BETA = Holder("alpha", "a1"), Holder("beta", "b1")
LEASE = 0.4


def registered(engine: Engine, number: str = NUMBER, host: str = "") -> None:
    with Session(engine) as session, session.begin():
        claims.register(session, number, is_linked=True, host=host)


def claim(engine: Engine, holder: Holder, *, steady: bool = True, lease: float = LEASE) -> Claim | Refused:
    with Session(engine) as session, session.begin():
        return claims.claim(session, NUMBER, holder, steady=steady, lease=lease)


def renew(engine: Engine, holder: Holder, epoch: int, lease: float = LEASE) -> dict[str, int]:
    with Session(engine) as session, session.begin():
        return claims.renew(session, [(NUMBER, epoch)], holder, lease)


def release(engine: Engine, holder: Holder, epoch: int) -> bool:
    with Session(engine) as session, session.begin():
        return claims.release(session, NUMBER, epoch, holder)


@pytest.fixture(autouse=True)
def _registered(engine: Engine) -> None:
    registered(engine)


def test_a_number_that_nobody_has_is_claimed_with_the_next_epoch(engine: Engine) -> None:
    assert claim(engine, ALPHA, steady=False) == Claim(NUMBER, 1, "")
    assert release(engine, ALPHA, 1)
    assert claim(engine, BETA, steady=False) == Claim(NUMBER, 2, "alpha")


def test_a_number_that_the_fleet_does_not_know_cannot_be_claimed(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        assert claims.claim(session, "971505760099", ALPHA, steady=True) == Refused("971505760099", "", 0.0)


def test_a_held_number_is_refused_with_its_host_and_how_long(engine: Engine) -> None:
    claim(engine, ALPHA, lease=30)
    refused = claim(engine, BETA)
    assert isinstance(refused, Refused)
    assert refused.host == "alpha"
    assert 28 < refused.seconds <= 30


def test_registering_again_changes_nothing_of_a_claim(engine: Engine) -> None:
    claim(engine, ALPHA, lease=30)
    registered(engine, host="beta")
    assert isinstance(claim(engine, BETA), Refused)
    assert renew(engine, ALPHA, 1) == {NUMBER: 1}


def test_another_life_of_the_same_host_waits_for_the_lease_as_anybody_else(engine: Engine) -> None:
    claim(engine, ALPHA, lease=30)
    assert isinstance(claim(engine, Holder("alpha", "a2")), Refused)


def test_a_lease_that_ran_out_is_taken_by_whoever_was_steady(engine: Engine) -> None:
    claim(engine, ALPHA)
    time.sleep(LEASE + 0.1)
    # Who has not renewed for a full lease cannot know whether the owner was away or only the database.
    assert isinstance(claim(engine, BETA, steady=False), Refused)
    assert claim(engine, BETA) == Claim(NUMBER, 2, "alpha")


def test_the_last_owner_need_not_be_steady_to_take_its_own_back(engine: Engine) -> None:
    claim(engine, ALPHA)
    time.sleep(LEASE + 0.1)
    assert claim(engine, Holder("alpha", "a2"), steady=False) == Claim(NUMBER, 2, "alpha")


def test_a_renewed_claim_outlives_its_first_lease(engine: Engine) -> None:
    claim(engine, ALPHA)
    for _ in range(4):
        time.sleep(LEASE / 2)
        assert renew(engine, ALPHA, 1) == {NUMBER: 1}
    assert isinstance(claim(engine, BETA), Refused)


def test_a_renewal_after_somebody_else_claimed_changes_nothing_and_says_so(engine: Engine) -> None:
    claim(engine, ALPHA)
    time.sleep(LEASE + 0.1)
    claim(engine, BETA, lease=30)
    assert renew(engine, ALPHA, 1) == {}
    assert not release(engine, ALPHA, 1)
    assert renew(engine, BETA, 2) == {NUMBER: 2}


def test_a_released_claim_cannot_be_renewed_back(engine: Engine) -> None:
    claim(engine, ALPHA)
    assert release(engine, ALPHA, 1)
    assert renew(engine, ALPHA, 1) == {}
    assert not release(engine, ALPHA, 1)


def test_only_the_newest_epoch_writes(engine: Engine) -> None:
    claim(engine, ALPHA)
    time.sleep(LEASE + 0.1)
    claim(engine, BETA, lease=30)
    change = update(FleetNumberRow).where(FleetNumberRow.number == NUMBER).values(problem="written")
    made = insert(FleetBackupRow).values(number=NUMBER, name="backup-1", epoch=1, host="alpha", created_at=1.0)
    with Session(engine) as session, session.begin():
        # A host that was frozen and woke up does not know yet.
        assert claims.execute_guarded(session, change, NUMBER, 1, ALPHA) == 0
        assert not claims.insert_guarded(session, made, NUMBER, 1, ALPHA)
        # Nor does anybody with the right epoch under another name.
        assert claims.execute_guarded(session, change, NUMBER, 2, ALPHA) == 0
    with Session(engine) as session, session.begin():
        assert session.scalars(select(FleetNumberRow.problem)).one() is None
        assert session.scalars(select(FleetBackupRow)).all() == []
        assert claims.execute_guarded(session, change, NUMBER, 2, BETA) == 1
        assert session.scalars(select(AccountRow)).all() == []


def test_of_many_that_claim_at_once_one_gets_it(engine: Engine) -> None:
    got: list[Claim | Refused] = []
    start = threading.Barrier(8)

    def try_it(at: int) -> None:
        start.wait()
        got.append(claim(engine, Holder(f"host-{at}", "1"), lease=30))

    threads = [threading.Thread(target=try_it, args=(at,)) for at in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert Counter(type(one) for one in got) == {Claim: 1, Refused: 7}


def test_a_claim_waits_for_a_guarded_write_and_a_later_one_sees_it(postgres: Engine) -> None:
    registered(postgres)
    claim(postgres, ALPHA)
    time.sleep(LEASE + 0.1)
    with Session(postgres) as writing, writing.begin():
        assert claims.holds(writing, NUMBER, 1, ALPHA)
        taken: list[Claim | Refused] = []
        other = threading.Thread(target=lambda: taken.append(claim(postgres, BETA, lease=30)))
        other.start()
        other.join(0.3)
        # The write under the old epoch is still open, so nobody has the next one.
        assert taken == []
    other.join(5)
    assert taken == [Claim(NUMBER, 2, "alpha")]


@pytest.mark.parametrize("seed", range(5))
def test_no_walk_of_claims_renewals_and_releases_gives_two_holders(engine: Engine, seed: int) -> None:
    chance = random.Random(seed)
    holders = [Holder(name, life) for name in ("alpha", "beta", "gamma") for life in ("1", "2")]
    believed: dict[Holder, tuple[int, float]] = {}
    lease = 0.05
    epochs = [0]
    for _ in range(60):
        holder = chance.choice(holders)
        asked_at = time.monotonic()
        what = chance.random()
        if what < 0.5:
            got = claim(engine, holder, steady=chance.random() < 0.7, lease=lease)
            if isinstance(got, Claim):
                epochs.append(got.epoch)
                others = {one for one, (_, until) in believed.items() if until > time.monotonic() and one != holder}
                assert not others, (seed, holder, others)
                believed[holder] = (got.epoch, asked_at + lease)
        elif holder in believed and what < 0.8:
            epoch, _ = believed[holder]
            if renew(engine, holder, epoch, lease):
                believed[holder] = (epoch, asked_at + lease)
            else:
                del believed[holder]
        elif holder in believed:
            epoch, _ = believed.pop(holder)
            release(engine, holder, epoch)
        if chance.random() < 0.3:
            time.sleep(chance.random() * lease)
    assert epochs == sorted(set(epochs))


def test_a_database_that_is_away_is_an_error_and_no_answer(postgres_url: str) -> None:
    from linda_cli.server.db.engine import open_engine

    away = open_engine(postgres_url.replace("/tmp/", "/tmp/nowhere-"))
    with pytest.raises(OperationalError):
        claim(away, ALPHA)
