"""The tables. What is here and not in ``migrations/`` is found by a test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Dialect, Float, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """A moment in UTC: SQLite forgets the zone, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """SQLite returns times without a zone; they are UTC."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """What Alembic compares with."""


class AccountRow(Base):
    """One WhatsApp number in one home, and whose it is. ``home`` is the id of the home: several servers may share a
    database, and each touches its own rows only. ``removing``: asked to be removed and not gone yet.
    ``proxy``: a URL with its password, for the browser and nobody else."""

    __tablename__ = "accounts"

    home: Mapped[str] = mapped_column(String(32), primary_key=True, server_default="")
    number: Mapped[str] = mapped_column(String(15), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200), index=True)
    label: Mapped[str | None] = mapped_column(String(200))
    proxy: Mapped[str | None] = mapped_column(String(2000))
    status: Mapped[str] = mapped_column(String(20))
    is_authenticated: Mapped[bool] = mapped_column(Boolean)
    last_connected: Mapped[datetime | None] = mapped_column(Moment)
    auth_state: Mapped[str] = mapped_column(String(40))
    session_valid: Mapped[bool] = mapped_column(Boolean)
    removing: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class WebhookRow(Base):
    """Where an owner wants to be told. ``events`` are names with a comma between; empty is all."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    secret: Mapped[str] = mapped_column(String(100))
    events: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column(Moment)


class DeliveryRow(Base):
    """An event that waits to be delivered to a webhook by the server of one home."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    home: Mapped[str] = mapped_column(String(32), index=True)
    webhook: Mapped[str] = mapped_column(String(32), index=True)
    event: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)


class RevocationRow(Base):
    """A token that is no longer good: ``kind`` ``token`` (by its id) or ``owner`` (all made before ``revoked_at``)."""

    __tablename__ = "revocations"

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    value: Mapped[str] = mapped_column(String(200), primary_key=True)
    revoked_at: Mapped[datetime] = mapped_column(Moment)


class UsedLinkRow(Base):
    """A one-time link that was used: the primary key is what makes it once."""

    __tablename__ = "used_links"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    used_at: Mapped[datetime] = mapped_column(Moment)


class FleetNumberRow(Base):
    """One number of a fleet: what is wanted of it, and who has it. Times are seconds of the database's own clock.

    ``wanted``: ``up`` or ``stopped``. ``link``: how to link where nothing is left to restore. ``target``: the host it
    is to move to. ``is_linked``: it was ready once, so a host without its login must not show a code. ``epoch`` grows
    with each claim and never shrinks; ``host`` and ``incarnation``: whose the newest claim is; ``lease_until``: until
    when, 0 once it was released. ``problem``: why it is not up."""

    __tablename__ = "fleet_numbers"

    number: Mapped[str] = mapped_column(String(15), primary_key=True)
    wanted: Mapped[str] = mapped_column(String(10))
    link: Mapped[str | None] = mapped_column(String(10))
    target: Mapped[str | None] = mapped_column(String(32))
    is_linked: Mapped[bool] = mapped_column(Boolean)
    epoch: Mapped[int] = mapped_column(Integer)
    host: Mapped[str] = mapped_column(String(32), index=True)
    incarnation: Mapped[str] = mapped_column(String(32))
    lease_until: Mapped[float] = mapped_column(Float)
    problem: Mapped[str | None] = mapped_column(String(200))


class FleetHostRow(Base):
    """One host of a fleet. ``url``: where the other members reach it. ``seen_at``: its last heartbeat by the database's
    clock. ``enclosure``: how its browsers are ended. ``oldest_upload``: since when a backup waits for the store."""

    __tablename__ = "fleet_hosts"

    host: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    incarnation: Mapped[str] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(String(500))
    version: Mapped[str] = mapped_column(String(40))
    capacity: Mapped[int] = mapped_column(Integer)
    is_draining: Mapped[bool] = mapped_column(Boolean)
    enclosure: Mapped[str] = mapped_column(String(20))
    oldest_upload: Mapped[float | None] = mapped_column(Float)
    seen_at: Mapped[float] = mapped_column(Float)


class FleetBackupRow(Base):
    """One backup in the object store, as the fleet knows it: written by the holder of ``epoch`` and nobody else."""

    __tablename__ = "fleet_backups"

    number: Mapped[str] = mapped_column(String(15), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer)
    host: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[float] = mapped_column(Float)


class CompatibilityRow(Base):
    """The oldest revision whose linda can work with this database."""

    __tablename__ = "linda_compatibility"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    oldest: Mapped[str] = mapped_column(String(32))


def row_values(row: Base) -> dict[str, Any]:
    """The columns of a row by name."""
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}
