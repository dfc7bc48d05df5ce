"""Where Chromium keeps the two stores of the origin in a profile, in each format."""

from __future__ import annotations

from pathlib import PurePosixPath

from linda_cli.whatsapp.page import INDEXED_DB

LOCAL_LEVELDB = PurePosixPath("Default/Local Storage/leveldb")
LOCAL_SQLITE = PurePosixPath("Default/LocalStorage")
"""A file. ``-wal`` beside it belongs to it."""

IDB = PurePosixPath("Default/IndexedDB")
"""The IndexedDB of every origin."""
IDB_LEVELDB = IDB / f"{INDEXED_DB}.leveldb"
IDB_BLOBS = IDB / f"{INDEXED_DB}.blob"
"""Large values beside a LevelDB store; a SQLite store that was moved from LevelDB keeps its old ones there too."""
IDB_SQLITE = IDB / INDEXED_DB.removesuffix(".indexeddb")
"""A folder with a file for each database."""
