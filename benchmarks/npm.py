"""Peers from npm, at pinned versions, in a folder that git ignores."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".bench" / "npm"
PINNED = {
    "nodemon": "3.1.14",
    "puppeteer-core": "24.43.1",
    "socket.io-client": "4.8.1",
    "whatsapp-web.js": "1.34.7",
}


def peers() -> Path | None:
    """Where they are installed; None, and said, where node or its registry is out of reach."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = " ".join(f"{name}@{version}" for name, version in PINNED.items())
    stamp = FOLDER / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return FOLDER
    (FOLDER / "package.json").write_text("{}")
    try:
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--silent", *wanted.split()],
            cwd=FOLDER,
            check=True,
            env={**os.environ, "PUPPETEER_SKIP_DOWNLOAD": "1"},
        )
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"no peers from npm ({problem}): their rows are left out", flush=True)
        return None
    stamp.write_text(wanted)
    return FOLDER
