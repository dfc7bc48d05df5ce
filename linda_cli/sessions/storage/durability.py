"""Making what a browser has written durable: Chromium itself fsyncs a SQLite store only at a checkpoint.

Measured: ten commits made no fsync, so a power cut may take all of them (docs/chromium.md). An fsync of the database
and its ``-wal`` from outside is as good as Chromium's own, and takes no lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from linda_cli.sessions.durable import open_regular, sync_folder


def sync_files(profile: Path, paths: Iterable[str]) -> None:
    """fsync these files of the profile, then the folders that name them. One that is gone meanwhile is passed over:
    the browser has put something newer in its place. Raises ``OSError`` where the disk refuses."""
    folders = set()
    for path in paths:
        try:
            handle = open_regular(profile / path)
        except FileNotFoundError:
            continue
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        folders.add((profile / path).parent)
    for folder in sorted(folders):
        try:
            sync_folder(folder)
        except FileNotFoundError:
            continue
