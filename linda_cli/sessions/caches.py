"""What a quarantine leaves out: a fixed list of caches, which Chromium makes anew. Whatever else there is stays.

A deny-list, because a browser of tomorrow keeps logins where none of today does (docs/chromium.md): a list of what to
keep would throw them away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import Failed

CACHES = frozenset(
    {
        "BrowserMetrics",
        "GPUPersistentCache",
        "GrShaderCache",
        "GraphiteDawnCache",
        "ShaderCache",
        "component_crx_cache",
        "extensions_crx_cache",
        "Default/Application Cache",
        "Default/Cache",
        "Default/Code Cache",
        "Default/DawnCache",
        "Default/DawnGraphiteCache",
        "Default/DawnWebGPUCache",
        "Default/GPUCache",
        "Default/Media Cache",
        "Default/Service Worker/ScriptCache",
        "Default/optimization_guide_hint_cache_store",
    }
)
"""Folders, by their path in the profile. Anything else of such a name (a file, a link) is no cache of Chromium's."""

# A profile without its caches has some hundred files; far beyond that somebody is playing with us.
_MOST_ENTRIES = 200_000
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing in a profile that is no cache: ``path`` with ``/``, and what it is."""

    path: str
    kind: str
    """``folder``, ``file``, ``link`` or ``other`` (a socket, a FIFO, a device)."""


def kept(profile: Path) -> list[Kept]:
    """Everything in the profile but its caches, folders before what is in them; links are named, never followed."""
    found: list[Kept] = []
    for one in _below(profile, "", 0):
        found.append(one)
        if len(found) > _MOST_ENTRIES:
            raise Failed(f"{profile.name} has more than {_MOST_ENTRIES} files, where a profile has some hundred")
    return found


def _below(folder: Path, prefix: str, depth: int) -> Iterator[Kept]:
    if depth > _DEEPEST:
        raise Failed(f"folders in {folder.name} are nested more than {_DEEPEST} deep")
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda one: one.name)
    for one in entries:
        path = f"{prefix}{one.name}"
        if one.is_symlink():
            yield Kept(path, "link")
        elif one.is_dir(follow_symlinks=False):
            if path not in CACHES:
                yield Kept(path, "folder")
                yield from _below(Path(one.path), f"{path}/", depth + 1)
        else:
            yield Kept(path, "file" if one.is_file(follow_symlinks=False) else "other")


def drop_caches(profile: Path) -> None:
    """Remove the caches. One that cannot be removed stays: it takes room, and is no reason to fail."""
    for path in sorted(CACHES):
        folder = profile / path
        above = profile
        # A link anywhere on the way leads out of the profile.
        for part in path.split("/"):
            above = above / part
            if above.is_symlink():
                break
        else:
            if folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
