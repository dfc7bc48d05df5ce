"""Make the pictures of the page in docs/images from a real run: .venv/bin/python scripts/screenshots.py"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from linda_cli.sandbox.server import Sandbox  # noqa: E402 - found once its folder is on the path
from tests.linda import NUMBER, World  # noqa: E402 - the same
from tests.server.served import Served  # noqa: E402 - the same
from tests.server.test_page import Page  # noqa: E402 - the same

IMAGES = ROOT / "docs" / "images"
BRANCHES = ("Reception", "Sales", "Support", "Deliveries", "Accounts", "Night desk", "Branch Marina", "Branch Deira")


def main() -> None:
    """Two linked accounts, one that waits for its phone, one that was stopped, and some that are not linked yet."""
    folder = Path(tempfile.mkdtemp(prefix="linda-pictures-"))
    os.environ["HOME"] = str(folder)
    sandbox = Sandbox(folder / "home" / ".sandbox" / "stand-in")
    sandbox.start()
    world = World(folder / "home", sandbox)
    pages: list[Page] = []
    try:
        with Served(world, "--linkings", "0") as server:
            numbers = [str(int(NUMBER) + at) for at in range(len(BRANCHES))]
            for number, label in zip(numbers, BRANCHES, strict=True):
                server.post("accounts", {"number": number, "label": label})
            for number in numbers[:3]:
                server.link(world, number)
            server.post(f"accounts/{numbers[2]}/stop")
            server.post(f"accounts/{numbers[3]}/start")
            server.until(lambda one: one["code"] == "qr", numbers[3])
            server.post(f"accounts/{numbers[4]}/start", {"linkWith": None})
            time.sleep(12)  # until the browsers' memory was looked at
            pages.append(Page(folder / "wide"))
            _picture(pages[0], server.url, "#rows a", "server-page.png")
            _picture(pages[0], f"{server.url}#account/{numbers[3]}", "#qr img[src]", "server-page-account.png")
            link = server.post(f"accounts/{numbers[5]}/linking-links")["path"]
            pages.append(Page(folder / "phone", phone=True))
            _picture(pages[1], server.url, "#rows a", "server-page-phone.png")
            _picture(pages[1], server.url.rstrip("/") + link, "#qr img[src]", "server-page-link.png")
    finally:
        for page in pages:
            page.driver.quit()
        world.end()


def _picture(page: Page, url: str, there: str, name: str) -> None:
    page.driver.get("about:blank")
    page.driver.get(url)
    page.until(there, timeout=90)
    time.sleep(1)
    page.driver.save_screenshot(str(IMAGES / name))


if __name__ == "__main__":
    main()
