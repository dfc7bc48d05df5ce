"""The arguments Chromium is started with: a pure list, each odd one with its reason."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linda_cli.errors import Misused

_OURS = ("--user-data-dir", "--remote-debugging-port", "--remote-debugging-pipe", "--remote-debugging-address")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run asks of its browser. ``extra`` comes last, so it wins over what we set ourselves."""

    profile: Path
    url: str
    version: str
    headful: bool = False
    as_root: bool = False
    extra: Sequence[str] = ()


def arguments(wish: Wish) -> list[str]:
    """Everything after the binary's name."""
    chosen = [
        f"--user-data-dir={wish.profile}",
        # Port 0 makes Chromium write DevToolsActivePort, which is how we find it again.
        "--remote-debugging-port=0",
        # localStorage reaches the disk after 1 s instead of up to 60 s (docs/chromium.md): less to lose in a crash.
        "--enable-aggressive-domstorage-flushing",
        # A profile whose secrets are bound to a desktop's keyring would not open on a server.
        "--password-store=basic",
        # Without it navigator.webdriver is true for every page that DevTools looks at.
        "--disable-blink-features=AutomationControlled",
        # A page in the background must notice a lost connection as fast as one in front.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        # Nothing that calls home, asks a person or fills the profile.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--disable-breakpad",
        "--disable-crash-reporter",
        "--hide-crash-restore-bubble",
        "--metrics-recording-only",
        "--no-default-browser-check",
        "--no-first-run",
        "--no-service-autorun",
        "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
        # The list below the address bar is a page of its own, which nobody sees here: without it a start takes
        # 0.6 s of CPU less and a session a process less (docs/chromium.md).
        "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
        # A renderer kept ready for the next site is for a person who goes from one to another; here it is one more
        # process, made while the page comes up (docs/chromium.md).
        "--disable-features=SpareRendererForSitePerProcess",
        "--window-size=1280,900",
    ]
    if not wish.headful:
        chosen.append("--headless=new")
        # Headless says "HeadlessChrome", which WhatsApp Web turns away; the version stays the true one.
        chosen.append(f"--user-agent={user_agent(wish.version)}")
    if wish.as_root:
        # Chromium refuses to start its sandbox as root.
        chosen.append("--no-sandbox")
    return [*_merged([*chosen, *wish.extra]), wish.url]


def user_agent(version: str) -> str:
    """Chrome's own user agent for this version (Chromium reduces it to the major number)."""
    major = version.split(".", 1)[0]
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def _merged(chosen: list[str]) -> list[str]:
    """Chromium takes the last of two equal switches, which would drop one list of features for another."""
    merged: dict[str, str] = {}
    for argument in chosen:
        name, equals, value = argument.partition("=")
        if name in ("--disable-features", "--enable-features") and name in merged:
            merged[name] = f"{merged[name]},{value}"
        else:
            # Taking the old one out first keeps the order: the later one stands later.
            merged.pop(name, None)
            merged[name] = argument if equals else name
    return list(merged.values())


def extra_arguments(text: str) -> list[str]:
    """``LINDA_CHROME_ARGS`` taken apart as a shell would. Raises ``Misused`` where it names what is ours to choose."""
    try:
        given = shlex.split(text)
    except ValueError as problem:
        raise Misused(f"LINDA_CHROME_ARGS cannot be read: {problem}", "unset LINDA_CHROME_ARGS") from problem
    for argument in given:
        if argument.split("=", 1)[0] in _OURS:
            raise Misused(f"LINDA_CHROME_ARGS may not set {argument.split('=', 1)[0]}", "unset LINDA_CHROME_ARGS")
        if not argument.startswith("-"):
            raise Misused(f"LINDA_CHROME_ARGS: {argument!a} is no argument", "unset LINDA_CHROME_ARGS")
    return given
