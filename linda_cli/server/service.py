"""What a caller may ask of accounts, for REST and Socket.IO alike. Authorization is decided here and nowhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from linda_cli.browser.proxy import parse_proxy
from linda_cli.console.story import retold
from linda_cli.errors import (
    AlreadyLinked,
    BackupNotFound,
    BackupUnusable,
    Failed,
    InUse,
    LindaError,
    Misused,
    NotAllowed,
    NotFound,
    SessionNotFound,
    Unavailable,
    Unreachable,
)
from linda_cli.lifecycle.events import event
from linda_cli.lifecycle.logout import log_out
from linda_cli.lifecycle.store import store_at
from linda_cli.server.account_state import AccountState, Code
from linda_cli.server.accounts import Account, Accounts, SessionData, not_found
from linda_cli.server.auth import Principal, check_owner
from linda_cli.server.operations import Operation, Operations
from linda_cli.server.rate_limit import RateLimit
from linda_cli.server.supervisors import Supervisors
from linda_cli.sessions import memory_history, story_log
from linda_cli.sessions.clock import iso
from linda_cli.sessions.manifest import read_manifest
from linda_cli.sessions.memory_history import MemorySample
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.ownership import LOCAL, login_owner, recorded_owner
from linda_cli.sessions.results import BackedUp, LoggedOutSession, Restored
from linda_cli.sessions.values import Backup

STOP_WITHIN = 60.0
"""Seconds that a browser has to close before a request that waits for it is told so."""

READY_WITHIN = 120.0
"""Seconds to ready for an account that is brought up to be logged out."""

_RETRY_REMOVAL = 5.0


@dataclass(frozen=True, slots=True)
class Status:
    """One account as it stands. Times ISO 8601; ``code``: one is on display; ``memory_mb``: of its browser,
    ``memory_peak_mb``: at most over the last day."""

    client_id: str
    owner: str
    label: str | None
    proxy: str | None
    status: str
    session_data: SessionData
    up: bool
    is_ready: bool
    is_restored: bool
    restored_at: str | None
    source: str | None
    restore_count: int
    debugger_address: str | None
    code: str | None
    passkey_required: bool
    problem: str | None
    problem_name: str | None
    problem_at: str | None
    retry_at: str | None
    reconnects: int
    memory_mb: int | None
    memory_peak_mb: int | None
    removing: bool


def checked_proxy(proxy: str, number: str) -> None:
    """Raises ``Misused``, without a word of what may be a password, where a URL names no proxy."""
    try:
        parse_proxy(proxy, "proxy")
    except Misused as problem:
        hint = f'PATCH /whatsapp/accounts/{number} with {{"proxy": "http://proxy.example:3128"}}'
        raise Misused(problem.message, hint) from None


def status_of(
    account: Account, state: AccountState, memory_mb: int | None = None, memory_peak_mb: int | None = None
) -> Status:
    """An account's row and what is known of its run, in one value."""
    ready = state.ready.facts if state.ready is not None else {}
    return Status(
        client_id=account.client_id,
        owner=account.owner,
        label=account.label,
        proxy=account.proxy,
        # What the run says is newer than what was written of it.
        status=state.status or account.status,
        session_data=account.session_data,
        up=state.up,
        is_ready=state.status == "ready",
        is_restored=state.is_restored,
        restored_at=state.restored_at,
        source=ready.get("source"),
        restore_count=int(ready.get("restoreCount") or 0),
        debugger_address=ready.get("debuggerAddress"),
        code=state.code.event.event if state.code is not None else None,
        passkey_required=state.passkey,
        problem=state.problem,
        problem_name=state.problem_name,
        problem_at=state.problem_at,
        retry_at=iso(round(state.retry_at * 1000)) if state.retry_at else None,
        reconnects=state.reconnects,
        memory_mb=memory_mb,
        memory_peak_mb=memory_peak_mb,
        removing=account.removing is not None,
    )


class AccountService:
    """Where requests become orders to the supervisors and the store. Raises the named errors.

    What only looks answers from memory, ``backups`` and ``story`` from the disk; the rest may wait for a browser, the
    disk or the database.
    """

    def __init__(self, supervisors: Supervisors, accounts: Accounts, limit: RateLimit, operations: Operations) -> None:
        self.supervisors = supervisors
        self.accounts = accounts
        self.operations = operations
        self._limit = limit
        # Two requests for one number at once must not both find that nobody has it.
        self._owning = threading.Lock()

    # -- looking

    def account(self, principal: Principal, number: str) -> Account:
        """The caller's account. Somebody else's is not found, as one that nobody has."""
        number = parse_number(number)
        return principal.check(self._checked(self.accounts.get(number)))

    def _checked(self, account: Account) -> Account:
        """The account once its row has followed its login."""
        number = account.client_id
        if self.supervisors.state(number).up:
            return account  # whoever links now holds the run lock, and that is us
        owner = login_owner(store_at(self.supervisors.home).state.entry(number))
        if owner is None or owner == account.owner:
            return account
        self.supervisors.hand_over(number, owner)
        return self.accounts.get(number)

    def status(self, principal: Principal, number: str) -> Status:
        """One account as it stands."""
        return self._status(self.account(principal, number))

    def _status(self, account: Account) -> Status:
        number = account.client_id
        return status_of(
            account,
            self.supervisors.state(number),
            self.supervisors.memory().get(number),
            self.supervisors.memory_peak(number),
        )

    def statuses(self, principal: Principal) -> list[Status]:
        """Every account that the caller sees, by number."""
        memory = self.supervisors.memory()
        entries = store_at(self.supervisors.home).state.entries()
        found = []
        for one in self.accounts.all():
            account = one
            owner = login_owner(entries.get(one.client_id, {}))
            if owner not in (None, one.owner):
                account = self._checked(one)
            if principal.may_see(account):
                number = account.client_id
                found.append(
                    status_of(
                        account,
                        self.supervisors.state(number),
                        memory.get(number),
                        self.supervisors.memory_peak(number),
                    )
                )
        return found

    def code(self, principal: Principal, number: str, kind: str) -> Code:
        """The code on display. Raises ``NotFound`` where there is none."""
        account = self.account(principal, number)
        code = self.supervisors.state(account.client_id).code
        if code is None or code.event.event != kind:
            raise NotFound(f"no code of {account.client_id} is on display", _post(account.client_id, "start"))
        return code

    def backups(self, principal: Principal, number: str, *, verify: bool = False) -> tuple[Backup, ...]:
        """Every backup of the account's owner, newest first; read in full where asked, which takes its time."""
        account = self.account(principal, number)
        store = store_at(self.supervisors.home)
        if account.client_id not in store.numbers():
            return ()
        found = store.restorable(account.client_id).backups if verify else store.info(account.client_id).backups
        return tuple(one for one in found if self._owner_of_backup(one.name) == account.owner)

    def _owner_of_backup(self, name: str) -> str | None:
        try:
            return read_manifest(self.supervisors.home.at(name)).owner
        except BackupUnusable:
            return None

    def backup_folder(self, principal: Principal, number: str, name: str) -> Any:
        """The folder of one of the account's backups. Raises ``BackupNotFound``."""
        account = self.account(principal, number)
        known = {one.name for one in self.supervisors.home.stamped("backup", account.client_id)}
        if name not in known or self._owner_of_backup(name) != account.owner:
            raise _no_backup(account.client_id, name)
        return self.supervisors.home.at(name)

    def story(self, principal: Principal, number: str, most: int) -> list[dict[str, Any]]:
        """The last events that were kept of the account, oldest first, each with its line for a person in ``words``.

        What happened before the account was the owner's is not among them.
        """
        account = self.account(principal, number)
        home = self.supervisors.home
        since = str(store_at(home).state.entry(account.client_id).get("ownedSince") or "")
        lines = [one for one in story_log.read(home.session_log(account.client_id)) if str(one.get("at", "")) >= since]
        return [{**one, "words": retold(one).partition(" ")[2].partition(" ")[2]} for one in lines[-most:]]

    def memory(self, principal: Principal, number: str) -> list[MemorySample]:
        """The memory of the account's browser over the last day, since it is the owner's."""
        account = self.account(principal, number)
        home = self.supervisors.home
        since = str(store_at(home).state.entry(account.client_id).get("ownedSince") or "")
        return [one for one in memory_history.read(home.memory_history(account.client_id)) if one.at >= since]

    def operation(self, principal: Principal, id_: str) -> Operation:
        """What became of an accepted request."""
        found = self.operations.find(id_)
        if (
            found is None
            or principal.sees not in (None, found.owner)
            or principal.number not in (None, found.client_id)
        ):
            raise NotFound(f"there is no operation {id_[:40]!a}", "GET /whatsapp/accounts")
        return found

    # -- whose

    def add(
        self,
        principal: Principal,
        number: str,
        owner: str | None = None,
        *,
        with_login: bool = False,
        label: str | None = None,
    ) -> tuple[Account, bool]:
        """Put a number on record: (the account, whether it is new). Only an admin may name another owner."""
        number = parse_number(number)
        principal.must_write(number)
        if owner is not None and owner != principal.owner:
            principal.must_be_admin()
            check_owner(owner)
        if with_login:
            principal.must_be_admin()
        with self._owning:
            return self._add(principal, number, owner, with_login, label)

    def _add(
        self, principal: Principal, number: str, owner: str | None, with_login: bool, label: str | None
    ) -> tuple[Account, bool]:
        found = self.accounts.find(number)
        there = self._checked(found) if found is not None else None
        entry = store_at(self.supervisors.home).state.entry(number)
        made_by = login_owner(entry)
        if there is not None and (there.owner == owner or (owner is None and principal.may_see(there))):
            return there, False
        wanted = owner or principal.owner
        if made_by is not None and made_by != wanted:
            if not principal.is_admin:
                # The same words whoever has it and however: they tell nothing but that it is not to be had.
                self._limit.hit(principal.owner)
                raise InUse("this number cannot be added", "ask whoever runs this server")
            if owner is not None:
                return self._give(number, made_by, there, owner, with_login, label), False
            wanted = made_by
        self._count(wanted)
        if there is not None:
            # A row that never had a login reserves nothing.
            self._end(there)
        home = self.supervisors.home
        if made_by is None and recorded_owner(entry) != wanted and home.session_log(number).exists():
            # What was tried here before is not this owner's to read.
            store_at(home).state.own(number, wanted)
        linked = bool(entry.get("isLinked")) and made_by == wanted
        state = str(entry.get("lastState") or "new") if made_by == wanted else "new"
        return self.accounts.add(number, wanted, label=label, linked=linked, auth_state=state), True

    def _count(self, owner: str) -> None:
        most = self.supervisors.settings.accounts
        if most and self.accounts.count(owner) >= most:
            raise NotAllowed(f"{most} accounts are the most that an owner may have", "DELETE /whatsapp/accounts/NUMBER")

    def _end(self, there: Account) -> None:
        """End an account for its owner, who is told with ``removed``."""
        number = there.client_id
        if not self.supervisors.stop(number, wait=STOP_WITHIN):
            raise _did_not_end(number)
        self.supervisors.publish_removed(number, there.owner)
        self.supervisors.forget(number)

    def _give(
        self, number: str, before: str, there: Account | None, owner: str, with_login: bool, label: str | None
    ) -> Account:
        """Give a number that has a login to another owner: with it, or empty."""
        store = store_at(self.supervisors.home)
        self._count(owner)
        if there is not None:
            self._end(there)
        if with_login:
            self.supervisors.give_login(number, owner, before)
        else:
            if number in store.numbers():
                store.clear(number)
            for one in store.home.stamped("backup", number):
                try:
                    told = read_manifest(store.home.at(one))
                except BackupUnusable:
                    continue  # what cannot be read cannot come back
                if told.owner != owner and told.login is not None:
                    store.state.forget(number, "cleared", condemn=told.login)
            store.state.own(number, owner)
        entry = store.state.entry(number)
        linked = with_login and bool(entry.get("isLinked"))
        state = str(entry.get("lastState") or "new") if with_login else "new"
        return self.accounts.add(number, owner, label=label, linked=linked, auth_state=state)

    def change(
        self,
        principal: Principal,
        number: str,
        *,
        label: str | None,
        owner: str | None,
        with_login: bool,
        proxy: str | None = None,
    ) -> Account:
        """Change an account's label; an admin may give it a proxy, or to another owner, who gets no proxy with it."""
        account = self.account(principal, number)
        principal.must_write(account.client_id)
        if proxy is not None:
            # It reaches whatever this machine reaches, so it is not for everybody to name.
            principal.must_be_admin()
            if proxy:
                checked_proxy(proxy, number)
        if owner is not None and owner != account.owner:
            account, _ = self.add(principal, account.client_id, owner, with_login=with_login, label=account.label)
        if label is not None:
            account = self.accounts.save(account.client_id, label=label or None)
        if proxy is not None:
            account = self.accounts.save(account.client_id, proxy=proxy or None)
        return account

    def take(self, principal: Principal, number: str) -> Account:
        """The caller's account, put on record where nobody has it yet."""
        number = parse_number(number)
        there = self.accounts.find(number)
        if there is not None and principal.may_see(self._checked(there)):
            return self.accounts.get(number)
        if principal.read_only or (principal.number is not None and principal.number != number):
            raise not_found(number)
        return self.add(principal, number)[0]

    # -- acting

    def start(self, principal: Principal, number: str, link: str | None) -> tuple[Status, Operation]:
        """Bring an account up; ``link`` is how to link where nothing is left to restore, None for never."""
        account = self.account(principal, number)
        number = account.client_id
        principal.must_write(number)
        if account.removing is not None:
            raise InUse(f"{number} is being removed", _get(number))
        state = self.supervisors.state(number)
        entry = store_at(self.supervisors.home).state.entry(number)
        counted = False
        if link is not None and not state.up and not entry.get("isLinked"):
            # Nothing can be restored, so a code is what comes: the answer is better now than by an event.
            self._limit.hit(account.owner if principal.is_admin else principal.owner)
            counted = True
        operation = self.operations.begin("start", number, account.owner)
        if state.ready is not None or (link is not None and state.code is not None):
            self.operations.end(operation.id)
        self.supervisors.start(number, link, counted=counted)
        return self._status(account), operation

    def restore_session(self, principal: Principal, number: str) -> tuple[Status, Operation]:
        """Bring up what is saved, silently. Raises ``SessionNotFound`` where the owner has no login here."""
        account = self.account(principal, number)
        linked = store_at(self.supervisors.home).state.entry(account.client_id).get("isLinked")
        if not linked and not self._has_backup(account) and not self.supervisors.state(account.client_id).up:
            raise SessionNotFound(
                f"{account.client_id} has no login to restore", _post(account.client_id, "start"),
                session=account.client_id,
            )  # fmt: skip
        return self.start(principal, number, None)

    def _has_backup(self, account: Account) -> bool:
        there = self.supervisors.home.stamped("backup", account.client_id)
        return any(self._owner_of_backup(one.name) == account.owner for one in there)

    def stop(self, principal: Principal, number: str) -> Account:
        """Ask an account's browser to close, backed up; the login stays. ``supervisors.supervisor().ended`` waits."""
        account = self.account(principal, number)
        principal.must_write(account.client_id)
        self.supervisors.supervisor(account.client_id).stop("stopped by you")
        return account

    def stop_and_wait(self, principal: Principal, number: str) -> Status:
        """The same, and wait until it has ended. Raises ``Failed`` where that takes too long."""
        account = self.stop(principal, number)
        if not self.supervisors.supervisor(account.client_id).join(STOP_WITHIN):
            raise _did_not_end(account.client_id)
        return self._status(account)

    def back_up(self, principal: Principal, number: str, label: str | None) -> BackedUp:
        """A backup of what is there now."""
        account = self.account(principal, number)
        principal.must_write(account.client_id)
        return store_at(self.supervisors.home).backup(account.client_id, label)

    def restore(self, principal: Principal, number: str, backup: str | None) -> Restored:
        """Put a backup in place; an account that is up is stopped for it and brought up again."""
        account = self.account(principal, number)
        number = account.client_id
        principal.must_write(number)
        store = store_at(self.supervisors.home)
        if backup is not None:
            self._may_restore(account, backup)
        was_up = self.supervisors.state(number).up
        if was_up:
            self.stop_and_wait(principal, number)
        try:
            done = store.restore(number, backup)
            self.accounts.change(number, {"session_valid": True})
        finally:
            if was_up:
                self.supervisors.start(number, None)
        return done

    def _may_restore(self, account: Account, name: str) -> None:
        home, number = self.supervisors.home, account.client_id
        if name == "latest":
            name = next((one.name for one in home.stamped("backup", number)), name)
        if name.startswith("quarantine-"):
            # A quarantined profile bears no owner: it is the account's where the account never had another.
            owned = not store_at(home).state.entry(number).get("ownedSince")
            if owned and name in {one.name for one in home.stamped("quarantine", number)}:
                return
            raise _no_backup(number, name)
        known = {one.name for one in home.stamped("backup", number)}
        owner = self._owner_of_backup(name) if name in known else None
        if name not in known or owner not in (None, account.owner):
            raise _no_backup(number, name)

    def log_out(self, principal: Principal, number: str, *, local: bool) -> LoggedOutSession:
        """Unlink an account's device through its run; one that is not up is brought up for it.

        ``local``: its login is only forgotten here. Raises ``Unreachable`` where the logout is not proven.
        """
        account = self.account(principal, number)
        number = account.client_id
        principal.must_write(number)
        store = store_at(self.supervisors.home)
        if local:
            if self.supervisors.state(number).up:
                self.stop_and_wait(principal, number)
            done = store.forget_login(number)
            self.accounts.change(number, {"session_valid": False, "auth_state": "logged_out"})
            return done
        was_up = self.supervisors.state(number).up
        if not was_up:
            self.restore_session(principal, number)
        try:
            self._await_ready(number)
            return log_out(store, number)
        except Unreachable as problem:
            if not was_up:
                self.supervisors.supervisor(number).stop("stopped by you")
            hint = f'POST /whatsapp/accounts/{number}/logout with {{"local": true}}'
            raise Unreachable(problem.message, hint, session=number) from problem

    def _await_ready(self, number: str) -> None:
        deadline, waiting = time.monotonic() + READY_WITHIN, threading.Event()
        while True:
            state = self.supervisors.state(number)
            if state.ready is not None:
                return
            if not state.up or time.monotonic() >= deadline:
                raise Unreachable(f"{number} did not become ready: {state.problem or 'it is still starting'}")
            waiting.wait(0.1)

    # -- removal

    def remove(
        self, principal: Principal, number: str, *, backups: bool, submit: Callable[[Callable[[], None]], None]
    ) -> Operation:
        """Have a session cleared and its account taken off the record, beside; ``submit`` runs it.

        It finishes or is told: by the event ``removal_failed``, the account's ``problem`` and the log. A server that
        is killed meanwhile goes on with it when it starts again.
        """
        account = self.account(principal, number)
        number = account.client_id
        principal.must_write(number)
        self.accounts.save(number, removing="all" if backups else "keep")
        operation = self.operations.begin("remove", number, account.owner)
        submit(lambda: self.finish_removal(number, operation.id))
        return operation

    def finish_removal(self, number: str, operation: str | None = None) -> None:
        """Do what was asked: stop, clear, and take off the record."""
        account = self.accounts.find(number)
        if account is None or account.removing is None:
            return
        try:
            if not self.supervisors.stop(number, wait=STOP_WITHIN):
                raise _did_not_end(number)
            store = store_at(self.supervisors.home)
            if number in store.numbers():
                store.clear(number, account.removing == "all")
            self._take_off_the_record(account)
        except (LindaError, OSError) as problem:
            self._removal_failed(account, problem, operation)
            return
        if operation is not None:
            self.operations.end(operation)

    def _take_off_the_record(self, account: Account) -> None:
        number = account.client_id
        waiting = threading.Event()
        while True:
            try:
                self.accounts.remove(number)
                break
            except Unavailable as away:
                # The session is cleared; half a removal is none. The next server's start would go on with it, too.
                self.supervisors.say(f"{number} is cleared and not off the record yet: {away.message}")
                if self.supervisors.closing:
                    return
                waiting.wait(_RETRY_REMOVAL)
        self.supervisors.publish_removed(number, account.owner)
        self.supervisors.forget(number)

    def _removal_failed(self, account: Account, problem: BaseException, operation: str | None) -> None:
        number = account.client_id
        told = problem if isinstance(problem, LindaError) else Failed(f"{problem}", "see the log of the server")
        self.accounts.change(number, {"removing": None})
        facts = {"message": f"it was not removed: {told.message}", "name": told.name, "hint": told.hint}
        self.supervisors.tell_problem(event("removal_failed", number, facts))
        self.supervisors.say(f"{number} was not removed: {told.message}")
        if operation is not None:
            self.operations.end(operation, told)

    def unfinished_removals(self) -> Iterable[str]:
        """Accounts whose removal was asked for before the server was started."""
        return [one.client_id for one in self.accounts.all() if one.removing is not None]

    # -- linking

    def must_not_be_ready(self, number: str) -> None:
        """Raise ``AlreadyLinked`` for an account that needs no code."""
        if self.supervisors.state(number).ready is not None:
            raise AlreadyLinked(f"{number} is linked and ready", f"DELETE /whatsapp/accounts/{number}")


def filtered(statuses: Iterable[Status], status: str | None, owner: str | None, query: str | None) -> list[Status]:
    """Those of this status and owner whose number, label or owner contains ``query``."""
    wanted = (query or "").strip().casefold()
    spelled = all(char.isdigit() or char in " +().-" for char in wanted)
    digits = "".join(char for char in wanted if char.isdigit()) if spelled else ""

    def matches(one: Status) -> bool:
        if status is not None and one.status != status:
            return False
        if owner is not None and one.owner != owner:
            return False
        text = f"{one.label or ''} {one.owner}".casefold()
        return not wanted or wanted in text or bool(digits and digits in one.client_id)

    return [one for one in statuses if matches(one)]


def page_of(statuses: list[Status], limit: int | None, cursor: str | None) -> tuple[list[Status], str | None]:
    """One page by number, and the cursor of the next, None at the end. A cursor is the last number before it."""
    after = [one for one in statuses if cursor is None or one.client_id > cursor]
    if limit is None or len(after) <= limit:
        return after, None
    return after[:limit], after[limit - 1].client_id


def without_secrets(status: Status) -> Status:
    """A status for a read-only token: without the debugging port, which is a way into the browser."""
    return replace(status, debugger_address=None)


def _no_backup(number: str, name: str) -> BackupNotFound:
    return BackupNotFound(f"there is no backup {name[:80]!a} of {number}", f"GET /whatsapp/accounts/{number}/backups")


def _did_not_end(number: str) -> Failed:
    return Failed(f"{number} did not end within {STOP_WITHIN:g} s", _get(number))


def _post(number: str, what: str) -> str:
    return f"POST /whatsapp/accounts/{number}/{what}"


def _get(number: str) -> str:
    return f"GET /whatsapp/session-status/{number}"


__all__ = ["LOCAL", "AccountService", "Status", "filtered", "page_of", "status_of", "without_secrets"]
