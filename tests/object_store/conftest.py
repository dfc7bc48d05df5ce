"""Object stores, keys and homes for the tests of backups that go there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chaos.homes import NUMBER, home_at, make_profile, make_sqlite_profile, store_of
from linda_cli.object_store.bucket import Bucket
from linda_cli.object_store.remote import RemoteBackups
from linda_cli.object_store.settings import RemoteSettings, new_key, public_keys
from linda_cli.sessions.store import Store
from tests.object_store import places
from tests.object_store.places import Place


@pytest.fixture(scope="session", params=["folder", "rclone", "moto"])
def _server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("store") / "served"
    with contextlib.ExitStack() as around:
        if request.param == "folder":
            folder.mkdir()
            yield Place("folder", folder.as_uri())
        elif request.param == "rclone":
            yield around.enter_context(places.rclone(folder))
        else:
            yield around.enter_context(places.moto(folder))


@pytest.fixture
def place(_server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty object store, of each kind."""
    for name, value in _server.environ.items():
        monkeypatch.setenv(name, value)
    own = replace(_server, url=f"{_server.url}/{tmp_path.name}")
    if own.name == "folder":
        Path(own.url.removeprefix("file://")).mkdir()
    return own


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    """An empty object store in a folder, where what is tested is no matter of the store."""
    (tmp_path / "away").mkdir()
    return Place("folder", (tmp_path / "away").as_uri())


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with a private key."""
    file = tmp_path / "linda-store.key"
    new_key(file)
    return file


@dataclass(frozen=True, slots=True)
class Side:
    """A home with its store and its object store."""

    store: Store
    remote: RemoteBackups

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.remote.settings.url)

    @property
    def profile(self) -> Path:
        return self.store.home.named_profile(NUMBER)

    def names(self) -> list[str]:
        """All objects of the object store."""
        return sorted(one.name for one in self.bucket.objects(""))


Machine = Callable[..., Side]


@pytest.fixture
def machine(tmp_path: Path, key: Path) -> Machine:
    """Make a machine with a home and the key of the store: ``machine("a", place)``."""

    def make(
        name: str, place: Place, *, linked: bool = False, sqlite: bool = False, identity: Path | None = key
    ) -> Side:
        home = home_at(tmp_path / name)
        store = store_of(home)
        if linked:
            home.make()
            (make_sqlite_profile if sqlite else make_profile)(home.named_profile(NUMBER))
        settings = RemoteSettings(place.url, public_keys(identity or key), identity)
        return Side(store, RemoteBackups(store, settings))

    return make
