"""Behind the real nginx: the configurations of the docs, below a path, without WebSockets, and set up wrong."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linda_cli.server.auth import make
from tests.conftest import needs
from tests.linda import NUMBER, World
from tests.server.served import Client, Served
from tests.server.test_page import Page
from tests.server.test_page import browser as browser

SECRET = "a secret of more than sixty-four bytes, which is what HS512 asks for too"
EXAMPLES = Path(__file__).parents[2] / "examples" / "proxies"
PLAIN = "location / { proxy_pass http://127.0.0.1:8350; }"

_CONF = """
worker_processes 1;
daemon off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, location: str, server: Served) -> Iterator[str]:
    """nginx with this location before that server: its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    upstream = server.url.split("/")[2]
    folder.mkdir()
    if os.geteuid() == 0:
        folder.chmod(0o777)
    conf = folder / "nginx.conf"
    conf.write_text(_CONF.format(folder=folder, port=port, location=location.replace("127.0.0.1:8350", upstream)))
    with subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


@needs("nginx")
@pytest.mark.parametrize(
    ("file", "path", "words"), [("nginx.conf", "", ()), ("nginx-path.conf", "linda/", ("--root-path", "/linda"))]
)
def test_the_page_and_its_socket_work_behind_the_configurations_of_the_docs(
    linked: World, tmp_path: Path, browser: Callable[..., Page], file: str, path: str, words: tuple[str, ...]
) -> None:
    with Served(linked, "--behind-proxy", "127.0.0.1/32", *words, JWT_SECRET=SECRET) as server:
        server.wait_for("ready", session=NUMBER)
        with nginx(tmp_path / "nginx", (EXAMPLES / file).read_text(), server) as url:
            page = browser()
            secret = make(SECRET, "root", "admin", 60, audience="linda-sign-in")
            page.driver.get(f"{url}{path}#sign-in={secret}")
            page.until("#live", "live")
            page.until("#rows .state", "Connected")
            page.driver.get(f"{url}{path}#account/{NUMBER}")
            page.click("[data-do=stop]")
            page.until("#account-words", "Stopped by you")
            names = page.driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
            assert all(str(one).startswith((f"{url}{path}", "data:", "blob:")) for one in names)
            assert page.complaints() == []
            page.driver.get(f"{url}{path}docs")
            page.until(".opblock-summary-path", "/whatsapp/accounts")


@needs("nginx")
def test_without_websockets_it_falls_back_to_long_polling(
    linked: World, tmp_path: Path, browser: Callable[..., Page], client: Callable[..., Client]
) -> None:
    location = "location / { proxy_pass http://127.0.0.1:8350; proxy_set_header Host $http_host; }"
    with Served(linked, JWT_SECRET=SECRET) as server, nginx(tmp_path / "nginx", location, server) as url:
        page = browser()
        page.driver.get(f"{url}#sign-in={make(SECRET, 'root', 'admin', 60, audience='linda-sign-in')}")
        page.until("#live", "live")
        server.wait_for("saved")
        page.until("#rows .state", "Connected")


@needs("nginx")
def test_where_a_proxy_is_set_up_wrong_the_page_says_what_to_set(
    world: World, tmp_path: Path, browser: Callable[..., Page]
) -> None:
    # nginx as it comes: the Host that it sends is not the one in the browser's address.
    with Served(world, JWT_SECRET=SECRET) as server, nginx(tmp_path / "nginx", PLAIN, server) as url:
        page = browser()
        page.driver.get(url)
        page.until("#token")
        page.press("anything", "\ue007")
        page.driver.get(f"{url}#sign-in={make(SECRET, 'root', 'admin', 60, audience='linda-sign-in')}")
        page.until("[role=alert]", "proxy")


@needs("nginx")
def test_a_proxy_before_a_server_without_a_secret_is_refused(world: World, tmp_path: Path) -> None:
    with Served(world) as server, nginx(tmp_path / "nginx", (EXAMPLES / "nginx.conf").read_text(), server) as url:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=10)
        with refused.value as answered:
            assert answered.code == 403
            assert b"JWT_SECRET" in answered.read()
        assert urllib.request.urlopen(f"{url}livez", timeout=10).status == 200
