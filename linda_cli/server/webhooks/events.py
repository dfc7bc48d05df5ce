"""The names of the events that a webhook may ask for."""

from __future__ import annotations

EVENTS = frozenset(
    (
        "checked", "repaired", "quarantined", "restoring", "rung_failed", "loading", "qr", "pairing_code",
        "passkey_required", "authenticated", "syncing", "ready", "saved", "backed_up", "backup_failed", "uploaded",
        "upload_failed", "disconnected", "reconnected", "conflict", "waiting", "number_changed", "page_reloaded",
        "save_delayed", "auth_failure", "logged_out", "stopped", "restored_session_ready",
        "session_restoration_failed", "removed", "removal_failed", "error", "note", "tidied", "test",
    )
)  # fmt: skip
"""What may be asked for."""
