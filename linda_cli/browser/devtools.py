"""One connection to a browser's DevTools: calls that are answered, events that are told as they come.

Selenium does what is done to the page. This is for what Chromium says by itself (a binding called, a tab crashed, the
browser gone), which WebDriver has no way to push, and for ``Browser.close``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

Listener = Callable[[str, Mapping[str, Any]], None]


class DevToolsError(OSError):
    """Chromium refused a call, or the connection is gone."""


class DevTools:
    """A connection to ``ws://127.0.0.1:<port>/devtools/browser/<uuid>``.

    That Chromium accepts the uuid proves that it is the browser which wrote it. Listeners are called from this
    connection's own thread: they may ``post`` to it and must not ``call``.
    """

    def __init__(self, socket_url: str, timeout: float = 10.0) -> None:
        import websocket

        address = urlsplit(socket_url)
        try:
            # The library would go through a proxy that the environment names, and NO_PROXY need not leave loopback out.
            made = socket.create_connection((address.hostname, address.port), timeout=timeout)
        except OSError as problem:
            raise DevToolsError(f"no answer from the browser at {socket_url.split('/devtools')[0]}") from problem
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Chromium refuses a connection that names an Origin it was not told to allow.
            self._socket = websocket.create_connection(
                socket_url, timeout=timeout, suppress_origin=True, enable_multithread=True, socket=made
            )
        except (OSError, websocket.WebSocketException) as problem:
            made.close()
            raise DevToolsError(f"no answer from the browser at {socket_url.split('/devtools')[0]}") from problem
        self._socket.settimeout(None)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Answer] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="devtools", daemon=True)
        self._thread.start()

    def call(self, method: str, timeout: float = 10.0, session: str | None = None, **params: Any) -> Mapping[str, Any]:
        """The result of one call. Raises ``DevToolsError`` or ``TimeoutError``."""
        answer = _Answer()
        message: dict[str, Any] = {"method": method, "params": params}
        if session:
            message["sessionId"] = session
        with self._lock:
            if self._closed:
                raise DevToolsError("the browser is gone")
            message["id"] = number = next(self._numbers)
            self._waiting[number] = answer
        try:
            self._send(json.dumps(message))
            return answer.wait(timeout, method)
        finally:
            self._waiting.pop(number, None)

    def _send(self, text: str) -> None:
        import websocket

        try:
            self._socket.send(text)
        except (OSError, websocket.WebSocketException) as problem:
            raise DevToolsError("the browser is gone") from problem

    def post(self, method: str, session: str | None = None, **params: Any) -> None:
        """A call whose answer nobody waits for: listeners may make these. Nothing is said where it fails."""
        message = {"id": next(self._numbers), "method": method, "params": params}
        # A connection that is lost is noticed and told by the thread that reads it.
        with contextlib.suppress(OSError):
            self._send(json.dumps({**message, "sessionId": session} if session else message))

    def listen(self, listener: Listener, session: str | None = None) -> None:
        """Tell ``listener`` the events of one session, and ``closed`` when the connection ends."""
        with self._lock:
            self._listeners.setdefault(session, []).append(listener)
            closed = self._closed
        if closed:
            listener("closed", {})

    def close(self) -> None:
        """Let go of the browser; it stays as it is. Listeners are told nothing of it."""
        with self._lock:
            self._listeners.clear()
        with contextlib.suppress(Exception):
            # Closing alone does not wake a thread that waits for the next word.
            self._socket.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
        with contextlib.suppress(Exception):
            self._socket.shutdown()  # type: ignore[no-untyped-call]
        if self._thread is not threading.current_thread():
            self._thread.join(2)

    def _read(self) -> None:
        from websocket import WebSocketException

        try:
            while True:
                text = self._socket.recv()
                if not text:
                    break
                try:
                    message = json.loads(text)
                except ValueError:
                    # Cut off in the middle, or no DevTools at all: nothing more of use will come of it.
                    break
                self._heard(message)
        except (OSError, WebSocketException, AttributeError):
            # The ways in which a connection ends; the library's own socket is None once it was shut down beside it.
            return
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._closed = True
            waiting = list(self._waiting.values())
            listeners = [one for some in self._listeners.values() for one in some]
        for answer in waiting:
            answer.fail("the browser is gone")
        for listener in listeners:
            _call(listener, "closed", {})

    def _heard(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        if number is not None:
            answer = self._waiting.get(number)
            if answer is not None:
                answer.put(message)
            return
        with self._lock:
            listeners = list(self._listeners.get(message.get("sessionId"), ()))
        for listener in listeners:
            _call(listener, str(message.get("method")), message.get("params") or {})


def _call(listener: Listener, method: str, params: Mapping[str, Any]) -> None:
    """Tell one listener. What it raises is a bug of linda's, and no word of the browser's: it ends no connection."""
    try:
        listener(method, params)
    except Exception as bug:  # noqa: BLE001 - reported as a bug; the browser and the other listeners go on
        threading.excepthook(threading.ExceptHookArgs((type(bug), bug, bug.__traceback__, threading.current_thread())))


class _Answer:
    """The place where one call waits."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._message: Mapping[str, Any] = {}

    def put(self, message: Mapping[str, Any]) -> None:
        self._message = message
        self._there.set()

    def fail(self, why: str) -> None:
        self.put({"error": {"message": why}})

    def wait(self, timeout: float, method: str) -> Mapping[str, Any]:
        if not self._there.wait(timeout):
            raise TimeoutError(f"the browser did not answer to {method} within {timeout:g} s")
        problem = self._message.get("error")
        if problem:
            raise DevToolsError(f"{method}: {problem.get('message')}")
        result: Mapping[str, Any] = self._message.get("result") or {}
        return result


class Tab:
    """One page of the browser, spoken to over the browser's connection."""

    def __init__(self, devtools: DevTools, target: str) -> None:
        self.target = target
        self._devtools = devtools
        self._session = str(devtools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def call(self, method: str, timeout: float = 10.0, **params: Any) -> Mapping[str, Any]:
        """As :meth:`DevTools.call`, for this page."""
        return self._devtools.call(method, timeout, self._session, **params)

    def post(self, method: str, **params: Any) -> None:
        """As :meth:`DevTools.post`, for this page."""
        self._devtools.post(method, self._session, **params)

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` this page's events."""
        self._devtools.listen(listener, self._session)


def pages(devtools: DevTools) -> list[Mapping[str, Any]]:
    """The open tabs, oldest knowledge first; extensions, workers and the browser's own pages left out."""
    infos = devtools.call("Target.getTargets")["targetInfos"]
    return [one for one in infos if one["type"] == "page"]
