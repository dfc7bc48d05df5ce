"""``linda sandbox``: serve a stand-in for WhatsApp Web, or drive the phone of the one that serves this home."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from linda_cli.console import stand_in
from linda_cli.errors import InUse, Misused, SandboxNotFound
from linda_cli.lifecycle.signals import stopping_on_signals
from linda_cli.sessions.home import Home, find_home
from linda_cli.sessions.number import parse_number

if TYPE_CHECKING:
    from linda_cli.sandbox.phone import Phone
    from linda_cli.sandbox.running import Running

_SLICE = 0.25
_NUMBER = "A WhatsApp number; without it, every account of the stand-in."


def register(app: typer.Typer) -> None:
    """Declare the verb and what belongs to it."""
    verb = typer.Typer(cls=_ServesByDefault, rich_markup_mode=app.rich_markup_mode, no_args_is_help=False)
    _declare_serving(verb)
    _declare_linking(verb)
    _declare_trouble(verb)
    app.add_typer(verb, name="sandbox", help="A stand-in for WhatsApp Web and its phone: no account is needed.")


class _ServesByDefault(TyperGroup):
    """``linda sandbox`` and ``linda sandbox --page-delay 6`` mean ``linda sandbox serve …``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _declare_serving(verb: typer.Typer) -> None:
    @verb.command()
    def serve(
        context: typer.Context,
        page_delay: float = typer.Option(None, help="Seconds a linked page loads (the real one: 6 to 8). 0"),
        qr_delay: float = typer.Option(None, help="Seconds until the first code. 0"),
        first_code: float = typer.Option(None, help="Seconds the first code lives. 60"),
        next_code: float = typer.Option(None, help="Seconds each later code lives. 20"),
        codes: int = typer.Option(None, help="Codes before the page stops and offers a button. 6"),
        pairing_code: float = typer.Option(None, help="Seconds a pairing code lives. 180"),
        sync: float = typer.Option(None, help="Seconds of first sync after linking. 0"),
        login: float = typer.Option(None, help="Seconds the server thinks about a login. 0"),
        notice: float = typer.Option(None, help="Seconds until the page notices a dropped network. 1"),
        recover: float = typer.Option(None, help="Seconds the page takes to recover from it. 0.5"),
        port: int = typer.Option(0, min=0, max=65535, help="Where the page is served; 0 is any free one."),
        control_port: int = typer.Option(0, min=0, max=65535, help="Where the phone is driven; 0 is any free one."),
    ) -> None:
        """Serve a stand-in until Ctrl-C; the default.

        It serves this home's sandbox: linda start --sandbox and the other words of linda sandbox find it there.
        """
        from linda_cli.sandbox.server import Sandbox, Timing

        given = {
            "page_delay": page_delay,
            "qr_delay": qr_delay,
            "first_code": first_code,
            "next_code": next_code,
            "codes": codes,
            "pairing_code": pairing_code,
            "sync": sync,
            "login": login,
            "notice": notice,
            "recover": recover,
        }
        timing = Timing().with_fields({name: value for name, value in given.items() if value is not None})
        home = _home(context)
        home.make()
        if (other := _found(context)) is not None:
            raise InUse(
                f"a stand-in serves {home.root} already, process {other.pid}", f"{_linda(context)} sandbox stop"
            )
        stand = Sandbox(home.sandbox_server, timing=timing, port=port, control_port=control_port)
        until = _Ended()
        with stopping_on_signals(until), stand:
            told = stand_in.Serving(str(home.root), os.getpid(), stand.port, stand.control_url)
            context.obj.console.answer(told, stand_in.serving(told, _linda(context)))
            until.wait()

    @verb.command()
    def status(context: typer.Context) -> None:
        """Show devices, pages and codes.

        Also what was counted: linkings, logins accepted and refused, messages.
        """
        told = _phone(context).status()
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
        phone = _phone(context)
        if fields:
            phone.set_timing(**fields)
        told = phone.status()["timing"]
        context.obj.console.answer({"timing": told}, stand_in.timing(told))

    @verb.command()
    def stop(context: typer.Context) -> None:
        """End the stand-in of this home.

        Nothing serving is no failure.
        """
        from linda_cli.sandbox.ending import end

        found = _found(context)
        if found is not None:
            end(_home(context).sandbox_server, found)
        text = "the stand-in is stopped" if found is not None else "no stand-in was serving"
        context.obj.console.answer({"wasRunning": found is not None}, text)


def _declare_linking(verb: typer.Typer) -> None:
    @verb.command()
    def scan(
        context: typer.Context,
        number: str = typer.Argument("971505760056", help="Whose phone scans."),
        text: str = typer.Option(None, "--qr", metavar="TEXT", help="Exactly this text, as a camera read it."),
        timeout: float = typer.Option(30, "--timeout", metavar="S", min=0, help="Seconds to wait for a code."),
    ) -> None:
        """Wait for a QR code and scan it.

        Without --qr it is the code of the page opened last.
        """
        who, phone = parse_number(number), _phone(context)
        phone.scan(who, qr=text, timeout=timeout)
        waits = any(one["awaitingPasskey"] for one in phone.status()["pages"])
        done = f"{who} asks for a passkey now: linda sandbox passkey finish" if waits else f"{who} is linked"
        context.obj.console.answer({"did": "scan", "number": who, "awaitingPasskey": waits}, done)

    @verb.command("enter-code")
    def enter_code(
        context: typer.Context,
        code: str = typer.Argument(..., help="The pairing code, with or without its dash."),
        number: str = typer.Option(None, "--number", help="Whose phone; without it, the one the code was made for."),
    ) -> None:
        """Type a pairing code into the phone."""
        _do(context, "enter_code", "the phone took the code", code=code, number=number)

    @verb.command("log-out")
    def log_out(
        context: typer.Context,
        number: str = typer.Argument(None, help=_NUMBER),
        reason: int = typer.Option(None, "--reason", min=1, max=3, help="The reason the page then names."),
    ) -> None:
        """Unlink the device on the phone.

        A removed device stays removed: only a new linking helps.
        """
        _do(context, "log_out_with", "the device is logged out", reason=reason, number=number)

    @verb.command()
    def passkey(
        context: typer.Context, what: str = typer.Argument(..., metavar="on|off|finish", help="on: the next linking.")
    ) -> None:
        """Ask for a passkey, or answer it.

        on: the next linking stops at the passkey screen; finish lets it go on.
        """
        if _one_of("what", what, "on", "off", "finish") == "finish":
            _do(context, "finish_passkey", "the passkey is answered")
        else:
            _do(context, "ask_passkey", f"a passkey at the next linking: {what}", on=what == "on")


def _declare_trouble(verb: typer.Typer) -> None:
    @verb.command()
    def offline(context: typer.Context) -> None:
        """Drop the network of every page.

        The phone has its own.
        """
        _do(context, "drop_network", "the network is down")

    @verb.command()
    def online(context: typer.Context) -> None:
        """Let the network come back."""
        _do(context, "restore_network", "the network is back")

    @verb.command()
    def refuse(
        context: typer.Context,
        seconds: float = typer.Argument(..., min=0, help="For how long; 0 ends it."),
        number: str = typer.Option(None, "--number", help=_NUMBER),
    ) -> None:
        """Answer logins with a 401 for a while.

        The login itself stays good.
        """
        _do(context, "refuse", f"logins are refused for {seconds:g} s", seconds=seconds, number=number)

    @verb.command("break-storage")
    def break_storage(context: typer.Context, number: str = typer.Option(None, "--number", help=_NUMBER)) -> None:
        """Let the page find its storage broken.

        As WhatsApp Web sometimes does; the device stays linked.
        """
        _do(context, "break_storage", "the page's storage is broken; the device stays linked", number=number)

    @verb.command()
    def elsewhere(
        context: typer.Context,
        where: str = typer.Argument(..., metavar="window|computer", help="Where WhatsApp Web is opened."),
        number: str = typer.Option(None, "--number", help=_NUMBER),
    ) -> None:
        """Open WhatsApp Web somewhere else."""
        _one_of("where", where, "window", "computer")
        _do(context, "open_elsewhere", f"opened in another {where}", where=where, number=number)

    @verb.command()
    def block(
        context: typer.Context,
        kind: str = typer.Argument(
            ...,
            metavar="KIND|none",
            help="TOS_BLOCK, SMB_TOS_BLOCK, PROXYBLOCK, TEMP_BAN, DEPRECATED_VERSION, SERVICE_UNAVAILABLE or none.",
        ),
        number: str = typer.Option(None, "--number", help=_NUMBER),
    ) -> None:
        """Block this client or account.

        none lifts it; pages see that when they load again.
        """
        chosen = None if kind.lower() == "none" else kind.upper().replace("-", "_")
        _do(context, "block", f"blocked: {chosen}" if chosen else "no longer blocked", kind=chosen, number=number)

    @verb.command()
    def message(
        context: typer.Context,
        text: str = typer.Argument(..., help="What it says."),
        number: str = typer.Option(None, "--number", help=_NUMBER),
    ) -> None:
        """Send a message.

        A device that is away gets it at its next login.
        """
        _do(context, "message", "the message is on its way", text=text, number=number)


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
            with contextlib.suppress(queue.Empty):
                self._heard.get(timeout=_SLICE)
                return


def _home(context: typer.Context) -> Home:
    return find_home(context.obj.home).home.sandbox()


def _linda(context: typer.Context) -> str:
    """The command line as the user has to begin it for the same home."""
    home = context.obj.home
    return f"linda --home {shlex.quote(str(home))}" if home is not None else "linda"


def _found(context: typer.Context) -> Running | None:
    from linda_cli.sandbox.running import running

    return running(_home(context).sandbox_server)


def _phone(context: typer.Context) -> Phone:
    from linda_cli.sandbox.phone import Phone

    found = _found(context)
    if found is None:
        raise SandboxNotFound(f"no stand-in serves {_home(context).root}", f"{_linda(context)} sandbox serve")
    return Phone(found.control_url)


def _do(context: typer.Context, verb: str, said: str, **facts: Any) -> None:
    """Let the phone do one thing and say that it is done."""
    if facts.get("number") is not None:
        facts["number"] = parse_number(facts["number"])
    getattr(_phone(context), verb)(**facts)
    context.obj.console.answer({"did": verb.replace("_", "-"), **facts}, said)


def _one_of(what: str, given: str, *allowed: str) -> str:
    if given not in allowed:
        raise Misused(f"{what} is {' or '.join(allowed)}, not {given!r}", "linda sandbox --help")
    return given


def _change(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        raise Misused(f"{word!r} is no change of timing", "linda sandbox timing page-delay=6")
    return name.replace("-", "_"), value
