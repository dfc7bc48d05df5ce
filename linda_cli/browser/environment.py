"""The environment of a process that linda starts: ours, without what only linda may know.

A browser runs a page from the network, a driver listens on a port, and a bot is somebody's code: whoever takes one of
them over can read its environment (``/proc/<pid>/environ``). The secret that signs the server's tokens and the password
of its database must not be there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SECRET = re.compile(
    r"JWT_SECRET\w*|LINDA_DATABASE_URL|LINDA_PROXY|LINDA_\w*(NOTIFY|PASS|SECRET|TOKEN|PRIVATE|CREDENTIAL|IDENTITY)\w*",
    re.IGNORECASE,
)
"""linda's own secrets. ``JWT_SECRET_FILE`` too: it says where one is. What a bot brings for itself stays."""


def scrubbed_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without secrets, to start any process of another program with."""
    there = os.environ if environ is None else environ
    return {name: value for name, value in there.items() if not is_secret(name)}


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, or says where one is."""
    return _SECRET.fullmatch(name) is not None
