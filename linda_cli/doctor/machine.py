"""What of the machine a browser and a run need: fonts, shared memory, open files, a temporary folder, inotify."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import tempfile
from pathlib import Path

from linda_cli.doctor.commands import install, kernel_setting, quoted
from linda_cli.doctor.models import Finding, Look, Patient, Topic

_FONTS = (".ttf", ".otf", ".ttc", ".pfb", ".woff", ".woff2")
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_MOST_FONT_FOLDERS = 2000

_SHARED = Path("/dev/shm")
_LEAST_SHARED = 256 << 20
"""Bytes. Docker gives 64 MB, with which tabs of Chromium crash; a tab of WhatsApp Web takes up to 100 MB of it."""

_LEAST_FILES = 1024
"""Chromium 156 was seen to die at its start with 128 open files; a bot and its watched files come on top."""

_FEWEST_WATCHES = 8192
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")
_IN_DELETE_SELF = 0x400


def look_at_fonts(patient: Patient) -> Look:
    """Without a font every letter is a box, in screenshots and in a window."""
    home = patient.environ.get("HOME", "/nonexistent")
    for folder in _FONT_FOLDERS:
        for count, (_, _, names) in enumerate(os.walk(folder.replace("~", home))):
            if any(name.lower().endswith(_FONTS) for name in names):
                return Look(Topic.FONTS, f"in {folder}")
            if count > _MOST_FONT_FOLDERS:
                break
    missing = Finding(
        Topic.FONTS,
        "no font is installed: every letter of the page is a box",
        install(patient, "fonts-liberation", "fonts-noto-color-emoji"),
    )
    return Look(Topic.FONTS, "none", (missing,))


def look_at_shared_memory(patient: Patient) -> Look:
    """Chromium's processes share their pictures through ``/dev/shm``."""
    if "--disable-dev-shm-usage" in patient.environ.get("LINDA_CHROME_ARGS", ""):
        return Look(Topic.SHARED_MEMORY, "not used, as LINDA_CHROME_ARGS says")
    try:
        status = os.statvfs(_SHARED)
        size = status.f_blocks * status.f_frsize
        writable = os.access(_SHARED, os.W_OK)
    except OSError:
        size, writable = 0, False
    if writable and size >= _LEAST_SHARED:
        return Look(Topic.SHARED_MEMORY, f"{size >> 20} MB")
    detail = f"{size >> 20} MB" if writable else "not there, or not writable"
    message = f"/dev/shm has {detail}: Chromium's tabs crash"
    return Look(Topic.SHARED_MEMORY, detail, (Finding(Topic.SHARED_MEMORY, message, _more_shared(patient)),))


def _more_shared(patient: Patient) -> str:
    if in_container():
        # Only who starts the container can give it more: shm_size, --shm-size.
        given = f"{patient.environ.get('LINDA_CHROME_ARGS', '')} --disable-dev-shm-usage".strip()
        return quoted("export", f"LINDA_CHROME_ARGS={given}")
    if os.path.ismount(_SHARED):
        return f"{patient.sudo}mount -o remount,size=1g,mode=1777 /dev/shm"
    return f"{patient.sudo}mkdir -p /dev/shm && {patient.sudo}mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm"


def in_container() -> bool:
    """Whether Docker or Podman has made this root folder."""
    return any(os.path.exists(mark) for mark in ("/.dockerenv", "/run/.containerenv"))


def look_at_open_files(patient: Patient) -> Look:
    """How many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _LEAST_FILES:
        return Look(Topic.OPEN_FILES, f"{soft} at once")
    most = 4096 if hard == resource.RLIM_INFINITY else hard
    command = (
        f"ulimit -n {min(4096, most)}" if most >= _LEAST_FILES else f"{patient.sudo}prlimit --pid $$ --nofile=4096:4096"
    )
    few = Finding(Topic.OPEN_FILES, f"only {soft} files may be open at once: Chromium may not start", command)
    return Look(Topic.OPEN_FILES, f"{soft} at once", (few,))


def look_at_temporary_folder(patient: Patient) -> Look:
    """Chromium, the driver and the socket of a bot's events need one."""
    named = patient.environ.get("TMPDIR")
    if named and not _can_write(Path(named)):
        wrong = Finding(
            Topic.TEMPORARY_FOLDER, f"TMPDIR names {named}, where nothing can be written", patient.unset("TMPDIR")
        )
        return Look(Topic.TEMPORARY_FOLDER, named, (wrong,))
    folder = Path(named or "/tmp")
    if not _can_write(folder):
        sudo = patient.sudo
        shut = Finding(
            Topic.TEMPORARY_FOLDER,
            f"nothing can be written in {folder}",
            f"{sudo}mkdir -p {folder} && {sudo}chmod 1777 {folder}",
        )
        return Look(Topic.TEMPORARY_FOLDER, str(folder), (shut,))
    return Look(Topic.TEMPORARY_FOLDER, str(folder))


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def look_at_inotify(patient: Patient) -> Look:
    """``--watch`` hears of changes by inotify, whose instances and watches are limited for each user."""
    detail, finding = _try_inotify(patient)
    return Look(Topic.INOTIFY, detail, (finding,) if finding is not None else ())


def _try_inotify(patient: Patient) -> tuple[str, Finding | None]:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return "not on this system: --watch polls", None
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        if ctypes.get_errno() != errno.EMFILE:
            return f"not to be had: {os.strerror(ctypes.get_errno())}", None
        command = kernel_setting(patient, "user.max_inotify_instances", 1024)
        return "no instance is left", Finding(
            Topic.INOTIFY, "no inotify instance is left for this user: --watch would hear of no change", command
        )
    try:
        watched = libc.inotify_add_watch(handle, b"/", _IN_DELETE_SELF)
        failed = ctypes.get_errno() if watched < 0 else 0
    finally:
        os.close(handle)
    try:
        most = int(_WATCHES.read_text("ascii"))
    except (OSError, ValueError):
        most = _FEWEST_WATCHES
    if failed == errno.ENOSPC or most < _FEWEST_WATCHES:
        command = kernel_setting(patient, "user.max_inotify_watches", 524288)
        return "no watch is left", Finding(
            Topic.INOTIFY, "this user may watch too few files: --watch would miss changes", command
        )
    return f"{most} watches", None
