"""What a page can show or do that says nothing of its login."""

from __future__ import annotations

import typer

from linda_cli.commands.sandbox.target import NUMBER, do, one_of

_DIALOGS = "log-out|delete-chat|database-error|whats-new|cookies|none"
_SCREENS = "temporary-ban|service-unavailable|app-lock|call-takeover|unsupported-takeover|unknown|shell|none"
_BREAKS = "query-selector|mutation-observer|json|require-throws|require-absent|local-storage|nothing"


def declare(verb: typer.Typer) -> None:
    """Declare dialogs, screens, languages, reloads, other names and broken pages."""
    _declare_shown(verb)
    _declare_done(verb)


def _declare_shown(verb: typer.Typer) -> None:
    @verb.command()
    def dialog(
        context: typer.Context,
        kind: str = typer.Argument(..., metavar=_DIALOGS, help="Which; none takes it away."),
        text: str = typer.Option(None, "--text", help="What it says instead."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Lay a dialog over whatever is on show.

        All have the same two buttons; OK of log-out logs out. status shows which were pressed.
        """
        chosen = None if kind == "none" else kind
        do(context, "dialog", f"a dialog is on show: {kind}", kind=chosen, text=text, number=number)

    @verb.command()
    def screen(
        context: typer.Context,
        name: str = typer.Argument(..., metavar=_SCREENS, help="Which; none lifts it."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Show a screen that is neither a mode nor a state of the socket.

        shell: the page's scripts cannot be loaded, for all pages and until it is lifted and they load again.
        """
        chosen = None if name == "none" else name
        do(
            context,
            "screen",
            f"the screen is {name}" if chosen else "pages show what they should",
            screen=chosen,
            number=number,
        )

    @verb.command()
    def language(
        context: typer.Context, code: str = typer.Argument(..., metavar="en|de|fr|es|ar", help="ar runs right to left.")
    ) -> None:
        """Let pages say everything in another language.

        What is on show already stays as it is.
        """
        do(context, "language", f"pages speak {code}", language=code)

    @verb.command("hide-words")
    def hide_words(context: typer.Context, on: str = typer.Argument("on", metavar="on|off")) -> None:
        """Put the words for an unsupported browser into scripts.

        Also into a style, a template, a noscript and a hidden element, where nobody sees them.
        """
        do(context, "hide_words", f"words in scripts: {on}", on=one_of("what", on, "on", "off") == "on")

    @verb.command("clean-address")
    def clean_address(context: typer.Context, on: str = typer.Argument("on", metavar="on|off")) -> None:
        """Let pages take a logout's words out of their address.

        As newer builds of WhatsApp Web do while they start.
        """
        do(context, "clean_address", f"clean address: {on}", on=one_of("what", on, "on", "off") == "on")


def _declare_done(verb: typer.Typer) -> None:
    boots = typer.Option(None, "--boot", metavar="S", min=0, help="Seconds until its script runs.")
    codes = typer.Option(None, "--code", metavar="S", min=0, help="Seconds for which a linked page shows a code first.")
    hides = typer.Option(False, "--hide-keys", help="While that code is on show its keys have other names.")

    @verb.command("next-page")
    def next_page(
        context: typer.Context,
        boot: float = boots,
        code: float = codes,
        hide_keys: bool = hides,
        documents: int = typer.Option(1, "--documents", metavar="N", min=0, help="How many; 0 drops all plans."),
    ) -> None:
        """Say what the next documents do on their way up."""
        said = f"so are the next documents: {documents}"
        do(context, "next_page", said, boot=boot, code=code or 0, hide_keys=hide_keys, documents=documents)

    @verb.command("reload-page")
    def reload_page(
        context: typer.Context,
        boot: float = boots,
        code: float = codes,
        hide_keys: bool = hides,
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Let the page reload itself, as for an update."""
        plan = {"boot": boot, "code": code, "hide_keys": hide_keys or None}
        do(context, "reload_page", "the page reloads itself", number=number, **plan)

    @verb.command("rename-keys")
    def rename_keys(
        context: typer.Context,
        keys: str = typer.Argument("both", metavar="noise|wid|both|back", help="Which; back is the known names again."),
        number: str = typer.Option(None, "--number", help=NUMBER),
    ) -> None:
        """Give the keys of a login other names.

        The page itself goes on with those, also after a restart.
        """
        do(
            context,
            "rename_keys",
            f"renamed: {keys}",
            keys=one_of("keys", keys, "noise", "wid", "both", "back"),
            number=number,
        )

    @verb.command("break-page")
    def break_page(
        context: typer.Context, what: list[str] = typer.Argument(..., metavar=f"{_BREAKS}…", help="One or more.")
    ) -> None:
        """Override what whoever is injected into the page uses.

        In pages that are open and in all that are loaded; nothing: no more, once they load again.
        """
        from linda_cli.commands.sandbox.target import phone_of

        names = [] if what == ["nothing"] else list(what)
        phone_of(context).break_page(*names)
        said = f"broken: {', '.join(names) or 'nothing'}"
        context.obj.console.answer({"did": "break-page", "what": names}, said)
