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


_STORE_SECRET = re.compile(
    r"AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)|AZURE_\w*(KEY|SECRET|TOKEN|PASSWORD)|GOOGLE_\w*(KEY|ACCOUNT|CREDENTIALS|TOKEN)"
)
"""The credentials of object stores. A bot may have a use for them; a browser has none."""


def scrubbed_environment(environ: Mapping[str, str] | None = None, *, for_bot: bool = False) -> dict[str, str]:
    """The environment without secrets, to start any process of another program with.

    ``for_bot``: what somebody wrote themselves keeps the credentials of object stores.
    """
    there = os.environ if environ is None else environ
    return {
        name: value
        for name, value in there.items()
        if not is_secret(name) and (for_bot or _STORE_SECRET.fullmatch(name) is None)
    }


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret, or says where one is."""
    return _SECRET.fullmatch(name) is not None
