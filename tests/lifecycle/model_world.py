"""The model world: what is true of a login, its bytes, its browser and the network, and what actions do to them.

``begin`` starts an action and ``finish`` ends it with what the real one would report. Moves of nature and of people
are in ``moves``. All values inside are frozen, so that a shallow copy is a copy.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from linda_cli.errors import BackupUnusable, BrowserFailed, Failed, LindaError
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.decisions import Action
from linda_cli.whatsapp.observer import Pulse
from linda_cli.whatsapp.status import PageReading
from tests.lifecycle import page_model
from tests.lifecycle.page_model import BOOT, NUMBER, OBSERVED_AFTER, Facts, Lies, Page, Truth, digest, noise_of

LAUNCH_TAKES, DISK_TAKES = 1.0, 0.1
DIES_AFTER = 2.0
PROBE_TAKES = 0.2


@dataclass(frozen=True, slots=True)
class Profile:
    """``bytes``: their fingerprint. ``login`` None: none is in them. ``ends``: the reason with which the page ends on
    them although the login is linked, "0" where it cannot open its storage. ``damaged``: Chromium drops what is in it
    when it is opened. ``renamed``: the login's keys have other names on the disk."""

    bytes: str
    login: str | None = "own"
    damaged: bool = False
    ends: str | None = None
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup; ``readable`` False: it does not verify."""

    name: str
    profile: Profile
    verified: bool = True
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """An action under way and its end."""

    action: Action
    at: float
    fails: bool = False


class World:
    """The truth."""

    __slots__ = (
        "backups",
        "browsers",
        "bytes_made",
        "died_on_profile",
        "document",
        "elsewhere",
        "empty_dies",
        "fails_next",
        "gone_at",
        "how",
        "hung",
        "kills",
        "lies",
        "link_after",
        "linked",
        "network",
        "network_at",
        "number",
        "page",
        "pending",
        "prepared",
        "process",
        "profile",
        "quarantine",
        "ready_login",
        "rejected",
        "revoked",
        "told_document",
        "told_page",
        "unlinked_at",
    )

    def __init__(self) -> None:
        self.linked: frozenset[str] = frozenset({"own"})
        self.profile: Profile | None = Profile("own.1")
        self.backups: tuple[Backup, ...] = ()
        self.quarantine: tuple[tuple[str, Profile], ...] = ()
        self.rejected: frozenset[str] = frozenset()
        self.revoked: frozenset[str] = frozenset()
        self.link_after = 0
        self.ready_login: str | None = "own"
        self.number: str | None = NUMBER
        self.process = False
        self.hung = False
        self.page: Page | None = None
        self.document = 0
        self.lies = Lies()
        self.network = True
        self.network_at = float("-inf")
        self.unlinked_at: float | None = None
        self.how = ""
        self.kills = 0
        self.empty_dies = False
        self.elsewhere = False
        self.died_on_profile = 0
        self.gone_at: float | None = None
        self.pending: tuple[Pending, ...] = ()
        self.fails_next = False
        self.prepared = False
        self.bytes_made = 1
        self.told_page: PageReading | None = None
        self.browsers = 0
        self.told_document = 0

    def clone(self) -> World:
        """A world that goes on by itself from here."""
        return copy.copy(self)

    def key(self) -> tuple[object, ...]:
        """Everything but what belongs to the clock. Of bytes only what is true of them: which they are is alike."""
        profile = self.profile
        return (
            self.linked,
            profile is not None
            and (
                replace(profile, bytes=""),
                profile.bytes in self.rejected,
                any(one.profile.bytes == profile.bytes for one in self.backups),
            ),
            tuple(
                (replace(one.profile, bytes=""), one.verified, one.readable, self.may_be_found(one))
                for one in self.backups[:3]
            ),
            min(len(self.quarantine), 2),
            self.revoked,
            self.process,
            self.hung,
            self.lies.renamed,
            self.lies.half_renamed,
            self.lies.dialog,
            self.lies.conflict,
            self.lies.other_tab,
            self.lies.refuses,
            self.lies.locked,
            self.lies.crashed,
            self.network,
            self.how if self.unlinked_at is not None else None,
            self.kills,
            self.empty_dies,
            self.fails_next,
            self.page is not None and (self.page.login, self.page.address, self.page.error, self.page.boot),
            tuple((one.action, one.fails) for one in self.pending),
        )

    # -- what is true

    def truth(self) -> Truth:
        """What the page's words depend on."""
        login = self.page.login if self.page is not None else None
        unlinked = self.unlinked_at if login is not None and login not in self.linked else None
        if login is not None and login not in self.linked and unlinked is None:
            unlinked = float("-inf")
        return Truth(self.network, self.network_at, unlinked, self.how)

    def works(self, profile: Profile | None) -> bool:
        """Whether a browser on these bytes would become ready by itself."""
        return (
            profile is not None
            and profile.login in self.linked
            and not profile.damaged
            and profile.ends is None
            and profile.login not in self.revoked
        )

    def reading(self, now: float) -> PageReading | None:
        """What the page's observer would tell now."""
        if self.page is None or not self.process:
            return None
        return page_model.shown(self.page, self.lies, self.truth(), now)

    def facts_shown(self, now: float) -> Facts | None:
        """What stands behind that reading; None where nothing of the page is heard."""
        page = self.page
        if page is None or not self.process or page.error or now < page.began + OBSERVED_AFTER or self.lies.crashed:
            return None
        return page_model.facts_of(page, self.lies, self.truth(), now)

    def code_on_show(self, now: float) -> bool:
        """Whether a person could link a device here, truly."""
        return (
            self.page is not None
            and self.process
            and self.page.login is None
            and not self.page.error
            and now >= page_model.booted_at(self.page, self.truth())
        )

    def is_ready(self, now: float) -> bool:
        """Whether the account's chats are there and connected."""
        reading = self.reading(now)
        return reading is not None and reading.status.value == "ready"

    def next_change(self, now: float) -> float:
        """The next moment at which something ends or the page shows something else."""
        moments = [one.at for one in self.pending]
        if self.gone_at is not None:
            moments.append(self.gone_at)
        if self.page is not None and self.process:
            moments += page_model.changes_of(self.page, self.lies, self.truth())
            if self.page.login is None or now < self.lies.code_until or self.lies.refuses:
                moments.append(self.page.began + 20 * ((now - self.page.began) // 20 + 1))
            if now < self.page.synced_at:
                moments.append(self.page.synced_at - 5 * ((self.page.synced_at - now - 0.001) // 5))
        return min((one for one in moments if one > now), default=float("inf"))

    # -- the browser

    def new_document(self, now: float, *, boot: float = BOOT, address: str | None = None, strips: bool = True) -> None:
        """The tab comes to another document."""
        before = self.page
        login = before.login if before is not None else self.profile.login if self.profile is not None else None
        wiped = before.wiped if before is not None else False
        self.document += 1
        self.page = Page(
            self.document,
            now,
            boot,
            login,
            address,
            wiped,
            strips,
            error=not self.network,
            ends=self.profile.ends if self.profile is not None else None,
        )

    def page_leaves(self, now: float) -> bool:
        """An unlinked page wipes its login and goes to the address of a logout."""
        if self.page is None or not self.process or now < page_model.leaves_at(self.page, self.truth()):
            return False
        ends = self.page.ends
        self.page = replace(self.page, login=None, wiped=True)
        if ends is not None:
            self.new_document(now, address=ends, strips=False)
            return True
        self.wipe()
        self.new_document(now, address=None if self.how == "absent" else self.how)
        return True

    def wipe(self) -> None:
        """What the profile holds loses its login."""
        if self.profile is not None:
            self.profile = replace(self.profile, login=None, bytes=self.new_bytes("empty"))

    def new_bytes(self, login: str | None) -> str:
        """Bytes that were never there before."""
        self.bytes_made += 1
        return f"{login}.{self.bytes_made}"

    def _opened(self, now: float) -> None:
        """Chromium opens the profile and loads the page."""
        self.page = None
        profile = self.profile
        if profile is None:
            self.profile = profile = Profile(self.new_bytes(None), login=None)
        if profile.damaged:
            self.profile = profile = replace(profile, login=None, damaged=False, bytes=self.new_bytes("dropped"))
        self.document = 0
        self.new_document(now)
        if self.elsewhere and self.page is not None:
            # The browser has opened another profile than it was told: nothing of this one is read or written.
            self.page = replace(self.page, login=None)

    def ended(self) -> None:
        """The browser's process is gone. What it had open has changed."""
        self.process = False
        self.hung = False
        self.page = None
        self.told_page = None
        self.gone_at = None
        self.lies = replace(self.lies, crashed=False, other_tab=False, unobserved=False)
        if self.profile is not None and self.profile.login is not None and self.profile.ends is None:
            login = self.profile.login
            self.profile = replace(self.profile, bytes=self.new_bytes(login), renamed=self.lies.renamed)

    # -- actions

    def begin(self, action: Action, now: float) -> None:
        """Start an action of a lane."""
        takes = DISK_TAKES
        fails, self.fails_next = self.fails_next, False
        match action:
            case do.Launch():
                takes = LAUNCH_TAKES
                if not fails:
                    self.process = True
            case do.Attach():
                takes = 0.3
            case do.TryEmptyProfile(seconds=seconds):
                takes = seconds
            case do.CloseBrowser():
                takes = 0.5
            case do.ProbeNetwork():
                takes = PROBE_TAKES
            case do.CheckPulse(seconds=seconds):
                takes = seconds if self.hung else 0.1
        self.pending = (*self.pending, Pending(action, now + takes, fails))

    def finish(self, one: Pending, now: float) -> tuple[seen.Observation, ...]:
        """End an action: what it reports."""
        self.pending = tuple(other for other in self.pending if other is not one)
        action = one.action
        if one.fails:
            if isinstance(action, do.CloseBrowser):
                # Ended by force at last, although the way there failed.
                self.ended()
            # A browser that does not start has died, too.
            self.died_on_profile += isinstance(action, do.Launch)
            return (seen.Failed(action, self._error(action), at=now),)
        if isinstance(action, do.ProbeNetwork):
            if not self.process:
                return (seen.Failed(action, BrowserFailed("the browser is gone", "linda info"), at=now),)
            reason = "" if self.network else "DNS lookup of web.whatsapp.com failed"
            return (seen.NetworkSeen(self.network, reason, at=now), seen.Done(action, at=now))
        try:
            return (seen.Done(action, self._do(action, now), at=now),)
        except LindaError as problem:
            return (seen.Failed(action, problem, at=now),)

    @staticmethod
    def _error(action: Action) -> LindaError:
        if action.lane in (do.Lane.BROWSER, do.Lane.PULSE, do.Lane.NETWORK):
            return BrowserFailed("it did not answer", "linda start --verbose")
        return Failed("no space left on device", "df -h")

    def _do(self, action: Action, now: float) -> object:
        match action:
            case do.Launch() | do.Attach():
                return self._launched(action, now)
            case do.CloseBrowser(kept=kept):
                if not kept:
                    self.ended()
                return None
            case do.TryEmptyProfile():
                return not self.empty_dies
            case do.Reload() | do.Press() | do.InstallObserver() if self.hung:
                raise BrowserFailed("the browser did not answer", "linda info")
            case do.Reload() if self.page is not None and self.process:
                self.new_document(now)
                return None
            case do.Press(target=target):
                return self._pressed(target, now)
            case do.CheckPulse():
                return Pulse.NONE if self.hung else Pulse.UNOBSERVED if self.lies.unobserved else Pulse.BEATS
            case do.InstallObserver():
                self.lies = replace(self.lies, unobserved=False)
                return None
            case do.LearnNumber(number=number):
                self.number = number
                return number
            case do.MeasureLogin():
                return self.profile
            case do.Reload() | do.DropServiceWorker() | do.TidyProfile() | do.EndBot():
                return None
            case _:
                return self._do_on_disk(action, now)

    def _launched(self, action: Action, now: float) -> seen.BrowserUp:
        if self.kills or not self.process:
            self.kills = max(0, self.kills - 1)
            self.died_on_profile += 1
            self.ended()
            raise BrowserFailed("it died while it started", "linda start --verbose")
        if isinstance(action, do.Launch):
            self._opened(now)
        self.told_page, self.told_document = None, 0
        self.browsers += 1
        return seen.BrowserUp(self.browsers, "127.0.0.1:1")

    def _pressed(self, target: do.Target, now: float) -> bool:
        if target in (do.Target.COMPUTER, do.Target.WINDOW):
            self.lies = replace(self.lies, conflict=False, other_tab=False)
        return True

    def _do_on_disk(self, action: Action, now: float) -> object:
        match action:
            case do.Inspect():
                return self.facts()
            case do.PrepareProfile():
                return self._prepare()
            case do.FindBackup(tried=tried, verified_of=login):
                return self._find(tried, login)
            case do.RestoreBackup(name=name) | do.PutBack(name=name):
                return self._restore(name)
            case do.Quarantine() | do.MoveOtherAccount():
                return self._move_away()
            case do.CopyToQuarantine():
                return "copy"
            case do.RecordRejection(fingerprint=fingerprint):
                self.rejected |= {fingerprint}
                return None
            case do.RevokeLogin(login=login):
                self.revoked |= {login}
                self.link_after = self.bytes_made
                return None
            case do.Save(login=login):
                return self._save(login, now)
            case do.BackUp():
                self._back_up(verified=True)
                return None
        raise AssertionError(f"the model does not know {action}")

    def facts(self) -> seen.ProfileFacts:
        """What a look at the profile finds."""
        profile = self.profile
        login = profile.login if profile is not None and not profile.renamed else None
        if self.process:
            verdict = "running"
        elif profile is None or profile.login is None:
            verdict = "logged_out" if self.revoked and self.ready_login in self.revoked else "missing"
        elif profile.login in self.revoked:
            verdict = "logged_out"
        elif profile.damaged:
            verdict = "damaged"
        else:
            verdict = "rejected" if profile.bytes in self.rejected else "restorable"
        return seen.ProfileFacts(
            verdict,
            can_restore=verdict == "restorable",
            login=login,
            noise=digest(noise_of(login)) if login is not None else None,
            keyless=login is None and (profile is None or profile.login is None),
            has_trace=profile is not None and profile.login is not None,
            running=self.process,
            ready_login=self.ready_login,
            ready_noise=digest(noise_of(self.ready_login)) if self.ready_login is not None else None,
        )

    def _prepare(self) -> seen.Prepared:
        if self.profile is None:
            raise Failed("there is no profile", "linda info")
        self.prepared = True
        same = [one.name for one in self.backups if one.profile.bytes == self.profile.bytes]
        if not same and self.profile.login is not None and not self.profile.damaged:
            same = [self._back_up(verified=False)]
        return seen.Prepared(self.profile.bytes, same[0] if same else None)

    def _back_up(self, *, verified: bool) -> str:
        if self.profile is None or self.profile.login is None:
            raise Failed("there is no login in it", "linda info")
        for one in self.backups:
            if one.profile.bytes == self.profile.bytes:
                return one.name
        name = f"backup-{self.profile.bytes}"
        self.backups = (Backup(name, self.profile, verified), *self.backups)[:4]
        return name

    def may_be_found(self, backup: Backup) -> bool:
        """Whether the ladder may use this backup."""
        return (
            backup.readable
            and backup.profile.bytes not in self.rejected
            and backup.profile.login not in self.revoked
            and int(backup.profile.bytes.rpartition(".")[2]) > self.link_after
        )

    def _find(self, tried: frozenset[str], verified_of: str | None) -> seen.FoundBackup:
        passed: list[tuple[str, str]] = []
        for one in self.backups:
            if verified_of is not None:
                if one.verified and one.readable and one.profile.login == verified_of:
                    return seen.FoundBackup(one.name, one.profile.login, one.profile.bytes, 60.0)
                continue
            if one.name in tried:
                continue
            if self.may_be_found(one):
                return seen.FoundBackup(one.name, one.profile.login, one.profile.bytes, 60.0, tuple(passed))
            passed.append((one.name, "does not verify" if not one.readable else "rejected before"))
        return seen.FoundBackup(passed_over=tuple(passed), bad=sum(1 for _, why in passed if why == "does not verify"))

    def _restore(self, name: str) -> seen.PutInPlace:
        stored = {one.name: one.profile for one in self.backups} | dict(self.quarantine)
        if name not in stored:
            raise BackupUnusable(f"{name} is not there", "linda restore --list")
        aside = self._move_away()
        self.profile = stored[name]
        self.prepared = False
        return seen.PutInPlace(aside)

    def _move_away(self) -> str | None:
        if self.profile is None:
            return None
        name = f"quarantine-{self.profile.bytes}"
        self.quarantine = (*self.quarantine, (name, self.profile))[-4:]
        self.profile = None
        self.prepared = False
        return name

    def _save(self, login: str | None, now: float) -> seen.SaveResult:
        if not self.is_ready(now) or self.page is None or self.profile is None:
            return seen.SaveResult(False, "the page is not ready")
        name = self._back_up(verified=True)
        self.backups = tuple(replace(one, verified=True) if one.name == name else one for one in self.backups)
        return seen.SaveResult(True, login=self.page.login)
