"""What the phone does on purpose: scan, type a code, log out, change its number."""

from __future__ import annotations

import typer

from linda_cli.commands.sandbox.target import NUMBER, do, one_of, phone_of
from linda_cli.sessions.number import parse_number


def declare(verb: typer.Typer) -> None:
    """Declare scanning, typing a code, logging out, changing the number, passkeys."""

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
        who, phone = parse_number(number), phone_of(context)
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
        do(context, "enter_code", "the phone took the code", code=code, number=number)

    @verb.command("log-out")
    def log_out(
        context: typer.Context,
        number: str = typer.Argument(None, help=NUMBER),
        reason: int = typer.Option(None, "--reason", min=1, max=999, help="The reason the page then names."),
        address: bool = typer.Option(
            True,
            "--address/--no-address",
            help="Whether the page goes to the address that says so, or just shows a code.",
        ),
    ) -> None:
        """Unlink the device on the phone.

        A removed device stays removed: only a new linking helps.
        """
        do(context, "log_out_with", "the device is logged out", reason=reason, number=number, address=address)

    @verb.command("change-number")
    def change_number(
        context: typer.Context,
        to: str = typer.Argument(..., help="The number that the account gets."),
        number: str = typer.Option(None, "--number", help="The one it has; without it, the only one there is."),
    ) -> None:
        """Give an account another number.

        Its device and its keys stay; a page that is away learns it at its next login.
        """
        to = parse_number(to)
        do(context, "change_number", f"the number is {to} now", to=to, number=number)

    @verb.command("switch-account")
    def switch_account(
        context: typer.Context,
        to: str = typer.Argument(..., help="The account that is linked then."),
        number: str = typer.Option(None, "--number", help="The one whose page it is; without it, the newest page."),
    ) -> None:
        """Link another account in the same profile.

        As when somebody logs out in that browser and links another phone: other keys, another number.
        """
        to = parse_number(to)
        do(context, "switch_account", f"{to} is linked in that profile now", to=to, number=number)

    @verb.command()
    def passkey(
        context: typer.Context, what: str = typer.Argument(..., metavar="on|off|finish", help="on: the next linking.")
    ) -> None:
        """Ask for a passkey, or answer it.

        on: the next linking stops at the passkey screen; finish lets it go on.
        """
        if one_of("what", what, "on", "off", "finish") == "finish":
            do(context, "finish_passkey", "the passkey is answered")
        else:
            do(context, "ask_passkey", f"a passkey at the next linking: {what}", on=what == "on")
