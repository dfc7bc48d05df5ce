"""Which backups live: a pure function that the dry run and the real run share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """What retention needs to know of a backup. ``valid`` None: not looked at, taken for valid."""

    name: str
    ms: int
    labelled: bool
    valid: bool | None
    verified: bool


KEEP = 5
OLDER_THAN = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """At most ``keep`` unlabelled backups, none older than ``older_than`` seconds."""

    keep: int = KEEP
    older_than: float = OLDER_THAN


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one backup, and why."""

    name: str
    keep: bool
    reason: str


def plan(backups: Iterable[Kept], policy: Policy, now: int) -> list[Decision]:
    """Decide for the backups of one session, newest first.

    The newest valid and the newest verified always stay, labelled ones too. Of the rest none past the age stays, and
    of those within it at most ``keep`` minus the ones that stay anyway: they thin out with age, so that each step
    back is about as far as all steps before it, and the oldest within the age stays as long as there is room for two.
    ``now`` in milliseconds; planning what a plan left changes nothing.
    """
    ordered = sorted(backups, key=lambda one: (one.ms, one.name), reverse=True)
    # Only where nothing is known to be valid, the newest that is not known to be bad has to do.
    newest_valid = next((one for one in ordered if one.valid is not False), None)
    newest_verified = next((one for one in ordered if one.verified and one.valid is not False), None)
    reasons: dict[str, tuple[bool, str]] = {}
    for one in ordered:
        if one is newest_valid:
            reasons[one.name] = True, "the newest valid backup"
        elif one is newest_verified:
            reasons[one.name] = True, "the newest verified backup"
        elif one.labelled:
            reasons[one.name] = True, "labelled"
        elif now - one.ms > policy.older_than * 1000:
            reasons[one.name] = False, f"older than {_span(policy.older_than)}"
    # Labelled ones are not counted, whatever else they are.
    anchored = sum(1 for one in ordered if not one.labelled and reasons.get(one.name, (False,))[0])
    loose = [one for one in ordered if one.name not in reasons]
    room = max(0, policy.keep - anchored)
    staying = {one.name for one in _thinned(loose, room, now)}
    for one in loose:
        if one.name in staying:
            reasons[one.name] = True, f"within the {policy.keep} kept"
        else:
            reasons[one.name] = False, f"more than {policy.keep} backups, and others are as near to its age"
    return [Decision(one.name, *reasons[one.name]) for one in ordered]


def _thinned(loose: list[Kept], room: int, now: int) -> list[Kept]:
    """Keep ``room`` of ``loose`` (newest first): while there are too many, drop the one that leaves the smallest gap
    in proportion to its age. A known-bad one goes first."""
    staying = list(loose)
    while len(staying) > room:
        bad = next((index for index in range(len(staying) - 1, -1, -1) if staying[index].valid is False), None)
        if bad is not None:
            del staying[bad]
            continue
        if room == 0:
            return []
        if len(staying) == 2:
            # Room for one: the older of two, because the newest valid one stays anyway.
            del staying[0]
            continue
        # The ends stay: the oldest reaches back furthest, and beside the newest stands the next newest.
        inner = range(1, len(staying) - 1) if len(staying) > 2 else range(len(staying))
        smallest = min(
            inner,
            key=lambda index: (
                (staying[index - 1].ms - staying[index + 1].ms) / max(1.0, float(now - staying[index].ms)),
                index,
            ),
        )
        del staying[smallest]
    return staying


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:g} s"
