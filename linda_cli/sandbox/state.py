"""What is so in the stand-in at this moment, and the lock under which it changes."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from linda_cli.sandbox.devices import Device, DeviceRegistry
from linda_cli.sandbox.documents import Documents
from linda_cli.sandbox.network import Network
from linda_cli.sandbox.pages import Page
from linda_cli.sandbox.timing import Timing


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way to a device."""

    id: int
    text: str


class SandboxState:
    """Shared by the page's server and the phone's; every reader and writer holds ``changed``."""

    def __init__(self, registry: DeviceRegistry, timing: Timing) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.registry = registry
        self.timing = timing
        self.pages: dict[str, Page] = {}
        self.network = Network(self.changed)
        self.documents = Documents()
        self.screens: dict[str | None, str] = {}
        """Screens that are no mode, by number; None stands for everyone."""
        self.pressed: deque[dict[str, str]] = deque(maxlen=100)
        """The buttons of dialogs that were pressed, newest last."""
        self.passkey = False
        self.blocked: dict[str | None, str] = {}
        """Kind of block by number; None stands for everyone."""
        self.refused: dict[str | None, float] = {}
        """Until when logins get a 401, by number; None stands for everyone."""
        self.accepted = 0
        self.turned_away: Counter[str] = Counter()
        self.waiting: dict[str, list[Message]] = {}
        """Messages not yet confirmed, by device: they come again at the next login, as the real server's do."""
        self.sent = 0
        self.delivered = 0
        self.message_ids = count(time.time_ns() // 1_000_000)
        self.hang_up: Callable[[], None] = lambda: None
        """Cuts every connection of the page's server, which sets this."""
        self.arguments_changed: Callable[[], None] = lambda: None
        """Writes the browser's arguments down anew; whoever serves sets this."""

    def opened(self, page: Page) -> None:
        """A page's stream is up; one of the same name is the same document come back."""
        with self.changed:
            before = self.pages.pop(page.name, None)
            if before is not None:
                before.end()
            self.pages[page.name] = page
            self.changed.notify_all()

    def closed(self, page: Page) -> None:
        """A page's stream has ended."""
        with self.changed:
            if self.pages.get(page.name) is page:
                del self.pages[page.name]
            page.close()
            self.changed.notify_all()

    def online(self, number: str | None = None) -> list[Page]:
        """The pages that are logged in, of one number or of all."""
        return [page for page in self.pages.values() if page.wid and _is_of(page.wid, number)]

    def devices(self, number: str | None = None) -> list[Device]:
        """The devices that are linked now, of one number or of all."""
        return [
            device for device in self.registry.all() if device.removed_at is None and number in (None, device.number)
        ]

    def block_of(self, number: str | None) -> str | None:
        """The block that a page of this number meets."""
        return self.blocked.get(number) or self.blocked.get(None)

    def screens_told(self) -> dict[str, str]:
        """The screens as pages are told of them."""
        return {number or "all": screen for number, screen in self.screens.items()}

    def refuses(self, number: str) -> bool:
        """Whether this number's logins get a 401 just now."""
        until = max(self.refused.get(number, 0.0), self.refused.get(None, 0.0))
        return time.monotonic() < until

    def unlink(self, device: Device, reason: int | None, address: bool = True) -> None:
        """Remove a device for good and tell its pages. ``address``: they go to the address that says so."""
        self.registry.remove(device.wid, reason, address)
        self.waiting.pop(device.wid, None)
        for page in self.pages.values():
            if device.wid in (page.wid, page.displaced):
                page.wid = page.displaced = None
                page.tell("logout", reason=reason, address=address)
        self.changed.notify_all()


def _is_of(wid: str, number: str | None) -> bool:
    return number is None or wid.startswith(f"{number}:")
