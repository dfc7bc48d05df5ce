"""What linda mends before a start without touching the login. What is taken out goes aside, not away."""

from __future__ import annotations

import contextlib
import shutil

from linda_cli.lifecycle.run import Run
from linda_cli.sessions.checks import Look
from linda_cli.sessions.repairs import carry_out

_SINGLETONS = ("SingletonLock", "SingletonSocket", "SingletonCookie")


def mend(run: Run, seen: Look) -> None:
    """Mend what the checks found repairable, and tell each piece. No browser is on the profile, and ours is the run."""
    if seen.repairs and run.number is not None:
        # A backup made at this moment would copy half of it; and a disk that refuses is named as everywhere.
        with run.store.store_lock(run.number):
            done = [repair for repair in seen.repairs if carry_out(run.profile, repair)]
        for repair in done:
            run.tell("repaired", what=repair.what)
    if run.store.world.around(run.profile).stale_lock:
        for name in _SINGLETONS:
            (run.profile / name).unlink(missing_ok=True)
        run.tell("repaired", what="the lock of a browser that is gone was removed")
    _drop_old_tabs(run)


def drop_service_worker(run: Run) -> bool:
    """Remove a stale service worker, which can serve an old page again after a restore. False: there was none."""
    folder = run.profile / "Default" / "Service Worker"
    if not folder.is_dir() or folder.is_symlink():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    run.tell("repaired", what="a stale service worker was removed")
    return True


def _drop_old_tabs(run: Run) -> None:
    """A restored tab can open a second WhatsApp Web, which starves the driven one. Tabs are no part of a login."""
    for name in ("Sessions", "Sessions_Encrypted"):
        folder = run.profile / "Default" / name
        if folder.is_dir() and not folder.is_symlink():
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
