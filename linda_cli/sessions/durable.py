"""Writing that survives: whole or absent, and on the disk before it has its name."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from _thread import get_native_id
from pathlib import Path

# linux/fs.h: make the target share the source's blocks, on filesystems that can (btrfs, xfs, bcachefs).
_FICLONE = 0x40049409
# One buffer for all of a file, and so small that what was read is still near when it is hashed and written.
_CHUNK = 1 << 18
# Files that threads of this process are writing now: a pid does not tell one thread's from another's.
_at_work: set[Path] = set()


def make_folder(path: Path, *, durable: bool = True) -> None:
    """Make ``path`` and its parents for the owner alone, whatever the umask; an existing one is left as it is.

    ``durable`` False leaves it to whoever syncs the whole tree.
    """
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            # A umask can only take away, and here it has no say.
            folder.chmod(0o700)
            if durable:
                sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make the names in ``path`` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as problem:
        # Some network filesystems cannot sync a directory; there is nothing better to do there.
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace the file at ``path`` by ``data``, mode 0600: a reader sees the old bytes or the new ones.

    ``durable`` False is for what may be lost: after a power cut it may be empty or the old one.
    """
    fresh = fresh_name(path)
    _at_work.add(fresh)
    try:
        _write_aside(fresh, path, data, durable)
    finally:
        _at_work.discard(fresh)
    if durable:
        sync_folder(path.parent)


def fresh_name(path: Path) -> Path:
    """What the new ``path`` is called while this thread writes it; :func:`unfinished` knows it by that."""
    # From _thread: the rest of threading is more than a command that only looks should have to load.
    return path.with_name(f".{path.name}.{get_native_id()}.{os.getpid()}.new")


def _write_aside(fresh: Path, path: Path, data: bytes, durable: bool) -> None:
    # There is none, which is what is wanted.
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Held until it has its name: whoever tidies knows by that that the writer is alive.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(handle, 0o600)
        _write_all(handle, data)
        if durable:
            os.fsync(handle)
        fresh.replace(path)
    except BaseException:
        # The failure that is raised says more than one of tidying up after it.
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    finally:
        os.close(handle)


def unfinished(folder: Path, *names: str) -> list[Path]:
    """What writers of these files left that were killed before the file had its name; a live writer's is not told."""
    try:
        there = os.listdir(folder)
    except OSError:
        return []
    dead = []
    for one in there:
        if one.endswith(".new") and any(one.startswith(f".{name}.") for name in names) and not _lives(folder / one):
            # It was taken or removed meanwhile: no leftover of ours any more.
            with contextlib.suppress(OSError):
                handle = open_regular(folder / one)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    dead.append(folder / one)
                finally:
                    os.close(handle)
    return dead


def _lives(fresh: Path) -> bool:
    """Whether the process that a half-written file is named after is there still: between making the file and locking
    it, and between letting go of it and giving it its name, only this tells that it is at work."""
    pid = fresh.name.rsplit(".", 2)[-2]
    if not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return fresh in _at_work
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def open_regular(path: Path) -> int:
    """A read descriptor of a regular file that is no link; raises ``OSError`` for anything else.

    ``O_NONBLOCK`` so that a FIFO put in a file's place cannot make us wait for ever.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle


def hash_file(path: Path) -> tuple[int, str]:
    """(size, SHA-256) of what can be read of a regular file."""
    import hashlib

    digest = hashlib.sha256()
    size = 0
    buffer = memoryview(bytearray(_CHUNK))
    with os.fdopen(open_regular(path), "rb", buffering=0) as source:
        while count := source.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return size, digest.hexdigest()


def copy_hashed(source: Path, target: Path, *, durable: bool = False) -> tuple[int, str]:
    """Copy a regular file in one pass and give (size, SHA-256) of the very bytes that were written.

    Shares blocks where the filesystem can; the hash is then of the copy, which no writer of the source can change.
    ``durable``: its bytes are on the disk then; its name is for :func:`sync_folders`.
    """
    reading = open_regular(source)
    try:
        return copy_open(reading, target, durable=durable)
    finally:
        os.close(reading)


def copy_open(source: int, target: Path, most: int | None = None, *, durable: bool = False) -> tuple[int, str]:
    """The same for a file that is open, from its beginning; ``most``: only so many bytes of it."""
    import hashlib

    digest = hashlib.sha256()
    size = 0
    buffer = memoryview(bytearray(_CHUNK))
    writing = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(writing, 0o600)
        cloned = _clone(writing, source)
        if cloned and most is not None and os.fstat(writing).st_size > most:
            os.ftruncate(writing, most)
        left = most if most is not None else sys.maxsize
        while count := os.preadv(writing if cloned else source, [buffer[: min(_CHUNK, left)]], size):
            chunk = buffer[:count]
            digest.update(chunk)
            size += count
            left -= count
            if not cloned:
                _write_all(writing, chunk)
        if durable:
            os.fsync(writing)
    finally:
        os.close(writing)
    return size, digest.hexdigest()


def can_clone(source: Path, folder: Path) -> bool:
    """Whether a copy of ``source`` in ``folder`` would share its blocks."""
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Without a name, so that nothing is left of it whatever happens; who can clone can do that too.
        writing = os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        try:
            return _clone(writing, reading)
        finally:
            os.close(writing)
    except OSError:
        return False
    finally:
        os.close(reading)


def _clone(target: int, source: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _write_all(handle: int, chunk: bytes | memoryview) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def sync_file(path: Path) -> None:
    """Make the bytes of ``path`` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folders(folder: Path) -> None:
    """Make every name below ``folder`` durable, leaves first, where the bytes are already."""
    for here, _, _ in os.walk(folder, topdown=False):
        sync_folder(Path(here))


def move(source: Path, target: Path) -> None:
    """Rename and make both folders' names durable."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_tree(path: Path) -> int:
    """Remove a file or a folder of ours and give the bytes it held; links in it are removed, never followed."""
    freed = tree_size(path)
    if path.is_dir() and not path.is_symlink():
        # Its import costs a command that only looks more than the look itself.
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return freed


def tree_size(path: Path) -> int:
    """Bytes of the regular files at or below ``path``, links not followed."""
    try:
        status = path.lstat()
    except OSError:
        return 0
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size if stat.S_ISREG(status.st_mode) else 0
    total = 0
    for here, _, names in os.walk(path):
        for name in names:
            # A file that vanished meanwhile has no size.
            with contextlib.suppress(OSError):
                status = os.lstat(f"{here}/{name}")
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
