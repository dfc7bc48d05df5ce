"""Accounts in a database: the same on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from linda_cli.errors import Failed, InUse, LindaError, Misused, SessionNotFound
from linda_cli.lifecycle.events import event
from linda_cli.server.accounts import Accounts
from linda_cli.server.database import NEWEST, connect, migrations
from linda_cli.server.models import Base
from linda_cli.server.recorder import Recorder
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
        for table in ("accounts", "webhooks"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()


@pytest.fixture
def accounts(engine: Engine) -> Accounts:
    return Accounts(engine)


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


def test_a_number_belongs_to_one_owner_and_adding_it_again_changes_nothing(accounts: Accounts) -> None:
    made = accounts.add(NUMBER, "alice")
    accounts.change(NUMBER, {"status": "ready"})
    again = accounts.add(NUMBER, "alice")
    assert (again.status, again.created_at) == ("ready", made.created_at)
    with pytest.raises(InUse) as refused:
        accounts.add(NUMBER, "bob")
    assert "alice" not in refused.value.message


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
    accounts.owner_of(NUMBER)
    accounts.remove(NUMBER)
    with pytest.raises(SessionNotFound):
        accounts.get(NUMBER)
    assert accounts.owner_of(NUMBER) is None
    accounts.change(NUMBER, {"status": "ready"})
    assert accounts.all() == []


def test_events_are_written_as_they_come_and_a_logout_makes_the_session_invalid(accounts: Accounts) -> None:
    troubles: list[str] = []
    recorder = Recorder(accounts, troubles.append)
    accounts.add(NUMBER, "alice")
    seen = []
    for name, facts in (
        ("qr", {"qr": "2@", "expiresIn": 60}),
        ("authenticated", {}),
        ("ready", {"isRestored": False}),
        ("disconnected", {"reason": "offline"}),
        ("reconnected", {"via": "page"}),
        ("logged_out", {"reason": "by the phone"}),
    ):
        recorder(event(name, NUMBER, facts))
        now = accounts.get(NUMBER)
        data = now.session_data
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
    assert troubles == []


def test_a_failed_restoration_leaves_a_login_valid_that_is_only_out_of_reach(accounts: Accounts) -> None:
    recorder = Recorder(accounts, lambda _: None)
    for number, name in ((NUMBER, "Unreachable"), (OTHER, "ProfileDamaged")):
        accounts.add(number, "alice", linked=True)
        recorder(event("session_restoration_failed", number, {"reason": "…", "name": name}))
        assert accounts.get(number).status == "disconnected"
    assert accounts.get(NUMBER).session_data.session_valid
    assert not accounts.get(OTHER).session_data.session_valid


def test_what_could_not_be_written_is_written_with_the_next_event(home: Home) -> None:
    engine = connect(None, home)
    accounts = Accounts(engine)
    troubles: list[str] = []
    recorder = Recorder(accounts, troubles.append)
    accounts.add(NUMBER, "alice")
    accounts.add(OTHER, "alice")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE accounts RENAME TO away"))
    recorder(event("ready", NUMBER, {}))
    assert len(troubles) == 1
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO accounts"))
    recorder(event("disconnected", OTHER, {"reason": "offline"}))
    assert accounts.get(NUMBER).status == "ready"
    assert accounts.get(OTHER).status == "disconnected"
    engine.dispose()


def test_the_migrations_make_just_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_newest_migration_is_known_without_asking_alembic_for_it(engine: Engine) -> None:
    assert ScriptDirectory.from_config(migrations()).get_heads() == [NEWEST]
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == NEWEST


def test_migrations_go_down_and_up_again(engine: Engine) -> None:
    for step, there in (("base", False), ("head", True)):
        with engine.begin() as connection:
            config = migrations()
            config.attributes["connection"] = connection
            (command.upgrade if there else command.downgrade)(config, step)
        assert inspect(engine).has_table("accounts") is there


def test_the_database_of_a_home_is_for_its_owner_alone(home: Home) -> None:
    before = os.umask(0)
    try:
        engine = connect(None, home)
        Accounts(engine).add(NUMBER, "alice")
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
