"""Claims on numbers: statements only, each run in somebody else's transaction.

A claim is one UPDATE. It succeeds only where the owner before has released the number or its lease is over by the
database's clock, and it raises the epoch. So whatever Temporal, a person or a second server does, two hosts never hold
one number. Every later write that matters is ``guarded``: it happens only while the claim's epoch is the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, and_, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Delete, Insert, Update

from linda_cli.fleet.database_clock import database_now
from linda_cli.server.db.models import FleetNumberRow as Row

LEASE = 30.0
"""Seconds that a claim lasts without being renewed."""
RENEW_EVERY = 5.0
MARGIN = 5.0
"""Seconds before the end of its lease at which a host ends its browsers: they must be gone when the lease is over."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds claims: a host, and which of its lives. A restarted host is another incarnation."""

    host: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A number that is ours. ``previous_host``: who had it before, ``""`` for nobody."""

    number: str
    epoch: int
    previous_host: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody else has it: their host, and for how many seconds at least."""

    number: str
    host: str
    seconds: float


def register(session: Session, number: str, *, is_linked: bool, host: str = "") -> None:
    """Make a number known to the fleet. ``host``: where its login is. One that is known stays as it is."""
    values = {
        "number": number, "wanted": "stopped", "is_linked": is_linked, "epoch": 0, "host": host, "incarnation": "",
        "lease_until": 0.0,
    }  # fmt: skip
    if session.get(Row, number) is None:
        try:
            with session.begin_nested():
                session.execute(insert(Row).values(values))
        except IntegrityError:
            return  # another member has registered it in this moment


def claim(session: Session, number: str, holder: Holder, *, steady: bool, lease: float = LEASE) -> Claim | Refused:
    """Take a number, or say who has it.

    ``steady``: this host has renewed its own claims for one full lease. Without that it takes what was released, and
    what was its own last, but not what another host's lease has run out on: when the database comes back after minutes
    nobody can know whether the owner was away or only the database, and the last owner comes first.
    """
    there = session.execute(select(Row.host).where(Row.number == number)).scalar_one_or_none()
    run_out = Row.lease_until < database_now()
    free = or_(
        Row.lease_until == 0.0,
        run_out if steady else and_(run_out, Row.host == holder.host),
        # A fence that has ended its browsers at the deadline may take them again at once: its own lease runs on.
        and_(Row.host == holder.host, Row.incarnation == holder.incarnation),
    )
    taken = session.execute(
        update(Row)
        .where(Row.number == number, free)
        .values(
            epoch=Row.epoch + 1, host=holder.host, incarnation=holder.incarnation,
            lease_until=database_now() + lease, problem=None,
        )
        .returning(Row.epoch)
    ).scalar_one_or_none()  # fmt: skip
    if taken is not None:
        return Claim(number, taken, there or "")
    row = session.execute(select(Row.host, Row.lease_until - database_now()).where(Row.number == number)).first()
    return Refused(number, row[0] if row else "", max(0.0, float(row[1])) if row else 0.0)


def renew(session: Session, claims: Iterable[tuple[str, int]], holder: Holder, lease: float = LEASE) -> dict[str, int]:
    """Renew these (number, epoch); gives those that still are ours. One that is missing was lost."""
    asked = dict(claims)
    if not asked:
        return {}
    renewed = session.execute(
        update(Row)
        .where(Row.number.in_(asked), *_held_by(holder))
        .values(lease_until=database_now() + lease)
        .returning(Row.number, Row.epoch)
    ).all()
    return {number: epoch for number, epoch in renewed if asked[number] == epoch}


def release(session: Session, number: str, epoch: int, holder: Holder) -> bool:
    """Let a number go: from now on anybody may claim it. False where it was not ours any more."""
    done: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(Row)
        .where(Row.number == number, Row.epoch == epoch, *_held_by(holder))
        .values(lease_until=0.0)
    )  # fmt: skip
    return done.rowcount == 1


def holds(session: Session, number: str, epoch: int, holder: Holder) -> bool:
    """Whether the claim is the newest, and stays so to the end of this transaction: its row is locked for that."""
    found = session.execute(
        select(Row.epoch).where(Row.number == number, Row.epoch == epoch, *_held_by(holder)).with_for_update(read=True)
    )
    return found.first() is not None


def execute_guarded(session: Session, statement: Update | Delete, number: str, epoch: int, holder: Holder) -> int:
    """Run a write only where the claim is the newest. Gives the rows it changed; 0 says also that it was not ours.

    The row is locked first, since PostgreSQL would else let a claim come between the look and the write; the condition
    in the statement itself is what SQLite needs, whose SELECT locks nothing.
    """
    if not holds(session, number, epoch, holder):
        return 0
    newest = exists().where(Row.number == number, Row.epoch == epoch, *_held_by(holder))
    done: CursorResult[Any] = session.execute(statement.where(newest))  # type: ignore[assignment]
    return done.rowcount


def insert_guarded(session: Session, statement: Insert, number: str, epoch: int, holder: Holder) -> bool:
    """The same for a new row."""
    if not holds(session, number, epoch, holder):
        return False
    session.execute(statement)
    return True


def _held_by(holder: Holder) -> tuple[Any, ...]:
    return (Row.host == holder.host, Row.incarnation == holder.incarnation, Row.lease_until > 0.0)


def rows(session: Session) -> list[Mapping[str, Any]]:
    """Every number of the fleet, with ``lease_left``: seconds by the database's clock, negative once over."""
    columns = Row.__table__.columns
    found = session.execute(select(*columns, (Row.lease_until - database_now()).label("lease_left")))
    return [dict(one._mapping) for one in found]
