"""The clock of the fence: seconds since the machine was booted, those in which it was suspended too."""

from __future__ import annotations

import time


def boot_clock() -> float:
    """``CLOCK_BOOTTIME``: no step of the wall clock moves it, and a suspended machine finds it moved on.

    A virtual machine that its host has paused may find it standing still: docs/fleet.md says what follows.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
