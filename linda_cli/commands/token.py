"""``linda token``: JSON Web Tokens for ``linda serve``."""

from __future__ import annotations

import os

import typer

from linda_cli.errors import Misused
from linda_cli.plain_help import PlainGroup
from linda_cli.sessions.clock import iso, now_ms, parse_age
from linda_cli.sessions.home import find_home


def register(app: typer.Typer) -> None:
    """Declare the verb."""
    group = typer.Typer(cls=PlainGroup, invoke_without_command=True, rich_markup_mode=None)
    app.add_typer(group, name="token")

    @group.callback()
    def token(
        context: typer.Context,
        owner: str = typer.Option("local", "--owner", metavar="NAME", help="Whose accounts it opens."),
        role: str = typer.Option("user", "--role", metavar="user|admin", help="An admin sees everybody's."),
        lasts: str = typer.Option("30d", "--lasts", metavar="AGE", help="Until it expires; 15m for a link."),
        number: str = typer.Option(None, "--number", metavar="NUMBER", help="For this account only."),
        read_only: bool = typer.Option(False, "--read-only", help="It may look and change nothing."),
        link: bool = typer.Option(False, "--link", help="A link that signs in to the page, once."),
        url: str = typer.Option("http://127.0.0.1:8350/", "--url", help="The server's address, for --link."),
    ) -> None:
        """Make a token, signed with JWT_SECRET or JWT_SECRET_FILE."""
        if context.invoked_subcommand is not None:
            return
        from linda_cli.server import requirements

        requirements.require("token")
        from linda_cli.server import auth
        from linda_cli.sessions.number import parse_number

        secrets = auth.read_secrets(os.environ)
        if not secrets:
            raise Misused(
                "JWT_SECRET is not set",
                "openssl rand -hex 32 > linda.secret; chmod 600 linda.secret; "
                "JWT_SECRET_FILE=linda.secret linda token --owner alice",
            )
        asked = context.get_parameter_source("lasts")
        chosen = lasts if not link or (asked is not None and asked.name != "DEFAULT") else "15m"
        seconds = parse_age(chosen)
        made = auth.make(
            secrets[0], owner, role, seconds, number=parse_number(number) if number else None, read_only=read_only,
            audience=auth.SIGN_IN if link else None,
        )  # fmt: skip
        expires = iso(now_ms() + round(seconds * 1000))
        told = {"token": made, "id": _id(made), "owner": owner, "role": role, "expiresAt": expires}
        if link:
            where = f"{url.rstrip('/')}/#sign-in={made}"
            told = {"link": where, "id": told["id"], "owner": owner, "role": role, "expiresAt": expires}
            context.obj.console.answer(told, where)
            return
        context.obj.console.answer(told, made)

    @group.command()
    def revoke(
        context: typer.Context,
        owner: str = typer.Option(None, "--owner", metavar="NAME", help="All of this owner's, made until now."),
        token_id: str = typer.Option(None, "--id", metavar="ID", help="One token or link, by its id."),
    ) -> None:
        """Revoke tokens; the server ends their sockets within a second."""
        if (owner is None) == (token_id is None):
            raise Misused("--owner or --id says what to revoke", "linda token revoke --owner alice")
        from linda_cli.server import requirements

        requirements.require("token")
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.orm import Session

        from linda_cli.server import auth
        from linda_cli.server.db.engine import connect
        from linda_cli.server.db.gateway import named
        from linda_cli.server.revocations import revoke as revoke_in

        if owner is not None:
            auth.check_owner(owner, "linda token revoke --owner alice")
        home = find_home(context.obj.home).home
        url = os.environ.get("LINDA_DATABASE_URL") or None
        if url is None and not home.database.exists():
            raise Misused(
                f"there is no server's database in {home.root}",
                "find ~ -maxdepth 4 -name linda.db",
            )
        engine = connect(url, home)
        kind, value = ("owner", owner) if owner is not None else ("token", token_id)
        try:
            with Session(engine) as session, session.begin():
                revoke_in(session, kind, value)
        except SQLAlchemyError as problem:
            raise named(problem) from None
        finally:
            engine.dispose()
        what = f"all tokens of {value} made until now" if owner is not None else f"the token {value}"
        context.obj.console.answer({"revoked": kind, "value": value}, f"revoked {what}")


def _id(token: str) -> str:
    from linda_cli.server import auth

    return auth.id_of(token)
