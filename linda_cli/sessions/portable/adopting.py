"""``linda adopt``: logins that other tools keep become sessions of this home. They are copied, never changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any

from linda_cli.errors import InUse, LindaError, PartlyDone, ProfileDamaged, ProfileNotFound, StoreUnreadable
from linda_cli.sessions import backups
from linda_cli.sessions.backups import Origin
from linda_cli.sessions.checks import look
from linda_cli.sessions.clock import iso, now_ms
from linda_cli.sessions.durable import remove_tree
from linda_cli.sessions.home import parse_stamped
from linda_cli.sessions.login import Login, read_login
from linda_cli.sessions.portable.foreign import ForeignProfile, Kind, find_profiles, first_unreadable, states_beside
from linda_cli.sessions.portable.importing import must_be_free, must_be_linked, must_open_here, place
from linda_cli.sessions.results import Adopted, AdoptedOne
from linda_cli.sessions.storage import ownership
from linda_cli.sessions.store import Store

State = Mapping[str, Mapping[str, Any]]


def adopt_logins(store: Store, path: Path, *, replace: bool = False) -> Adopted:
    """Copy every login found at ``path`` into this home, each under the number that it is linked as.

    ``path`` may be the name of a quarantined profile of this home. ``replace``: sessions of the same numbers go to
    quarantine. One that fails does not keep the others; where none was adopted its failure is raised.
    """
    path = _of_this_home(store, path)
    found = find_profiles(path)
    if not found:
        closed = first_unreadable(path)
        if closed is not None:
            raise StoreUnreadable(
                f"{closed} {ownership.whose(closed)}: no profile was found in what can be read of {path}",
                ownership.giving_back(closed),
                path=str(closed),
            )
        raise ProfileNotFound(f"there is no browser's profile in {path}", f"ls -la {quote(str(path))}")
    states = states_beside(path)
    results: list[AdoptedOne] = []
    failures: list[LindaError] = []
    for profile in found:
        done = {one.session: one.path for one in results if one.action == "adopted"}
        try:
            results.append(_adopted(store, profile, replace, done, states))
        except LindaError as problem:
            failures.append(problem)
            number = problem.facts.get("session")
            session = number if isinstance(number, str) else None
            results.append(AdoptedOne(profile.name, profile.kind, session, "failed", problem.message))
    if any(one.action == "adopted" for one in results):
        return Adopted(tuple(results))
    if failures:
        raise failures[0]
    raise ProfileNotFound(f"there is no WhatsApp login in {path}: {results[0].reason}", f"ls -la {quote(str(path))}")


def raise_if_some_failed(done: Adopted, *, said: bool) -> None:
    """Raise ``PartlyDone`` where some were adopted and some could not be."""
    failed = [one for one in done.results if one.action == "failed"]
    if failed:
        raise PartlyDone(
            f"{len(failed)} of {len(done.results)} were not adopted: {failed[0].reason}",
            f"linda adopt {quote(failed[0].path)}",
            said=said,
        )


def _of_this_home(store: Store, path: Path) -> Path:
    stamped = parse_stamped(str(path))
    if stamped is not None and not path.exists() and store.home.at(stamped).is_dir():
        return store.home.at(stamped)
    if not path.exists():
        raise ProfileNotFound(f"there is no {path}", f"ls -la {quote(str(path.absolute().parent))}")
    return path.absolute()


def _adopted(
    store: Store, profile: ForeignProfile, replace: bool, done: Mapping[str | None, str], states: State
) -> AdoptedOne:
    def skipped(reason: str, number: str | None = None) -> AdoptedOne:
        return AdoptedOne(profile.name, profile.kind, number, "skipped", reason)

    login = _login_in(profile)
    if login is None:
        return skipped(_why_none(profile))
    if login.number is None:
        return skipped("whose login it is does not read")
    number = login.number
    if _is_own(store, profile, number):
        return skipped("it is this home's own", number)
    if number in done:
        return skipped(f"another copy of {number} was adopted: {done[number]}", number)
    _must_stand_still(store, profile)
    store.home.make()
    store.check_world(login.sandbox)
    must_be_linked(store, number, login.digests)
    with store.both_locks(number):
        must_be_free(store, number, replace)
        if replace:
            store.keep_present(number, "before-adopt")
        with _copied_out(store, profile, number) as source:
            backup, aside = _brought_in(store, profile, source, number, login)
    note = {"at": iso(now_ms()), "login": login.digest, "from": profile.name, "kind": str(profile.kind)}
    store.state.save(number, **{**states.get(number, {}), "login": login.digest, "adopted": note})
    return AdoptedOne(profile.name, profile.kind, number, "adopted", None, store.described(backup), aside)


def _brought_in(
    store: Store, profile: ForeignProfile, source: Path, number: str, login: Login
) -> tuple[Any, str | None]:
    around = store.world.around(source)
    written_by = look(source, number=None).written_by
    origin = Origin(number, "adopted", browser="Chromium", browser_version=written_by or around.browser_version)
    try:
        stamped = backups.take(store.home, source, origin)
    except ProfileDamaged as problem:
        why = problem.message.rpartition(": ")[2]
        raise ProfileDamaged(
            f"the login in {profile.name} is not sound: {why}; nothing was adopted",
            f"ls -la {quote(profile.name)}",
            session=number,
        ) from problem
    try:
        must_open_here(store, store.home.at(stamped), login.digest, f"the login in {profile.name}", "adopted")
    except BaseException:  # Ctrl-C too: what was brought in must not stay half done; raised again
        backups.drop(store.home, stamped)
        raise
    return stamped, place(store, stamped)


def _login_in(profile: ForeignProfile) -> Login | None:
    if profile.in_place is not None:
        return read_login(profile.in_place)
    # Only what says whose it is, for as long as it is read.
    with TemporaryDirectory(prefix="linda-adopt-") as folder:
        copy = Path(folder) / "profile"
        profile.copy_out(copy, only_local_storage=True)
        return read_login(copy)


def _why_none(profile: ForeignProfile) -> str:
    if profile.in_place is not None:
        seen = look(profile.in_place, number=None)
        wrong = next((one.detail for one in seen.checks if one.key in ("session", "storage") and not one.ok), None)
        if wrong is not None:
            return wrong
    return "there is no login of WhatsApp Web in it"


def _is_own(store: Store, profile: ForeignProfile, number: str) -> bool:
    own = store.profile(number)
    return own.exists() and os.path.realpath(own) == os.path.realpath(profile.path)


def _must_stand_still(store: Store, profile: ForeignProfile) -> None:
    """A copy of what a browser writes to may be of two moments, and two that run take the login from each other."""
    running = store.world.running(profile.path) if profile.kind is not Kind.REMOTE_AUTH else None
    if running is not None:
        raise InUse(
            f"a browser runs on {profile.path}: pid {running.pid}; stop the program that uses it first",
            f"ps -fp {running.pid}",
            pid=running.pid,
        )


@contextlib.contextmanager
def _copied_out(store: Store, profile: ForeignProfile, number: str) -> Iterator[Path]:
    """The profile as a user-data-dir; a copy of it goes afterwards, and is known as a leftover after a kill."""
    if profile.in_place is not None:
        yield profile.in_place
        return
    work = store.home.work_in_cache("restoring", number, store.home.next_ms(number))
    try:
        profile.copy_out(work)
        yield work
    finally:
        if work.exists():
            remove_tree(work)
