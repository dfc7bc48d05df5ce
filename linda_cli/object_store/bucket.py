"""The object store itself: bounded reads, named errors, every wait with an end."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from linda_cli.errors import ObjectStoreUnavailable
from linda_cli.sessions import together

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MOST_OBJECTS = 200_000
"""Of one session: more was not written by linda."""

CONNECT = "5s"
REQUEST = "60s"
RETRIES = 3
RETRIED_FOR = 15.0
"""Seconds. A store that is away is asked again by whoever needs it, later."""

_REFUSED = re.compile(r"non-2xx status code: 40[13]\b")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Stored:
    """One object. ``modified``: by the store's clock, in seconds since 1970."""

    name: str
    size: int
    modified: float


class Bucket:
    """One object store. All names are below its URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store = self._asked(lambda: _open(url))

    def objects(self, prefix: str) -> list[Stored]:
        """Every object below ``prefix``. Raises ``ObjectStoreUnavailable``."""
        import obstore

        def listed() -> list[Stored]:
            found: list[Stored] = []
            for part in obstore.list(self._store, prefix):
                found += [Stored(one["path"], one["size"], one["last_modified"].timestamp()) for one in part]
                if len(found) > MOST_OBJECTS:
                    raise ObjectStoreUnavailable(
                        f"{self.url} has more than {MOST_OBJECTS} objects where a session has some hundreds",
                        "linda config --changed",
                    )
            return found

        return self._asked(listed)

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders right below ``prefix``, sorted."""
        import obstore

        def listed() -> list[str]:
            found = obstore.list_with_delimiter(self._store, f"{prefix}/")["common_prefixes"]
            return sorted(one.rstrip("/").rsplit("/", 1)[-1] for one in found)[:MOST_OBJECTS]

        return self._asked(listed)

    def get(self, name: str, most: int) -> bytes | None:
        """An object's bytes, None where there is none, or where it is larger than ``most``."""
        import obstore

        def got() -> bytes | None:
            found = obstore.get(self._store, name)
            return bytes(found.bytes()) if found.meta["size"] <= most else None

        try:
            return self._asked(got)
        except FileNotFoundError:
            return None

    def put(self, name: str, data: bytes) -> None:
        """Write an object; there is none, or all of it. Raises ``ObjectStoreUnavailable``."""
        import obstore

        self._asked(lambda: obstore.put(self._store, name, data, use_multipart=False))

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; one that is gone already is no failure."""
        import obstore

        def gone(name: str) -> None:
            try:
                self._asked(lambda: obstore.delete(self._store, name))
            except FileNotFoundError:
                return

        together.each(gone, names)

    def _asked(self, ask: Callable[[], _T]) -> _T:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            return ask()
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as problem:
            # A listing that was refused has no class of its own.
            refused = isinstance(problem, PermissionDeniedError | UnauthenticatedError)
            if refused or _REFUSED.search(str(problem)):
                raise ObjectStoreUnavailable(
                    f"{self.url} refuses these credentials: {_first_line(problem)}",
                    "env | grep -oE '^(AWS|GOOGLE|AZURE)_[A-Z_]*'",
                ) from problem
            raise ObjectStoreUnavailable(
                f"{self.url} cannot be used: {_first_line(problem)}", "linda config --changed"
            ) from problem


def _open(url: str) -> ObjectStore:
    from obstore.store import LocalStore, from_url

    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalStore.from_url(url)
    options: dict[str, Any] = {
        "client_options": {"timeout": REQUEST, "connect_timeout": CONNECT, "allow_http": _plain_http(os.environ)},
        "retry_config": {"max_retries": RETRIES, "retry_timeout": datetime.timedelta(seconds=RETRIED_FOR)},
    }
    opened: ObjectStore = from_url(url, **options)
    return opened


def _plain_http(environ: os._Environ[str]) -> bool:
    """Whether the store may be reached without TLS: on this machine, or where somebody says so."""
    if (environ.get("AWS_ALLOW_HTTP") or "").lower() in ("1", "true", "yes"):
        return True
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT")
    return bool(endpoint) and urlsplit(str(endpoint)).hostname in ("127.0.0.1", "localhost", "::1")


def _first_line(problem: BaseException) -> str:
    """What went wrong, without the library's debug output. It has the URL of a request, and no credentials."""
    return " ".join(str(problem).split("Debug source:")[0].split())[:300]
