"""The sandbox as it is told to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from linda_cli.console.moments import with_age
from linda_cli.console.wrapping import columns


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a sandbox is. ``control_url``: where its phone is driven."""

    home: str
    pid: int
    port: int
    control_url: str


def serving(told: Serving, linda: str) -> str:
    """Where it is and what to type next; ``linda``: how the command line begins for this home."""
    rows = [
        ("start --sandbox", "shows a code to scan"),
        ("sandbox scan", "scans it"),
        ("sandbox log-out", "unlinks the device on the phone"),
        ("sandbox offline", "drops the network; online lets it back"),
        ("sandbox status", "shows devices, pages and codes"),
        ("sandbox --help", "names everything else the phone can do"),
    ]
    return "\n".join(
        [
            f"the sandbox serves {told.home}",
            f"its phone listens at {told.control_url}, process {told.pid}",
            "in another terminal:",
            *columns([[f"  {linda} {verb}", what] for verb, what in rows]),
            "Ctrl-C ends it; devices stay linked until they are logged out",
        ]
    )


def status(told: Mapping[str, Any]) -> str:
    """Devices, pages and what was counted."""
    lines = ["devices" if told["devices"] else "no devices"]
    lines += columns(
        [[f"  {one['wid']}", f"linked {with_age(one['linkedAt'])}", _whereabouts(one)] for one in told["devices"]]
    )
    lines.append("pages" if told["pages"] else "no pages")
    lines += columns(
        [[f"  {one.get('screen') or 'starting'}", str(one.get("state", "")), _doing(one)] for one in told["pages"]]
    )
    logins, messages = told["logins"], told["messages"]
    refused = ", ".join(f"{count} {reason}" for reason, count in logins["refused"].items()) or "none"
    facts = [
        ("network", told["networkIs"]),
        ("language", told["language"]),
        ("screens", ", ".join(f"{who}: {screen}" for who, screen in told["screens"].items()) or "none"),
        ("broken", ", ".join(told["broken"]) or "nothing"),
        ("pressed", ", ".join(f"{one['button']} of {one['dialog']}" for one in told["pressed"]) or "nothing"),
        ("blocked", ", ".join(f"{who}: {kind}" for who, kind in told["blocked"].items()) or "nobody"),
        ("linkings", str(told["linkings"])),
        ("logins", f"{logins['accepted']} accepted; refused: {refused}"),
        ("messages", f"{messages['sent']} sent, {messages['delivered']} delivered"),
    ]
    return "\n".join([*lines, *columns([list(fact) for fact in facts])])


def timing(told: Mapping[str, float]) -> str:
    """Each time by the name that changes it."""
    return "\n".join(columns([[name.replace("_", "-"), f"{value:g}"] for name, value in told.items()]))


def _whereabouts(device: Mapping[str, Any]) -> str:
    if device["removedAt"]:
        return f"logged out {with_age(device['removedAt'])}"
    return "online" if device["online"] else "away"


def _doing(page: Mapping[str, Any]) -> str:
    if page["wid"]:
        return f"logged in as {page['wid']}"
    if page["awaitingPasskey"]:
        return "waits for a passkey"
    if page["pairingCode"]:
        return f"shows the pairing code {page['pairingCode']}"
    return f"shows the code {page['code'][:24]}…" if page["code"] else ""
