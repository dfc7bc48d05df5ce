"""The arguments Chromium is started with: a pure list, each odd one with its reason."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linda_cli.browser.features import Features, is_feature_switch, merged
from linda_cli.errors import BrowserTooOld, Misused, UnknownFormat
from linda_cli.installation import upgrade
from linda_cli.storage_format import NO_STORES, SQLITE_SINCE, StorageFormat, StorageFormats

_OURS = frozenset({"user-data-dir", "remote-debugging-port", "remote-debugging-pipe", "remote-debugging-address"})

# With these the page gets another profile than the one that is kept, or none that lasts.
_STEALING = frozenset({"incognito", "guest", "bwsi", "profile-directory", "profile-email", "login-profile"})

_FEATURES = Features(
    disabled=(
        "Translate",
        "OptimizationHints",
        "MediaRouter",
        "DialMediaRouteProvider",
        # The list below the address bar is a page of its own, which nobody sees here: without it a start takes
        # 0.6 s of CPU less and a session a process less (docs/chromium.md).
        "WebUIOmniboxPopup",
        "WebUIOmniboxAimPopup",
        # A renderer kept ready for the next site is for a person who goes from one to another; here it is one more
        # process, made while the page comes up (docs/chromium.md).
        "SpareRendererForSitePerProcess",
    )
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run asks of its browser. ``extra`` comes last, so it wins over what we set ourselves.

    ``formats``: how the profile's stores lie on disk now; the browser is made to keep them so.
    """

    profile: Path
    url: str
    version: str
    headful: bool = False
    as_root: bool = False
    extra: Sequence[str] = ()
    formats: StorageFormats = NO_STORES


def arguments(wish: Wish) -> list[str]:
    """Everything after the binary's name. Raises ``Misused`` where ``extra`` would cost a store that is there, and
    ``BrowserTooOld`` where this browser would lose one."""
    _refuse_to_lose(wish)
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
        "--window-size=1280,900",
    ]
    if not wish.headful:
        chosen.append("--headless=new")
        # Headless says "HeadlessChrome", which WhatsApp Web turns away; the version stays the true one.
        chosen.append(f"--user-agent={user_agent(wish.version)}")
    if wish.as_root:
        # Chromium refuses to start its sandbox as root.
        chosen.append("--no-sandbox")
    features = merged(_FEATURES, Features.of(wish.extra), wish.formats)
    extra = [one for one in wish.extra if not is_feature_switch(one)]
    return [*_merged([*chosen, *features.arguments(), *extra]), wish.url]


def _refuse_to_lose(wish: Wish) -> None:
    """Never start a browser on what it would delete or ignore."""
    if StorageFormat.UNKNOWN in (wish.formats.indexed_db, wish.formats.local_storage):
        raise UnknownFormat(
            f"{wish.profile.name} keeps its login in a format that this linda does not know; nothing was moved",
            upgrade(),
        )
    major = wish.version.partition(".")[0]
    if wish.formats.any_sqlite and major.isdigit() and int(major) < SQLITE_SINCE:
        raise BrowserTooOld(
            f"{wish.profile.name} keeps its login in SQLite, which Chromium {wish.version} would delete "
            f"(it takes {SQLITE_SINCE} or newer)",
            "sudo apt-get install --only-upgrade chromium chromium-driver",
        )


def user_agent(version: str) -> str:
    """Chrome's own user agent for this version (Chromium reduces it to the major number)."""
    major = version.split(".", 1)[0]
    return f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"


def _merged(chosen: list[str]) -> list[str]:
    """Chromium takes the last of two equal switches; so do we, and keep the order of those that are left."""
    merged: dict[str, str] = {}
    for argument in chosen:
        name = argument.partition("=")[0]
        # Taking the old one out first keeps the order: the later one stands later.
        merged.pop(name, None)
        merged[name] = argument
    return list(merged.values())


def extra_arguments(text: str) -> list[str]:
    """``LINDA_CHROME_ARGS`` taken apart as a shell would. Raises ``Misused`` where it names what is ours to choose."""
    try:
        given = shlex.split(text)
    except ValueError as problem:
        raise Misused(f"LINDA_CHROME_ARGS cannot be read: {problem}", "unset LINDA_CHROME_ARGS") from problem
    for argument in given:
        name = _switch(argument)
        if not argument.startswith("-") or not name:
            raise Misused(f"LINDA_CHROME_ARGS: {argument!a} is no argument", "unset LINDA_CHROME_ARGS")
        if name in _OURS:
            raise Misused(f"LINDA_CHROME_ARGS may not set --{name}", "unset LINDA_CHROME_ARGS")
        if name in _STEALING:
            raise Misused(
                f"LINDA_CHROME_ARGS may not set --{name}: the page would not get the profile that is kept",
                "unset LINDA_CHROME_ARGS",
            )
    return [f"--{argument.lstrip('-')}" for argument in given]


def _switch(argument: str) -> str:
    """The name of a switch. Chromium takes one dash for two."""
    return argument.lstrip("-").partition("=")[0].strip()
