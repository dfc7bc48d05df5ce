"""Which devices were ever linked, and which of them were removed: what the server remembers across restarts."""

from __future__ import annotations

import json
import secrets
import shlex
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
    address: bool = True
    """Whether its page goes to the address of a logout; without it a code comes on show where the page is."""
    formerly: tuple[str, ...] = ()
    """What it was called before its number changed: a page that was away still says so."""

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
                device = Device(**{**row, "formerly": tuple(row.get("formerly", ()))})
                self._devices[device.wid] = device
        except FileNotFoundError:
            self.id = secrets.token_hex(8)
            self._save()
        except (ValueError, KeyError, TypeError) as wrong:
            # Starting empty would turn every login into a logout, which no test asked for.
            raise Failed(
                "the sandbox's list of devices cannot be read", f"rm {shlex.quote(str(self._path))}"
            ) from wrong

    def all(self) -> list[Device]:
        """Every device ever linked, removed ones too."""
        return list(self._devices.values())

    def find(self, wid: str) -> Device | None:
        """The device of that name, or formerly of that name, removed or not."""
        found = self._devices.get(wid)
        return found or next((device for device in self._devices.values() if wid in device.formerly), None)

    def link(self, number: str, key: str, noise: str, identity: str) -> Device:
        """Take in a new device; a number of a removed device is never given again."""
        device = Device(number, max(self._taken(number), default=0) + 1, key, noise, identity, _now())
        self._devices[device.wid] = device
        self._save()
        return device

    def remove(self, wid: str, reason: int | None, address: bool = True) -> None:
        """Unlink for good."""
        device = self._devices[wid]
        if device.removed_at is None:
            self._devices[wid] = replace(device, removed_at=_now(), reason=reason, address=address)
            self._save()

    def renumber(self, wid: str, number: str) -> Device:
        """The account of this device has changed its number; device and keys stay."""
        device = self._devices.pop(wid)
        taken = self._taken(number)
        index = device.device if device.device not in taken else max(taken) + 1
        changed = replace(device, number=number, device=index, formerly=(*device.formerly, wid))
        self._devices[changed.wid] = changed
        self._save()
        return changed

    def _taken(self, number: str) -> set[int]:
        """The indices that devices of this number have or once had: none is ever given again."""
        names = [name for device in self._devices.values() for name in (device.wid, *device.formerly)]
        return {int(name.partition(":")[2].partition("@")[0]) for name in names if name.startswith(f"{number}:")}

    def _save(self) -> None:
        rows = [asdict(device) for device in self._devices.values()]
        disk.write(self._path, json.dumps({"version": 1, "id": self.id, "devices": rows}, indent=1).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
