"""What an attack counts."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Attempts and survivors by name, what did not survive in words, and how much of the full plan was run."""

    tried: collections.Counter[str] = field(default_factory=collections.Counter)
    lost: collections.Counter[str] = field(default_factory=collections.Counter)
    stories: list[str] = field(default_factory=list)
    seen: collections.Counter[str] = field(default_factory=collections.Counter)
    """What else was counted on the way: no attempts."""
    most: collections.Counter[str] = field(default_factory=collections.Counter)
    """The largest of what was measured on the way."""
    planned: int = 0
    ran: int = 0

    def count(self, name: str, complaints: list[str], where: str = "") -> None:
        """One attempt; no complaints means that it survived."""
        self.tried[name] += 1
        self.ran += 1
        if complaints:
            self.lost[name] += 1
            self.stories.append(f"{name} {where}: {'; '.join(complaints)}")

    def add(self, other: Figures) -> None:
        self.tried += other.tried
        self.lost += other.lost
        self.stories += other.stories
        self.seen += other.seen
        self.most |= other.most
        self.planned += other.planned
        self.ran += other.ran

    def rows(self) -> list[tuple[str, int, int]]:
        """(name, tried, survived)"""
        return [(name, tried, tried - self.lost[name]) for name, tried in sorted(self.tried.items())]
