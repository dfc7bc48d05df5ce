"""The connection to a browser's DevTools ends when the socket does, and for no other reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from linda_cli.browser.devtools import DevTools


@pytest.fixture
def browser() -> Iterator[Server]:
    """What answers like a browser: every call with an empty result, after an event of the same name."""

    def answer(connection: ServerConnection) -> None:
        import json

        for text in connection:
            told = json.loads(text)
            connection.send(json.dumps({"method": told["method"], "params": {}}))
            connection.send(json.dumps({"id": told["id"], "result": {}}))

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
    thread.join(5)


def test_an_exception_in_a_listener_is_reported_as_a_bug_and_the_connection_lives(
    browser: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bugs: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", bugs.append)
    heard: list[str] = []

    def broken(method: str, params: Mapping[str, Any]) -> None:
        heard.append(method)
        raise KeyError("a listener's own mistake")

    devtools = DevTools(f"ws://127.0.0.1:{browser.socket.getsockname()[1]}/devtools/browser/x")
    devtools.listen(broken)
    devtools.listen(lambda method, params: heard.append(f"second {method}"))
    assert devtools.call("Browser.getVersion") == {}
    assert devtools.call("Target.getTargets") == {}
    assert heard == [
        "Browser.getVersion", "second Browser.getVersion", "Target.getTargets", "second Target.getTargets",
    ]  # fmt: skip
    assert [type(one.exc_value) for one in bugs] == [KeyError, KeyError]
    assert bugs[0].exc_traceback is not None
    devtools.close()
