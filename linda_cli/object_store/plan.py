"""What goes up and what goes away: a pure function over what is here and what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from linda_cli.object_store.record import RecordName
from linda_cli.sessions.retention import Kept, Policy, plan

BLOCK_AGE = 24 * 3600.0
"""Seconds by the store's clock: a block that no backup names goes when it is older. An upload may be under way."""


@dataclass(frozen=True, slots=True)
class LocalBackup:
    """A backup of the home. ``valid`` False: it is known to be bad, and is not uploaded."""

    name: str
    of: RecordName
    valid: bool = True


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """``upload``: local backups, newest first. ``remove``: names in the store."""

    upload: tuple[LocalBackup, ...]
    remove: tuple[RecordName, ...]


def sync_plan(
    here: Iterable[LocalBackup],
    there: Iterable[RecordName],
    policy: Policy,
    now: int,
    broken: Collection[RecordName] = (),
) -> SyncPlan:
    """Bring the store to what retention keeps of both together.

    The same backup may be there under an older name: before it was verified, or had a label. ``broken``: names in the
    store whose blocks are not all there. ``now`` in ms.
    """
    local = {one.of.ms: one for one in here if one.valid}
    stored: dict[int, list[RecordName]] = {}
    for name in there:
        stored.setdefault(name.ms, []).append(name)
    whole = {ms: [name for name in names if name not in broken] for ms, names in stored.items()}
    wanted: dict[int, RecordName] = {}
    for ms in {*local, *stored}:
        names = [*stored.get(ms, ()), *([local[ms].of] if ms in local else [])]
        wanted[ms] = RecordName(ms, any(one.labelled for one in names), any(one.verified for one in names))
    known = [
        Kept(str(ms), ms, one.labelled, None if ms in local or whole[ms] else False, one.verified)
        for ms, one in wanted.items()
    ]
    kept = {int(one.name) for one in plan(known, policy, now) if one.keep}

    def is_due(ms: int) -> bool:
        return ms in local and local[ms].of == wanted[ms] and wanted[ms] not in whole.get(ms, ())

    upload = [local[ms] for ms in sorted(kept, reverse=True) if is_due(ms)]
    remove = [
        name
        for ms, names in stored.items()
        for name in names
        if ms not in kept or (name != wanted[ms] and (is_due(ms) or wanted[ms] in whole[ms]))
    ]
    return SyncPlan(tuple(upload), tuple(sorted(remove, key=str)))


def old_blocks(blocks: Iterable[tuple[str, float]], named: frozenset[str], store_now: float) -> list[str]:
    """Blocks that may go: no backup names them, and they are older than a day. (name, modified) in seconds."""
    return [name for name, modified in blocks if name not in named and store_now - modified > BLOCK_AGE]
