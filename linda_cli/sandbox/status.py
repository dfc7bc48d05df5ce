"""The stand-in as one JSON value: what a test may ask of it after the fact."""

from __future__ import annotations

from dataclasses import asdict

from linda_cli.sandbox.codes import Code
from linda_cli.sandbox.state import SandboxState


def status(state: SandboxState) -> dict[str, object]:
    """Everything but secrets; the code on show is in it, since whoever drives the phone could scan it anyway."""
    with state.changed:
        connected = {page.wid for page in state.pages.values() if page.wid}
        pages = sorted(state.pages.values(), key=lambda page: page.opened)
        shown = [page.code.text for page in pages if page.code and page.code.live]
        return {
            "devices": [
                {
                    "wid": device.wid,
                    "number": device.number,
                    "device": device.device,
                    "linkedAt": device.linked_at,
                    "removedAt": device.removed_at,
                    "reason": device.reason,
                    "online": device.wid in connected,
                }
                for device in state.registry.all()
            ],
            "pages": [
                {
                    "page": page.name,
                    "wid": page.wid,
                    **page.says,
                    "code": _text(page.code),
                    "pairingCode": _text(page.pairing),
                    "awaitingPasskey": page.awaiting_passkey,
                }
                for page in pages
            ],
            "code": shown[-1] if shown else None,
            "network": state.network.is_up,
            "networkIs": state.network.mode.value,
            "language": state.documents.language,
            "screens": state.screens_told(),
            "broken": sorted(state.documents.broken),
            "pressed": list(state.pressed),
            "blocked": {number or "all": kind for number, kind in state.blocked.items()},
            "linkings": len(state.registry.all()),
            "logins": {"accepted": state.accepted, "refused": dict(state.turned_away)},
            "messages": {
                "sent": state.sent,
                "delivered": state.delivered,
                "waiting": sum(len(left) for left in state.waiting.values()),
            },
            "timing": asdict(state.timing),
        }


def _text(code: Code | None) -> str | None:
    return code.text if code and code.live else None
