"""How long things take in the stand-in: the real page's figures where they are bearable, none where they are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from linda_cli.errors import Misused


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds, but for ``codes``, ``sync_stall`` (percent) and ``sync_kilobytes`` (a second)."""

    boot: float = 0.0
    """How long a document shows its shell before the page's script runs, whether linked or not."""
    page_delay: float = 0.0
    """How long a paired start shows the loading screen before the pane (the real one: 6 to 8)."""
    qr_delay: float = 0.0
    """How long the linking screen is there without its first code (the real one: up to 6)."""
    first_code: float = 60.0
    next_code: float = 20.0
    codes: int = 6
    """How many codes before the page stops and offers a button."""
    sync: float = 0.0
    """Length of the first sync after linking."""
    resync: float = 0.0
    """Length of the sync of a login that comes back: connected, no pane (after days offline: minutes)."""
    sync_stall: float = 100.0
    """The percentage at which a sync stands still until it is over; 100: it does not."""
    sync_kilobytes: float = 0.0
    """What a sync writes to the databases, each second."""
    logout: float = 0.0
    """From the keys being gone to the address that says so (the real one: up to 20)."""
    notice: float = 1.0
    """From a dropped network to the page's noticing it (the real one: 1 to 3)."""
    keepalive: float = 10.0
    """How often a page asks whether the server is there; 0: never."""
    silence: float = 32.0
    """How long it waits for an answer where packets are dropped in silence (noticed after 32 to 42)."""
    recover: float = 0.5
    """The page's own recovery once the network is back (the real one: 2 to 5)."""
    pairing_code: float = 180.0
    login: float = 0.0
    """How long the server thinks about a login, while the pane drawn from local data is already there."""

    def with_fields(self, given: Mapping[str, object]) -> Timing:
        """The same with some fields changed; text is taken for a number, so that a command line may give it."""
        changed: dict[str, float | int] = {}
        known = {field.name for field in fields(self)}
        for name, value in given.items():
            if name not in known:
                raise Misused(f"no such timing: {name}", "one of: " + ", ".join(sorted(known)))
            try:
                number = float(str(value))
            except ValueError:
                raise Misused(f"{name} is no number: {value}", f"{name}=1.5") from None
            if not 0 <= number < 1e9:
                raise Misused(f"{name} is out of range: {value}", f"{name}=1.5")
            changed[name] = int(number) if name == "codes" else number
        return replace(self, **changed)  # type: ignore[arg-type]  # the loop above has checked each
