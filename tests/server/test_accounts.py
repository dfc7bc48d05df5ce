"""Accounts in a database: the same on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from linda_cli.errors import DatabaseTooNew, Failed, LindaError, Misused, SessionNotFound
from linda_cli.lifecycle.events import event
from linda_cli.server.account_state import columns
from linda_cli.server.accounts import Accounts
from linda_cli.server.db.engine import NEWEST, connect, migrations
from linda_cli.server.db.gateway import Database
from linda_cli.server.db.models import Base
from linda_cli.server.db.writer import AccountWriter
from linda_cli.sessions.home import Home
from tests.linda import NUMBER

OTHER, THIRD = "971505760057", "971505760058"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", tmp_path / "home" / "sessions")
    home.make()
    return home


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, home: Home) -> Iterator[Engine]:
    """An empty database of each kind, brought up to date."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    engine = connect(url, home)
    yield engine
    with engine.begin() as connection:
        for table in ("accounts", "webhooks", "webhook_deliveries", "revocations", "used_links"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()


@dataclass
class Kept:
    """Accounts of one home, and what they are kept with."""

    accounts: Accounts
    database: Database
    writer: AccountWriter
    said: list[str]

    def close(self) -> None:
        self.writer.close(5)
        self.database.close()


Make = Callable[[str], Kept]


@pytest.fixture
def make(engine: Engine) -> Iterator[Make]:
    """Accounts as a server of the home of this name has them."""
    made: list[Kept] = []

    def build(home: str) -> Kept:
        said: list[str] = []
        database, writer = Database(engine, said.append), AccountWriter(engine, home, said.append, retry=0.05)
        kept = Kept(Accounts(database, writer, home), database, writer, said)
        kept.accounts.load()
        made.append(kept)
        return kept

    yield build
    for one in made:
        one.close()


@pytest.fixture
def kept(make: Make) -> Kept:
    return make("home")


@pytest.fixture
def accounts(kept: Kept) -> Accounts:
    return kept.accounts


def test_an_account_is_active_and_not_valid_before_it_was_ever_up(accounts: Accounts) -> None:
    made = accounts.add(NUMBER, "alice")
    assert accounts.get(NUMBER) == made
    assert (made.status, made.session_data.session_valid, made.session_data.auth_state) == ("active", False, "new")
    assert made.session_data.last_connected is None
    assert made.created_at == made.updated_at
    assert made.created_at.endswith("Z")


def test_a_user_has_several_accounts_and_sees_no_others(accounts: Accounts) -> None:
    accounts.add(OTHER, "alice")
    accounts.add(NUMBER, "alice")
    accounts.add(THIRD, "bob")
    assert [one.client_id for one in accounts.all("alice")] == [NUMBER, OTHER]
    assert [one.client_id for one in accounts.all()] == [NUMBER, OTHER, THIRD]
    assert accounts.owner_of(THIRD) == "bob"
    assert accounts.owner_of("971500000000") is None


def test_two_homes_on_one_database_touch_no_row_of_each_other(make: Make) -> None:
    first, second = make("first"), make("second")
    first.accounts.add(NUMBER, "alice", linked=True)
    second.accounts.load()
    assert second.accounts.all() == []
    # The same number may be linked in both, as in a real home and its sandbox.
    second.accounts.add(NUMBER, "bob")
    second.accounts.change(NUMBER, {"status": "disconnected", "session_valid": False})
    assert second.writer.flush(5)
    second.accounts.remove(NUMBER)
    first.accounts.load()
    there = first.accounts.get(NUMBER)
    assert (there.owner, there.status, there.session_data.session_valid) == ("alice", "active", True)


def test_those_to_restore_come_most_recently_connected_first(accounts: Accounts) -> None:
    now = datetime.now(UTC)
    for number, ago, valid in ((NUMBER, 60, True), (OTHER, 5, True), (THIRD, 1, False), ("971505760059", None, True)):
        accounts.add(number, "alice")
        connected = now - timedelta(seconds=ago) if ago is not None else None
        accounts.change(number, {"session_valid": valid, "last_connected": connected})
    assert [one.client_id for one in accounts.valid()] == [OTHER, NUMBER, "971505760059"]


def test_a_moment_comes_back_as_it_was_written(accounts: Accounts) -> None:
    accounts.add(NUMBER, "alice")
    accounts.change(NUMBER, {"last_connected": datetime(2026, 1, 20, 10, 30, 45, 123000, UTC)})
    assert accounts.get(NUMBER).session_data.last_connected == "2026-01-20T10:30:45.123Z"


def test_what_is_removed_is_not_found(accounts: Accounts) -> None:
    accounts.add(NUMBER, "alice")
    accounts.remove(NUMBER)
    with pytest.raises(SessionNotFound):
        accounts.get(NUMBER)
    assert accounts.owner_of(NUMBER) is None
    accounts.change(NUMBER, {"status": "ready"})
    assert accounts.all() == []


def hear(kept: Kept, name: str, number: str, facts: dict[str, Any]) -> None:
    kept.accounts.change(number, columns(event(name, number, facts)))


def test_events_are_written_as_they_come_and_a_logout_makes_the_session_invalid(kept: Kept, make: Make) -> None:
    kept.accounts.add(NUMBER, "alice")
    seen = []
    for name, facts in (
        ("qr", {"qr": "2@", "expiresIn": 60}),
        ("authenticated", {}),
        ("ready", {"isRestored": False}),
        ("disconnected", {"reason": "offline"}),
        ("reconnected", {"via": "page"}),
        ("logged_out", {"reason": "by the phone"}),
    ):
        hear(kept, name, NUMBER, facts)
        assert kept.writer.flush(5)
        now = make("home").accounts.get(NUMBER)
        data = now.session_data
        assert kept.accounts.get(NUMBER).session_data == data, "memory and database say the same"
        seen.append((now.status, data.auth_state, data.is_authenticated, data.session_valid))
    assert seen == [
        ("authenticating", "qr", False, False),
        ("authenticating", "authenticated", True, False),
        ("ready", "ready", True, True),
        ("disconnected", "disconnected", True, True),
        ("ready", "ready", True, True),
        ("disconnected", "logged_out", False, False),
    ]
    assert now.session_data.last_connected is not None
    assert kept.said == []


def test_a_failed_restoration_leaves_a_login_valid_that_is_only_out_of_reach(kept: Kept) -> None:
    for number, name in ((NUMBER, "Unreachable"), (OTHER, "ProfileDamaged")):
        kept.accounts.add(number, "alice", linked=True)
        hear(kept, "session_restoration_failed", number, {"reason": "...", "name": name})
        assert kept.accounts.get(number).status == "disconnected"
    assert kept.accounts.get(NUMBER).session_data.session_valid
    assert not kept.accounts.get(OTHER).session_data.session_valid


def test_what_could_not_be_written_is_written_once_the_database_is_back(kept: Kept, engine: Engine, make: Make) -> None:
    kept.accounts.add(NUMBER, "alice")
    kept.accounts.add(OTHER, "alice")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE accounts RENAME TO away"))
    try:
        hear(kept, "ready", NUMBER, {})
        hear(kept, "disconnected", OTHER, {"reason": "offline"})
        assert not kept.writer.flush(0.3)
        assert kept.writer.waiting == 2
        # Nobody waits for it: what is known is answered all the same.
        assert kept.accounts.get(NUMBER).status == "ready"
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO accounts"))
    assert kept.writer.flush(5)
    again = make("home").accounts
    assert (again.get(NUMBER).status, again.get(OTHER).status) == ("ready", "disconnected")
    assert ["does not take" in one for one in kept.said] == [True, False]


def test_the_migrations_make_just_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_newest_migration_is_known_without_asking_alembic_for_it(engine: Engine) -> None:
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == NEWEST


def test_accounts_of_an_older_linda_are_taken_over_by_the_home_that_has_their_sessions(
    engine: Engine, make: Make
) -> None:
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        for number in (NUMBER, OTHER):
            connection.execute(
                text(
                    "INSERT INTO accounts (number, owner, status, is_authenticated, auth_state, session_valid, "
                    "created_at, updated_at) VALUES (:number, 'alice', 'ready', :yes, 'ready', :yes, :now, :now)"
                ),
                {"number": number, "yes": True, "now": datetime(2026, 1, 20, tzinfo=UTC)},
            )
        command.upgrade(config, "head")
    kept = make("home")
    assert kept.accounts.all() == []
    assert kept.accounts.claim([NUMBER], all_of_them=False) == [(NUMBER, "alice", True)]
    kept.accounts.load()
    assert [one.client_id for one in kept.accounts.all()] == [NUMBER]
    assert make("another").accounts.claim([], all_of_them=True) == [(OTHER, "alice", True)]


def test_a_newer_database_is_named_or_used_where_its_change_allows_it(engine: Engine, home: Home) -> None:
    url = engine.url.render_as_string(hide_password=False) if engine.dialect.name == "postgresql" else None
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    try:
        # It only added to what is there: this linda keeps working beside the newer one.
        connect(url, home).dispose()
        with engine.begin() as connection:
            connection.execute(text("UPDATE linda_compatibility SET oldest = '0009'"))
        with pytest.raises(DatabaseTooNew) as refused:
            connect(url, home)
        assert "0009" in refused.value.message
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{NEWEST}'"))
            connection.execute(text("UPDATE linda_compatibility SET oldest = '0002'"))


def test_migrations_go_down_and_up_again(engine: Engine) -> None:
    for step, there in (("0001", True), ("head", True), ("base", False), ("head", True)):
        with engine.begin() as connection:
            config = migrations()
            config.attributes["connection"] = connection
            (command.upgrade if step == "head" else command.downgrade)(config, step)
        assert inspect(engine).has_table("accounts") is there


def test_the_database_of_a_home_is_for_its_owner_alone(home: Home) -> None:
    before = os.umask(0)
    try:
        engine = connect(None, home)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM accounts"))
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in home.root.glob("linda.db*")}
        engine.dispose()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert "linda.db" in modes


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("nonsense", Misused),
        ("nosuchdatabase://host/name", Misused),
        ("postgresql://linda:geheim@127.0.0.1:1/linda", Failed),
        ("sqlite:////nowhere/at/all.db", Failed),
    ],
)
def test_a_database_that_is_none_or_away_is_named_without_its_password(
    home: Home, url: str, kind: type[LindaError]
) -> None:
    with pytest.raises(kind) as refused:
        connect(url, home)
    assert "geheim" not in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.hint
