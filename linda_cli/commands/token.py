"""``linda token``: a JSON Web Token for ``linda serve``."""

from __future__ import annotations

import os

import typer

from linda_cli.errors import Misused
from linda_cli.sessions.clock import iso, now_ms, parse_age


def register(app: typer.Typer) -> None:
    """Declare the verb."""

    @app.command()
    def token(
        context: typer.Context,
        owner: str = typer.Option("local", "--owner", metavar="NAME", help="Whose accounts it opens."),
        role: str = typer.Option("user", "--role", metavar="user|admin", help="An admin sees everybody's."),
        lasts: str = typer.Option("30d", "--lasts", metavar="AGE", help="Until it expires."),
    ) -> None:
        """Make a token, signed with JWT_SECRET."""
        secret = os.environ.get("JWT_SECRET")
        if not secret:
            raise Misused("JWT_SECRET is not set", "JWT_SECRET=$(openssl rand -hex 32) linda token --owner alice")
        from linda_cli.server import extra

        extra.require("token")
        from linda_cli.server import tokens

        seconds = parse_age(lasts)
        made = tokens.make(secret, owner, role, seconds)
        told = {"token": made, "owner": owner, "role": role, "expiresAt": iso(now_ms() + round(seconds * 1000))}
        context.obj.console.answer(told, made)
