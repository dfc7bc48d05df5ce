"""``linda serve``: many accounts in one process, over REST, Socket.IO and a web page."""

from __future__ import annotations

import os
from contextlib import ExitStack

import typer

from linda_cli.sessions.clock import parse_age
from linda_cli.sessions.home import find_home
from linda_cli.sessions.sizes import parse_megabytes


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def serve(
        context: typer.Context,
        host: str = typer.Option("127.0.0.1", "--host", help="Where to listen; beyond loopback needs JWT_SECRET."),
        port: int = typer.Option(8350, "--port", help="0 takes a free one."),
        restore_after: float = typer.Option(5, "--restore-after", metavar="S", help="Seconds to the restoration."),
        at_once: int = typer.Option(
            None, "--at-once", metavar="N", help="Accounts that come up side by side; else twice the cores."
        ),
        timeout: float = typer.Option(120, "--timeout", metavar="S", help="For an account to become ready."),
        qr_timeout: float = typer.Option(300, "--qr-timeout", metavar="S", help="For a linking; 0 is for ever."),
        backup_every: str = typer.Option("6h", "--backup-every", metavar="AGE", help="0 is never."),
        cleanup_every: str = typer.Option("10m", "--cleanup-every", metavar="AGE", help="Retention and leftovers."),
        stop_within: float = typer.Option(60, "--stop-within", metavar="S", help="For all browsers to close."),
        keep_browsers: bool = typer.Option(False, "--keep-browsers", help="Leave them running; the next attaches."),
        takeover: bool = typer.Option(False, "--takeover", help="Take over from another computer."),
        linkings: int = typer.Option(
            10, "--linkings", metavar="N", help="Linkings of an owner in ten minutes; 0: any."
        ),
        accounts: int = typer.Option(0, "--accounts", metavar="N", help="The most accounts of an owner; 0: any."),
        origin: list[str] = typer.Option(None, "--origin", metavar="URL", help="Origin of another page to accept."),
        allowed_host: list[str] = typer.Option(None, "--allowed-host", metavar="NAME", help="Host name to accept."),
        webhook_to: list[str] = typer.Option(
            None, "--webhook-to", metavar="NETWORK", help="Private network webhooks may call."
        ),
        root_path: str = typer.Option(
            "", "--root-path", metavar="PATH", help="The path a reverse proxy serves it below."
        ),
        behind_proxy: list[str] = typer.Option(
            None, "--behind-proxy", metavar="NETWORK", help="Proxies whose X-Forwarded headers to believe."
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
        """Keep many accounts up: REST, Socket.IO, a web page. Restores every valid session by itself."""
        from linda_cli.server import requirements

        requirements.require("serve")
        from linda_cli.console.service import Service
        from linda_cli.server.auth import read_secrets
        from linda_cli.server.config import Settings, twice_the_cores
        from linda_cli.server.serve import serve as run_server

        console = context.obj.console
        home = find_home(context.obj.home).home
        with ExitStack() as around:
            browser_args: tuple[str, ...] = ()
            if context.obj.sandbox:
                from linda_cli.sandbox.beside import stand_in

                home = home.sandbox()
                browser_args = tuple(around.enter_context(stand_in(home.sandbox_server, keep=keep_browsers)))
            settings = Settings(
                host=host,
                port=port,
                database_url=os.environ.get("LINDA_DATABASE_URL") or None,
                jwt_secrets=read_secrets(os.environ),
                restore_after=restore_after,
                at_once=twice_the_cores() if at_once is None else at_once,
                timeout=timeout,
                qr_timeout=qr_timeout,
                backup_every=parse_age(backup_every),
                cleanup_every=parse_age(cleanup_every),
                stop_within=stop_within,
                keep_browsers=keep_browsers,
                takeover=takeover,
                linkings=linkings,
                accounts=accounts,
                root_path=root_path,
                proxies=tuple(behind_proxy or ()),
                origins=tuple(origin or ()),
                hosts=tuple(allowed_host or ()),
                webhook_networks=tuple(webhook_to or ()),
                browser_args=browser_args,
                remote=remote,
                max_memory=parse_megabytes(max_memory),
                notify=tuple(notify or ()),
                on_event=on_event,
            )
            run_server(home, settings, Service(console))
