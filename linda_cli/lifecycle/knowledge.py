"""All that a run knows, as one frozen value; ``after`` gives the next one. Nothing here decides, asks or does.

Only observations change it, and the loop in ``run`` is the only one who feeds them in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from linda_cli.errors import (
    BackupUnusable,
    BrowserMissing,
    BrowserSilent,
    BrowserTooOld,
    InUse,
    LindaError,
    Unreachable,
)
from linda_cli.lifecycle import decisions as do
from linda_cli.lifecycle import observations as seen
from linda_cli.lifecycle.backoff import pause_after
from linda_cli.lifecycle.decisions import Action, Lane, Suspicion
from linda_cli.lifecycle.evidence import PageEvidence
from linda_cli.lifecycle.observations import Observation, ProfileFacts
from linda_cli.lifecycle.options import Options
from linda_cli.whatsapp.observer import Pulse
from linda_cli.whatsapp.status import PageStatus

EARLY_DEATH = 30.0
"""Seconds from its start within which a browser's death counts against what it was started on."""


class Phase(StrEnum):
    """Where a run is."""

    RESTORE = "restore"
    LINK = "link"
    SUPERVISE = "supervise"
    SHUTDOWN = "shutdown"
    OVER = "over"


class Step(StrEnum):
    """The restore steps, in their order."""

    BROWSER = "browser"
    PROFILE = "profile"
    BACKUP = "backup"


class Browser(StrEnum):
    """The browser of the run."""

    NONE = "none"
    STARTING = "starting"
    UP = "up"
    DEAD = "dead"
    """Its process is gone, and its end has not been cleaned up after yet."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One restore step under way. ``login``: on the disk before the launch, None where it was not found under its
    known names. ``confirms``: the failure that this second look at the same bytes is to confirm."""

    step: Step
    backup: str | None = None
    login: str | None = None
    fingerprint: str | None = None
    copy: str | None = None
    prepared: bool = False
    launches: int = 0
    deaths: int = 0
    lived: float = 0.0
    confirms: str | None = None
    needs: str | None = None
    worker_dropped: bool = False
    began: float = 0.0


@dataclass(frozen=True, slots=True)
class Restoration:
    """The way through the restore steps. ``replaceable``: the proof by which the present profile may give way to a
    backup, None while there is none. ``original``: the quarantine name of the first profile that gave way."""

    began: float = 0.0
    again: bool = False
    attempt: Attempt | None = None
    browser_tried: bool = False
    profile_tried: bool = False
    tried: frozenset[str] = frozenset()
    found: seen.FoundBackup | None = None
    exhausted: bool = False
    failure: str | None = None
    reason: str = ""
    replaceable: str | None = None
    original: str | None = None
    restored: int = 0
    generations: int = 0
    bad_backups: int = 0
    empty_lived: bool | None = None
    damage_seen: int = 0
    was_damaged: bool = False
    last_chance: bool = False
    refused: bool = False
    suspicion: Suspicion | None = None
    logout: Suspicion | None = None
    revoked: bool = False
    revoke_tries: int = 0
    revoke_at: float = 0.0
    logout_told: bool = False
    quarantined: bool = False
    quarantine_tries: int = 0
    put_back: bool = False
    other: str | None = None
    moved_to: str | None = None
    error: LindaError | None = None

    @property
    def displaced(self) -> str | None:
        """Why the profile that lies there must give way to a linking, None where it is to be linked itself."""
        if self.quarantined:
            return None
        if self.was_damaged and not self.restored:
            return "damaged"
        return self.failure if self.failure in ("rejected", "client_fatal", "vanished", "no_login", "died") else None


@dataclass(frozen=True, slots=True)
class Linking:
    """A code on show until a phone takes it."""

    began: float = 0.0
    held: float = 0.0
    held_since: float | None = None
    attempt: int = 0
    since_renewal: int = 0
    ref: str | None = None
    code: str | None = None
    code_at: float = 0.0
    asked_at: float | None = None
    renewed_at: float | None = None
    submitted_at: float | None = None
    passkey: bool = False
    authenticated: bool = False
    retry_at: float = 0.0
    launches: int = 0
    deaths: int = 0
    displaced: str | None = None
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Saving:
    """From ready to saved."""

    saved: bool = False
    ready_at: float = 0.0
    next_at: float = 0.0
    why: str = ""
    login: str | None = None
    next_backup: float = 0.0


@dataclass(frozen=True, slots=True)
class Uploading:
    """What is known of the object store. ``due``: something was saved since the last upload that began."""

    due: bool = False
    next_at: float = 0.0
    tries: int = 0
    troubled: bool = False


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch without a connection."""

    since: float
    told: bool = False
    retry_at: float = 0.0
    reloads: int = 0
    via: str = "page"


@dataclass(frozen=True, slots=True)
class Network:
    """What the browser found when it was asked for the network. ``returned_at``: when it was there again."""

    up: bool | None = None
    reason: str = ""
    asked_at: float = float("-inf")
    returned_at: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Of this browser: what was measured last, and since when it has been past the limit."""

    asked_at: float = float("-inf")
    mb: int = 0
    quiet: float | None = None
    grown_since: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What was told last, so that nothing is told twice."""

    checked: bool = False
    restoring: tuple[str, str | None] | None = None
    loading: bool = False
    percent: int | None = None
    syncing: bool = False
    waiting: str | None = None
    conflict: str | None = None
    auth_failure: bool = False
    save_delayed: bool = False
    slow: bool = False
    memory: bool = False
    number_changed: str | None = None
    documents: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How far the shutdown has come."""

    error: LindaError | None = None
    reason: str = "done"
    keep: bool = False
    since: float = 0.0
    bot: bool = False
    closed: bool = False
    backed_up: bool = False
    upload_failed: bool = False
    tidied: bool = False
    noted: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one run knows. ``number``: None until the account is known. ``chance``: 0 to 1, this run's own."""

    options: Options
    number: str | None = None
    chance: float = 0.0
    phase: Phase = Phase.RESTORE
    began: float = 0.0
    busy: tuple[Action, ...] = ()
    disk: ProfileFacts | None = None
    restoration: Restoration = field(default_factory=Restoration)
    linking: Linking = field(default_factory=Linking)
    saving: Saving = field(default_factory=Saving)
    uploading: Uploading = field(default_factory=Uploading)
    browser: Browser = Browser.NONE
    browser_id: int = 0
    browser_at: float = 0.0
    browser_reason: str = ""
    address: str | None = None
    page: PageEvidence = field(default_factory=PageEvidence)
    pulse_at: float = 0.0
    pulse_missed: bool = False
    heard_at: float = 0.0
    hung: bool = False
    reloading: bool = False
    pressed_at: float = float("-inf")
    measured_at: float = 0.0
    measure: object = None
    network: Network = field(default_factory=Network)
    memory: Memory = field(default_factory=Memory)
    outage: Outage | None = None
    retries: int = 0
    stable_since: float = 0.0
    was_ready: bool = False
    source: str | None = None
    login: str | None = None
    noise: str | None = None
    bot_runs: bool = False
    bot_code: int | None = None
    said: Said = field(default_factory=Said)
    ending: Ending = field(default_factory=Ending)
    stop: seen.StopAsked | None = None

    @classmethod
    def at_start(cls, options: Options, number: str | None, now: float, chance: float) -> Knowledge:
        """What is known when a run begins."""
        return cls(options=options, number=number, chance=chance, began=now, restoration=Restoration(began=now))

    def is_busy(self, lane: Lane) -> bool:
        """Whether something is under way in this lane."""
        return any(action.lane is lane for action in self.busy)

    @property
    def up(self) -> bool:
        """A browser is up and watched."""
        return self.browser is Browser.UP

    @property
    def status(self) -> PageStatus:
        """What the page shows; nothing where there is no browser."""
        return self.page.status if self.up else PageStatus.NOTHING

    def after(self, observation: Observation) -> Knowledge:
        """What is known after one more observation."""
        at = observation.at
        match observation:
            case seen.PageSeen(browser=browser) if browser == self.browser_id and self.up:
                return self._page_seen(observation, at)._outage_tracked(at)._person_tracked(at)
            case seen.DocumentBegan(browser=browser, document=document) if browser == self.browser_id and self.up:
                if document <= self.page.document:
                    return self
                page = self.page.new_document(document, at, ours=self.reloading)
                return replace(self, page=page, reloading=False)._outage_tracked(at)._person_tracked(at)
            case seen.BrowserGone(browser=browser, reason=reason) if browser == self.browser_id and self.up:
                return self._browser_gone(reason, at)._outage_tracked(at)._person_tracked(at)
            case seen.NetworkSeen():
                return self._network_seen(observation, at)
            case seen.StopAsked():
                return self if self.stop is not None else replace(self, stop=observation)
            case seen.BotSeen(runs=runs, code=code):
                return replace(self, bot_runs=runs, bot_code=code)
            case seen.Begun(action=action):
                return self._begun(action, at)
            case seen.Done(action=action, result=result):
                return self._finished(action)._done(action, result, at)
            case seen.Failed(action=action, error=error):
                return self._finished(action)._failed(action, error, at)
        return self

    # -- the page, the browser, the network

    def _page_seen(self, observation: seen.PageSeen, at: float) -> Knowledge:
        reading = observation.reading
        if reading.document < self.page.document:
            return self
        if reading.document > self.page.document:
            page = self.page.new_document(reading.document, at, ours=self.reloading).after(reading, at)
            return replace(self, page=page, reloading=False)._connected(at)
        return replace(self, page=self.page.after(reading, at), pulse_at=at, heard_at=at)._connected(at)

    def _outage_tracked(self, at: float) -> Knowledge:
        """Since when the page of a session that was ready is not."""
        if self.phase is not Phase.SUPERVISE:
            return self
        if self.up and self.status is PageStatus.READY:
            if self.outage is not None and not self.outage.told:
                return replace(self, outage=None)
            return self
        if self.outage is None:
            # After a stable time the pauses between retries begin small again.
            retries = 0 if at - self.stable_since > self.options.pace.stable else self.retries
            return replace(self, outage=Outage(since=at), retries=retries)
        return self

    def _person_tracked(self, at: float) -> Knowledge:
        """The timeout of a linking is paused while a person is waited for."""
        if self.phase is not Phase.LINK or self.linking.authenticated:
            return self
        reading, linking = self.page.reading if self.up else None, self.linking
        if reading is not None and reading.code_on_show:
            held = linking if linking.held_since is not None else replace(linking, held_since=at)
            return replace(self, linking=held)
        return replace(self, linking=self.linking_held(at, authenticated=False))

    def _connected(self, at: float) -> Knowledge:
        reading = self.page.reading
        if reading is None or not reading.connected:
            return self
        # The page's own word for the connection is worth more than any request of ours.
        if self.network.up is False:
            return replace(self, network=replace(self.network, up=True, reason="", returned_at=at))
        return self

    def _browser_gone(self, reason: str, at: float) -> Knowledge:
        attempt = self.restoration.attempt
        restoration, linking = self.restoration, self.linking
        early = at - self.browser_at <= EARLY_DEATH
        if attempt is not None and not self.page.was_ready:
            lived = max(attempt.lived, at - self.browser_at) if early else attempt.lived
            restoration = replace(restoration, attempt=replace(attempt, deaths=attempt.deaths + early, lived=lived))
        if self.phase is Phase.LINK:
            linking = replace(linking, deaths=linking.deaths + early)
        return replace(
            self,
            browser=Browser.DEAD,
            browser_reason=reason,
            address=None,
            # Nobody is left to ask for the network.
            network=Network(),
            restoration=restoration,
            linking=linking,
        )

    def _network_seen(self, observation: seen.NetworkSeen, at: float) -> Knowledge:
        if observation.up is None:
            return self
        reading = self.page.reading
        if reading is not None and reading.connected and observation.up is False:
            # A request that fails counts for nothing while the page is connected.
            return self
        returned = self.network.returned_at
        if observation.up and self.network.up is False:
            returned = at
        known = replace(self.network, up=observation.up, reason=observation.reason, returned_at=returned)
        return replace(self, network=known)

    # -- actions that begin

    def _begun(self, action: Action, at: float) -> Knowledge:
        know = self if action.lane is Lane.NONE else replace(self, busy=(*self.busy, action))
        match action:
            case do.Launch():
                return know._launching(at)
            case do.Attach():
                attempt = Attempt(Step.BROWSER, began=at)
                return replace(
                    know._launching(at), restoration=replace(know.restoration, attempt=attempt, browser_tried=True)
                )
            case do.ProbeNetwork():
                return replace(know, network=replace(know.network, asked_at=at))
            case do.CheckPulse():
                return replace(know, pulse_at=at)
            case do.MeasureMemory():
                return replace(know, memory=replace(know.memory, asked_at=at))
            case do.Press(target=target):
                return know._pressing(target, at)
            case do.Reload():
                return know._reloading()
            case do.InstallObserver():
                return replace(know, page=replace(know.page, document_at=at, installs=know.page.installs + 1))
            case do.Save():
                return replace(know, saving=replace(know.saving, next_at=at + SAVE_EVERY))
            case do.BackUp():
                every = know.options.backup_every
                return replace(know, saving=replace(know.saving, next_backup=at + every if every else float("inf")))
            case do.Upload():
                return replace(know, uploading=replace(know.uploading, due=False))
            case do.MeasureLogin():
                return replace(know, measured_at=at)
            case do.RevokeLogin(login=login, reason=reason):
                restoration = replace(
                    know.restoration,
                    logout=Suspicion(login, "proven", reason),
                    revoke_tries=know.restoration.revoke_tries + 1,
                    revoke_at=at,
                )
                return replace(know, restoration=restoration)
            case do.Quarantine():
                tries = know.restoration.quarantine_tries + 1
                return replace(know, restoration=replace(know.restoration, quarantine_tries=tries))
        return know

    def _launching(self, at: float) -> Knowledge:
        attempt = self.restoration.attempt
        restoration, linking = self.restoration, self.linking
        if self.phase is Phase.LINK:
            linking = replace(linking, launches=linking.launches + 1, ref=None, code=None, asked_at=None)
        elif attempt is not None:
            restoration = replace(restoration, attempt=replace(attempt, launches=attempt.launches + 1))
        return replace(
            self,
            browser=Browser.STARTING,
            browser_at=at,
            # Evidence belongs to one browser: from here on everything about the page is unknown again.
            page=PageEvidence(document_at=at, status_since=at, progress_at=at),
            network=Network(),
            memory=Memory(),
            reloading=False,
            pulse_missed=False,
            pressed_at=float("-inf"),
            said=replace(self.said, loading=False, percent=None, syncing=False, conflict=None, memory=False),
            restoration=restoration,
            linking=linking,
        )

    def _pressing(self, target: do.Target, at: float) -> Knowledge:
        linking = self.linking
        if target is do.Target.NEW_CODES:
            linking = replace(linking, renewed_at=at, since_renewal=0, code=None, submitted_at=None)
        elif target is do.Target.PAIRING_CODE:
            linking = replace(linking, asked_at=at)
        return replace(self, pressed_at=at, linking=linking)

    def _reloading(self) -> Knowledge:
        outage = self.outage
        if outage is not None:
            outage = replace(outage, reloads=outage.reloads + 1, via="reload")
        # The document that is there is on its way out: what it says from here on is of no use.
        return replace(self, reloading=True, outage=outage, retries=self.retries + 1)

    # -- actions that end

    def _finished(self, action: Action) -> Knowledge:
        left = list(self.busy)
        if action in left:
            left.remove(action)
        return replace(self, busy=tuple(left))

    def _done(self, action: Action, result: object, at: float) -> Knowledge:
        match action, result:
            case ((do.Launch() | do.Attach()), seen.BrowserUp()):
                return self._browser_up(action, result, at)
            case do.CloseBrowser(), _:
                return self._closed(at)
            case do.Inspect(), ProfileFacts():
                return self._inspected(result)
            case do.PrepareProfile(), seen.Prepared():
                return self._prepared(result, at)
            case do.FindBackup(verified_of=login), seen.FoundBackup():
                return self._found(result, of_one_login=login is not None)
            case do.RestoreBackup(name=name), seen.PutInPlace():
                return self._restored(name, result, at)
            case do.PutBack(), _:
                restoration = replace(self.restoration, put_back=True, original=None)
                return replace(self, restoration=restoration, disk=None)
            case ((do.Quarantine() | do.CopyToQuarantine()), _):
                return self._quarantined(action)
            case do.RecordRejection(), _:
                return replace(self, restoration=replace(self.restoration, replaceable="the login was rejected"))
            case do.RevokeLogin(login=login, reason=reason), _:
                logout = Suspicion(login, "proven", result if isinstance(result, str) else reason)
                restoration = replace(self.restoration, revoked=True, suspicion=None, error=None, logout=logout)
                return replace(self, restoration=restoration)
            case do.TryEmptyProfile(), bool():
                return replace(self, restoration=replace(self.restoration, empty_lived=result))
            case do.Save(), seen.SaveResult():
                return self._saved(result)
            case do.CheckPulse(last=last), Pulse():
                return self._pulse(result, last, at)
            case do.MeasureMemory(), seen.MemorySeen():
                return self._memory_seen(result, at)
            case do.MeasureLogin(), _:
                if result != self.measure:
                    return replace(self, measure=result, page=replace(self.page, progress_at=at))
                return self
            case do.LearnNumber(number=number), _:
                return replace(self, number=number)
            case do.DropServiceWorker(), _:
                return self._worker_dropped()
            case do.Press(target=do.Target.PAIRING_CODE), True:
                return replace(self, linking=replace(self.linking, submitted_at=at))
            case do.EndBot(), _:
                return replace(self, bot_runs=False, ending=replace(self.ending, bot=True))
            case do.BackUp(), _:
                ending = replace(self.ending, backed_up=self.ending.backed_up or self.phase is Phase.SHUTDOWN)
                return replace(self, ending=ending)._upload_due()
            case do.Upload(), _:
                return replace(self, uploading=Uploading(due=self.uploading.due))
            case do.TidyProfile(), _:
                return replace(self, ending=replace(self.ending, tidied=True))
            case do.Arrive(), _:
                return self._arrived(action, at)
            case do.Tell(), _:
                return self._told(action, at)
            case do.Note(), _ if self.phase is Phase.SHUTDOWN:
                return replace(self, ending=replace(self.ending, noted=True))
            case do.FailStep(), _:
                return self._step_failed(action)
            case do.SecondLook(kind=kind), _:
                return self._second_look(kind)
            case do.Mismatch(number=number), _:
                return replace(self, restoration=replace(self.restoration, other=number, attempt=None, error=None))
            case do.MoveOtherAccount(), _:
                moved = result if isinstance(result, str) else None
                error = None if moved else Unreachable("it was not there any more")
                return replace(self, restoration=replace(self.restoration, moved_to=moved, error=error))
            case do.BeginOutage(), _:
                return self._outage_begun(at)
            case do.BeginLinking(), _:
                return replace(
                    self,
                    phase=Phase.LINK,
                    linking=Linking(began=at, displaced=self.restoration.displaced),
                    saving=Saving(),
                    login=None,
                    noise=None,
                    disk=None,
                    said=Said(checked=True),
                    restoration=replace(self.restoration, attempt=None),
                )
            case do.BeginRestoration(), _ if self.phase is Phase.RESTORE:
                # A doubt within the way: what was tried on it stays tried, and its first ready is still to come.
                restoration = replace(
                    self.restoration, attempt=None, found=None, reason=action.reason, suspicion=action.suspicion
                )
                return replace(self, disk=None, restoration=restoration)
            case do.BeginRestoration(), _:
                return replace(
                    self,
                    phase=Phase.RESTORE,
                    disk=None,
                    restoration=Restoration(began=at, again=True, reason=action.reason, suspicion=action.suspicion),
                )
            case do.Shutdown(), _:
                return self._shutting_down(action, at)
            case do.End(), _:
                return replace(self, phase=Phase.OVER)
        return self

    def _failed(self, action: Action, error: LindaError, at: float) -> Knowledge:
        restoration = self.restoration
        match action:
            case do.Launch() | do.Attach():
                return self._launch_failed(action, error)
            case do.CloseBrowser():
                # It was ended as far as that is possible; to wait for it again would change nothing.
                return self._closed(at)
            case do.TryEmptyProfile():
                return replace(self, restoration=replace(restoration, empty_lived=False, error=error))
            case do.FindBackup():
                # What could not be looked for is not absent: no code follows from that.
                return replace(self, disk=None, restoration=replace(restoration, found=None, error=error))
            case do.RestoreBackup(name=name) if not isinstance(error, BackupUnusable):
                return replace(self, disk=None, restoration=replace(restoration, found=None, attempt=None, error=error))
            case do.RestoreBackup(name=name):
                return replace(
                    self,
                    restoration=replace(
                        restoration,
                        found=None,
                        tried=restoration.tried | {name},
                        bad_backups=restoration.bad_backups + 1,
                        reason=error.message,
                        attempt=None,
                        suspicion=None,
                    ),
                )
            case do.EndBot():
                return replace(self, bot_runs=False, ending=replace(self.ending, bot=True))
            case do.BackUp() if self.phase is Phase.SHUTDOWN:
                return replace(self, ending=replace(self.ending, backed_up=True))
            case do.Upload():
                return self._upload_failed(at)
            case do.TidyProfile():
                return replace(self, ending=replace(self.ending, tidied=True))
            case do.PrepareProfile() | do.DropServiceWorker():
                return replace(self, disk=None, restoration=replace(restoration, attempt=None, error=error))
            case do.Save():
                return replace(self, saving=replace(self.saving, why=error.message))
            case do.PutBack():
                return replace(self, restoration=replace(restoration, put_back=True, error=restoration.error or error))
            case do.Inspect() | do.CopyToQuarantine():
                return replace(self, disk=None, restoration=replace(restoration, error=error))
            case do.RevokeLogin() | do.Quarantine():
                # Tried again, some times; what follows from a proven logout does not depend on it.
                return self
            case do.MoveOtherAccount() | do.RecordRejection() | do.LearnNumber():
                return replace(self, restoration=replace(restoration, error=error))
        return self

    def _pulse(self, pulse: Pulse, last: bool, at: float) -> Knowledge:
        if not self.up:
            return self
        if pulse is Pulse.NONE and last:
            silent = round(at - self.heard_at)
            known = self._browser_gone(f"the browser gave no sign of life for {silent} s", at)
            outage = self.outage or Outage(since=self.heard_at)
            # It was away from the moment in which it was last heard, and not only since that was noticed.
            return replace(known, hung=True, outage=replace(outage, since=min(outage.since, self.heard_at)))
        if pulse is Pulse.NONE:
            return replace(self, pulse_missed=True)
        page = self.page
        if pulse is Pulse.UNOBSERVED:
            page = replace(page, observed=False, document_at=at)
        return replace(self, page=page, pulse_missed=False, heard_at=at, said=replace(self.said, slow=False))

    def _memory_seen(self, result: seen.MemorySeen, at: float) -> Knowledge:
        grown = result.mb > self.options.max_memory
        since = (self.memory.grown_since if self.memory.grown_since is not None else at) if grown else None
        memory = replace(self.memory, mb=result.mb, quiet=result.quiet, grown_since=since)
        return replace(self, memory=memory, said=replace(self.said, memory=self.said.memory and grown))

    def _browser_up(self, action: Action, result: seen.BrowserUp, at: float) -> Knowledge:
        facts = self.disk
        page = PageEvidence(document_at=at, status_since=at, progress_at=at)
        if facts is not None and isinstance(action, do.Attach):
            page = page.attached_to(facts.ready_login, facts.ready_noise)
        elif facts is not None and self.phase is Phase.RESTORE and facts.login is None:
            page = replace(page, candidate=facts.ready_login)
        linking = self.linking
        if self.phase is Phase.LINK and linking.launches == 1:
            # Only now there is somebody who could be shown a code.
            linking = replace(linking, began=at)
        return replace(
            self,
            linking=linking,
            browser=Browser.UP,
            browser_id=result.browser,
            browser_at=at,
            address=result.address,
            page=page,
            pulse_at=at,
            heard_at=at,
            hung=False,
        )

    def _launch_failed(self, action: Action, error: LindaError) -> Knowledge:
        know = replace(self, browser=Browser.NONE, browser_reason=error.message)
        restoration, attempt = self.restoration, self.restoration.attempt
        final = isinstance(error, (BrowserMissing, BrowserSilent, BrowserTooOld, InUse))
        if self.phase is Phase.LINK:
            deaths = self.linking.deaths + (0 if final else 1)
            return replace(
                know, linking=replace(self.linking, deaths=deaths), restoration=replace(restoration, error=error)
            )
        if isinstance(action, do.Attach):
            # It has been ended, so what the disk holds is looked at anew; the next steps do not depend on it.
            return replace(know, disk=None)
        if attempt is not None and isinstance(action, do.Launch):
            attempt = replace(attempt, deaths=attempt.deaths + (0 if final else 1))
        return replace(know, restoration=replace(restoration, attempt=attempt, error=error))

    def _closed(self, at: float) -> Knowledge:
        return replace(
            self,
            browser=Browser.NONE,
            address=None,
            page=PageEvidence(document_at=at, status_since=at, progress_at=at),
            network=Network(),
            # What a browser had open may have changed until its last moment.
            disk=None,
            ending=replace(self.ending, closed=True) if self.phase is Phase.SHUTDOWN else self.ending,
        )

    # -- the disk

    def _inspected(self, facts: ProfileFacts) -> Knowledge:
        restoration = self.restoration
        damaged = facts.verdict == "damaged"
        restoration = replace(
            restoration,
            damage_seen=restoration.damage_seen + 1 if damaged else 0,
            was_damaged=restoration.was_damaged or damaged,
            error=None,
        )
        # Whose device this session was ready with: what another account is told apart by.
        return replace(self, disk=facts, restoration=restoration, noise=self.noise or facts.ready_noise)

    def _prepared(self, result: seen.Prepared, at: float) -> Knowledge:
        restoration, facts = self.restoration, self.disk
        attempt = restoration.attempt
        if attempt is None:
            attempt = Attempt(
                Step.PROFILE,
                login=facts.login if facts is not None else None,
                began=at,
                fingerprint=result.fingerprint,
                copy=result.copy,
                prepared=True,
            )
            restoration = replace(restoration, profile_tried=True)
        else:
            attempt = replace(attempt, prepared=True)
        return replace(self, restoration=replace(restoration, attempt=attempt))

    def _found(self, result: seen.FoundBackup, *, of_one_login: bool) -> Knowledge:
        restoration = self.restoration
        if of_one_login and result.name is None:
            # Nothing can confirm the logout. What else there is to restore has not been looked at.
            return replace(self, restoration=replace(restoration, found=None, suspicion=None))
        return replace(
            self,
            restoration=replace(
                restoration,
                found=result if result.name is not None else None,
                exhausted=result.name is None,
                tried=restoration.tried | {name for name, _ in result.passed_over},
                bad_backups=restoration.bad_backups + result.bad,
            ),
        )

    def _restored(self, name: str, result: seen.PutInPlace, at: float) -> Knowledge:
        restoration, before = self.restoration, self.restoration.attempt
        found, generations = restoration.found, restoration.generations
        if before is not None and before.confirms is not None:
            attempt = replace(before, needs=None, prepared=False, launches=0, deaths=0)
        else:
            attempt = Attempt(
                Step.BACKUP,
                name,
                found.login if found is not None else None,
                found.fingerprint if found is not None else None,
                copy=name,
                began=at,
            )
            if restoration.suspicion is not None:
                attempt = replace(attempt, confirms="logged_out")
            else:
                generations += 1
        return replace(
            self,
            disk=None,
            restoration=replace(
                restoration,
                attempt=attempt,
                found=None,
                tried=restoration.tried | {name},
                restored=restoration.restored + 1,
                generations=generations,
                exhausted=generations >= self.options.max_generations,
                replaceable=None,
                logout=None,
                original=restoration.original or result.aside,
            ),
        )

    def _quarantined(self, action: Action) -> Knowledge:
        if isinstance(action, do.CopyToQuarantine):
            return replace(self, restoration=replace(self.restoration, last_chance=True, error=None))
        restoration = replace(self.restoration, quarantined=True, error=None)
        return replace(self, restoration=restoration, linking=replace(self.linking, moved=True), disk=None)

    def _worker_dropped(self) -> Knowledge:
        attempt = self.restoration.attempt
        if attempt is None:
            return self
        return replace(
            self, restoration=replace(self.restoration, attempt=replace(attempt, needs=None, worker_dropped=True))
        )

    def _saved(self, result: seen.SaveResult) -> Knowledge:
        if result.saved:
            return replace(
                self,
                saving=replace(self.saving, saved=True, why="", login=result.login),
                login=result.login or self.login,
            )._upload_due()
        return replace(self, saving=replace(self.saving, why=result.why))

    # -- phases and words

    def _step_failed(self, action: do.FailStep) -> Knowledge:
        restoration = self.restoration
        attempt = restoration.attempt
        replaceable = {
            "rejected": restoration.replaceable or "the login was rejected",
            "client_fatal": "the page could not open its storage",
            "vanished": "no login is in it any more",
            "no_login": "a browser has shown that no login is in it",
            "died": "two browsers died on it while one on an empty profile lived",
            "suspected": "no login is in it any more",
            "logged_out": "the device was unlinked",
        }.get(action.kind, restoration.replaceable)
        if attempt is not None and attempt.step is Step.BROWSER:
            # What a browser that ran before has shown is judged again on its profile, by a fresh one.
            replaceable = restoration.replaceable
        return replace(
            self,
            restoration=replace(
                restoration,
                attempt=None,
                failure=action.kind,
                reason=action.reason,
                # What was to be confirmed has come out otherwise; it is not tried for ever.
                suspicion=None,
                replaceable=replaceable,
                refused=restoration.refused or action.kind == "refused",
            ),
        )

    def _second_look(self, kind: str) -> Knowledge:
        attempt = self.restoration.attempt
        if attempt is None:
            return self
        if kind == "unsupported":
            attempt = replace(attempt, needs="worker")
        elif kind == "vanished again":
            attempt = replace(attempt, needs="verify")
        else:
            attempt = replace(attempt, needs="copy", confirms=kind, launches=0, deaths=0, prepared=False)
        return replace(self, restoration=replace(self.restoration, attempt=attempt))

    def _outage_begun(self, at: float) -> Knowledge:
        attempt = self.restoration.attempt
        outage = self.outage or Outage(since=at, told=True)
        return replace(
            self,
            phase=Phase.SUPERVISE,
            restoration=Restoration(),
            outage=replace(
                outage,
                told=True,
                retry_at=at + pause_after(self.retries, self.options.pace, self.chance),
                reloads=0,
                via=attempt.step.value if attempt is not None else "profile",
            ),
            # What failed because the network is away says nothing of how often it is worth trying.
            retries=self.retries + (self.network.up is not False),
        )

    def _upload_due(self) -> Knowledge:
        if self.options.remote is None:
            return self
        return replace(self, uploading=replace(self.uploading, due=True))

    def _upload_failed(self, at: float) -> Knowledge:
        """It is tried again after a growing pause; at the end once, because whoever starts next catches up."""
        before = self.uploading
        pause = pause_after(before.tries, self.options.pace, self.chance)
        return replace(
            self,
            uploading=Uploading(due=True, next_at=at + pause, tries=before.tries + 1, troubled=True),
            ending=replace(self.ending, upload_failed=self.ending.upload_failed or self.phase is Phase.SHUTDOWN),
        )

    def _arrived(self, action: do.Arrive, at: float) -> Knowledge:
        every = self.options.backup_every
        return replace(
            self,
            phase=Phase.SUPERVISE,
            was_ready=True,
            source=action.source,
            login=self.page.login,
            noise=self.page.noise or self.noise,
            saving=Saving(ready_at=at, next_at=at, next_backup=at + every if every else float("inf")),
            outage=None,
            stable_since=at,
            pulse_at=at,
            restoration=Restoration(),
            said=replace(self.said, waiting=None, conflict=None, auth_failure=False, documents=self.page.documents),
        )

    def _told(self, action: do.Tell, at: float) -> Knowledge:
        facts = action.facts
        said = self.said
        match action.event:
            case "checked":
                said = replace(said, checked=True)
            case "restoring":
                said = replace(said, restoring=(str(facts["rung"]), facts.get("backup")), checked=True)
            case "loading":
                said = replace(said, loading=True)
            case "syncing":
                said = replace(said, percent=facts.get("percent"), syncing=True)
            case "waiting":
                said = replace(said, waiting=f"{facts['for']}: {facts['reason']}")
            case "conflict":
                said = replace(said, conflict=str(facts["where"]))
            case "auth_failure":
                said = replace(said, auth_failure=True)
            case "save_delayed":
                said = replace(said, save_delayed=True)
            case "slow":
                said = replace(said, slow=True)
            case "memory_exceeded":
                said = replace(said, memory=True)
            case "number_changed":
                said = replace(said, number_changed=str(facts["to"]))
            case "page_reloaded":
                said = replace(said, documents=self.page.documents)
            case "qr":
                linking = self.linking
                linking = replace(
                    linking,
                    ref=facts["qr"],
                    attempt=linking.attempt + 1,
                    since_renewal=linking.since_renewal + 1,
                    deaths=0,
                )
                return replace(self, linking=linking)
            case "pairing_code":
                return replace(self, linking=replace(self.linking, code=facts["code"], code_at=at))
            case "passkey_required":
                return replace(self, linking=replace(self.linking, passkey=True))
            case "authenticated":
                return replace(self, linking=self.linking_held(at, authenticated=True))
            case "disconnected":
                return self._outage_told(facts, at)
            case "reconnected":
                return self._reconnected(at)
            case "logged_out":
                restoration = replace(self.restoration, logout_told=True)
                return replace(self, outage=None, was_ready=False, restoration=restoration)
            case "stopped":
                return replace(self, ending=replace(self.ending, told=True))
        return replace(self, said=said)

    def linking_held(self, at: float, *, authenticated: bool) -> Linking:
        """The linking with the clock of the timeout going on from now."""
        linking = self.linking
        held = linking.held + (at - linking.held_since if linking.held_since is not None else 0.0)
        return replace(linking, held=held, held_since=None, authenticated=authenticated)

    def _outage_told(self, facts: object, at: float) -> Knowledge:
        outage = self.outage or Outage(since=at)
        pause = float(facts["retryIn"]) if isinstance(facts, dict) else 0.0
        return replace(
            self,
            outage=replace(outage, told=True, retry_at=at + pause),
            said=replace(self.said, waiting=None),
        )

    def _reconnected(self, at: float) -> Knowledge:
        reading = self.page.reading
        # What tells another account apart is not learnt from one.
        same = reading is None or reading.number in (None, self.number)
        return replace(
            self,
            phase=Phase.SUPERVISE,
            outage=None,
            stable_since=at,
            restoration=Restoration(),
            login=(self.page.login if same else None) or self.login,
            noise=(self.page.noise if same else None) or self.noise,
            said=replace(self.said, waiting=None, conflict=None, auth_failure=False, documents=self.page.documents),
        )

    def _shutting_down(self, action: do.Shutdown, at: float) -> Knowledge:
        wanted = self.options.keep_browser
        if self.stop is not None and self.stop.keep_browser is not None:
            wanted = self.stop.keep_browser
        reason = action.reason or (self.stop.reason if self.stop is not None else "done")
        return replace(
            self,
            phase=Phase.SHUTDOWN,
            ending=Ending(
                error=action.error,
                reason=reason,
                keep=action.kept or (wanted and self.was_ready and self.up),
                since=at,
            ),
        )


SAVE_EVERY = 0.1
"""Seconds between two looks at the disk for a login that is not there yet. One look takes about 3 ms."""
