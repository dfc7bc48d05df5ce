"""Failures as HTTP tells them: problem details (RFC 9457), from the errors that the shell prices too, by one table."""

from __future__ import annotations

from typing import Any

from linda_cli import errors
from linda_cli.errors import LindaError

STATUS: dict[type[BaseException], int] = {
    errors.LindaError: 500,
    errors.Failed: 500,
    errors.HomeUnusable: 507,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.TooManyTries: 429,
    errors.Misused: 400,
    errors.PartlyDone: 500,
    errors.NotFound: 404,
    errors.InUse: 409,
    errors.ProfileDamaged: 409,
    errors.BackupUnusable: 422,
    errors.BrowserFailed: 502,
    errors.NotLinkedInTime: 504,
    errors.LoggedOut: 409,
    errors.Unreachable: 504,
    errors.Blocked: 502,
    errors.PasskeyRequired: 409,
    errors.OtherAccount: 409,
    errors.Interrupted: 503,
}


def status(problem: BaseException) -> int:
    """The status of a failure: that of the nearest named class above it."""
    return next((STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS), 500)


def details(problem: LindaError, instance: str | None = None) -> dict[str, Any]:
    """The body. ``type`` is a name of ours, ``hint`` a command or a request that may help."""
    told: dict[str, Any] = {
        "type": f"urn:linda:problem:{problem.name}",
        "title": _title(problem),
        "status": status(problem),
        "detail": problem.message,
        "name": problem.name,
        "hint": problem.hint,
    }
    if instance is not None:
        told["instance"] = instance
    return told


def _title(problem: LindaError) -> str:
    """The first sentence of what the class says of itself: the same for every problem of one type."""
    return (type(problem).__doc__ or problem.name).strip().split("\n")[0].rstrip(".")
