"""The units of systemd, as text. Pure: a plan in, files out."""

from __future__ import annotations

from pathlib import Path

from linda_cli.service.models import Plan, Scope

MARK = "# Written by linda service install for "
"""The first line of each file of ours, followed by the home. Only such files are ever replaced or removed."""

_STAY_DOWN = (2, 10, 12, 13, 16, 18, 19)
"""Exit codes after which another start would end the same way: a person is needed (a code, a passkey, a setting)."""

_CLEANUP_AT = "*-*-* 04:00:00"
_BACKUP_AT = "*-*-* 03:30:00"
_SPREAD = "15min"
"""Two hundred machines of one firm need not begin in the same second."""


def units(plan: Plan) -> dict[str, str]:
    """File names and what is in them."""
    files = {f"{plan.main}.service": _service(plan)}
    if plan.timers:
        for verb, words, when in (
            ("cleanup", ("cleanup",), _CLEANUP_AT),
            ("backup", ("backup", "--all"), _BACKUP_AT),
        ):
            files[f"{plan.prefix}-{verb}.service"] = _once(plan, verb, plan.linda(*words))
            files[f"{plan.prefix}-{verb}.timer"] = _timer(plan, verb, when)
    return files


def started_units(plan: Plan) -> tuple[str, ...]:
    """Those that are enabled; the others are started by these."""
    timers = (f"{plan.prefix}-cleanup.timer", f"{plan.prefix}-backup.timer") if plan.timers else ()
    return (f"{plan.main}.service", *timers)


def _service(plan: Plan) -> str:
    what = f"WhatsApp session {plan.number}" if plan.number is not None else "WhatsApp sessions (linda serve)"
    system = plan.scope is Scope.SYSTEM
    # A user's service manager knows no target of the network.
    network = ["Wants=network-online.target", "After=network-online.target"] if system else []
    return _lines(
        plan,
        "[Unit]",
        f"Description={_text(what)}",
        *network,
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={exec_line(plan.command)}",
        *_surroundings(plan),
        "# SIGTERM to linda alone: it closes the browser cleanly and backs up; what is left after that is killed.",
        "KillMode=mixed",
        "TimeoutStopSec=90",
        "# Ready is when WhatsApp Web is; linda's own --timeout ends a start that takes too long.",
        "TimeoutStartSec=infinity",
        "WatchdogSec=120",
        "Restart=on-failure",
        "RestartSec=10",
        f"RestartPreventExitStatus={' '.join(map(str, _STAY_DOWN))}",
        "# A tab that runs out of memory is loaded anew; it is no reason to end the session.",
        "OOMPolicy=continue",
        "LimitNOFILE=65536",
        "",
        "[Install]",
        f"WantedBy={'multi-user.target' if system else 'default.target'}",
    )


def _once(plan: Plan, verb: str, command: tuple[str, ...]) -> str:
    return _lines(
        plan,
        "[Unit]",
        f"Description={_text(f'linda {verb} for {plan.home}')}",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={exec_line(command)}",
        *_surroundings(plan),
        "Nice=10",
        "# 3: some sessions were in use, and are done the next time. 10: there is nothing yet.",
        "SuccessExitStatus=3 10",
    )


def _timer(plan: Plan, verb: str, when: str) -> str:
    return _lines(
        plan,
        "[Unit]",
        f"Description={_text(f'linda {verb} for {plan.home}, every day')}",
        "",
        "[Timer]",
        f"OnCalendar={when}",
        f"RandomizedDelaySec={_SPREAD}",
        "# What was missed while the machine was off is done when it is on again.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    )


def _surroundings(plan: Plan) -> list[str]:
    """Where and as whom: the same for all services."""
    lines = [
        f"WorkingDirectory={_path(plan.home)}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(plan.variables.items())),
        "# Passwords and secrets, one NAME=value a line, mode 0600: LINDA_PROXY, JWT_SECRET, LINDA_DATABASE_URL.",
        f"EnvironmentFile=-{_path(plan.home / 'linda.env')}",
        "UMask=0077",
    ]
    if plan.scope is Scope.SYSTEM:
        lines.insert(0, f"User={plan.user}")
    return lines


def _lines(plan: Plan, *lines: str) -> str:
    return "\n".join([mark_of(plan.home), *lines, ""])


def mark_of(home: Path) -> str:
    """The first line of each file that is written for a home."""
    return f"{MARK}{_text(str(home))}"


def exec_line(words: tuple[str, ...]) -> str:
    """A command as ``ExecStart`` takes it: no shell, but specifiers, variables and quotes of systemd's own."""
    if any(one in words[0] for one in "\"'\\"):
        # systemd starts no program whose path has one of these, however it is quoted.
        words = ("/bin/sh", "-c", 'exec "$0" "$@"', *words)
    first, *rest = words
    return " ".join([_quoted(first), *(_quoted(word).replace("$", "$$") for word in rest)])


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in escaped)
    plain = word.isprintable() and word and not any(one in word for one in " \t\"'\\;$%")
    return word if plain else f'"{escaped}"'


def _path(path: Path) -> str:
    # Neither of these settings knows quotes: the rest of the line is the path.
    return str(path).replace("%", "%%")


def _text(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text).replace("%", "%%")
