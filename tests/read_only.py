"""A tree that nobody may change, root included."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest


class read_only:  # noqa: N801 - reads as a sentence
    """Make a tree read-only; as root by the immutable flag, which even root has to take away first."""

    _GET, _SET, _IMMUTABLE = 0x80086601, 0x40086602, 0x10

    def __init__(self, folder: Path) -> None:
        self.folders = [folder, *(one for one in folder.rglob("*") if one.is_dir() and not one.is_symlink())]

    def __enter__(self) -> None:
        self.change(True)

    def __exit__(self, *_: object) -> None:
        self.change(False)

    def change(self, lock: bool) -> None:
        for folder in self.folders if lock else reversed(self.folders):
            if os.geteuid():
                folder.chmod(0o500 if lock else 0o700)
                continue
            handle = os.open(folder, os.O_RDONLY)
            try:
                flags = bytearray(8)
                fcntl.ioctl(handle, self._GET, flags)
                flags[0] = (flags[0] | self._IMMUTABLE) if lock else (flags[0] & ~self._IMMUTABLE)
                fcntl.ioctl(handle, self._SET, bytes(flags))
            except OSError:
                pytest.skip("this filesystem has no immutable flag")
            finally:
                os.close(handle)
