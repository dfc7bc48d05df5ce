"""The stand-in as one JSON value: what a test may ask of it after the fact."""

from __future__ import annotations

from dataclasses import asdict

from linda_cli.sandbox.codes import Code
from linda_cli.sandbox.world import World


def status(world: World) -> dict[str, object]:
    """Everything but secrets; the code on show is in it, since whoever drives the phone could scan it anyway."""
    with world.changed:
        connected = {page.wid for page in world.pages.values() if page.wid}
        pages = sorted(world.pages.values(), key=lambda page: page.opened)
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
                for device in world.ledger.all()
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
            "network": world.network,
            "blocked": {number or "all": kind for number, kind in world.blocked.items()},
            "linkings": len(world.ledger.all()),
            "logins": {"accepted": world.accepted, "refused": dict(world.turned_away)},
            "messages": {
                "sent": world.sent,
                "delivered": world.delivered,
                "waiting": sum(len(left) for left in world.waiting.values()),
            },
            "timing": asdict(world.timing),
        }


def _text(code: Code | None) -> str | None:
    return code.text if code and code.live else None
