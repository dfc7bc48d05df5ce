"""One backup as the store keeps it: which blocks it needs, and the rest sealed.

The list of blocks is readable without a key, so that a host that can only upload can thin too. It says nothing that
the store does not know already.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linda_cli.errors import BackupUnusable
from linda_cli.object_store.blocks import count
from linda_cli.object_store.keys import OpenKey, SessionKey
from linda_cli.sessions.clock import LATEST_MS
from linda_cli.sessions.manifest import Manifest, parse_manifest, spelled, unusable

LARGEST_RECORD = 64 << 20
_MOST_BLOCKS = 1_000_000
_NAME = re.compile(r"([0-9]{1,15})(-l)?(-v)?")
_BLOCK_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RecordName:
    """What the name of a backup in the store says: when it was made, whether it has a label, whether it is verified."""

    ms: int
    labelled: bool = False
    verified: bool = False

    def __str__(self) -> str:
        return f"{self.ms}{'-l' if self.labelled else ''}{'-v' if self.verified else ''}"

    @classmethod
    def parse(cls, name: str) -> RecordName | None:
        """The name's parts, None for any other name."""
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) > LATEST_MS:
            return None
        return cls(int(match[1]), match[2] is not None, match[3] is not None)


@dataclass(frozen=True, slots=True)
class Record:
    """A backup in the store, opened. ``name`` as it is called in a home; ``blocks`` of each file, by its path."""

    name: str
    manifest: Manifest
    blocks: Mapping[str, tuple[str, ...]]


def write_record(key: SessionKey, name: str, manifest: Manifest, blocks: Mapping[str, tuple[str, ...]]) -> bytes:
    """The object of a backup."""
    inner = {"name": name, "manifest": spelled(manifest), "blocks": {path: list(of) for path, of in blocks.items()}}
    told = {
        "version": 1,
        "blocks": sorted({block for of in blocks.values() for block in of}),
        "sealed": base64.b64encode(key.sealed(json.dumps(inner).encode())).decode(),
    }
    return json.dumps(told).encode()


def blocks_named(data: bytes) -> frozenset[str] | None:
    """The blocks that a backup needs, read without a key; None where the object is not as linda writes it."""
    try:
        told = json.loads(data)
        named = told["blocks"]
        if told["version"] != 1 or not isinstance(named, list) or len(named) > _MOST_BLOCKS:
            return None
        return frozenset(named) if all(_BLOCK_NAME.fullmatch(one) for one in named) else None
    except (ValueError, KeyError, TypeError):
        return None


def read_record(key: OpenKey, of: RecordName, data: bytes) -> Record:
    """Open a backup's object. Raises ``BackupUnusable`` for whatever is not exactly one of ours."""
    called = f"backup-{key.number}-{of.ms}"
    try:
        told = json.loads(data)
        if told["version"] != 1:
            raise unusable(called, "it was written by a newer linda")
        opened = key.opened(base64.b64decode(told["sealed"], validate=True))
        if opened is None:
            raise unusable(called, "its record in the object store was altered, or is of another key")
        inner = json.loads(opened)
        name = inner["name"]
        manifest = parse_manifest(inner["manifest"], called)
        blocks = {path: tuple(of) for path, of in inner["blocks"].items()}
    except BackupUnusable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise unusable(called, f"its record is not as linda writes it ({type(problem).__name__})") from None
    wrong = _wrong(called, of, name, manifest, blocks)
    if wrong:
        raise unusable(called, wrong)
    return Record(called, manifest, blocks)


def _wrong(called: str, of: RecordName, name: Any, manifest: Manifest, blocks: Mapping[str, tuple[Any, ...]]) -> str:
    if name != called:
        return "it has the name of another backup"
    if (of.labelled, of.verified) != (manifest.label is not None, manifest.verified):
        return "its name in the object store says something else than it does"
    if set(blocks) != {entry.path for entry in manifest.files}:
        return "its list of files is not whole"
    for entry in manifest.files:
        named = blocks[entry.path]
        if len(named) != count(entry.size) or not all(
            isinstance(one, str) and _BLOCK_NAME.fullmatch(one) for one in named
        ):
            return f"the blocks of {entry.path} are not whole"
    return ""
