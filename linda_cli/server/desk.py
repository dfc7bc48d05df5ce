"""What a caller may ask of accounts, for every door alike: who may is decided here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linda_cli.console.story import retold
from linda_cli.errors import BackupNotFound, Failed, InUse, NotFound
from linda_cli.lifecycle.events import event
from linda_cli.lifecycle.store import store_at
from linda_cli.server.accounts import Account, Accounts, SessionData
from linda_cli.server.fleet import Fleet
from linda_cli.server.linking import LinkingLimit
from linda_cli.server.tokens import Caller
from linda_cli.server.view import Code, View
from linda_cli.sessions import story_log
from linda_cli.sessions.clock import iso
from linda_cli.sessions.number import parse_number
from linda_cli.sessions.results import BackedUp, Restored
from linda_cli.sessions.values import Backup

_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Status:
    """One account as it stands. ``retry_at`` and ``restored_at`` ISO 8601; ``code``: one is on show."""

    client_id: str
    owner: str
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
    retry_at: str | None
    reconnects: int


def status_of(account: Account, view: View) -> Status:
    """An account's row and what is known of its run, in one value."""
    ready = view.ready.facts if view.ready is not None else {}
    return Status(
        client_id=account.client_id,
        owner=account.owner,
        # What the run says is newer than what was written of it.
        status=view.status or account.status,
        session_data=account.session_data,
        up=view.up,
        is_ready=view.status == "ready",
        is_restored=view.is_restored,
        restored_at=view.restored_at,
        source=ready.get("source"),
        restore_count=int(ready.get("restoreCount") or 0),
        debugger_address=ready.get("debuggerAddress"),
        code=view.code.told.event if view.code is not None else None,
        passkey_required=view.passkey,
        problem=view.problem,
        retry_at=iso(round(view.retry_at * 1000)) if view.retry_at else None,
        reconnects=view.reconnects,
    )


class Desk:
    """Where requests of callers become orders to the fleet and the store. Raises the named errors."""

    def __init__(self, fleet: Fleet, accounts: Accounts, limit: LinkingLimit) -> None:
        self.fleet = fleet
        self.accounts = accounts
        self._limit = limit

    # -- looking

    def account(self, caller: Caller, number: str) -> Account:
        """The caller's account. Somebody else's is refused, an unknown one is not found."""
        return caller.check(self.accounts.get(parse_number(number)))

    def status(self, caller: Caller, number: str) -> Status:
        """One account as it stands."""
        account = self.account(caller, number)
        return status_of(account, self.fleet.view(account.client_id))

    def statuses(self, caller: Caller) -> list[Status]:
        """Every account that the caller sees."""
        return [status_of(one, self.fleet.view(one.client_id)) for one in self.accounts.all(caller.sees)]

    def code(self, caller: Caller, number: str, kind: str) -> Code:
        """The code on show. Raises ``NotFound`` where none is."""
        account = self.account(caller, number)
        code = self.fleet.view(account.client_id).code
        if code is None or code.told.event != kind:
            raise NotFound(f"no code of {account.client_id} is on show", _post(account.client_id, "start"))
        return code

    def backups(self, caller: Caller, number: str, *, verify: bool = False) -> tuple[Backup, ...]:
        """Every backup, newest first; read in full where asked, which takes as long as reading them takes."""
        account = self.account(caller, number)
        store = store_at(self.fleet.home)
        if account.client_id not in store.numbers():
            return ()
        return store.restorable(account.client_id).backups if verify else store.info(account.client_id).backups

    def story(self, caller: Caller, number: str, most: int) -> list[dict[str, Any]]:
        """The last events that were kept of the account, oldest first, each with its line for a person in ``words``."""
        account = self.account(caller, number)
        lines = list(story_log.read(self.fleet.home.session_log(account.client_id)))
        return [{**one, "words": retold(one).partition(" ")[2].partition(" ")[2]} for one in lines[-most:]]

    # -- acting

    def add(self, caller: Caller, number: str, owner: str | None = None) -> Account:
        """Put a number on record. Only an admin may name another owner."""
        if owner is not None and owner != caller.owner:
            caller.must_be_admin()
        number = parse_number(number)
        wanted = owner or caller.owner
        unknown = self.accounts.find(number) is None
        if unknown and not caller.is_admin and number in store_at(self.fleet.home).numbers():
            # A login that is there already belongs to whoever made it: nobody gets it by naming its number.
            raise InUse(f"{number} has a session on this server already", "ask who runs this server")
        return self.accounts.add(number, wanted)

    def take(self, caller: Caller, number: str) -> Account:
        """The caller's account, put on record where nobody has it yet."""
        number = parse_number(number)
        there = self.accounts.find(number)
        return caller.check(there) if there is not None else self.add(caller, number)

    def start(self, caller: Caller, number: str, link: str | None) -> Status:
        """Bring an account up; ``link`` is how to link where nothing is left to restore, None for never."""
        account = self.account(caller, number)
        view = self.fleet.view(account.client_id)
        if link is not None and not view.up and not account.session_data.session_valid:
            self._limit.hit(caller.owner)
        self.fleet.start(account.client_id, link)
        return self.status(caller, number)

    def stop(self, caller: Caller, number: str, *, wait: float = _PATIENCE) -> Status:
        """Close an account's browser and back up; the login stays."""
        account = self.account(caller, number)
        if not self.fleet.stop(account.client_id, wait=wait):
            raise Failed(f"{account.client_id} did not end within {wait:g} s", _get(account.client_id))
        return self.status(caller, number)

    def back_up(self, caller: Caller, number: str, label: str | None) -> BackedUp:
        """A backup of what is there now."""
        account = self.account(caller, number)
        return store_at(self.fleet.home).backup(account.client_id, label)

    def restore(self, caller: Caller, number: str, backup: str | None) -> Restored:
        """Put a backup in place; an account that is up is stopped for it and brought up again."""
        account = self.account(caller, number)
        store = store_at(self.fleet.home)
        if backup is not None and "/" in backup:
            raise BackupNotFound(f"there is no {backup!r}", f"GET /whatsapp/accounts/{account.client_id}/backups")
        was_up = self.fleet.view(account.client_id).up
        if was_up:
            self.stop(caller, number)
        try:
            done = store.restore(account.client_id, backup)
            self.accounts.change(account.client_id, {"session_valid": True})
        finally:
            if was_up:
                self.fleet.start(account.client_id, None)
        return done

    def remove(self, caller: Caller, number: str, *, backups: bool = False) -> None:
        """Clear the session and take the account off the record. Its profile and backups are put aside, not away."""
        account = self.account(caller, number)
        self.stop(caller, number)
        store = store_at(self.fleet.home)
        if account.client_id in store.numbers():
            store.clear(account.client_id, backups)
        # While it is still known whose it was.
        self.fleet.tell(event("removed", account.client_id, {}))
        self.accounts.remove(account.client_id)
        self.fleet.forget(account.client_id)


def _post(number: str, what: str) -> str:
    return f"POST /whatsapp/accounts/{number}/{what}"


def _get(number: str) -> str:
    return f"GET /whatsapp/session-status/{number}"
