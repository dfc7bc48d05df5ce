"""What can be wrong with an exported file, each with its words."""

from __future__ import annotations

from linda_cli.errors import BackupUnusable, WrongKey
from linda_cli.installation import upgrade

AGAIN = "linda help import"


def cut_or_changed(why: str) -> BackupUnusable:
    """The bytes are not those that were written."""
    return BackupUnusable(f"the file was cut short or changed: {why}; nothing was imported", AGAIN, reason=why)


def cut_short(size: int, wanted: int) -> BackupUnusable:
    """Bytes are missing at the end."""
    return BackupUnusable(
        f"the file is cut short: it has {size} bytes of {wanted}; nothing was imported", AGAIN, reason="cut short"
    )


def too_new(version: object) -> BackupUnusable:
    """A later linda wrote it."""
    return BackupUnusable(
        f"the file was made by a newer linda (format {str(version)[:20]}); nothing was imported",
        upgrade(),
        reason="too new",
    )


def no_export(why: str) -> BackupUnusable:
    """It is another kind of file."""
    return BackupUnusable(f"this is no file of linda export: {why}", AGAIN, reason="no export")


def wrong_key(why: str) -> WrongKey:
    """It cannot be opened with what was given."""
    return WrongKey(f"the file stays closed: {why}; nothing was imported", AGAIN, reason="wrong key")
