"""``linda start [NUMBER]``: bring a session up and stay with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import typer

from linda_cli.console import is_terminal
from linda_cli.console.story import Story
from linda_cli.errors import LindaError
from linda_cli.lifecycle.events import Event, event
from linda_cli.lifecycle.options import Engine, LinkMethod, Options, chosen
from linda_cli.lifecycle.service_manager import ServiceManager
from linda_cli.lifecycle.signals import stopping_on_signals
from linda_cli.lifecycle.start import prepare
from linda_cli.notifications import announcing
from linda_cli.sessions.clock import parse_age
from linda_cli.sessions.home import find_home
from linda_cli.sessions.sizes import parse_megabytes


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def start(
        context: typer.Context,
        number: str = typer.Argument(None, help="A WhatsApp number; learnt from the account where none is known."),
        link_with: str = typer.Option("qr", "--link-with", metavar="qr|code", help="How to link where it must be."),
        no_link: bool = typer.Option(False, "--no-link", help="Never show a code."),
        headful: bool = typer.Option(False, "--headful", help="Show the browser's window."),
        engine: str = typer.Option("selenium", "--engine", metavar="selenium|undetected", help="Which driver."),
        once: bool = typer.Option(False, "--once", help="Leave as soon as the login is saved."),
        keep_browser: bool = typer.Option(False, "--keep-browser", help="Leave the browser running."),
        timeout: float = typer.Option(120, "--timeout", metavar="S", help="Seconds to ready, codes not counted."),
        qr_timeout: float = typer.Option(0, "--qr-timeout", metavar="S", help="Seconds for linking; 0: no limit."),
        qr_file: Path = typer.Option(None, "--qr-file", metavar="PNG", help="Write the code there too."),
        max_generations: int = typer.Option(3, "--max-generations", help="How many backups may be tried."),
        backup_every: str = typer.Option("6h", "--backup-every", metavar="AGE", help="0: never."),
        takeover: bool = typer.Option(False, "--takeover", help="Take over from another computer."),
        watch: list[Path] = typer.Option(
            None, "--watch", metavar="PATH", help="With -- COMMAND…: run a bot beside, anew on a change there."
        ),
        hung_after: float = typer.Option(10, "--hung-after", metavar="S", help="No sign of life: a new browser."),
        signals: Path = typer.Option(None, "--signals", metavar="JSON", help="Selectors laid over the built-in ones."),
        proxy: str = typer.Option(
            None, "--proxy", metavar="URL", help="http:// or socks5://[USER:PASSWORD@]HOST:PORT for the browser."
        ),
        remote: str = typer.Option(
            None, "--remote", metavar="URL", help="Object store that gets the backups: s3://, gs://, az://, a folder."
        ),
        max_memory: str = typer.Option(
            "0", "--max-memory", metavar="SIZE", help="900M, 1.5G: a larger browser is restarted when quiet; 0: never."
        ),
        notify: list[str] = typer.Option(None, "--notify", metavar="URL", help="Tell troubles there, by apprise."),
        on_event: str = typer.Option(
            None, "--on-event", metavar="COMMAND", help="Run it for each trouble, the event on its stdin."
        ),
    ) -> None:
        """Attach to the running browser, open the saved profile, restore a backup, or link; then stay.

        With --watch and a command after -- that bot runs beside, and is started anew when its sources change.
        """
        console = context.obj.console
        # Before anything is made: a home, a sandbox, a bot's socket.
        chosen(LinkMethod, link_with, "--link-with")
        chosen(Engine, engine, "--engine")
        Options(
            timeout=timeout, qr_timeout=qr_timeout, max_generations=max_generations, hung_after=hung_after,
            max_memory=parse_megabytes(max_memory),
        )  # fmt: skip
        # Before anything else is started, which would inherit the socket of systemd.
        manager = ServiceManager.of_environment()
        home = find_home(context.obj.home).home
        with ExitStack() as around:
            story = around.enter_context(Story(console, qr_file))
            bot = None
            if watch or context.obj.bot is not None:
                from linda_cli.lifecycle.bot import Wanted

                bot = Wanted.checked(context.obj.bot, watch or (), console.spelled, story.bot_said)
            browser_args: Sequence[str] = ()
            if context.obj.sandbox:
                from linda_cli.sandbox.beside import stand_in

                home = home.sandbox()
                browser_args = around.enter_context(stand_in(home.sandbox_server, keep=keep_browser))

            def say(what: str) -> None:
                if console.json:
                    console.event(event("note", None, {"what": what}))
                else:
                    console.talk(what)

            announcer = around.enter_context(announcing(home, notify or (), on_event, say))

            def tell(told: Event) -> None:
                announcer(told)
                story(told)

            run = prepare(
                home,
                number,
                tell if manager is None else manager.hearing(tell),
                browser_args=browser_args,
                beside=bot,
                link_with=link_with,
                no_link=no_link,
                headful=headful,
                engine=engine,
                once=once,
                keep_browser=keep_browser,
                timeout=timeout,
                qr_timeout=qr_timeout,
                qr_file=qr_file,
                max_generations=max_generations,
                backup_every=parse_age(backup_every),
                takeover=takeover,
                hung_after=hung_after,
                signals=signals,
                proxy=proxy,
                remote=remote,
                max_memory=parse_megabytes(max_memory),
                can_show=console.json or qr_file is not None or is_terminal(sys.stderr) or is_terminal(sys.stdout),
            )
            run.service_manager = manager
            around.enter_context(stopping_on_signals(run))
            try:
                run.execute()
            except LindaError as problem:
                problem.facts.setdefault("session", run.number)
                announcer(event("error", run.number, {"name": problem.name, "message": problem.message}))
                raise
