"""Whether a login exists in another home as well: what was noted when it was exported or imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OtherCopy:
    """``how``: ``exported`` or ``imported``, without being moved; ``where``: the file's name, or the host."""

    how: str
    at: str
    where: str

    @property
    def warning(self) -> str:
        """One line for a person."""
        ends = "WhatsApp lets only one of them run"
        if self.how == "exported":
            how = f"to {self.where} without --move at {self.at}: imported, it exists twice"
            return f"this login was exported {how}; {ends}"
        return f"this login was exported on {self.where} without --move at {self.at}: it exists there too; {ends}"


def other_copy(entry: Mapping[str, Any], logins: Collection[str]) -> OtherCopy | None:
    """The other copy of a login with one of these digests, as the state entry knows it."""
    for how, moment, place in (("imported", "exportedAt", "from"), ("exported", "at", "file")):
        note = entry.get(how)
        if not isinstance(note, dict) or note.get("moved") is True or note.get("login") not in logins:
            continue
        return OtherCopy(how, str(note.get(moment)), str(note.get(place)))
    return None
