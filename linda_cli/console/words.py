"""Answers in words for people. Plain columns: they read the same in a terminal, a pipe and a mail from cron."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from linda_cli.console import clean

_MARK = {True: "ok", False: "no"}
_COLOURS = {"restorable": "32", "running": "32", "repairable": "33", "damaged": "31", "rejected": "31", "too_new": "31"}


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


def info(told: Any, *, fancy: bool = False) -> str:
    """One session."""
    verdict = told.verdict.replace("_", " ")
    if fancy and told.verdict in _COLOURS:
        verdict = f"\x1b[{_COLOURS[told.verdict]}m{verdict}\x1b[0m"
    lines = [f"{told.session}: {verdict}"]
    lines += columns([[f"  {one.key}", _MARK[one.ok], one.detail + _mend(one.repair)] for one in told.checks])
    state: Mapping[str, Any] = told.state
    facts = [
        ("profile", told.profile),
        ("linked as", told.linked_as or "nobody"),
        ("running", _running(told.running)),
        ("last state", state.get("lastState")),
        ("linked at", state.get("linkedAt")),
        ("last ready", state.get("lastReady")),
        ("last stopped", _last_stop(state)),
        ("restored", f"{state.get('restoreCount', 0)} times, last {state.get('lastRestored') or 'never'}"),
    ]
    lines += columns([[f"  {name}", clean(str(value))] for name, value in facts if value])
    lines.append(f"  {len(told.backups)} backups" if told.backups else "  no backups")
    lines += backups(told.backups)
    return "\n".join(lines)


def _mend(repair: str | None) -> str:
    return f" (linda start mends it: {repair})" if repair else ""


def _last_stop(state: Mapping[str, Any]) -> str | None:
    moment = state.get("lastStopped")
    return f"{moment} ({state.get('lastStopReason')})" if moment else None


def _running(running: Any) -> str:
    if running is None:
        return "no"
    by = f"run by {_verb(running.by.command)}, pid {running.by.pid}" if running.by else "kept, nobody watches it"
    return f"browser pid {running.pid} at {running.debugger_address or '?'}, {running.memory_mb} MB; {by}"


def _verb(command: str) -> str:
    """``linda serve`` of ``linda serve --port 8351``: the rest is in the JSON."""
    return clean(" ".join(command.split()[:2]))


def backups(there: Iterable[Backup]) -> list[str]:
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
            [f"    {one.name}", one.created_at, size(one.size), one.reason, " ".join(mark for mark in marks if mark)]
        )
    return columns(rows)


def overview(told: Any) -> str:
    """Every session of a home."""
    if not told.sessions:
        return f"no sessions in {told.home}; linda start makes one"
    rows = [["session", "verdict", "running", "backups", "last ready"]]
    for one in told.sessions:
        rows.append(
            [
                one.session,
                one.verdict.replace("_", " "),
                f"pid {one.running.pid}" if one.running else "no",
                str(len(one.backups)),
                clean(str(one.state.get("lastReady") or "never")),
            ]
        )
    return "\n".join(columns(rows))


def backed_up(made: Any) -> str:
    """What one backup did."""
    if not made.is_new:
        label = f', labelled "{clean(made.backup.label)}"' if made.backup.label else ""
        return f"{made.session} is unchanged since {made.backup.name}{label}"
    heat = "" if made.backup.cold else ", from the running browser"
    return f"{made.session} is saved as {made.backup.name} ({size(made.backup.size)}{heat}, {made.seconds:.2f} s)"


def backed_up_all(done: Any) -> str:
    """A line for each session."""
    rows = []
    for one in done.results:
        if one.error is not None:
            what = f"not saved: {clean(one.error.message)}"
        else:
            what = f"saved as {one.backup.name}" if one.is_new else f"unchanged since {one.backup.name}"
        rows.append([one.session, what])
    return "\n".join(columns(rows)) or "there is nothing to back up"


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


def restorable(there: Any) -> str:
    """What could be restored."""
    lines = backups(there.backups) or ["    no backups"]
    lines += [f"    {name}" for name in there.quarantined]
    return "\n".join([f"{there.session} can be restored from:", *lines])


def restored(done: Any) -> str:
    """What a restore did."""
    aside = f"; the profile before it is kept as {done.aside}" if done.aside else ""
    return f"{done.session} is back from {done.source}{aside}"


def cleared(done: Any) -> str:
    """What a clear did; the last line says how to undo it."""
    lines = [f"{done.session} is forgotten; the next linda start shows a code"]
    if done.removed:
        lines.append(f"removed: {', '.join(done.removed)}")
    source = done.backup.name if done.backup is not None else done.aside
    lines.append(
        f"undo: linda restore {done.session} --from {source}" if source else "there was nothing to move to quarantine"
    )
    return "\n".join(lines)


def logged_out(done: Any) -> str:
    """What a logout did."""
    if done.unlinked:
        return f"{done.session} is logged out; the next linda start shows a code"
    lines = [f"{done.session} is forgotten here only: the phone still lists this device under Linked devices"]
    if done.aside:
        lines.append(f"undo: linda restore {done.session} --from {done.aside} --yes")
    return "\n".join(lines)


def stopped(done: Any) -> str:
    """What a stop did."""
    if not done.was_running:
        return f"{done.session or 'nothing'} was not running" if done.session else "nothing was running"
    return f"{done.session or 'the linking run'} is stopped" + (f"; saved as {done.backup.name}" if done.backup else "")


def cleaned(done: Any, *, silent: bool) -> str:
    """A line and a reason for each item; nothing where there was nothing to do and nobody looks."""
    gone = [item for item in done.items if item.action == "remove"]
    if silent and not gone:
        return ""
    verb = {"keep": "keep", "remove": "would remove" if done.dry_run else "removed"}
    rows = [[verb[item.action], item.name, size(item.size), item.reason] for item in done.items]
    what = "would be " if done.dry_run else ""
    return "\n".join([*columns(rows), f"{done.removed} {what}removed, {size(done.freed)} {what}freed"])


def configuration(answer: Mapping[str, Any]) -> str:
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
            lines += columns(there)
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


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their cells under one another."""
    if not rows:
        return []
    rows = [[clean(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows if len(row) > index) for index in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(widths[index]) for index, cell in enumerate(row)).rstrip() for row in rows]
