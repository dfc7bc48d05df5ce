"""Everything that routes and sockets need, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linda_cli.lifecycle.events import Event
from linda_cli.server.accounts import Accounts
from linda_cli.server.async_bridge import AsyncBridge
from linda_cli.server.auth import Authenticator
from linda_cli.server.config import Settings
from linda_cli.server.db.gateway import Database
from linda_cli.server.metrics import Metrics
from linda_cli.server.operations import Operations
from linda_cli.server.rate_limit import RateLimit
from linda_cli.server.revocations import RevocationList
from linda_cli.server.service import AccountService
from linda_cli.server.supervisors import Supervisors
from linda_cli.server.webhooks.service import Webhooks
from linda_cli.server.workers import Workers


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes and sockets need. ``tell`` is the log; ``say`` a line for it. ``signing_secret`` signs
    links; it is the first JWT secret, or one of this process alone where there is none."""

    settings: Settings
    database: Database
    accounts: Accounts
    supervisors: Supervisors
    service: AccountService
    operations: Operations
    authenticator: Authenticator
    links: Authenticator
    revocations: RevocationList
    limit: RateLimit
    bridge: AsyncBridge
    webhooks: Webhooks
    metrics: Metrics
    workers: Workers
    signing_secret: str
    tell: Callable[[Event], None]
    say: Callable[[str], None]
