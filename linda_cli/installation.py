"""How this very linda was installed, and so with which command it is completed or upgraded."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PIP = f"{shlex.quote(sys.executable)} -m pip install"


def clone() -> Path | None:
    """The clone that this linda runs from; None for one from a package index or an archive."""
    # Late: it brings the parser of mails, and only who has failed asks.
    from importlib.metadata import distributions

    # In the folder of the clone itself a build has left a second description, which does not tell where from.
    for one in distributions(name="linda-cli"):
        try:
            told = json.loads(one.read_text("direct_url.json") or "null")
            folder = Path(unquote(urlsplit(told["url"]).path)) if told["dir_info"].get("editable") else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # not installed by pip, or from an index
        if folder is not None and (folder / "pyproject.toml").is_file():
            return folder
    return None


def install_extra(extra: str) -> str:
    """The command that installs an optional part into the Python that runs this."""
    folder = clone()
    what = f"-e {shlex.quote(f'{folder}[{extra}]')}" if folder is not None else shlex.quote(f"linda-cli[{extra}]")
    return f"{_PIP} {what}"


def upgrade() -> str:
    """The command that brings a newer linda."""
    folder = clone()
    return f"git -C {shlex.quote(str(folder))} pull" if folder is not None else f"{_PIP} --upgrade linda-cli"


def install(*packages: str) -> str:
    """The command that installs other packages there."""
    return f"{_PIP} {shlex.join(packages)}"
