"""The database's own clock in SQL: seconds since 1970. Leases are judged by it alone, never by a host's clock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class database_now(FunctionElement[float]):  # noqa: N801 - it stands in statements like SQL's own functions
    """This very moment, and not the beginning of the transaction: an UPDATE may have waited for a row."""

    type = Float()
    inherit_cache = True


@compiles(database_now, "postgresql")
def _postgresql(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


@compiles(database_now, "sqlite")
def _sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
