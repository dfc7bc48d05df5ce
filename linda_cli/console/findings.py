"""What ``linda doctor`` found, in words."""

from __future__ import annotations

from typing import Any

from linda_cli.console import clean
from linda_cli.console.wrapping import columns


def findings(report: Any, *, fancy: bool = False) -> str:
    """The checks in columns, then what is wrong with its command on a line of its own, to be copied.

    ``report``: a ``doctor.models.Report``.
    """
    lines = [f"home: {clean(report.home)}" if report.home else "no home here: only the machine was looked at"]
    rows = [[f"  {one.topic}", "ok" if one.ok else "wrong", clean(one.detail)] for one in report.checks]
    for line, check in zip(columns(rows), report.checks, strict=True):
        lines.append(f"\x1b[31m{line}\x1b[0m" if fancy and not check.ok else line)
    lines += [f"fixed: {clean(one.message)}" for one in report.fixed]
    for number, one in enumerate(report.findings, 1):
        lines += ["", f"{number}. {clean(one.message)}", f"   {clean(one.command)}"]
    if report.findings:
        safe = sum(one.safe for one in report.findings)
        lines += [
            "",
            f"{len(report.findings)} to fix" + (f"; linda doctor --fix fixes {safe} of them" if safe else ""),
        ]
    else:
        lines.append("healthy")
    if report.bundle:
        lines.append(f"for a bug report: {clean(report.bundle)} (no login, key, password or number is in it)")
    return "\n".join(lines)
