"""What happens to a login from outside: the network, refusals, blocks, other windows."""

from __future__ import annotations

import typer

from linda_cli.commands.sandbox.target import NUMBER, do, one_of


def declare(verb: typer.Typer) -> None:
    """Declare what happens to the network, the connection and the storage."""

    @verb.command()
    def offline(
        context: typer.Context,
        how: str = typer.Argument("down", metavar="[down|dns|silent]", help="How it is gone."),
    ) -> None:
        """Drop the network of every page.

        The phone has its own. dns: browsers that start meanwhile cannot look up the name. silent: packets are dropped
        without a word.
        """
        one_of("how", how, "down", "dns", "silent")
        do(context, "drop_network", f"the network is gone: {how}", how=how)

    @verb.command()
    def online(context: typer.Context) -> None:
        """Let the network come back."""
        do(context, "restore_network", "the network is back")

    @verb.command()
    def refuse(
        context: typer.Context,
        seconds: float = typer.Argument(..., min=0, help="For how long; 0 ends it."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Answer logins with a 401 for a while.

        The login itself stays good.
        """
        do(context, "refuse", f"logins are refused for {seconds:g} s", seconds=seconds, number=number)

    @verb.command("break-storage")
    def break_storage(context: typer.Context, number: str = typer.Option(None, "--number", help=NUMBER)) -> None:
        """Let the page find its storage broken.

        As WhatsApp Web sometimes does; the device stays linked.
        """
        do(context, "break_storage", "the page's storage is broken; the device stays linked", number=number)

    @verb.command()
    def elsewhere(
        context: typer.Context,
        where: str = typer.Argument(..., metavar="window|computer", help="Where WhatsApp Web is opened."),
        pane: bool = typer.Option(False, "--pane", help="The pane stays behind the popup of another computer."),
        socket: str = typer.Option("UNLAUNCHED", metavar="UNLAUNCHED|OPENING", help="The socket of another window."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Open WhatsApp Web somewhere else.

        computer: the socket says CONFLICT. window: it does not, only a popup tells.
        """
        one_of("where", where, "window", "computer")
        said = f"opened in another {where}"
        do(context, "open_elsewhere", said, where=where, pane=pane, socket=socket, number=number)

    @verb.command()
    def block(
        context: typer.Context,
        kind: str = typer.Argument(
            ...,
            metavar="KIND|none",
            help="TOS_BLOCK, SMB_TOS_BLOCK, PROXYBLOCK, TEMP_BAN, DEPRECATED_VERSION, SERVICE_UNAVAILABLE or none.",
        ),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Block this client or account.

        none lifts it; pages see that when they load again.
        """
        chosen = None if kind.lower() == "none" else kind.upper().replace("-", "_")
        do(context, "block", f"blocked: {chosen}" if chosen else "no longer blocked", kind=chosen, number=number)

    @verb.command()
    def message(
        context: typer.Context,
        text: str = typer.Argument(..., help="What it says."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Send a message.

        A device that is away gets it at its next login.
        """
        do(context, "message", "the message is on its way", text=text, number=number)
