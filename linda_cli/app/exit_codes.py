"""The exit code of each named error: the one table, and how ``--help`` tells it."""

from __future__ import annotations

from linda_cli import errors

EXIT_CODES: dict[type[BaseException], int] = {
    errors.Failed: 1,
    errors.Misused: 2,
    errors.PartlyDone: 3,
    errors.NotReady: 4,
    errors.NotFound: 10,
    errors.InUse: 11,
    errors.ProfileDamaged: 12,
    errors.BackupUnusable: 13,
    errors.BrowserFailed: 14,
    errors.NotLinkedInTime: 15,
    errors.LoggedOut: 16,
    errors.Unreachable: 17,
    errors.PasskeyRequired: 18,
    errors.OtherAccount: 19,
    errors.Interrupted: 130,
}
BUG = 70

CODES = (
    "0 done, 1 failed, 2 usage, 3 partly done, 4 not ready (info --check), 10 no such home, session or backup, "
    "11 in use, 12 damaged and nothing to restore, 13 backup missing or corrupt, "
    "14 browser did not start or is too old, "
    "15 not linked in time, 16 logged out, 17 WhatsApp unreachable, blocked or not ready in time, "
    "18 passkey required, 19 another account was linked, 70 a bug, 130 interrupted."
)


def exit_code(problem: BaseException) -> int:
    """That of the nearest named class above it."""
    return next((EXIT_CODES[kind] for kind in type(problem).__mro__ if kind in EXIT_CODES), BUG)
