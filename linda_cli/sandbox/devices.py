"""Which devices were ever linked, and which of them were removed: what the server remembers across restarts."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from linda_cli.errors import Failed
from linda_cli.sandbox import disk


@dataclass(frozen=True, slots=True)
class Device:
    """One linked device. The server knows the public half of its key and only hashes of its other secrets."""

    number: str
    device: int
    key: str
    noise: str
    identity: str
    linked_at: str
    removed_at: str | None = None
    reason: int | None = None

    @property
    def wid(self) -> str:
        """What the page keeps under ``last-wid-md``."""
        return f"{self.number}:{self.device}@c.us"


class DeviceRegistry:
    """Not locked by itself: whoever holds the state's lock may call it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "devices.json"
        self._devices: dict[str, Device] = {}
        try:
            kept = json.loads(self._path.read_bytes())
            self.id: str = kept["id"]
            for row in kept["devices"]:
                device = Device(**row)
                self._devices[device.wid] = device
        except FileNotFoundError:
            self.id = secrets.token_hex(8)
            self._save()
        except (ValueError, KeyError, TypeError) as wrong:
            # Starting empty would turn every login into a logout, which no test asked for.
            raise Failed("the sandbox's list of devices cannot be read", f"rm {self._path}") from wrong

    def all(self) -> list[Device]:
        """Every device ever linked, removed ones too."""
        return list(self._devices.values())

    def find(self, wid: str) -> Device | None:
        """The device of that name, removed or not."""
        return self._devices.get(wid)

    def link(self, number: str, key: str, noise: str, identity: str) -> Device:
        """Take in a new device; a number of a removed device is never given again."""
        taken = [device.device for device in self._devices.values() if device.number == number]
        device = Device(number, max(taken, default=0) + 1, key, noise, identity, _now())
        self._devices[device.wid] = device
        self._save()
        return device

    def remove(self, wid: str, reason: int | None) -> None:
        """Unlink for good."""
        device = self._devices[wid]
        if device.removed_at is None:
            self._devices[wid] = replace(device, removed_at=_now(), reason=reason)
            self._save()

    def _save(self) -> None:
        rows = [asdict(device) for device in self._devices.values()]
        disk.write(self._path, json.dumps({"version": 1, "id": self.id, "devices": rows}, indent=1).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
