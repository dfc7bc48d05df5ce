"""A proxy of its own for an account: everything of its browser goes through it, and its password is seen nowhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from linda_cli.browser.forwarding import Forwarding, Way, ask, names_of, port_of, through
from linda_cli.browser.processes import occupant
from linda_cli.browser.proxy import Proxy, ProxyScheme, parse_proxy
from linda_cli.console.own_arguments import without_passwords
from linda_cli.errors import Misused
from tests.environment.proxies import TestProxy, proxy
from tests.linda import NUMBER, Linda, Started, World

PASSWORD = "p:a@s s/wörd"
WRITTEN = "p%3Aa%40s%20s%2Fw%C3%B6rd"
BY_NAME = "http://ada:secret-word@proxy.example:3128"


def url(made: TestProxy, scheme: str, who: str = f"ada:{WRITTEN}@") -> str:
    return f"{scheme}://{who}127.0.0.1:{made.port}"


def everything_of(world: World, run: Started | None = None) -> str:
    """All that is kept below a home as text, and the command lines of a run and all that it has started."""
    texts = [
        one.read_bytes().decode("latin-1")
        for one in world.home.rglob("*")
        if one.is_file() and one.suffix in (".log", ".json", ".lock")
    ]
    if run is not None:
        here = psutil.Process(run.process.pid)
        texts += [" ".join(process.cmdline()) for process in [here, *here.children(recursive=True)]]
        texts.append(json.dumps(run.events))
    return "\n".join(texts)


class TestNaming:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("http://proxy.example:3128", Proxy(ProxyScheme.HTTP, "proxy.example", 3128)),
            ("HTTP://proxy.example", Proxy(ProxyScheme.HTTP, "proxy.example", 80)),
            ("socks5://10.0.0.1/", Proxy(ProxyScheme.SOCKS5, "10.0.0.1", 1080)),
            ("socks5h://u:pw@[::1]:9050", Proxy(ProxyScheme.SOCKS5, "::1", 9050, "u", "pw")),
            (
                f"http://ada:{WRITTEN}@bücher.example:1",
                Proxy(ProxyScheme.HTTP, "xn--bcher-kva.example", 1, "ada", PASSWORD),
            ),
            ("http://ada@proxy.example:1", Proxy(ProxyScheme.HTTP, "proxy.example", 1, "ada")),
        ],
    )
    def test_what_is_a_proxy(self, text: str, expected: Proxy) -> None:
        assert parse_proxy(text) == expected
        assert expected.password == "" or expected.password not in f"{expected} {expected!r}"

    @pytest.mark.parametrize(
        "text",
        [
            "", " ", "proxy.example:3128", "ftp://proxy.example", "https://proxy.example:3128", "socks4://proxy.example",
            "http://", "http://:3128", "http://proxy.example:0", "http://proxy.example:65536", "http://proxy.example:x",
            "http://u:secret/word@proxy.example:1", "http://u:secret#word@proxy.example:1", "http://:secret@proxy.example",
            "http://u:secret?word@proxy.example:1", "http://u:secret@proxy.example/path", "http://pro xy.example:1",
            "http://[::1:3128", "http://-proxy:1", f"http://u:{'x' * 256}@proxy.example", "http://u:%00secret@proxy.example",
            "http://u:%ff@proxy.example", "http://a..b:1", "http://u:secret\n@proxy.example", "secret@proxy.example:1",
        ],
    )  # fmt: skip
    def test_what_is_none_is_exit_2_without_a_word_of_it(self, text: str, linda: Linda) -> None:
        with pytest.raises(Misused) as caught:
            parse_proxy(text)
        assert "secret" not in f"{caught.value.message} {caught.value.hint}"

    def test_malformed_is_exit_2_by_option_and_variable_and_touches_nothing(self, linda: Linda) -> None:
        for words, environ in (
            (("--proxy", "http://ada:secret@:1"), {}),
            (("--proxy=",), {}),
            ((), {"LINDA_PROXY": "ada:secret@proxy.example"}),
            (("--proxy", "http://ada:secret@x:1", "http://ada:secret@y:1", "more"), {}),
        ):
            done = linda.run("--json", "start", NUMBER, *words, **environ)
            assert done.code == 2, done
            assert "secret" not in done.out + done.err
        assert not linda.home.exists()

    def test_no_url_of_a_command_line_is_kept_with_its_password(self) -> None:
        words = [
            "start",
            "--proxy",
            BY_NAME,
            f"--proxy={BY_NAME}",
            "--proxy",
            "ada:secret-word@x:1",
            "a@b",
            "http://x/",
        ]
        assert without_passwords(words) == [
            "start", "--proxy", "http://***@proxy.example:3128", "--proxy=http://***@proxy.example:3128", "--proxy",
            "***@x:1", "a@b", "http://x/",
        ]  # fmt: skip


class TestTheWay:
    """``forward.py`` by itself, without a browser."""

    @pytest.fixture
    def echo(self) -> Iterator[str]:
        """A server that sends back what it gets."""

        def answer(listening: socket.socket) -> None:
            while True:
                try:
                    made, _ = listening.accept()
                except OSError:
                    return
                with made:
                    while data := made.recv(1 << 16):
                        made.sendall(data)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=answer, args=(listening,), daemon=True)
            thread.start()
            yield f"127.0.0.1:{listening.getsockname()[1]}"
            listening.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def connect(forwarding: Forwarding, target: str) -> tuple[socket.socket, int]:
        host, _, port = target.rpartition(":")
        made = socket.create_connection(("127.0.0.1", forwarding.port), timeout=30)
        made.sendall(b"\5\1\0")
        assert made.recv(2) == b"\5\0"
        name = host.encode()
        made.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + int(port).to_bytes(2, "big"))
        return made, made.recv(10)[1]

    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    def test_bytes_go_there_and_back(self, scheme: str, echo: str) -> None:
        with proxy(user="ada", password=PASSWORD) as made:
            forwarding = Forwarding.begin(Way(parse_proxy(url(made, scheme)), {}))
            try:
                stream, code = self.connect(forwarding, echo)
                assert code == 0
                data = os.urandom(3_000_000)
                sender = threading.Thread(target=stream.sendall, args=(data,))
                sender.start()
                back = b""
                while len(back) < len(data):
                    back += stream.recv(1 << 16)
                sender.join()
                assert back == data
                assert made.asked == [echo]
                assert ask(forwarding.way, forwarding.port) == ""
            finally:
                forwarding.end()

    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    @pytest.mark.parametrize(
        ("how", "who", "expected"),
        [
            ({"user": "ada", "password": "other"}, "ada:secret@", "does not accept the user and the password"),
            ({"user": "ada", "password": "other"}, "", "wants a user and a password"),
            ({"refuses": 2}, "", "allow the way|refused the way to nowhere.example"),
            ({"leads": {}}, "ada:secret@", "refused the way to nowhere.example|allow the way"),
        ],
    )
    def test_why_there_is_no_way_is_known(self, scheme: str, how: dict[str, object], who: str, expected: str) -> None:
        how = {**how, **({"refuses": 403} if "refuses" in how and scheme == "http" else {})}
        with proxy(**how) as made:
            forwarding = Forwarding.begin(Way(parse_proxy(url(made, scheme, who)), {}))
            try:
                stream, code = self.connect(forwarding, "nowhere.example:443")
                stream.close()
                assert code == 1
                problem = forwarding.problem()
                assert any(one in problem for one in expected.split("|")), problem
                assert "secret" not in problem
            finally:
                forwarding.end()

    @pytest.mark.parametrize(
        ("scheme", "answer"), [("http", b"\x15\x03\x01\x00\x02\r\n\r\n"), ("socks5", b"HTTP/1.1 400 Bad\r\n\r\n")]
    )
    def test_what_is_no_such_proxy_is_told_so(self, scheme: str, answer: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def once() -> None:
                made, _ = listening.accept()
                with made:
                    made.recv(1 << 16)
                    made.sendall(answer)

            threading.Thread(target=once, daemon=True).start()
            forwarding = Forwarding.begin(Way(Proxy(ProxyScheme(scheme), "127.0.0.1", listening.getsockname()[1]), {}))
            try:
                stream, code = self.connect(forwarding, "nowhere.example:443")
                stream.close()
                assert code == 1
                assert "does not answer as" in forwarding.problem()
            finally:
                forwarding.end()

    def test_one_that_has_ended_is_started_again_on_its_port(self, echo: str) -> None:
        with proxy() as made:
            way = Way(parse_proxy(url(made, "http", "")), {})
            forwarding = Forwarding.begin(way)
            forwarding.stay_with(os.getpid())
            assert forwarding.child is not None
            forwarding.child.kill()
            forwarding.child.wait(10)
            assert ask(way, forwarding.port) is None
            assert "started again" in forwarding.problem()
            try:
                stream, code = self.connect(forwarding, echo)
                stream.close()
                assert code == 0
            finally:
                assert forwarding.child is not None
                forwarding.child.kill()
                forwarding.child.wait(10)

    def test_it_ends_with_its_browser_and_without_one(self) -> None:
        way = Way(Proxy(ProxyScheme.HTTP, "127.0.0.1", 9), {})
        alone = Forwarding.begin(way)
        assert alone.child is not None
        assert alone.child.stdin is not None
        alone.child.stdin.close()
        assert alone.child.wait(30) == 0
        sleeping = subprocess.Popen(["sleep", "1000"])
        beside = Forwarding.begin(way)
        beside.stay_with(sleeping.pid)
        assert ask(way, beside.port) == ""
        sleeping.kill()
        sleeping.wait(10)
        assert beside.child is not None
        assert beside.child.wait(30) == 0

    def test_another_way_is_not_taken_for_it(self) -> None:
        way = Way(Proxy(ProxyScheme.HTTP, "127.0.0.1", 9, "ada", "one"), {})
        forwarding = Forwarding.begin(way)
        try:
            assert ask(way, forwarding.port) == ""
            assert ask(Way(Proxy(ProxyScheme.HTTP, "127.0.0.1", 9, "ada", "two"), {}), forwarding.port) is None
            assert ask(Way(way.proxy, {"*": None}), forwarding.port) is None
        finally:
            forwarding.end()

    @pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
    def test_another_user_of_the_machine_is_not_let_through(self, echo: str) -> None:
        with proxy(user="ada", password=PASSWORD) as made:
            forwarding = Forwarding.begin(Way(parse_proxy(url(made, "http")), {}))
            try:
                tried = (
                    f"import socket; s = socket.create_connection(('127.0.0.1', {forwarding.port}), 10)\n"
                    "s.sendall(b'\\5\\1\\0')\n"
                    "try: print(s.recv(2))\n"
                    "except ConnectionError: print(b'')"
                )
                for user, expected in ((65534, "b''"), (0, "b'\\x05\\x00'")):
                    told = subprocess.run(
                        ["/usr/bin/python3", "-c", tried],
                        capture_output=True,
                        text=True,
                        user=user,
                        cwd="/",
                        check=True,
                    )
                    assert told.stdout.strip() == expected, told
            finally:
                forwarding.end()

    def test_names_are_looked_up_as_the_browser_was_told(self) -> None:
        rules = ["--host-resolver-rules=MAP web.whatsapp.com:443 127.0.0.1:5,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1"]
        assert names_of(rules) == {"web.whatsapp.com:443": "127.0.0.1:5", "*": None}
        assert names_of([]) == {}
        arguments = through(["--no-proxy-server", "-proxy-server=x:1", "--lang=de"], 9050)
        assert "--lang=de" in arguments
        assert port_of(arguments) == 9050
        assert not any("no-proxy" in one or "x:1" in one for one in arguments)


class TestARun:
    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    def test_all_of_it_goes_through_the_proxy_and_the_password_is_nowhere(self, linked: World, scheme: str) -> None:
        with proxy(user="ada", password=PASSWORD) as made:
            with linked.linda.start(NUMBER, "--proxy", url(made, scheme)) as run:
                run.wait_for("ready", source="profile")
                run.wait_for("saved")
                assert f"127.0.0.1:{linked.sandbox.port}" in made.asked
                seen = everything_of(linked, run)
                assert "forward.py" in seen
                assert WRITTEN not in seen
                assert PASSWORD not in seen
                assert run.stop() == 0
            assert set(made.asked) == {f"127.0.0.1:{linked.sandbox.port}"}
            assert made.denied == 0
        assert WRITTEN not in everything_of(linked)

    def test_by_the_variable_nobody_who_is_started_gets_it(self, linked: World) -> None:
        with proxy(user="ada", password=PASSWORD) as made:
            with linked.linda.start(NUMBER, LINDA_PROXY=url(made, "http")) as run:
                run.wait_for("saved")
                below = psutil.Process(run.process.pid).children(recursive=True)
                assert len(below) > 3
                for process in below:
                    assert WRITTEN not in json.dumps(process.environ())
            assert made.asked

    @pytest.mark.parametrize(
        ("how", "reason"),
        [
            ({"user": "ada", "password": "other"}, "does not accept the user and the password (407)"),
            ({"refuses": 403}, "refused the way to web.whatsapp.com (403)"),
            ({"silent": True}, "gives no answer"),
        ],
    )
    def test_one_that_refuses_is_waited_for_and_named(self, linked: World, how: dict[str, object], reason: str) -> None:
        with proxy(**how) as made, linked.linda.start(NUMBER, "--proxy", url(made, "http")) as run:
            told = run.wait_for("waiting")
            assert told["for"] == "network"
            assert told["reason"] == f"the proxy http://127.0.0.1:{made.port} {reason}"
            made.refuses, made.user, made.silent = 0, "", False
            made.cut()
            run.wait_for("ready", source="profile")
        assert linked.quarantined() == []

    def test_one_that_is_away_is_waited_for_and_named(self, linked: World) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        with linked.linda.start(NUMBER, "--proxy", f"socks5://ada:secret@127.0.0.1:{port}", "--timeout", "12") as run:
            told = run.wait_for("waiting")
            assert told["for"] == "network"
            assert told["reason"] == f"the proxy socks5://127.0.0.1:{port} cannot be reached: connection refused"
            assert run.end() == 17
            assert str(port) in run.last["message"]
            assert "secret" not in json.dumps(run.events)

    def test_another_proxy_for_a_kept_browser_is_a_new_browser(self, linked: World) -> None:
        with proxy(user="ada", password=PASSWORD) as first, proxy(user="ada", password=PASSWORD) as second:
            words = (NUMBER, "--once", "--keep-browser")
            with linked.linda.start(*words, "--proxy", url(first, "http")) as run:
                run.wait_for("saved")
                assert run.end() == 0
            kept = occupant(linked.profile)
            # The way is there for as long as the browser is: another linda finds both.
            with linked.linda.start(*words, "--proxy", url(first, "http")) as run:
                run.wait_for("ready", source="browser")
                assert run.end() == 0
            for changed, source in (
                ((url(second, "http"),), "profile"),
                ((url(second, "socks5"),), "profile"),
                ((), "profile"),
            ):
                with linked.linda.start(*words, *(("--proxy", *changed) if changed else ())) as run:
                    assert run.wait_for("rung_failed")["rung"] == "browser"
                    run.wait_for("ready", source=source)
                    assert run.end() == 0
                now = occupant(linked.profile)
                assert now is not None
                assert kept is not None
                assert now.pid != kept.pid
                kept = now
            assert second.asked
            assert linked.quarantined() == []
            linked.linda.run("stop", NUMBER)

    def test_a_proxy_that_goes_away_is_an_outage_of_the_network(self, linked: World) -> None:
        with proxy() as made, linked.linda.start(NUMBER, "--proxy", url(made, "http", "")) as run:
            run.wait_for("saved")
            made.refuses = 502
            made.cut()
            run.wait_for("disconnected")
            told = run.wait_for("waiting")
            assert told["reason"] == f"the proxy http://127.0.0.1:{made.port} refused the way to web.whatsapp.com (502)"
            made.refuses = 0
            run.wait_for("reconnected")

    def test_a_forwarding_program_that_was_killed_is_started_again(self, linked: World) -> None:
        """Before the outage is one, mostly."""
        with proxy() as made, linked.linda.start(NUMBER, "--proxy", url(made, "http", "")) as run:
            run.wait_for("saved")
            (program,) = forwarders_of(run)
            program.kill()
            deadline = time.monotonic() + 60
            while not (again := forwarders_of(run)) or again == [program]:
                assert time.monotonic() < deadline, run.story()
                time.sleep(0.1)
            linked.wait_online(60)


def forwarders_of(run: Started) -> list[psutil.Process]:
    """The programs by which the browsers of this run reach their proxies."""
    return [
        one
        for one in psutil.Process(run.process.pid).children()
        if one.status() != psutil.STATUS_ZOMBIE and any(word.endswith("forward.py") for word in one.cmdline())
    ]


def test_the_password_is_out_of_the_process_list_and_of_what_an_error_tells(tmp_path: Path) -> None:
    """As typed with the password: from linda's first moments on ``ps`` shows stars in its place."""
    shown = tmp_path / "shown"
    # Asked for its version, this browser writes down what the system shows of linda, and is none.
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntr '\\0' ' ' < /proc/$PPID/cmdline > {shown}\nenv >> {shown}\n")
    browser.chmod(0o755)
    done = Linda(tmp_path / "home").run("--json", "start", NUMBER, "--proxy", BY_NAME, LINDA_CHROME=str(browser))
    assert done.code == 14
    assert "secret-word" not in done.out + done.err
    assert f"--proxy http://{'*' * len('ada:secret-word')}@proxy.example:3128" in shown.read_text()
    assert "secret-word" not in shown.read_text()
