"""What linda repairs before a start without touching the login. What is taken out goes to quarantine, not away."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from linda_cli.sessions.checks import Look
from linda_cli.sessions.repairs import carry_out
from linda_cli.sessions.store import Store

_SINGLETONS = ("SingletonLock", "SingletonSocket", "SingletonCookie")


def repair(store: Store, number: str, profile: Path, seen: Look) -> Iterator[str]:
    """Repair what the checks found repairable, a line for each piece. No browser is on the profile, and the run lock
    is held."""
    if seen.repairs:
        # A backup made at this moment would copy half of it; and a disk that refuses is named as everywhere.
        with store.store_lock(number):
            done = [one for one in seen.repairs if carry_out(profile, one)]
        yield from (one.what for one in done)
    if drop_stale_lock(store, profile):
        yield "the lock of a browser that is gone was removed"
    _drop_old_tabs(profile)


def drop_stale_lock(store: Store, profile: Path) -> bool:
    """Remove what says that a browser has the profile, where that browser is gone. False: there was nothing."""
    if not store.world.around(profile).stale_lock:
        return False
    for name in _SINGLETONS:
        (profile / name).unlink(missing_ok=True)
    return True


def drop_service_worker(profile: Path) -> bool:
    """Remove a stale service worker, which can serve an old page again after a restore. False: there was none."""
    folder = profile / "Default" / "Service Worker"
    if not folder.is_dir() or folder.is_symlink():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _drop_old_tabs(profile: Path) -> None:
    """A restored tab can open a second WhatsApp Web, which starves the driven one. Tabs are no part of a login."""
    for name in ("Sessions", "Sessions_Encrypted"):
        folder = profile / "Default" / name
        if folder.is_dir() and not folder.is_symlink():
            # What cannot be removed costs a second tab, which is closed when it opens.
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
