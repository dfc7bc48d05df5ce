"""Answers in words for people. Plain columns: they read the same in a terminal, a pipe and a mail from cron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from linda_cli.console import Console, clean, colours, moments
from linda_cli.console.wrapping import columns

_MARK = {True: "ok", False: "no"}


class Backup(Protocol):
    """A backup by the names it has in the store."""

    name: str
    created_at: str
    reason: str
    label: str | None
    cold: bool
    verified: bool
    valid: bool | None
    size: int
    revoked_at: str | None


def info(told: Any, console: Console) -> str:
    """One session."""
    width = console.width
    lines = [f"{told.session}: {colours.verdict(told.verdict, fancy=console.fancy)}"]
    lines += columns([[f"  {one.key}", _MARK[one.ok], one.detail + _mend(one.repair)] for one in told.checks], width)
    state: Mapping[str, Any] = told.state
    facts = [
        ("profile", told.profile),
        ("linked as", told.linked_as or "nobody"),
        ("running", _running(told.running)),
        ("memory", _memory(told.memory)),
        ("last state", state.get("lastState")),
        ("linked at", _moment(state.get("linkedAt"))),
        ("last ready", _moment(state.get("lastReady"))),
        ("last stopped", _last_stop(state)),
        ("moved away", _moved_away(told)),
        ("restored", f"{state.get('restoreCount', 0)} times, last {_moment(state.get('lastRestored')) or 'never'}"),
    ]
    lines += columns([[f"  {name}", clean(str(value))] for name, value in facts if value], width)
    if told.other_copy is not None:
        lines.append(f"  {clean(told.other_copy.warning)}")
    lines += [f"  {line}" for line in _other_logins(told)]
    lines.append(f"  {len(told.backups)} backups" if told.backups else "  no backups")
    lines += backups(told.backups, width)
    return "\n".join(lines)


def _memory(samples: Sequence[Any]) -> str | None:
    if not samples:
        return None
    sizes = [one.memory_mb for one in samples]
    return f"{min(sizes)} to {max(sizes)} MB since {moments.with_age(samples[0].at)}, {sizes[-1]} MB last"


def _mend(repair: str | None) -> str:
    return f" (linda start mends it: {repair})" if repair else ""


def _last_stop(state: Mapping[str, Any]) -> str | None:
    moment = state.get("lastStopped")
    return f"{_moment(moment)}: {state.get('lastStopReason')}" if moment else None


def _moment(text: object) -> str | None:
    return moments.with_age(text) if text else None


def _moved_away(told: Any) -> str | None:
    note = told.state.get("exported")
    if told.verdict != "cleared" or not isinstance(note, dict) or note.get("moved") is not True:
        return None
    return f"{_moment(note.get('at'))}, in {note.get('file')}"


def _running(running: Any) -> str:
    if running is None:
        return "no"
    by = f"run by {_verb(running.by.command)}, pid {running.by.pid}" if running.by else "kept, nobody watches it"
    return f"browser pid {running.pid} at {running.debugger_address or '?'}, {running.memory_mb} MB; {by}"


def _verb(command: str) -> str:
    """``linda serve`` of ``linda serve --port 8351``: the rest is in the JSON."""
    return clean(" ".join(command.split()[:2]))


def backups(there: Iterable[Backup], width: int = 0) -> list[str]:
    """A line for each backup, newest first."""
    rows = []
    for one in there:
        marks = [
            "cold" if one.cold else "hot",
            "verified" if one.verified else "",
            {True: "valid", False: "CORRUPT", None: ""}[one.valid],
            f"UNLINKED {one.revoked_at}" if one.revoked_at else "",
            f'"{one.label}"' if one.label else "",
        ]
        rows.append(
            [
                f"    {one.name}",
                moments.with_age(one.created_at),
                size(one.size),
                one.reason,
                " ".join(mark for mark in marks if mark),
            ]
        )
    return columns(rows, width)


def overview(told: Any, console: Console) -> str:
    """Every session of a home."""
    if not told.sessions:
        none = f"no sessions in {told.home}; {console.linda} start makes one"
        return "\n".join([none, *_other_logins(told)])
    rows = [["session", "verdict", "running", "backups", "last ready"]]
    for one in told.sessions:
        rows.append(
            [
                one.session,
                one.verdict.replace("_", " "),
                f"pid {one.running.pid}" if one.running else "no",
                str(len(one.backups)),
                clean(_moment(one.state.get("lastReady")) or "never"),
            ]
        )
    lines = columns(rows, console.width, header=True)
    for one in told.sessions if console.fancy else ():
        words, painted = one.verdict.replace("_", " "), colours.verdict(one.verdict, fancy=True)
        at = next(index for index, line in enumerate(lines) if line.startswith(one.session))
        # Below the number where the table was too wide for the window.
        at += words not in lines[at]
        lines[at] = lines[at].replace(words, painted, 1)
    return "\n".join([*lines, *_other_logins(told)])


def _other_logins(told: Any) -> list[str]:
    return [clean(one.warning) for one in told.other_logins]


def backed_up(made: Any) -> str:
    """What one backup did."""
    if not made.is_new:
        label = f', labelled "{clean(made.backup.label)}"' if made.backup.label else ""
        return f"{made.session} is unchanged since {made.backup.name}{label}"
    heat = "" if made.backup.cold else ", from the running browser"
    return f"{made.session} is saved as {made.backup.name} ({size(made.backup.size)}{heat}, {made.seconds:.2f} s)"


def backed_up_all(done: Any, console: Console) -> str:
    """A line for each session."""
    rows = []
    for one in done.results:
        if one.skipped is not None:
            what = f"skipped: {one.skipped}"
        elif one.error is not None:
            what = f"not saved: {clean(one.error.message)}"
        else:
            what = f"saved as {one.backup.name}" if one.is_new else f"unchanged since {one.backup.name}"
        rows.append([one.session, what])
    return "\n".join(columns(rows, console.width)) or "there is nothing to back up"


def with_uploads(said: str, uploaded: Any) -> str:
    """The same with a line for each session that has an object store."""
    lines = [said]
    for one in uploaded:
        done = one.done
        if done is None:
            lines.append(f"{one.session} is not in the object store: {clean(one.error.message)}")
            continue
        what = (
            f"{len(done.backups)} uploaded ({size(done.bytes)}, {done.seconds:.2f} s)" if done.backups else "all there"
        )
        lines.append(f"{one.session} in the object store: {what}")
        lines += [f"{name} was not uploaded: {clean(why)}" for name, why in done.damaged.items()]
    return "\n".join(lines)


def key_made(made: Any) -> str:
    """What keygen did."""
    return (
        f"the private key is in {made['file']}\n"
        "keep a copy on another machine: without it nobody can read the backups\n"
        f"public key: {made['recipient']}"
    )


def restorable(there: Any, console: Console) -> str:
    """What could be restored."""
    lines = backups(there.backups, console.width) or ["    no backups"]
    lines += [f"    {name}" for name in there.quarantined]
    return "\n".join([f"{there.session} can be restored from:", *lines])


def restored(done: Any) -> str:
    """What a restore did."""
    aside = f"; the profile before it is kept as {done.aside}" if done.aside else ""
    return f"{done.session} is back from {done.source}{aside}"


def cleared(done: Any, console: Console) -> str:
    """What a clear did; the last line says how to undo it."""
    lines = [f"{done.session} is forgotten; the next {console.linda} start shows a code"]
    if done.removed:
        lines.append(f"removed: {', '.join(done.removed)}")
    source = done.backup.name if done.backup is not None else done.aside
    lines.append(
        f"undo: {console.linda} restore {done.session} --from {source}"
        if source
        else "there was nothing to move to quarantine"
    )
    return "\n".join(lines)


def tried(done: Any, console: Console) -> str:
    """What ``linda try`` did, step by step."""
    rows = [
        [one.name, f"{one.seconds:.1f} s", f"from the {one.source}" if one.source not in (None, "qr") else ""]
        for one in done.steps
    ]
    scans = "one code, scanned once" if done.codes == 1 else f"{done.codes} codes"
    return "\n".join(
        [
            *columns(rows),
            f"{scans}; {done.seconds:.0f} s in all, and nothing is left of it",
            f"now you: {console.linda} start",
        ]
    )


def logged_out(done: Any, console: Console) -> str:
    """What a logout did."""
    if done.unlinked:
        return f"{done.session} is logged out; the next {console.linda} start shows a code"
    lines = [f"{done.session} is forgotten here only: the phone still lists this device under Linked devices"]
    if done.aside:
        lines.append(f"undo: {console.linda} restore {done.session} --from {done.aside} --yes")
    return "\n".join(lines)


def exported(done: Any, console: Console) -> str:
    """What an export did."""
    lines = [
        f"{done.session} is in {clean(done.file)} ({size(done.size)}), encrypted and read again",
        f"on the other machine: linda import {clean(done.file.rsplit('/', 1)[-1])}",
    ]
    if not done.moved:
        lines.append("it is still here, too: run it in one place only (linda export --move gives it up here)")
    elif done.aside:
        lines.append(f"given up here; undo: {console.linda} restore {done.session} --from {done.aside}")
    return "\n".join(lines)


def adopted(done: Any, console: Console) -> str:
    """What an adoption found and did."""
    lines = []
    for one in done.results:
        what = f"{one.kind}, {clean(one.path)}"
        if one.action == "adopted":
            lines.append(f"{one.session} is adopted: {what}")
            if one.aside:
                lines.append(f"  the session before it is kept as {one.aside}")
        else:
            lines.append(f"{one.action}: {what}: {clean(one.reason)}")
    named = [one.session for one in done.results if one.action == "adopted"]
    lines.append("stop the program that used it: WhatsApp lets only one of them run")
    return "\n".join([*lines, *(f"next: {console.linda} start {number}" for number in named)])


def imported(done: Any, console: Console) -> str:
    """What an import did."""
    lines = [
        f"{done.session} is here, as it was on {clean(done.exported_from)} at {moments.with_age(done.exported_at)}"
    ]
    if done.aside:
        lines.append(f"the session before it is kept as {done.aside}")
    if not done.moved:
        lines.append("it was exported without --move: stop it there, WhatsApp lets only one of them run")
    lines.append(f"next: {console.linda} start {done.session}")
    return "\n".join(lines)


def stopped(done: Any) -> str:
    """What a stop did."""
    if not done.was_running:
        return f"{done.session or 'nothing'} was not running" if done.session else "nothing was running"
    return f"{done.session or 'the linking run'} is stopped" + (f"; saved as {done.backup.name}" if done.backup else "")


def cleaned(done: Any, *, silent: bool, width: int = 0) -> str:
    """A line and a reason for each item; nothing where there was nothing to do and nobody looks."""
    gone = [item for item in done.items if item.action == "remove"]
    if silent and not gone:
        return ""
    verb = {"keep": "keep", "remove": "would remove" if done.dry_run else "removed"}
    rows = [[verb[item.action], item.name, size(item.size), item.reason] for item in done.items]
    what = "would be " if done.dry_run else ""
    return "\n".join([*columns(rows, width), f"{done.removed} {what}removed, {size(done.freed)} {what}freed"])


def configuration(answer: Mapping[str, Any], width: int = 0) -> str:
    """Every setting with its value and its source, a table for each verb."""
    named = {"option": "--home", "variable": "LINDA_HOME", "default": "found from the working directory"}
    file = answer["file"] or "no linda.toml in it"
    rows: dict[str, list[list[str]]] = {"": []}
    for one in answer["settings"]:
        table, _, key = one.key.rpartition(".")
        source = {"variable": f"variable {one.variable}", "file": "linda.toml"}.get(one.source, one.source)
        rows.setdefault(table, []).append([key, _value(one.value), source])
    lines = [f"home {answer['home']} ({named[answer['homeSource']]})", f"file {file}"]
    for table, there in rows.items():
        if there:
            lines += ["", f"[{table}]"] if table else [""]
            lines += columns(there, width)
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def size(count: int) -> str:
    """Bytes for a person."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{count} B"


def readiness(told: Any) -> str:
    """Which sessions are ready; what is not ready is told as the failure."""
    return "\n".join(f"{one.session} is ready" for one in told.sessions if one.ready)


def service_installed(told: Any) -> str:
    """What ``linda service install`` wrote, and what is left to do."""
    done = "installed and started" if told.started else "written"
    return "\n".join([f"{done} for {clean(told.home)}:", *(f"  {clean(one)}" for one in told.files), *_notes(told)])


def service_status(told: Any) -> str:
    """What ``linda service status`` found."""
    rows = [[f"  {one.name}", one.state or "not running", clean(one.detail)] for one in told.units]
    return "\n".join([f"services of {clean(told.home)}:", *columns(rows)])


def service_removed(told: Any) -> str:
    """What ``linda service remove`` removed."""
    if not told.removed:
        return f"nothing was installed for {clean(told.home)}"
    return "\n".join([f"removed for {clean(told.home)}:", *(f"  {clean(one)}" for one in told.removed), *_notes(told)])


def _notes(told: Any) -> list[str]:
    return [f"note: {clean(one)}" for one in told.notes]
