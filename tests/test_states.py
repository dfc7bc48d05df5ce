"""Every state of the page, told apart: a real Chromium on the stand-in, watched as a run watches it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from linda_cli.browser import launch
from linda_cli.browser.binaries import browser_version, find_browser
from linda_cli.browser.flags import Wish, arguments
from linda_cli.lifecycle.browser_session import BrowserSession, PageEvent, bring_up
from linda_cli.sandbox import tls
from linda_cli.sessions.login import login_digest
from linda_cli.whatsapp import actions
from linda_cli.whatsapp.page import URL
from linda_cli.whatsapp.selectors import PageDescription, built_in, load
from linda_cli.whatsapp.status import PageReading, PageStatus, logout_words, read
from tests.linda import NUMBER, Linda, World

KINDS = ("TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK", "TEMP_BAN", "DEPRECATED_VERSION", "SERVICE_UNAVAILABLE")


class Watched:
    """One browser whose page is watched."""

    def __init__(
        self, world: World, profile: Path, *, headless_agent: bool = False, description: PageDescription | None = None
    ):
        profile.mkdir(parents=True, exist_ok=True)
        binary = find_browser()
        wish = Wish(profile, URL, browser_version(binary), False, os.geteuid() == 0, world.sandbox.chrome_args)
        words = arguments(wish)
        if headless_agent:
            words = [word for word in words if not word.startswith("--user-agent=")]
        self.states: list[PageReading] = []
        self._changed = threading.Condition()
        self.description = description or built_in()
        starting = launch.begin(binary, words, profile, profile.parent / "browser.log")
        session = bring_up(starting, lambda: False, page=self.description, tell=self._hear)
        assert session is not None
        self.session: BrowserSession = session
        session.observe()

    def _hear(self, _: BrowserSession, state: PageEvent) -> None:
        if not isinstance(state, PageReading):
            return
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def until(self, status: PageStatus, timeout: float = 20) -> PageReading:
        """The first state of this kind, from the browser's start or the last ``forget``."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = [one for one in self.states if one.status is status]
                if found:
                    return found[0]
                left = deadline - time.monotonic()
                assert left > 0, f"never {status}: {self.states}"
                self._changed.wait(left)

    def until_so(self, so: Callable[[PageReading], bool], timeout: float = 20) -> PageReading:
        """The first reading of which this is true."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for one in self.states:
                    if so(one):
                        return one
                left = deadline - time.monotonic()
                assert left > 0, f"never so: {self.states}"
                self._changed.wait(left)

    def forget(self) -> None:
        with self._changed:
            self.states.clear()

    def shown(self) -> list[PageStatus]:
        return [one.status for one in self.states]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def open_browser(world: World, **how: object) -> Watched:
        profile = how.pop("profile", None) or tmp_path / f"profile-{len(made)}"
        assert isinstance(profile, Path)
        watched = Watched(world, profile, **how)  # type: ignore[arg-type]
        made.append(watched)
        return watched

    yield open_browser
    for one in made:
        one.session.close()


Watcher = Callable[..., Watched]


class TestUnpaired:
    def test_loading_then_no_code_yet_then_the_code(self, make_world: Callable[..., World], watch: Watcher) -> None:
        page = watch(make_world(qr_delay=1.0))
        state = page.until(PageStatus.QR)
        assert state.ref
        assert state.keys is False
        assert PageStatus.QR_LOADING in page.shown()
        assert "ref" not in repr(state), "a code on show is a secret"

    def test_a_new_code_then_expired_then_asked_for_again(
        self, make_world: Callable[..., World], watch: Watcher
    ) -> None:
        page = watch(make_world(first_code=0.5, next_code=0.3, codes=2))
        page.until(PageStatus.QR_EXPIRED)
        assert len({one.ref for one in page.states if one.status is PageStatus.QR}) == 2
        page.forget()
        assert actions.renew_codes(page.session.tab, page.description) is True
        page.until(PageStatus.QR)

    def test_a_pairing_code(self, world: World, watch: Watcher) -> None:
        page = watch(world)
        page.until(PageStatus.QR)
        deadline = time.monotonic() + 10
        while not actions.ask_for_code(page.session.tab, page.description, NUMBER):
            assert time.monotonic() < deadline
        code = page.until(PageStatus.PAIRING_CODE).code
        assert code is not None
        assert len(code) == 9
        assert code[4] == "-"
        world.phone.enter_code(code, NUMBER)
        assert page.until(PageStatus.READY).number == NUMBER

    def test_a_passkey_is_wanted(self, world: World, watch: Watcher) -> None:
        world.phone.ask_passkey()
        page = watch(world)
        page.until(PageStatus.QR)
        world.phone.scan(NUMBER)
        page.until(PageStatus.PASSKEY)
        world.phone.finish_passkey()
        page.until(PageStatus.READY)

    def test_syncing_with_percent_then_ready(self, make_world: Callable[..., World], watch: Watcher) -> None:
        world = make_world(sync=1.0)
        page = watch(world)
        page.until(PageStatus.QR)
        world.phone.scan(NUMBER)
        page.until(PageStatus.READY)
        percents = [one.percent for one in page.states if one.status is PageStatus.SYNCING and one.percent is not None]
        assert len(set(percents)) > 2
        assert percents == sorted(percents)
        assert page.shown().index(PageStatus.SYNCING) < page.shown().index(PageStatus.READY)


class TestPaired:
    @pytest.fixture
    def page(self, linked: World, watch: Watcher) -> Watched:
        page = watch(linked, profile=linked.profile)
        page.until(PageStatus.READY)
        page.forget()
        return page

    def test_ready_is_never_said_on_the_pane_alone(self, linked: World, watch: Watcher) -> None:
        linked.phone.set_timing(login=1.0)
        page = watch(linked, profile=linked.profile)
        page.until(PageStatus.READY)
        assert PageStatus.OFFLINE in page.shown()[: page.shown().index(PageStatus.READY)], (
            "pane there, socket not connected yet"
        )

    def test_offline_while_the_network_is_away(self, linked: World, page: Watched) -> None:
        linked.phone.drop_network()
        assert page.until(PageStatus.OFFLINE).keys is True
        linked.phone.restore_network()
        page.until(PageStatus.READY)

    def test_refused_for_now_keeps_the_keys(self, linked: World, page: Watched) -> None:
        linked.phone.refuse(30, NUMBER)
        assert page.until(PageStatus.REFUSED).keys is True

    def test_open_on_another_computer_and_taken_over(self, linked: World, page: Watched) -> None:
        linked.phone.open_elsewhere("computer", NUMBER)
        page.until(PageStatus.COMPUTER)
        page.forget()
        assert actions.use_here(page.session.tab, page.description, computer=True) is True
        page.until(PageStatus.READY)
        assert [one["removedAt"] for one in linked.phone.status()["devices"]] == [None], "log out was not clicked"

    def test_open_in_another_window_of_this_browser_and_taken_over(self, linked: World, page: Watched) -> None:
        devtools = page.session._devtools
        devtools.call("Target.createTarget", url=URL)
        page.until(PageStatus.WINDOW)
        page.forget()
        assert actions.use_here(page.session.tab, page.description, computer=False) is True
        page.until(PageStatus.READY)

    def test_the_popup_of_another_window_without_one_is_a_message_and_is_not_pressed_as_a_computer(
        self, linked: World, page: Watched
    ) -> None:
        linked.phone.open_elsewhere("window", NUMBER)
        page.until(PageStatus.MESSAGE)
        assert actions.use_here(page.session.tab, page.description, computer=True) is False
        assert PageStatus.WINDOW not in page.shown()

    def test_client_fatal(self, linked: World, page: Watched) -> None:
        linked.phone.break_storage(NUMBER)
        page.until_so(lambda state: state.logout == "0" and state.keys_gone)
        assert PageStatus.LOGGED_OUT not in page.shown()

    @pytest.mark.parametrize(
        ("reason", "word"),
        [(None, "by the phone"), (1, "sync failure"), (2, "history sync timeout"), (3, "account locked")],
    )
    def test_logged_out_with_its_reason(
        self, linked: World, page: Watched, reason: int | None, word: str | None
    ) -> None:
        linked.phone.log_out_with(reason, NUMBER)
        state = page.until(PageStatus.QR)
        assert state.keys_gone
        assert state.logout == ("" if reason is None else str(reason))
        assert logout_words(state.logout, page.description) == word

    @pytest.mark.parametrize("kind", KINDS)
    def test_blocked_each_kind(self, linked: World, page: Watched, kind: str) -> None:
        linked.phone.block(kind, NUMBER)
        assert page.until(PageStatus.BLOCKED).reason == kind

    def test_a_crashed_page_is_gone(self, page: Watched) -> None:
        page.session.tab.post("Page.crash")
        page.until(PageStatus.GONE)


class TestUnusual:
    def test_an_unsupported_browser(self, world: World, watch: Watcher) -> None:
        watch(world, headless_agent=True).until(PageStatus.UNSUPPORTED)

    def test_unreachable(self, world: World, watch: Watcher) -> None:
        world.phone.drop_network()
        page = watch(world)
        page.until(PageStatus.UNREACHABLE)

    def test_without_the_pages_modules_the_dom_has_to_do(self, linked: World, watch: Watcher) -> None:
        """``window.require`` is absent or throws on some day: ready is then a pane and both keys."""
        blind = load(None).data | {"modules": {"mode": ["Nothing", "x", "y"], "socket": ["Nothing", "x", "y"]}}
        page = watch(linked, profile=linked.profile, description=PageDescription(blind))
        assert page.until(PageStatus.READY).socket is None

    def test_a_selector_that_changed_can_be_replaced_without_a_release(self, tmp_path: Path, linked: World) -> None:
        """A file named on the command line is laid over the built-in description."""
        mine = tmp_path / "signals.json"
        mine.write_text(json.dumps({"selectors": {"pane": ["#never-there"]}}))
        with linked.linda.start(NUMBER, "--signals", str(mine), "--timeout", "2") as run:
            assert run.end() == 17
        mine.write_text('{"selectors": 5}')
        with linked.linda.start(NUMBER, "--signals", str(mine)) as run:
            assert run.end() == 2


class TestReading:
    """The reading of what the observer says, without a browser."""

    def test_every_selector_group_has_fallbacks_or_a_reason_not_to(self) -> None:
        assert all(built_in().data["selectors"].values())

    def test_a_logout_in_the_address_of_a_ready_page_is_an_old_one(self) -> None:
        facts = {
            "url": URL + "?post_logout=1",
            "has": {"pane": True},
            "socket": "CONNECTED",
            "mode": "MAIN",
            "wid": f'"{NUMBER}:3@c.us"',
            "noise": "a key",
        }
        assert read(json.dumps(facts), built_in(), login_digest).status is PageStatus.READY

    def test_facts_that_are_missing_count_as_not_there(self) -> None:
        assert read(json.dumps({"url": URL}), built_in(), login_digest).status is PageStatus.NOTHING


class TestRealShells:
    """The real page's shells, as the npm package has them: with their scripts out of reach all of them are loading."""

    @pytest.fixture(scope="class")
    @classmethod
    def shells(cls, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
        if shutil.which("npm") is None:
            pytest.skip("not installed: npm")
        folder = tmp_path_factory.mktemp("shells")
        package = "@wppconnect/wa-version@1.5.4908"
        done = subprocess.run(
            ["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", str(folder), package],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        pages = sorted(folder.glob("node_modules/@wppconnect/wa-version/html/*.html"))
        if not pages:
            pytest.skip(f"the package could not be had: {done.stderr[-200:]}")
        return pages

    def test_all_of_them_read_as_loading_in_one_browser(self, shells: list[Path], world: World, watch: Watcher) -> None:
        page = watch(world)
        page.until(PageStatus.QR)
        serving = _Serving(page.session)
        wrong = []
        for shell in shells:
            page.forget()
            serving.serve(shell.read_bytes())
            page.session.reload()
            try:
                page.until(PageStatus.LOADING, timeout=10)
            except AssertionError:
                wrong.append((shell.name, page.shown()))
            if set(page.shown()) - {PageStatus.LOADING, PageStatus.NOTHING, PageStatus.QR}:
                wrong.append((shell.name, page.shown()))
        assert len(shells) > 100
        assert wrong == []

    def test_one_of_them_end_to_end_is_17_and_the_session_is_as_it_was(
        self, shells: list[Path], linked: World, tmp_path: Path
    ) -> None:
        for shell in (shells[0], shells[-1]):
            with _shell_server(tmp_path, shell.read_bytes()) as arguments:
                run = Linda(linked.inner, LINDA_CHROME_ARGS=" ".join(f"'{one}'" for one in arguments))
                done = run.run("start", NUMBER, "--timeout", "3", "--json")
            assert done.code == 17, done
            assert linked.linda.info()["verdict"] == "restorable"
        assert linked.quarantined() == []
        with linked.linda.start(NUMBER, "--once") as again:
            assert again.wait_for("ready")["source"] == "profile"


class _Serving:
    """Answers the page's own document by bytes of ours, and nothing else at all."""

    def __init__(self, session: BrowserSession) -> None:
        self._tab = session.tab
        self._body = b""
        self._tab.listen(self._heard)
        self._tab.call("Fetch.enable", patterns=[{"urlPattern": "*"}])

    def serve(self, body: bytes) -> None:
        self._body = base64.b64encode(body)

    def _heard(self, method: str, params: Mapping[str, Any]) -> None:
        if method != "Fetch.requestPaused":
            return
        if params["resourceType"] == "Document":
            headers = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
            self._tab.post(
                "Fetch.fulfillRequest",
                requestId=params["requestId"],
                responseCode=200,
                responseHeaders=headers,
                body=self._body.decode(),
            )
        else:
            self._tab.post("Fetch.failRequest", requestId=params["requestId"], errorReason="InternetDisconnected")


@contextlib.contextmanager
def _shell_server(folder: Path, body: bytes) -> Iterator[list[str]]:
    """An HTTPS server on loopback that gives one document for ``/`` and 404 for everything else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if found:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    identity = tls.certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = identity.context().wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield [
        f"--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:{server.server_address[1]}, MAP * ~NOTFOUND",
        f"--ignore-certificate-errors-spki-list={identity.spki}",
        "--no-proxy-server",
    ]
    server.shutdown()
    server.server_close()
