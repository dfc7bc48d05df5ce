"""The proofs, each with one of its clauses taken to hold always: what a walk must notice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from linda_cli.lifecycle import proofs
from linda_cli.lifecycle.proofs import Clause, Proof


@dataclass(frozen=True, slots=True)
class Weak:
    """One clause of one proof. ``place``: its index in ``REPLACE_PROFILE``, None where the proof has a name."""

    name: str
    clause: str
    place: int | None = None

    def __str__(self) -> str:
        return f"{self.name}{'' if self.place is None else f'[{self.place}]'}: {self.clause}"


def _always(clause: Clause) -> Clause:
    return replace(clause, holds=lambda know, now: True)


def _without(proof: Proof, clause: str) -> Proof:
    return replace(proof, clauses=tuple(_always(one) if one.name == clause else one for one in proof.clauses))


def every_clause() -> Iterator[Weak]:
    """Every clause of every proof, and the one that stands alone."""
    for name, found in vars(proofs).items():
        if isinstance(found, Proof):
            yield from (Weak(name, clause.name) for clause in found.clauses)
    for place, proof in enumerate(proofs.REPLACE_PROFILE):
        yield from (Weak("REPLACE_PROFILE", clause.name, place) for clause in proof.clauses)
    yield Weak("CONFIRMED", proofs.CONFIRMED.name)


def weaken(monkeypatch: pytest.MonkeyPatch, weak: Weak) -> None:
    """Take a clause to hold always."""
    if weak.name == "CONFIRMED":
        monkeypatch.setattr(proofs, "CONFIRMED", _always(proofs.CONFIRMED))
    elif weak.place is not None:
        some = list(proofs.REPLACE_PROFILE)
        some[weak.place] = _without(some[weak.place], weak.clause)
        monkeypatch.setattr(proofs, "REPLACE_PROFILE", tuple(some))
    else:
        monkeypatch.setattr(proofs, weak.name, _without(getattr(proofs, weak.name), weak.clause))
