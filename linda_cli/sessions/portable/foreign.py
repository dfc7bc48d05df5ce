"""Profiles that other tools made: where they lie, and what they are called there. Changes nothing.

=================================  ==============================================================
whatsapp-web.js, LocalAuth         ``.wwebjs_auth/session`` or ``session-<clientId>``, a user-data-dir
whatsapp-web.js, RemoteAuth        ``RemoteAuth-<clientId>.zip`` of a user-data-dir's login
WPPConnect                         ``tokens/<session>``, a user-data-dir
Selenium, Playwright, undetected   any user-data-dir, or one profile in it (``Default``, ``Profile 1``)
a Node.js Linda bot                ``sessions/session-<name>``, ``.session-cache/backup-<number>-<ms>``
=================================  ==============================================================
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any

from linda_cli.errors import BackupUnusable, BadNumber
from linda_cli.sessions.durable import copy_hashed, make_folder
from linda_cli.sessions.home import parse_stamped
from linda_cli.sessions.login_files import LOGIN_ROOTS, login_files
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.state import read_json

_OF_TOOLS = (".wwebjs_auth", "tokens", "sessions", ".session-cache")
_MOST_FOUND = 200
_MOST_LOOKED_AT = 2000
_MOST_IN_A_ZIP = 200_000
_LARGEST_IN_A_ZIP = 16 << 30
_PIECE = 256 * 1024
_STORES = ("Local Storage", "LocalStorage", "IndexedDB")
_DEFAULT = "Default"
_BELOW_DEFAULT = tuple(f"{root}/" for root in map(str, LOGIN_ROOTS) if root.startswith(f"{_DEFAULT}/"))


class Kind(StrEnum):
    """Whose profile it is, as far as its place says."""

    LOCAL_AUTH = "whatsapp-web.js LocalAuth"
    REMOTE_AUTH = "whatsapp-web.js RemoteAuth"
    WPPCONNECT = "WPPConnect"
    LINDA = "Linda"
    LINDA_BACKUP = "Linda backup"
    CHROMIUM = "Chromium"


@dataclass(frozen=True, slots=True)
class ForeignProfile:
    """A profile that may hold a login. ``path``: a user-data-dir or a zip; ``inner``: the profile in it."""

    path: Path
    kind: Kind
    inner: str = _DEFAULT

    @property
    def name(self) -> str:
        """How to name it on a command line."""
        return str(self.path if self.inner == _DEFAULT else self.path / self.inner)

    @property
    def in_place(self) -> Path | None:
        """The user-data-dir to read where it lies; None where its login must be copied out first."""
        return self.path if self.inner == _DEFAULT and self.kind is not Kind.REMOTE_AUTH else None

    def copy_out(self, target: Path, *, only_local_storage: bool = False) -> None:
        """Copy the login's files into the new user-data-dir ``target``. Raises ``BackupUnusable``, ``Failed``."""
        if self.kind is Kind.REMOTE_AUTH:
            _unzip(self.path, target, only_local_storage)
            return
        make_folder(target)
        # The login's files are named by where they lie in Default; here another folder takes its place.
        inside = [PurePosixPath(*root.parts[1:]) for root in LOGIN_ROOTS if root.parts[0] == _DEFAULT]
        names = login_files(self.path / self.inner, inside)
        for name in names:
            if only_local_storage and not name.startswith("Local"):
                continue
            make_folder((target / _DEFAULT / name).parent, durable=False)
            copy_hashed(self.path / self.inner / name, target / _DEFAULT / name)
        if (self.path / "Last Version").is_file():
            copy_hashed(self.path / "Last Version", target / "Last Version")


# -- finding


def find_profiles(path: Path) -> list[ForeignProfile]:
    """Every profile at ``path``: itself, or those in a tool's folder, or in a project that has such folders."""
    if os.path.isfile(path):
        return [ForeignProfile(path, Kind.REMOTE_AUTH)] if zipfile.is_zipfile(path) else []
    if _has_stores(path):
        return [ForeignProfile(path.parent, _kind_of(path.parent), path.name)]
    found = _of_user_data_dir(path)
    if not found:
        found = [one for folder in _folders(path) for child in _children(folder) for one in _of_child(child)]
    return found[:_MOST_FOUND]


def first_unreadable(path: Path) -> Path | None:
    """The first folder in which a profile would be found but for the rights of this user; None where there is none."""
    places = (path, *(place for folder in _folders(path) for place in (folder, *_children(folder))))
    return next((place for place in places if os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK)), None)


def _folders(path: Path) -> list[Path]:
    """Those of a project that has a tool's folders, else such a folder itself."""
    return [path / name for name in _OF_TOOLS if os.path.isdir(path / name)] or [path]


def _of_child(path: Path) -> list[ForeignProfile]:
    if os.path.isfile(path):
        return [ForeignProfile(path, Kind.REMOTE_AUTH)] if path.suffix == ".zip" and zipfile.is_zipfile(path) else []
    return _of_user_data_dir(path)


def _of_user_data_dir(path: Path) -> list[ForeignProfile]:
    inner = [child.name for child in _children(path) if os.path.isdir(child) and _has_stores(child)]
    kind = _kind_of(path)
    return [ForeignProfile(path, kind, name) for name in sorted(inner, key=lambda name: (name != _DEFAULT, name))]


def _has_stores(path: Path) -> bool:
    # os.path's: a folder that may not be entered has none for us, and is no reason to look no further.
    return any(os.path.exists(path / name) for name in _STORES)


def _children(path: Path) -> Iterator[Path]:
    """What is in a folder, by name, links left out; the newest backup first."""
    try:
        names = sorted(os.listdir(path), reverse=path.name == ".session-cache")[:_MOST_LOOKED_AT]
    except OSError:
        return
    yield from (path / name for name in names if not (path / name).is_symlink())


def _kind_of(path: Path) -> Kind:
    stamped, above = parse_stamped(path.name), path.parent.name
    if stamped is not None and stamped.kind == "backup":
        return Kind.LINDA_BACKUP
    if stamped is not None or (above == "sessions" and path.name.startswith("session-")):
        return Kind.LINDA
    if above in (".wwebjs_auth", ".wwebjs_auth_multi") or above.startswith(".wwebjs"):
        return Kind.LOCAL_AUTH
    return Kind.WPPCONNECT if above == "tokens" else Kind.CHROMIUM


# -- a zip of RemoteAuth


def _unzip(path: Path, target: Path, only_local_storage: bool) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_IN_A_ZIP:
                raise _bad_zip(path, "it has too many entries")
            wanted = dict(_wanted(members, only_local_storage))
            if sum(member.file_size for member in wanted.values()) > _LARGEST_IN_A_ZIP:
                raise _bad_zip(path, "it is too large")
            make_folder(target)
            for name, member in wanted.items():
                make_folder((target / name).parent, durable=False)
                _extract(archive, member, target / name)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError) as problem:
        # RuntimeError is zipfile's word for an encrypted entry, and NotImplementedError one of it.
        raise _bad_zip(path, str(problem)) from problem


def _wanted(members: list[zipfile.ZipInfo], only_local_storage: bool) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The login's files by their path in the profile, whatever folder the zip has them in."""
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if member.is_dir() or ".." in parts or member.filename.startswith("/"):
            continue
        if _DEFAULT in parts:
            parts = parts[parts.index(_DEFAULT) :]
        elif parts[-1] == "Last Version":
            parts = parts[-1:]
        else:
            start = next((parts.index(name) for name in _STORES if name in parts), None)
            if start is None:
                continue
            parts = (_DEFAULT, *parts[start:])
        name = "/".join(parts)
        is_login = name.startswith(_BELOW_DEFAULT) or name in map(str, LOGIN_ROOTS)
        if is_login and not (only_local_storage and not name.startswith(f"{_DEFAULT}/Local")):
            yield name, member


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    size = 0
    with os.fdopen(handle, "wb") as file, archive.open(member) as content:
        while piece := content.read(_PIECE):
            size += len(piece)
            if size > member.file_size:
                raise _bad_zip(Path(str(archive.filename)), "an entry is larger than it says")
            file.write(piece)


def _bad_zip(path: Path, why: str) -> BackupUnusable:
    return BackupUnusable(f"{path} cannot be used: {why}; nothing was adopted", f"unzip -t {quote(str(path))}")


# -- what a Node.js Linda bot knows of its sessions


def states_beside(path: Path) -> dict[str, dict[str, Any]]:
    """What the ``session-state.json`` of the home that ``path`` is, or lies in, says of each number."""
    for folder in (path, *list(path.absolute().parents)[:2]):
        if (folder / "session-state.json").is_file():
            try:
                return parse_states(read_json(folder / "session-state.json"))
            except (OSError, ValueError):
                return {}
    return {}


def parse_states(told: Any) -> dict[str, dict[str, Any]]:
    """Each number with the fields that linda keeps, from any shape in which such a bot writes its state file.

    ``{"sessions": {NUMBER: {…}}}``; one session at the top, ``{"masterNumber": …, "isLinked": …}``; many,
    ``{"accounts": {"+NUMBER": {"phoneNumber", "deviceLinked", "sessionPath", "deviceMetadata": {"linkedAt", …}}}}``.
    """
    if not isinstance(told, dict):
        return {}
    found: dict[str, dict[str, Any]] = {}
    if isinstance(told.get("sessions"), dict):
        for number, entry in told["sessions"].items():
            _note(found, number, entry)
    elif isinstance(told.get("accounts"), dict):
        for number, entry in told["accounts"].items():
            if isinstance(entry, dict):
                device = entry.get("deviceMetadata")
                device = device if isinstance(device, dict) else {}
                fields = {"lastReady": entry.get("lastAuthenticated"), **_present(device, "linkedAt", "authMethod")}
                _note(found, entry.get("phoneNumber") or number, fields)
    elif "masterNumber" in told:
        _note(found, told["masterNumber"], told)
    return found


def _note(found: dict[str, dict[str, Any]], number: Any, entry: Any) -> None:
    if not isinstance(number, str) or not isinstance(entry, dict):
        return
    texts = _present(entry, "authMethod", "linkedAt", "createdAt", "lastRestored", "lastReady")
    fields: dict[str, Any] = {name: text for name, text in texts.items() if isinstance(text, str) and len(text) < 40}
    count = entry.get("restoreCount")
    if isinstance(count, int) and 0 <= count < 1 << 53:
        fields["restoreCount"] = count
    try:
        found[parse_number(number)] = fields
    except BadNumber:
        return


def _present(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: entry[name] for name in names if entry.get(name) is not None}
