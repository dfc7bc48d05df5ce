"""Whether the extra is installed: an object store is an option, and its libraries are imported late."""

from __future__ import annotations

from importlib.util import find_spec

from linda_cli.errors import Failed
from linda_cli.installation import install_extra


def require() -> None:
    """Raise ``Failed`` naming what is missing."""
    for name in ("obstore", "pyrage"):
        if find_spec(name) is None:
            raise Failed(f"an object store needs {name}, which is not installed", install_extra("object-store"))
