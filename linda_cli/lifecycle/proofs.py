"""The proofs that acts which cannot be undone need: the contract's table, written here, once, and nowhere else.

A proof is a row of clauses; it holds where every clause holds. A clause is true only of what was seen: what is unknown
never fulfils one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linda_cli.lifecycle.evidence import EXPLAINS
from linda_cli.lifecycle.knowledge import Browser, Knowledge
from linda_cli.whatsapp.status import PageReading, PageStatus

REJECTED_AFTER = 5.0
"""Seconds for which a code must have been on show, without a break, before a login counts as rejected."""

VANISHED_AFTER = 30.0
"""Seconds for which keys and databases must have been gone, without an address that says so."""

OTHER_AFTER = 5.0
"""Seconds between the two looks that say that another account is linked."""

CLIENT_FATAL = "0"

Holds = Callable[[Knowledge, float], bool]


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that must have been seen."""

    name: str
    holds: Holds


@dataclass(frozen=True, slots=True)
class Proof:
    """What must have been seen before an act."""

    name: str
    clauses: tuple[Clause, ...]

    def holds(self, know: Knowledge, now: float) -> bool:
        """Whether every clause holds."""
        return all(clause.holds(know, now) for clause in self.clauses)


def _reading(know: Knowledge) -> PageReading | None:
    return know.page.reading if know.up else None


def _at(moment: float | None, seconds: float, now: float) -> bool:
    return moment is not None and now - moment >= seconds


def _has_login(know: Knowledge, _: float) -> bool:
    """A document of this browser began with both keys of a login that has a name, or was ready with it."""
    login = know.page.login
    return bool(login) and (login in know.page.began_with or know.page.was_ready)


def _began_with_attempted(know: Knowledge, _: float) -> bool:
    """A document of this browser began with both keys of the very login that was on the disk."""
    attempt = know.restoration.attempt
    return attempt is not None and bool(attempt.login) and attempt.login in know.page.began_with


def _keys_gone(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.keys_gone


def _nothing_explains(know: Knowledge, _: float) -> bool:
    """A page that is ready, connected, syncing, loading or locked explains missing keys."""
    reading = _reading(know)
    return reading is not None and reading.status not in EXPLAINS and not reading.connected and reading.pane is not True


def _logout_without_reason(know: Knowledge, _: float) -> bool:
    """The tab came to an address with ``post_logout=1`` and no reason after the login had been in place without it."""
    return know.page.logout is not None and know.page.logout.reason == ""


def _logout_with_reason(know: Knowledge, _: float) -> bool:
    """The same, and the address names a reason other than that the page could not open its storage."""
    return know.page.logout is not None and know.page.logout.reason not in ("", CLIENT_FATAL)


def _client_fatal(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return (know.page.logout is not None and know.page.logout.reason == CLIENT_FATAL) or (
        reading is not None and reading.status is PageStatus.CLIENT_FATAL
    )


def _unpaired(seconds: float) -> Holds:
    """A code on show, no pane, not connected and both keys gone, without a break: nothing is left that explains it."""
    return lambda know, now: know.up and _at(know.page.unpaired_since, seconds, now)


def _vanished(know: Knowledge, now: float) -> bool:
    return know.up and _at(know.page.vanished_since, VANISHED_AFTER, now)


def _suspected_before(know: Knowledge, _: float) -> bool:
    """The newest verified backup of this login is what this fresh browser was started on, to confirm it."""
    attempt, suspicion = know.restoration.attempt, know.restoration.suspicion
    return (
        attempt is not None
        and suspicion is not None
        and attempt.confirms == "logged_out"
        and attempt.login == suspicion.login
        and know.page.login == suspicion.login
    )


_LOGIN = Clause("the login of this browser is known", _has_login)
_GONE = Clause("both keys are gone", _keys_gone)
_UNEXPLAINED = Clause("nothing explains that", _nothing_explains)

CONDEMN = Proof(
    "the page went to the address of a logout",
    (_LOGIN, Clause("the address of a logout came, without a reason", _logout_without_reason), _GONE, _UNEXPLAINED),
)
SUSPECT_BY_REASON = Proof(
    "the page went to the address of a logout that names a reason",
    (
        _LOGIN,
        Clause("the address of a logout came, with a reason other than 0", _logout_with_reason),
        _GONE,
        _UNEXPLAINED,
    ),
)
SUSPECT_BY_ABSENCE = Proof(
    "the login vanished from the page",
    (_LOGIN, Clause("a code, no pane, no keys, no databases for 30 s", _vanished)),
)
CONFIRMED = Clause("its newest verified backup ended the same way in a fresh browser", _suspected_before)

REJECT = Proof(
    "WhatsApp asked for a new linking",
    (
        Clause("a document began with both keys of this login", _began_with_attempted),
        Clause("a code, no pane and no keys for 5 s", _unpaired(REJECTED_AFTER)),
    ),
)
FATAL = Proof(
    "the page could not open its storage",
    (Clause("the address says so", _client_fatal), _UNEXPLAINED),
)


def _disk_had_login(know: Knowledge, _: float) -> bool:
    attempt = know.restoration.attempt
    return attempt is not None and attempt.login is not None


def _never_began_with_it(know: Knowledge, _: float) -> bool:
    return know.page.keyless_begin and not know.page.began_with and not know.page.was_ready


VANISHED = Proof(
    "the login on disk was not in the page",
    (
        Clause("the disk held a login", _disk_had_login),
        Clause("no document began with a login", _never_began_with_it),
        Clause("a code, no pane and no keys for 5 s", _unpaired(REJECTED_AFTER)),
    ),
)


def _disk_had_unknown(know: Knowledge, _: float) -> bool:
    attempt = know.restoration.attempt
    return attempt is not None and attempt.login is None


SHOWN_EMPTY = Proof(
    "a browser has shown that no login is in the profile",
    (
        Clause("no login was found on the disk", _disk_had_unknown),
        Clause("no document began with a login", _never_began_with_it),
        Clause("a code, no pane and no keys for 30 s", _unpaired(VANISHED_AFTER)),
    ),
)


# -- pressing


def _only_popup(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.popups == 1


def _conflict(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.status is PageStatus.COMPUTER


def _takeover(know: Knowledge, _: float) -> bool:
    return know.options.takeover


def _no_pane(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.pane is False


def _neither_connected_nor_conflict(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.socket not in (None, "CONNECTED", "CONFLICT") and reading.mode != "CONFLICT"


def _no_code(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and not reading.code_on_show


def _other_tab(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.other_tabs > 0


_POPUP = Clause("it is in the only confirm dialog", _only_popup)

PRESS_COMPUTER = Proof(
    "open on another computer, and --takeover was given",
    (_POPUP, Clause("the page says CONFLICT", _conflict), Clause("--takeover was given", _takeover)),
)
PRESS_WINDOW = Proof(
    "open in another window of this browser",
    (
        _POPUP,
        Clause("there is no pane", _no_pane),
        Clause("no code is on show", _no_code),
        Clause("the page is neither connected nor in conflict", _neither_connected_nor_conflict),
        Clause("this browser has another tab of the origin", _other_tab),
    ),
)


# -- replacing a profile


def _replaceable(know: Knowledge, _: float) -> bool:
    return know.restoration.replaceable is not None


def _no_login_on_disk(know: Knowledge, _: float) -> bool:
    facts = know.disk
    return facts is not None and (facts.verdict == "missing" or (facts.keyless and not facts.has_trace))


def _damage_twice(know: Knowledge, _: float) -> bool:
    facts = know.disk
    return facts is not None and facts.verdict == "damaged" and know.restoration.damage_seen >= 2


def _forgotten(know: Knowledge, _: float) -> bool:
    """A person cleared it, or it is proven to be unlinked."""
    facts = know.disk
    return facts is not None and facts.verdict in ("cleared", "logged_out")


def _rejected_before(know: Knowledge, _: float) -> bool:
    facts = know.disk
    return facts is not None and facts.verdict == "rejected"


def _no_browser(know: Knowledge, _: float) -> bool:
    return know.browser is Browser.NONE and not know.busy


NO_BROWSER = Clause("no browser is on it", _no_browser)

REPLACE_PROFILE: tuple[Proof, ...] = (
    Proof("no login is in it", (NO_BROWSER, Clause("nothing of a login is on the disk", _no_login_on_disk))),
    Proof("damaged", (NO_BROWSER, Clause("the same damage was read twice", _damage_twice))),
    Proof("forgotten", (NO_BROWSER, Clause("cleared by a person, or proven to be unlinked", _forgotten))),
    Proof("rejected before", (NO_BROWSER, Clause("an earlier run recorded a rejection of it", _rejected_before))),
    Proof("a failed step", (NO_BROWSER, Clause("a browser has shown why", _replaceable))),
)


def may_replace(know: Knowledge, now: float) -> str | None:
    """The proof by which the present profile may give way to a backup; None where there is none."""
    for proof in REPLACE_PROFILE:
        if proof.holds(know, now):
            return know.restoration.replaceable or proof.name
    return None


# -- another account


def _ready_with_keys(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and reading.status is PageStatus.READY and reading.keys


def _accepted_with_keys(know: Knowledge, _: float) -> bool:
    """Ready by the page's own word for the connection too, and not by its looks alone."""
    reading = _reading(know)
    return reading is not None and reading.status is PageStatus.READY and reading.connected and reading.keys


def _other_number(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return (
        reading is not None and reading.number is not None and know.number is not None and reading.number != know.number
    )


def _other_noise(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    # What this session was ready with is known from the last run; without that nothing can be compared.
    return (
        reading is not None
        and reading.noise_digest is not None
        and know.noise is not None
        and reading.noise_digest != know.noise
    )


def _same_noise(know: Knowledge, _: float) -> bool:
    reading = _reading(know)
    return reading is not None and know.noise is not None and reading.noise_digest == know.noise


def _seen_twice(know: Knowledge, now: float) -> bool:
    return _at(know.page.ready_since, OTHER_AFTER, now) and _at(know.page.number_since, OTHER_AFTER, now)


OTHER_ACCOUNT = Proof(
    "another account is linked",
    (
        Clause("the page is ready, connected, and has both keys", _accepted_with_keys),
        Clause("they are of another number", _other_number),
        Clause("and of another device", _other_noise),
        Clause("still so after 5 s", _seen_twice),
    ),
)
"""In a linking the device is new anyway: there its number alone is compared, still twice."""

OTHER_LINKED = Proof(
    "another account was linked",
    tuple(clause for clause in OTHER_ACCOUNT.clauses if clause.name != "and of another device"),
)
NUMBER_CHANGED = Proof(
    "the number of this login was changed",
    (
        Clause("the page is ready and has both keys", _ready_with_keys),
        Clause("they are of another number", _other_number),
        Clause("and of the same device", _same_noise),
    ),
)


# -- a code


def _profile_is_out(know: Knowledge, _: float) -> bool:
    facts, restoration = know.disk, know.restoration
    return restoration.profile_tried or (facts is not None and not facts.can_restore)


SHOW_CODE = Proof(
    "nothing is left to restore",
    (
        Clause("the profile is no way", _profile_is_out),
        Clause("no backup is left", lambda know, _: know.restoration.exhausted),
        Clause("the login is not merely refused for now", lambda know, _: not know.restoration.refused),
    ),
)
