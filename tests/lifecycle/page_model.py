"""The page of the model world: what it shows, as the real observer would tell it, read by the real reader.

``facts_of`` says what the page shows at a moment, from the truth and from the lies it tells just then. A lie never
fulfils every clause of a proof at once: such a page could not be told from the truth by anybody.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from linda_cli.whatsapp import status
from linda_cli.whatsapp.selectors import load
from linda_cli.whatsapp.status import PageReading

NUMBER = "971505760056"
OTHER_NUMBER = "971505760099"

OBSERVED_AFTER = 0.2
"""Seconds from the beginning of a document to the observer's first word."""

BOOT, SLOW_BOOT = 3.0, 14.0
KEYS_GO_AFTER, ADDRESS_AFTER, STRIPPED_AFTER = 1.0, 4.0, 1.0
"""An unlinked page: its keys go, then it leaves for the address of a logout, which it takes out of it again."""

SOCKET_NOTICES, SOCKET_RETURNS = 1.0, 3.0


@dataclass(frozen=True, slots=True)
class Page:
    """One document of the tab. ``login``: in its localStorage. ``address``: the logout reason that it came with, None
    for the plain address; ``strips``: it takes that out again. ``wiped``: the login's databases are gone. ``error``:
    Chromium's own page. ``synced_at``: until then it syncs. ``ends``: the reason with which it ends once it has
    started, although its login is linked."""

    document: int
    began: float
    boot: float
    login: str | None
    address: str | None = None
    wiped: bool = False
    strips: bool = True
    error: bool = False
    synced_at: float = 0.0
    ends: str | None = None


@dataclass(frozen=True, slots=True)
class Lies:
    """What the page tells although it is not so, and until when. ``renamed``: the login's keys have other names.
    ``other_until``: it shows the keys of another account. ``second_tab``: a tab that takes nothing from this one."""

    renamed: bool = False
    half_renamed: bool = False
    unreadable_until: float = 0.0
    code_until: float = 0.0
    blind_until: float = 0.0
    other_until: float = 0.0
    second_tab: bool = False
    dialog: bool = False
    conflict: bool = False
    other_tab: bool = False
    refuses: bool = False
    locked: bool = False
    crashed: bool = False
    unobserved: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the observer would tell, hashable, so that equal pages are read once."""

    document: int
    url: str = "https://web.whatsapp.com/"
    wid: str | None = ""
    noise: str | None = ""
    pane: bool = False
    loading: bool = False
    socket: str | None = None
    mode: str | None = None
    ref: str | None = None
    percent: int | None = None
    popups: int = 0
    databases: tuple[str, ...] | None = ("signal-storage",)
    other_tabs: int = 0
    arrived_with: str | None = None
    structure: str | None = None
    error: str | None = None


def number_in(login: str) -> str:
    """The number of a login of the model: ``other`` is of another account, ``moved`` is ``own`` under a new number."""
    return OTHER_NUMBER if login in ("other", "moved") else NUMBER


def noise_of(login: str) -> str:
    """The device's own key. The number of a device may change; its key does not."""
    return "own" if login == "moved" else login


@cache
def digest(noise: str) -> str:
    """As the reader names it."""
    return hashlib.sha256(noise.encode()).hexdigest()


def _login_of(wid: str, noise: str) -> str:
    return "moved" if noise == "own" and OTHER_NUMBER in wid else noise


@lru_cache(maxsize=200_000)
def reading_of(facts: Facts) -> PageReading:
    """The facts, read as the real page's are."""
    told = {
        "url": facts.url,
        "wid": facts.wid,
        "noise": facts.noise,
        "has": {"pane": facts.pane, "loading": facts.loading},
        "socket": facts.socket,
        "mode": facts.mode,
        "ref": facts.ref,
        "percent": facts.percent,
        "popups": facts.popups,
        "databases": list(facts.databases) if facts.databases is not None else None,
        "structure": facts.structure,
        "error": facts.error,
    }
    return status.read(
        json.dumps(told),
        load(None),
        _login_of,
        document=facts.document,
        arrived_with=facts.arrived_with,
        other_tabs=facts.other_tabs,
    )


@dataclass(frozen=True, slots=True)
class Truth:
    """What the page's words depend on. ``unlinked_at``: when the phone unlinked the page's login, None while it is
    linked. ``network_at``: since when the network is as it is."""

    network: bool
    network_at: float
    unlinked_at: float | None
    how: str


def booted_at(page: Page, truth: Truth) -> float:
    """When this document has started: only with the network, and then after a while."""
    if not truth.network and truth.network_at < page.began + page.boot:
        return float("inf")
    since = truth.network_at + SOCKET_RETURNS if truth.network and truth.network_at > page.began else page.began
    return max(page.began + page.boot, since)


def connected_at(page: Page, truth: Truth) -> float:
    """Since when the server can tell this page that its login is linked no more."""
    booted = booted_at(page, truth)
    return max(booted, truth.network_at + SOCKET_RETURNS) if page.began < truth.network_at else booted


def keys_go_at(page: Page, truth: Truth) -> float:
    """When the page of an unlinked login removes its keys."""
    if page.login is not None and page.ends is not None and truth.network:
        return booted_at(page, truth)
    if page.login is None or truth.unlinked_at is None or not truth.network:
        return float("inf")
    return max(truth.unlinked_at, connected_at(page, truth)) + KEYS_GO_AFTER


def leaves_at(page: Page, truth: Truth) -> float:
    """When it leaves for the address of a logout."""
    return keys_go_at(page, truth) - KEYS_GO_AFTER + ADDRESS_AFTER


def changes_of(page: Page, lies: Lies, truth: Truth) -> tuple[float, ...]:
    """Every moment at which what the page shows may change."""
    return (
        page.began + OBSERVED_AFTER,
        page.began + OBSERVED_AFTER + STRIPPED_AFTER,
        booted_at(page, truth),
        keys_go_at(page, truth),
        leaves_at(page, truth),
        truth.network_at + SOCKET_NOTICES,
        truth.network_at + SOCKET_RETURNS,
        page.synced_at,
        lies.unreadable_until,
        lies.code_until,
        lies.blind_until,
        lies.other_until,
    )


def shown(page: Page, lies: Lies, truth: Truth, now: float) -> PageReading | None:
    """What the page's observer tells at a moment; None before its first word."""
    if page.error:
        return status.unreachable(page.document)
    if now < page.began + OBSERVED_AFTER:
        return None
    if lies.crashed:
        return status.gone("the page crashed", page.document)
    return reading_of(facts_of(page, lies, truth, now))


def facts_of(page: Page, lies: Lies, truth: Truth, now: float) -> Facts:
    """All that the observer would tell of the page at a moment."""
    here = page.address is not None and (not page.strips or now < page.began + OBSERVED_AFTER + STRIPPED_AFTER)
    query = f"?post_logout=1{f'&logout_reason={page.address}' if page.address else ''}" if here else ""
    there = page.login is not None and now < keys_go_at(page, truth)
    facts = Facts(
        page.document,
        f"https://web.whatsapp.com/{query}",
        databases=() if page.wiped or page.login is None else ("signal-storage",),
        arrived_with=page.address,
        other_tabs=int(lies.other_tab or lies.second_tab),
        error="the observer threw" if lies.unobserved else None,
    )
    if page.login is not None and there and not lies.renamed:
        login = "other" if now < lies.other_until else page.login
        wid = "" if lies.half_renamed else json.dumps(f"{number_in(login)}:7@c.us")
        facts = replace(facts, wid=wid, noise=noise_of(login))
    if now < lies.unreadable_until:
        facts = replace(facts, wid=None, noise=None)
    facts = _screen(page, lies, truth, now, facts, there=there)
    # The popup of another window or computer is about a login; "Log out?" and its like lie over what has started.
    started = not facts.loading and facts.structure is None
    elsewhere = page.login is not None and (lies.conflict or lies.other_tab) and started and facts.ref is None
    facts = replace(facts, popups=int(lies.dialog and started) + int(elsewhere))
    if now < lies.blind_until:
        facts = replace(facts, socket=None, mode=None)
    return facts


def _screen(page: Page, lies: Lies, truth: Truth, now: float, facts: Facts, *, there: bool) -> Facts:
    code = replace(facts, ref=f"code {page.document}.{int((now - page.began) // 20)}", socket="UNPAIRED", mode="QR")
    if now < lies.code_until:
        return code
    unlinked_first = truth.unlinked_at is not None and truth.unlinked_at < connected_at(page, truth)
    if now < booted_at(page, truth) or (there and unlinked_first and (truth.unlinked_at or 0.0) <= page.began):
        return replace(facts, loading=True, socket="OPENING")
    if page.login is None:
        return code
    if not there:
        # The screen of a logout under way, which is in no list of the page's.
        return replace(facts, structure="div")
    if lies.refuses:
        return code
    if lies.conflict:
        return replace(facts, pane=True, socket="CONFLICT", mode="CONFLICT")
    if lies.other_tab:
        return replace(facts, socket="OPENING")
    if now < page.synced_at:
        if not truth.network and now >= truth.network_at + SOCKET_NOTICES:
            return replace(facts, loading=True, socket="OPENING", mode="SYNCING")
        return replace(facts, socket="CONNECTED", mode="SYNCING", percent=int((page.synced_at - now) // 5))
    if lies.locked:
        return replace(facts, socket="CONNECTED" if truth.network else "OPENING", mode="MAIN")
    if truth.network:
        # The server accepts no login that was unlinked meanwhile.
        away = unlinked_first or page.began < truth.network_at <= now < truth.network_at + SOCKET_RETURNS
    else:
        away = now >= truth.network_at + SOCKET_NOTICES
    return replace(facts, pane=True, socket="OPENING" if away else "CONNECTED", mode="MAIN")
