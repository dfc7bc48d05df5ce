"""Install, look at and remove. Only files that bear our mark and this home are ever replaced or removed."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

from linda_cli.errors import Failed, InUse, LindaError, NotFound
from linda_cli.service import crontab, systemd
from linda_cli.service.models import Installed, Plan, Removed, Scope, Status, Unit
from linda_cli.service.units import MARK, mark_of, started_units, units
from linda_cli.sessions.durable import make_folder, write_whole

_LONGEST_MARK = 8192
_COPIED = ("LINDA_CHROME", "LINDA_CHROMEDRIVER", "LINDA_CHROME_ARGS", "LINDA_URL", "SESSION_PATH")
_SECRET = ("LINDA_PROXY", "JWT_SECRET", "JWT_SECRET_FILE", "LINDA_DATABASE_URL")


def settings_to_copy(environ: Mapping[str, str], in_file: Mapping[str, str]) -> dict[str, str]:
    """What a service must be told of this environment; what ``linda.toml`` says it reads itself."""
    return {name: environ[name] for name in _COPIED if environ.get(name) and environ[name] != in_file.get(name)}


def install(plan: Plan, environ: Mapping[str, str], folder: Path | None = None) -> Installed:
    """Write the files, and start what they describe where systemd runs.

    ``folder``: write the units there and start nothing. Raises ``InUse`` where a file of that name is somebody else's.
    """
    secrets = [name for name in _SECRET if environ.get(name)]
    notes = [
        f"{name} is a secret and was not copied: write it to {plan.home}/linda.env (mode 0600)" for name in secrets
    ]
    if plan.scope is Scope.CRON:
        crontab.write(crontab.with_block(crontab.read(), plan))
        return Installed(plan.scope, str(plan.home), ("crontab",), False, tuple(notes))
    target = folder or systemd.folder(plan.scope, environ)
    files = units(plan)
    for name in files:
        _refuse_foreign(target / name, plan.home)
    make_folder(target)
    for name, text in files.items():
        write_whole(target / name, text.encode())
        # systemd reads them as root, and people may: there is no secret in them.
        (target / name).chmod(0o644)
    written = tuple(str(target / name) for name in files)
    systemctl = "systemctl --user" if plan.scope is Scope.USER else "systemctl"
    if folder is not None:
        return Installed(plan.scope, str(plan.home), written, False, tuple(notes))
    if not systemd.answers(plan.scope):
        notes.append(f"systemd does not run here: {systemctl} enable --now {' '.join(started_units(plan))}")
        return Installed(plan.scope, str(plan.home), written, False, tuple(notes))
    systemd.systemctl(plan.scope, "daemon-reload")
    # The service may take minutes to be ready, which nobody needs to wait for.
    systemd.systemctl(plan.scope, "enable", "--now", "--no-block", *started_units(plan))
    if plan.scope is Scope.USER and (note := systemd.linger()) is not None:
        notes.append(f"to let it run while you are not logged in: {note}")
    return Installed(plan.scope, str(plan.home), written, True, tuple(notes))


def _refuse_foreign(file: Path, home: Path) -> None:
    if not os.path.lexists(file):
        return
    first = _first_line(file)
    if not first.startswith(MARK):
        raise Failed(f"{file} was not written by linda and is left alone", "linda service install --name my-linda")
    if first != mark_of(home):
        raise InUse(f"{file} is for the home {first.removeprefix(MARK)}", "linda service install --name my-linda")


def _first_line(file: Path) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.readline(_LONGEST_MARK).rstrip("\n")
    except OSError:
        return ""


def _ours(home: Path, environ: Mapping[str, str], folder: Path | None) -> Iterator[tuple[Scope, Path]]:
    """The units of this home, services before their timers."""
    # A folder that was named is one place, whosever units it holds.
    scopes = (Scope.USER, Scope.SYSTEM) if folder is None else (Scope.USER,)
    for scope in scopes:
        place = folder or systemd.folder(scope, environ)
        for file in [*sorted(place.glob("*.service")), *sorted(place.glob("*.timer"))]:
            if _first_line(file) == mark_of(home):
                yield scope, file


def status(home: Path, environ: Mapping[str, str], folder: Path | None = None) -> Status:
    """What is installed for a home, and how it is. Raises ``NotFound`` where nothing is."""
    found = []
    running: dict[Scope, bool] = {}
    for scope, file in _ours(home, environ, folder):
        if scope not in running:
            running[scope] = folder is None and systemd.answers(scope)
        state, detail = systemd.state_of(scope, file.name) if running[scope] else (None, "systemd does not run here")
        found.append(Unit(file.name, scope, str(file), state, detail))
    for line in _cron_lines(home):
        found.append(Unit("crontab", Scope.CRON, "crontab", "scheduled", line))
    if not found:
        raise NotFound(f"no service is installed for {home}", f"linda --home {home} service install")
    return Status(str(home), tuple(found))


def _cron_lines(home: Path) -> list[str]:
    try:
        return crontab.lines_of(crontab.read(), home)
    except LindaError:
        # Without cron there is nothing of ours in it.
        return []


def remove(home: Path, environ: Mapping[str, str], folder: Path | None = None) -> Removed:
    """Stop, disable and remove everything that was installed for a home; nothing installed is no failure."""
    removed: list[str] = []
    notes: list[str] = []
    files = list(_ours(home, environ, folder))
    for scope in (Scope.USER, Scope.SYSTEM):
        names = [file.name for one, file in files if one is scope]
        if not names:
            continue
        runs = folder is None and systemd.answers(scope)
        if runs:
            # Timers first: what they start must not come up between.
            systemd.systemctl(scope, "disable", "--now", *sorted(names, key=lambda name: name.endswith(".service")))
        for one, file in files:
            if one is scope:
                file.unlink()
                removed.append(str(file))
        if runs:
            systemd.systemctl(scope, "daemon-reload")
        elif folder is None:
            notes.append("systemd does not run here: nothing had to be stopped")
    if _cron_lines(home):
        crontab.write(crontab.without(crontab.read(), home))
        removed.append("crontab")
    return Removed(str(home), tuple(removed), tuple(notes))


def log_unit(home: Path, environ: Mapping[str, str], folder: Path | None = None) -> tuple[Scope, str]:
    """The unit whose log is meant by ``linda service logs``. Raises ``NotFound``."""
    for scope, file in _ours(home, environ, folder):
        if file.name.endswith(".service") and not file.name.endswith(("-cleanup.service", "-backup.service")):
            return scope, file.name
    raise NotFound(f"no unit of systemd is installed for {home}", f"linda --home {home} logs --follow")


def user_of(home: Path) -> str:
    """Who a system unit is to run as: the owner of the home."""
    owner = home.stat().st_uid
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)
