"""Whether the extra is installed: an object store is an option, and its library is imported late."""

from __future__ import annotations

from importlib.util import find_spec

from linda_cli.errors import Failed
from linda_cli.installation import install_extra


def require() -> None:
    """Raise ``Failed`` naming what is missing."""
    if find_spec("obstore") is None:
        raise Failed("an object store needs obstore, which is not installed", install_extra("object-store"))
