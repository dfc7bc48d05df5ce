"""Who asks: JSON Web Tokens signed with HS256 (RFC 7519), or everyone local where there is no secret."""

from __future__ import annotations

import time
from dataclasses import dataclass

from linda_cli.errors import Misused, NotAllowed, NotAuthenticated
from linda_cli.server.accounts import LOCAL, Account

ROLES = ("user", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """``owner``: whose accounts are meant; an admin sees everybody's."""

    owner: str
    is_admin: bool = False

    @property
    def sees(self) -> str | None:
        """The owner whose accounts are seen, None for all."""
        return None if self.is_admin else self.owner

    def check(self, account: Account) -> Account:
        """Raise ``NotAllowed`` where the account is somebody else's."""
        if not self.is_admin and account.owner != self.owner:
            raise NotAllowed(f"{account.client_id} is not yours", "linda token --owner OWNER")
        return account

    def must_be_admin(self) -> None:
        """Raise ``NotAllowed`` for anybody else."""
        if not self.is_admin:
            raise NotAllowed("this is for admins", "linda token --owner NAME --role admin")


def make(secret: str, owner: str, role: str, seconds: float) -> str:
    """A token. Raises ``Misused`` for a role or an owner that makes no sense."""
    if role not in ROLES:
        raise Misused(f"--role is user or admin, not {role!r}", "linda token --help")
    if not owner or len(owner) > 200 or not owner.isprintable():
        raise Misused("--owner is a name of up to 200 characters", "linda token --owner alice")
    import jwt

    return jwt.encode({"sub": owner, "role": role, "exp": int(time.time() + seconds)}, secret, algorithm="HS256")


def caller(token: str | None, secret: str | None) -> Caller:
    """Who holds this token. Without a secret everyone is the owner ``local`` and sees all. Raises ``NotAuthenticated``.

    The algorithm is fixed, ``exp`` and ``sub`` must be there: a token that says otherwise of itself is refused.
    """
    if secret is None:
        return Caller(LOCAL, True)
    if not token:
        raise NotAuthenticated("a token is needed", "linda token --owner NAME")
    # Late: who has no secret does without it, and it takes 35 ms.
    import jwt

    try:
        told = jwt.decode(token, secret, algorithms=["HS256"], options={"require": ["exp", "sub"]})
    except jwt.ExpiredSignatureError:
        raise NotAuthenticated("the token has expired", "linda token --owner NAME") from None
    except jwt.InvalidTokenError:
        # Why it is no good is of use to nobody who means well.
        raise NotAuthenticated("the token is not valid", "linda token --owner NAME") from None
    owner, role = told["sub"], told.get("role", "user")
    if not isinstance(owner, str) or not owner or role not in ROLES:
        raise NotAuthenticated("the token names no owner or an unknown role", "linda token --owner NAME")
    return Caller(owner, role == "admin")
