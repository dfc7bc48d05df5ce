"""The stand-in lets in a whole login of a linked device, and nothing less."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from linda_cli.errors import Failed, InUse, Misused
from linda_cli.sandbox.phone import Phone
from linda_cli.sandbox.server import Sandbox, running

from .conftest import AGENT, URL, Screen, copy_login
from .wire import PretendPage

pytestmark = pytest.mark.browser

IDB = "IndexedDB"
KEYS = "Local Storage"

Start = Callable[..., Screen]


def _link(sandbox: Sandbox, start: Start, name: str, number: str) -> tuple[Path, str]:
    screen = start(name).open()
    sandbox.phone.scan(number, qr=screen.code()["ref"])
    wid = screen.ready()["wid"]
    screen.close()
    return screen.profile, wid


def test_what_logs_in_and_what_does_not(sandbox: Sandbox, browser: Start, tmp_path: Path) -> None:
    """One long walk, since every step needs a browser of its own and they are what takes the time."""
    one, wid = _link(sandbox, browser, "one", "971505760056")
    two, other = _link(sandbox, browser, "two", "971505760057")
    linkings = sandbox.phone.status()["linkings"]

    again = browser("one").open()
    assert again.ready()["wid"] == wid
    again.close()

    copy_login(one, tmp_path / "copy", IDB, KEYS)
    copied = browser("copy").open()
    assert copied.ready()["wid"] == wid
    copied.close()

    copy_login(one, tmp_path / "without keys", IDB)
    screen = browser("without keys").open()
    assert "post_logout" not in screen.code()["url"]
    assert screen.databases() == []
    screen.close()

    copy_login(one, tmp_path / "without databases", KEYS)
    screen = browser("without databases").open()
    seen = screen.code()
    assert (seen["keys"], seen["url"]) == (0, URL)
    screen.close()

    # The one's keys over the other's databases: each part is sound, together they are nobody.
    before = sandbox.phone.status()["logins"]["refused"]
    copy_login(one, tmp_path / "mixed", KEYS)
    copy_login(two, tmp_path / "mixed", IDB)
    screen = browser("mixed").open()
    seen = screen.code()
    assert (seen["keys"], seen["url"]) == (0, URL)
    assert screen.databases() == []
    after = sandbox.phone.status()["logins"]["refused"]
    assert sum(after.values()) == sum(before.values()) + 1
    screen.close()

    assert sandbox.phone.status()["linkings"] == linkings
    standing = {device["wid"] for device in sandbox.phone.status()["devices"] if device["removedAt"] is None}
    assert standing >= {wid, other}


def test_a_removed_device_stays_removed_when_the_server_starts_anew(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    with Sandbox(folder) as first:
        screen = Screen(tmp_path / "gone", first.chrome_args, AGENT)
        first.phone.scan(qr=screen.open().code()["ref"])
        screen.ready()
        screen.close()
        shutil.copytree(tmp_path / "gone", tmp_path / "kept", ignore=shutil.ignore_patterns("Singleton*"))
        args = first.chrome_args
        port = first.port
    with Sandbox(folder, port=port) as second:
        assert second.chrome_args == args
        screen = Screen(tmp_path / "gone", args, AGENT)
        screen.open().ready()
        screen.close()
        second.phone.log_out()
    with Sandbox(folder, port=port) as third:
        screen = Screen(tmp_path / "kept", args, AGENT)
        screen.open()
        seen = screen.until(lambda page: page["url"] == f"{URL}?post_logout=1" and page["canvas"])
        assert seen["keys"] == 0
        assert third.phone.status()["logins"] == {"accepted": 0, "refused": {"removed": 1}}
        screen.close()


def test_the_folder_tells_another_process_where_the_sandbox_is(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    assert running(folder) is None
    sandbox = Sandbox(folder)
    with sandbox:
        found = running(folder)
        assert found is not None
        assert (found.control_url, found.chrome_args) == (sandbox.control_url, sandbox.chrome_args)
        with pytest.raises(InUse):
            Sandbox(folder).start()
        left = (folder / "server.json").read_bytes()
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert not (folder / "server.json").exists()
    (folder / "server.json").write_bytes(left)
    assert running(folder) is None
    with sandbox:
        assert running(folder) is not None


def test_twenty_accounts_scan_at_once_and_each_gets_its_own(sandbox: Sandbox) -> None:
    numbers = [str(971505760100 + at) for at in range(20)]
    links = _pretend_pages(sandbox, numbers)
    assert sorted(links) == numbers
    assert all(wid == f"{number}:1@c.us" for number, wid in links.items())


def _pretend_pages(sandbox: Sandbox, numbers: list[str]) -> dict[str, str]:
    """Twenty pages without browsers: what is tried here is the server's bookkeeping, not Chromium."""
    links: dict[str, str] = {}

    def link(number: str) -> None:
        page = PretendPage(sandbox.port)
        scanning = threading.Thread(target=sandbox.phone.scan, args=(number,), kwargs={"qr": page.code()})
        scanning.start()
        paired = page.paired_as()
        links[paired] = page.register()
        scanning.join()
        page.close()

    threads = [threading.Thread(target=link, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return links


def test_stop_is_prompt_with_open_streams(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "server")
    sandbox.start()
    pages = [PretendPage(sandbox.port) for _ in range(5)]
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 0.5
    for page in pages:
        page.close()


def test_the_module_serves_until_told_and_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(["sleep", "60"])
    command = [sys.executable, "-m", "linda_cli.sandbox", str(tmp_path / "server"), "--parent", str(parent.pid)]
    with subprocess.Popen([*command, "--timing", "sync=2"], stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        up = json.loads(served.stdout.readline())
        assert Phone(up["controlUrl"]).status()["timing"]["sync"] == 2
        parent.kill()  # and not yet waited for: a zombie counts as gone
        assert served.wait(5) == 0
        assert served.stdout.read() == ""
    parent.wait()
    assert running(tmp_path / "server") is None


def test_a_web_page_cannot_drive_the_phone(sandbox: Sandbox) -> None:
    request = urllib.request.Request(
        f"{sandbox.control_url}/drop_network", b"{}", {"Origin": "https://example.org"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)
    assert sandbox.phone.status()["network"]


def test_a_verb_that_makes_no_sense_is_refused_by_name(sandbox: Sandbox) -> None:
    with pytest.raises(Misused, match="number"):
        sandbox.phone.scan("../../etc")
    with pytest.raises(Misused, match="block"):
        sandbox.phone.block("NOTHING")
    with pytest.raises(Misused, match="timing"):
        sandbox.phone.set_timing(tea=4)
    with pytest.raises(Failed, match="no device"):
        sandbox.phone.log_out("971505760099")
