"""In which format Chromium keeps what a page stores: the store finds it out, the browser is started by it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SQLITE_SINCE = 156
"""The first Chromium measured to keep SQLite stores. Whether an older one would is not known: it is not tried."""


class StorageFormat(Enum):
    """How one of the two stores lies on disk."""

    ABSENT = "absent"
    """Nothing is there yet; Chromium chooses."""
    LEVELDB = "LevelDB"
    SQLITE = "SQLite"
    UNKNOWN = "unknown"
    """Something is there that this linda cannot read."""


@dataclass(frozen=True, slots=True)
class StorageFormats:
    """The format of each store of one profile. Chromium moves each on its own, so all four combinations occur."""

    indexed_db: StorageFormat = StorageFormat.ABSENT
    local_storage: StorageFormat = StorageFormat.ABSENT

    @property
    def any_sqlite(self) -> bool:
        """Whether a browser that knows nothing of SQLite would lose something here."""
        return StorageFormat.SQLITE in (self.indexed_db, self.local_storage)


NO_STORES = StorageFormats()
"""A profile in which no page has stored anything."""
