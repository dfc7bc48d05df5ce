"""Whether the extra is there: most of it is loaded late, and whoever lacks it should hear so before anything runs."""

from __future__ import annotations

from importlib.util import find_spec

from linda_cli.errors import Failed
from linda_cli.installation import install_extra

_MODULES = (
    "alembic", "fastapi", "httptools", "idna", "jwt", "limits", "prometheus_client", "socketio", "sqlalchemy",
    "uvicorn", "websockets",
)  # fmt: skip


def require(verb: str) -> None:
    """Raise ``Failed`` naming what is missing."""
    for name in _MODULES:
        try:
            there = find_spec(name) is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            raise Failed(f"linda {verb} needs {name}, which is not installed", install_extra("server"))
