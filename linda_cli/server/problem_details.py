"""Failures as HTTP tells them: problem details (RFC 9457), from the named errors, by one table."""

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
    errors.Unavailable: 503,
    errors.DatabaseFull: 507,
    errors.DatabaseTooNew: 500,
    errors.ObjectStoreUnavailable: 503,
    errors.AlreadyLinked: 409,
    errors.Misused: 400,
    errors.RequestTooLarge: 413,
    errors.RequestTooSlow: 408,
    errors.PartlyDone: 500,
    errors.NotReady: 503,
    errors.NotFound: 404,
    errors.InUse: 409,
    errors.ProfileDamaged: 409,
    errors.BackupUnusable: 422,
    errors.BrowserFailed: 502,
    errors.DriverMismatch: 502,
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


TITLES: dict[type[BaseException], str] = {
    errors.LindaError: "Internal error",
    errors.Failed: "The action failed",
    errors.HomeUnusable: "Storage cannot be written",
    errors.NotAuthenticated: "Authentication required",
    errors.NotAllowed: "Forbidden",
    errors.TooManyTries: "Too many requests",
    errors.Unavailable: "Temporarily unavailable",
    errors.DatabaseFull: "Database full",
    errors.DatabaseTooNew: "Database too new",
    errors.ObjectStoreUnavailable: "Object store unavailable",
    errors.AlreadyLinked: "Already linked",
    errors.Misused: "Invalid request",
    errors.BadNumber: "Invalid number",
    errors.RequestTooLarge: "Request body too large",
    errors.RequestTooSlow: "Request timed out",
    errors.PartlyDone: "Partly done",
    errors.NotReady: "Not ready",
    errors.NotFound: "Not found",
    errors.SessionNotFound: "Account not found",
    errors.BackupNotFound: "Backup not found",
    errors.InUse: "Conflict",
    errors.ProfileDamaged: "Login damaged",
    errors.BackupUnusable: "Backup cannot be used",
    errors.ObjectStoreKeyWrong: "Backup cannot be decrypted",
    errors.BrowserFailed: "Browser failed",
    errors.DriverMismatch: "Browser and driver do not match",
    errors.NotLinkedInTime: "Not linked in time",
    errors.LoggedOut: "Logged out",
    errors.Unreachable: "WhatsApp unreachable",
    errors.Blocked: "Refused by WhatsApp",
    errors.PasskeyRequired: "Passkey required",
    errors.OtherAccount: "Another account was linked",
    errors.Interrupted: "Interrupted",
}

_LINK = 'POST /whatsapp/accounts/{number}/start with {{"linkWith": "qr"}}'
_STATUS = "GET /whatsapp/session-status/{number}"
HINTS: dict[type[BaseException], str] = {
    errors.LindaError: _STATUS,
    errors.Misused: "GET /docs",
    errors.BackupNotFound: "GET /whatsapp/accounts/{number}/backups",
    errors.BackupUnusable: "GET /whatsapp/accounts/{number}/backups?verify=true",
    errors.SessionNotFound: 'POST /whatsapp/accounts with {{"number": "{number}"}}',
    errors.ProfileDamaged: _LINK,
    errors.LoggedOut: _LINK,
    errors.NotLinkedInTime: _LINK,
    errors.OtherAccount: _LINK,
}
"""What an API client can send instead of the shell command that an error's own hint names."""


def _nearest(table: dict[type[BaseException], Any], problem: BaseException) -> Any:
    return next(table[kind] for kind in type(problem).__mro__ if kind in table)


def details(problem: LindaError, instance: str | None = None, number: str | None = None) -> dict[str, Any]:
    """The body. ``hint`` is a request that may help, never a shell command."""
    told: dict[str, Any] = {
        "type": f"urn:linda:problem:{problem.name}",
        "title": _nearest(TITLES, problem),
        "status": status(problem),
        "detail": problem.message,
        "name": problem.name,
        "hint": _hint(problem, number),
    }
    if instance is not None:
        told["instance"] = instance
    return told


def _hint(problem: LindaError, number: str | None) -> str:
    if not _is_for_a_shell(problem.hint):
        return problem.hint
    hint: str = _nearest(HINTS, problem)
    number = number or str(problem.facts.get("session") or "") or None
    if "{number}" in hint and number is None:
        return "GET /docs"
    return hint.format(number=number)


def _is_for_a_shell(hint: str) -> bool:
    """Hints of the core are for the command line; those that were written here begin with a method or are words."""
    return hint.split(" ")[0].split("=")[0] in _COMMANDS or hint.startswith("/")


_COMMANDS = frozenset(
    (
        "linda",
        "cat",
        "sudo",
        "export",
        "env",
        "grep",
        "df",
        "ls",
        "kill",
        "pip",
        "rm",
        "JWT_SECRET",
        "LINDA_DATABASE_URL",
        "unset",
        "",
    )
)
