"""How much room five backups take: on this filesystem, and on one where copies share their blocks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import linda_cli
from benchmarks.rows import Row
from benchmarks.scene import NUMBER, Scene
from chaos.homes import write_keys
from linda_cli.sessions.login_files import login_files


def rows(there: Scene) -> list[Row]:
    """A row for each filesystem that can be had."""
    made = [_row(there, there.home / "room", "hard links", 2.2)]
    with reflinks() as folder:
        if folder is not None:
            made.append(_row(there, folder / "room", "reflinks, XFS", 1.2))
    return made


def _row(there: Scene, root: Path, how: str, target: float) -> Row:
    store = home_with(there.profile, root / ".sandbox")
    empty = used(root)
    size = 0
    for index in range(5):
        write_keys(store.profile(NUMBER), note=f"a small change, the {index}.")
        made = store.backup(NUMBER)
        assert made.is_new
        size = made.backup.size
    assert len(store.home.stamped("backup", NUMBER)) == 5
    which = " of a login in SQLite" if there.trial else ""
    what = f"room that five backups{which} take, each after a small change ({how})"
    row = Row(what, "the bytes of one", target, (used(root) - empty) / 1e6, size / 1e6, "", "MB")
    print(
        f"{'met   ' if row.met else 'MISSED'} {row.ratio:5.2f} (at most {target}) {row.what} | {row.beside}", flush=True
    )
    return row


def home_with(profile: Path, home: Path) -> linda_cli.Store:
    """A home with a copy of this profile's login."""
    target = home / "sessions" / profile.name
    for name in login_files(profile):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(profile / name, target / name)
    return linda_cli.Store(home)


def used(folder: Path) -> int:
    """Bytes that are taken below a folder, or on its whole filesystem where that is ours alone: what two files share
    counts once."""
    if os.path.ismount(folder.parent):
        os.sync()
        status = os.statvfs(folder)
        return (status.f_blocks - status.f_bfree) * status.f_frsize
    seen = {}
    for path in folder.rglob("*"):
        found = path.lstat()
        seen[found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


@contextlib.contextmanager
def reflinks() -> Iterator[Path | None]:
    """A fresh filesystem whose copies share their blocks; None, and the reason said, where there can be none."""
    with tempfile.TemporaryDirectory(prefix="linda-bench-") as folder:
        image, place = Path(folder, "image"), Path(folder, "xfs")
        place.mkdir()
        with open(image, "wb") as file:
            file.truncate(1 << 30)
        try:
            subprocess.run(["mkfs.xfs", "-q", image], check=True, capture_output=True)
            subprocess.run(["mount", "-o", "loop", image, place], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as problem:
            print(f"no filesystem with reflinks ({problem}): its row is left out", flush=True)
            yield None
            return
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    from benchmarks.scene import scene

    with scene() as made:
        made.grow(40)
        rows(made)
