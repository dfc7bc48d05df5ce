"""The voice: every byte that a person or a script reads. The only importer of rich and of qrcode.

stdout is the answer, stderr the talk. No colour, spinner or box where stdout is not a terminal or ``NO_COLOR`` is set.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from linda_cli.console.output import deliver, is_terminal, put, reader_has_gone
from linda_cli.console.own_command import pasteable
from linda_cli.errors import AnswerNeeded, LindaError, Misused

__all__ = ["Console", "Told", "clean", "is_terminal", "put", "told"]


class Told(Protocol):
    """An event of a run, by the names it has in ``lifecycle``."""

    @property
    def event(self) -> str:
        """Its name."""

    @property
    def session(self) -> str | None:
        """The number, None until it is known."""

    @property
    def at(self) -> str:
        """When, ISO 8601 UTC."""

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What else is told with it."""


@dataclass(frozen=True, slots=True)
class Console:
    """How to speak in this process. ``json``: one JSON value (or one per line) on stdout and no talk."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    linda: str = "linda"
    """How a command begins that can be pasted: with the home and the sandbox that were named."""
    typed: tuple[str, ...] = ()
    """The words of this command, without passwords."""

    @property
    def fancy(self) -> bool:
        """Whether colour and redrawing are welcome."""
        return (
            not self.json
            and is_terminal(sys.stdout)
            and is_terminal(sys.stderr)
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") not in (None, "", "dumb")
        )

    def answer(self, value: object, text: str = "") -> bool:
        """Give the answer: as JSON where that was asked for, else ``text``. False where nobody wants it.

        Raises ``OSError`` where it cannot be written.
        """
        if self.json:
            from linda_cli.console.jsonable import spelled

            return deliver(sys.stdout, f"{spelled(value)}\n")
        if not text:
            return True
        if self.width:
            # Late: a pipe gets every line whole.
            from linda_cli.console.wrapping import fitted

            text = fitted(text, self.width, self.linda)
        return deliver(sys.stdout, f"{text}\n")

    @property
    def width(self) -> int:
        """How many columns a person sees; 0 where stdout is no terminal, and nothing is to be wrapped."""
        return shutil.get_terminal_size((80, 24)).columns if is_terminal(sys.stdout) and not self.json else 0

    @property
    def is_heard(self) -> bool:
        """Whether somebody may still read the answer."""
        return not reader_has_gone(sys.stdout)

    def event(self, told: Told) -> None:
        """One event of a run on a line of its own."""
        put(sys.stdout, f"{self.spelled(told)}\n")

    @staticmethod
    def spelled(told: Told) -> str:
        """One event as a line of JSON."""
        from linda_cli.console.jsonable import spelled

        facts = {"event": told.event, "session": told.session, "at": told.at, "elapsedMs": told.elapsed_ms}
        return spelled({**facts, **told.facts})

    def talk(self, text: str) -> None:
        """Say something that is not the answer."""
        if not self.quiet and not self.json:
            put(sys.stderr, f"{clean(text)}\n")

    def error(self, problem: LindaError, code: int) -> None:
        """Say why it did not work, and what may help."""
        if self.json:
            from linda_cli.console.jsonable import spelled

            if put(sys.stdout, f"{spelled({'error': told(problem, code, self.linda)})}\n"):
                return
            # Where the answer cannot be written a person may still read why.
        put(sys.stderr, f"linda: {clean(problem.message)}\n")
        if problem.hint:
            put(sys.stderr, f"  try: {clean(pasteable(problem.hint, self.linda))}\n")

    def ask(self, question: str, yes: bool) -> bool:
        """Ask on a terminal; ``yes`` has answered already. Raises ``AnswerNeeded`` where nobody can be asked."""
        if yes:
            return True
        if self.json or not is_terminal(sys.stdin) or not is_terminal(sys.stderr):
            raise AnswerNeeded(
                f"{question} There is no terminal to answer on", shlex.join(["linda", *self.typed, "--yes"])
            )
        put(sys.stderr, f"{clean(question)} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def passphrase(self, question: str, *, twice: bool = False) -> str:
        """``LINDA_PASSPHRASE``, else what is typed unseen on a terminal, ``twice`` for a new one. Raises
        ``AnswerNeeded``, and ``Misused`` for an empty one or two that differ."""
        given = os.environ.get("LINDA_PASSPHRASE")
        if given is None:
            if self.json or not is_terminal(sys.stdin) or not is_terminal(sys.stderr):
                raise AnswerNeeded(f"{question}: there is no terminal to type it on", self._with_passphrase)
            import getpass

            given = getpass.getpass(f"{question}: ", sys.stderr)
            if twice and given != getpass.getpass("Once more: ", sys.stderr):
                raise Misused("the two were not the same", shlex.join(["linda", *self.typed]))
        if not given:
            raise Misused("an empty passphrase protects nothing", self._with_passphrase)
        return given

    @property
    def _with_passphrase(self) -> str:
        again = shlex.join(["linda", *self.typed])
        return f"read -rs LINDA_PASSPHRASE; export LINDA_PASSPHRASE; {again}"


def told(problem: LindaError, code: int, linda: str = "linda") -> dict[str, Any]:
    """A failure as JSON spells it; ``linda``: how a command of its hint begins."""
    return {"code": code, "name": problem.name, "message": problem.message, "hint": pasteable(problem.hint, linda)}


def clean(text: str) -> str:
    """Text without control characters: a file's name must not speak to the terminal."""
    return "".join(
        one if one.isprintable() or one == "\n" else ascii(one)[1:-1]
        for one in text.encode("utf-8", "replace").decode()
    )
