"""Serving a sandbox, its status and its timing."""

from __future__ import annotations

import contextlib
import os
import queue
from typing import Any

import typer

from linda_cli.commands.sandbox.target import home_of, phone_of, serving
from linda_cli.console import stand_in
from linda_cli.errors import InUse, Misused
from linda_cli.lifecycle.signals import stopping_on_signals

_SLICE = 0.25


def declare(verb: typer.Typer) -> None:
    """Declare serve, status and timing."""

    @verb.command()
    def serve(
        context: typer.Context,
        page_delay: float = typer.Option(None, help="Seconds a linked page loads (the real one: 6 to 8). 0"),
        boot: float = typer.Option(None, help="Seconds until the script of a document runs. 0"),
        qr_delay: float = typer.Option(None, help="Seconds until the first code. 0"),
        first_code: float = typer.Option(None, help="Seconds the first code lives. 60"),
        next_code: float = typer.Option(None, help="Seconds each later code lives. 20"),
        codes: int = typer.Option(None, help="Codes before the page stops and offers a button. 6"),
        pairing_code: float = typer.Option(None, help="Seconds a pairing code lives. 180"),
        sync: float = typer.Option(None, help="Seconds of first sync after linking. 0"),
        resync: float = typer.Option(None, help="Seconds of sync of a login that comes back. 0"),
        sync_stall: float = typer.Option(None, help="The percentage at which a sync stands still. 100"),
        sync_kilobytes: float = typer.Option(None, help="What a sync writes to disk each second. 0"),
        logout: float = typer.Option(None, help="Seconds from a logout's keys being gone to its address. 0"),
        login: float = typer.Option(None, help="Seconds the server thinks about a login. 0"),
        notice: float = typer.Option(None, help="Seconds until the page notices a dropped network. 1"),
        recover: float = typer.Option(None, help="Seconds the page takes to recover from it. 0.5"),
        keepalive: float = typer.Option(None, help="Seconds between a page's questions whether it is connected. 10"),
        silence: float = typer.Option(None, help="Seconds it waits for an answer. 32"),
        port: int = typer.Option(0, min=0, max=65535, help="Where the page is served; 0 is any free one."),
        control_port: int = typer.Option(0, min=0, max=65535, help="Where the phone is driven; 0 is any free one."),
    ) -> None:
        """Serve the sandbox until Ctrl-C; the default.

        It serves this home's sandbox: linda start --sandbox and the other words of linda sandbox find it there.
        """
        from linda_cli.sandbox.server import Sandbox, Timing

        given = {
            "page_delay": page_delay,
            "boot": boot,
            "qr_delay": qr_delay,
            "first_code": first_code,
            "next_code": next_code,
            "codes": codes,
            "pairing_code": pairing_code,
            "sync": sync,
            "resync": resync,
            "sync_stall": sync_stall,
            "sync_kilobytes": sync_kilobytes,
            "logout": logout,
            "login": login,
            "notice": notice,
            "recover": recover,
            "keepalive": keepalive,
            "silence": silence,
        }
        timing = Timing().with_fields({name: value for name, value in given.items() if value is not None})
        home = home_of(context)
        home.make()
        if (other := serving(context)) is not None:
            raise InUse(f"a sandbox serves {home.root} already, process {other.pid}", "linda sandbox stop")
        stand = Sandbox(home.sandbox_server, timing=timing, port=port, control_port=control_port)
        until = _Ended()
        with stopping_on_signals(until), stand:
            told = stand_in.Serving(str(home.root), os.getpid(), stand.port, stand.control_url)
            context.obj.console.answer(told, stand_in.serving(told, context.obj.console.linda))
            until.wait()

    @verb.command()
    def status(context: typer.Context) -> None:
        """Show devices, pages and codes.

        Also what was counted: linkings, logins accepted and refused, messages.
        """
        told = phone_of(context).status()
        context.obj.console.answer(told, stand_in.status(told))

    @verb.command()
    def timing(
        context: typer.Context,
        changes: list[str] = typer.Argument(None, metavar="[NAME=VALUE]…", help="As in: page-delay=6 sync=3"),
    ) -> None:
        """Show or change how long things take.

        Pages learn of a change when they next connect.
        """
        fields = dict(_change(one) for one in changes or ())
        phone = phone_of(context)
        if fields:
            phone.set_timing(**fields)
        told = phone.status()["timing"]
        context.obj.console.answer({"timing": told}, stand_in.timing(told))

    @verb.command()
    def stop(context: typer.Context) -> None:
        """Stop the sandbox of this home.

        Nothing serving is no failure.
        """
        from linda_cli.sandbox.ending import end

        found = serving(context)
        if found is not None:
            end(home_of(context).sandbox_server, found)
        text = "the sandbox is stopped" if found is not None else "no sandbox was running"
        context.obj.console.answer({"wasRunning": found is not None}, text)


class _Ended:
    """Waits for a signal. A queue, because a handler may put into it whatever the main thread is doing."""

    def __init__(self) -> None:
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def stop(self, reason: str) -> None:
        """Called by the handler."""
        self._heard.put(reason)

    def wait(self) -> None:
        """Until then.

        In slices: another thread may have been given the signal, and Python runs the handler only once the main
        thread is awake.
        """
        while True:
            # Nothing came in this slice: the next one follows.
            with contextlib.suppress(queue.Empty):
                self._heard.get(timeout=_SLICE)
                return


def _change(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise Misused(f"{word!r} is no change of timing", "linda sandbox timing page-delay=6")
    return name.replace("-", "_"), value
