"""Authentication: JSON Web Tokens signed with HS256 (RFC 7519), or everyone local where there is no secret."""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from linda_cli.errors import Misused, NotAllowed, NotAuthenticated
from linda_cli.server.accounts import Account, not_found
from linda_cli.sessions.ownership import LOCAL

ROLES = ("user", "admin")
SIGN_IN, LINKING, LINKING_SESSION = "linda-sign-in", "linda-linking", "linda-linking-session"
"""Audiences of links and of what a linking link opens; a token with one of them is no token for the API."""

LONGEST_OWNER = 64
_LARGEST_FILE = 64_000
_HINT = "send the header Authorization: Bearer TOKEN; whoever runs the server makes tokens"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. An admin sees everybody's accounts; ``number``: this one only; ``read_only``: changes nothing.

    ``token_id`` and ``issued_at`` (seconds since 1970) are for revocation, ``expires_at`` ends sockets.
    """

    owner: str
    is_admin: bool = False
    number: str | None = None
    read_only: bool = False
    token_id: str | None = None
    issued_at: float = 0.0
    expires_at: float | None = None

    @property
    def sees(self) -> str | None:
        """The owner whose accounts are seen, None for all."""
        return None if self.is_admin else self.owner

    def may_see(self, account: Account) -> bool:
        """Whether this account is among those that the token is for."""
        return self.number in (None, account.client_id) and (self.is_admin or account.owner == self.owner)

    def check(self, account: Account) -> Account:
        """Raise ``SessionNotFound`` for somebody else's, as for a number that nobody has."""
        if not self.may_see(account):
            raise not_found(account.client_id)
        return account

    def must_be_admin(self) -> None:
        """Raise ``NotAllowed`` for anybody else."""
        if not self.is_admin:
            raise NotAllowed("this is for admins", "send a token with the role admin")

    def must_write(self, number: str | None = None) -> None:
        """Raise ``NotAllowed`` for a read-only token, and for one of another number."""
        if self.read_only:
            raise NotAllowed("this token is read-only", "send a token that may write")
        if self.number is not None and number != self.number:
            raise NotAllowed(f"this token is for {self.number} only", "send a token of the account's owner")


class Revocations(Protocol):
    """What was revoked, from memory."""

    def is_revoked(self, token_id: str | None, owner: str, issued_at: float) -> bool:
        """Whether this token, or all of its owner's of that time, were revoked."""


class NothingRevoked:
    """For who keeps no revocations."""

    def is_revoked(self, token_id: str | None, owner: str, issued_at: float) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False


def read_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that the environment names: the first signs, each is accepted.

    ``JWT_SECRET_FILE`` (one a line) goes before ``JWT_SECRET``; ``JWT_SECRET_PREVIOUS`` is accepted beside it while
    tokens are replaced. Raises ``Misused`` for a file that cannot be read.
    """
    found: list[str] = []
    if environ.get("JWT_SECRET_FILE"):
        path = Path(environ["JWT_SECRET_FILE"])
        try:
            with open(path, encoding="utf-8") as file:
                found = [line.strip() for line in file.read(_LARGEST_FILE).splitlines()]
        except (OSError, UnicodeDecodeError) as problem:
            raise Misused(
                f"JWT_SECRET_FILE cannot be read: {getattr(problem, 'strerror', None) or problem}",
                f"openssl rand -hex 32 > {path}; chmod 600 {path}",
            ) from None
        if not any(found):
            raise Misused("JWT_SECRET_FILE is empty", f"openssl rand -hex 32 > {path}; chmod 600 {path}")
    else:
        found = [environ.get("JWT_SECRET", "")]
    found.append(environ.get("JWT_SECRET_PREVIOUS", ""))
    return tuple(one for one in found if one.strip()) if found[0].strip() else ()


def check_owner(owner: str, hint: str = "name an owner of 1 to 64 visible characters") -> str:
    """Raises ``Misused`` for a name that is none."""
    visible = owner.isprintable() and owner == owner.strip() and bool(owner)
    if not visible or len(owner) > LONGEST_OWNER:
        raise Misused("an owner is a name of 1 to 64 visible characters", hint)
    return owner


def make(
    secret: str,
    owner: str,
    role: str,
    seconds: float,
    *,
    number: str | None = None,
    read_only: bool = False,
    audience: str | None = None,
    token_id: str | None = None,
) -> str:
    """A token. Raises ``Misused`` for a role or an owner that is none."""
    if role not in ROLES:
        raise Misused(f"--role is user or admin, not {role!r}", "linda token --help")
    check_owner(owner, "linda token --owner alice")
    if number is not None and role == "admin":
        raise Misused("a token for one number is not an admin's", "linda token --owner alice --number 971505760056")
    import jwt

    now = time.time()
    claims: dict[str, Any] = {
        "sub": owner, "role": role, "iat": int(now), "exp": int(now + seconds), "jti": token_id or new_id()
    }  # fmt: skip
    if number is not None:
        claims["number"] = number
    if read_only:
        claims["scope"] = "read"
    if audience is not None:
        claims["aud"] = audience
    return jwt.encode(claims, secret, algorithm="HS256")


def new_id() -> str:
    """An id for a token or a link."""
    return random.token_hex(8)


def id_of(token: str) -> str:
    """The id of a token that was just made."""
    import jwt

    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Knows the secrets and what was revoked."""

    secrets: tuple[str, ...]
    revocations: Revocations

    def authenticate(self, token: str | None) -> Principal:
        """Who holds this token. Without a secret everyone is the owner ``local`` and an admin.

        The algorithm is fixed, ``exp`` and ``sub`` must be there. Raises ``NotAuthenticated``.
        """
        if not self.secrets:
            return Principal(LOCAL, True)
        return self.decode(token, None)

    def decode(self, token: str | None, audience: str | None) -> Principal:
        """Who holds a token of this audience. Raises ``NotAuthenticated``."""
        if not token:
            raise NotAuthenticated("a token is needed", _HINT)
        claims = self._claims(token, audience)
        owner, role = claims["sub"], claims.get("role", "user")
        number, scope = claims.get("number"), claims.get("scope")
        # JSON can spell half of a surrogate pair, which no database and no log can.
        sound = isinstance(owner, str) and 0 < len(owner) <= 200 and owner.isprintable()
        if not sound or role not in ROLES or not isinstance(number, str | None) or scope not in (None, "read"):
            raise NotAuthenticated("the token names no owner or an unknown role or scope", _HINT)
        token_id = claims.get("jti")
        issued = claims.get("iat")
        issued_at = float(issued) if isinstance(issued, int | float) else 0.0
        token_id = token_id if isinstance(token_id, str) else None
        if self.revocations.is_revoked(token_id, owner, issued_at):
            raise NotAuthenticated("the token was revoked", _HINT)
        return Principal(
            owner, role == "admin" and number is None, number, scope == "read", token_id, issued_at,
            float(claims["exp"]),
        )  # fmt: skip

    def _claims(self, token: str, audience: str | None) -> Mapping[str, Any]:
        # Late: who has no secret does without it, and it takes 35 ms.
        import jwt

        for at, secret in enumerate(self.secrets):
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token, secret, algorithms=["HS256"], audience=audience, options={"require": ["exp", "sub"]}
                )
                return claims
            except jwt.ExpiredSignatureError:
                raise NotAuthenticated("the token has expired", _HINT) from None
            except jwt.InvalidSignatureError:
                if at + 1 < len(self.secrets):
                    continue
                raise NotAuthenticated("the token is not valid", _HINT) from None
            except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
                # Why it is no good is of use to nobody who means well.
                raise NotAuthenticated("the token is not valid", _HINT) from None
        raise NotAuthenticated("the token is not valid", _HINT)
