"""Prometheus metrics: what an operator wants on a wall."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from linda_cli.server.event_bus import Published


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the gauges come from, asked only when somebody looks; each answers from memory."""

    by_status: Callable[[], Mapping[str, int]]
    memory_mb: Callable[[], int]
    largest_mb: Callable[[], int]
    lost: Callable[[], Mapping[str, int]]
    unwritten: Callable[[], int]
    database_answers: Callable[[], bool]


class Metrics:
    """A subscriber of the bus, and the page for Prometheus."""

    def __init__(self, sources: Sources) -> None:
        self.clients: Callable[[], int] = lambda: 0
        self.connections: Callable[[], int] = lambda: 0
        self.registry = CollectorRegistry()
        self._sources = sources
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()
        self._restored = Histogram(
            "linda_restore_seconds", "From the start of an account to ready, without a code", registry=self.registry,
            buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120),
        )  # fmt: skip
        self._failed = Counter(
            "linda_restore_failures", "Silent restorations that failed", ["name"], registry=self.registry
        )
        self._disconnects = Counter("linda_disconnects", "Outages of 5 s and more", registry=self.registry)
        self._reconnects = Counter("linda_reconnects", "Ends of outages", ["via"], registry=self.registry)
        self._codes = Counter("linda_codes_shown", "QR and pairing codes shown", ["kind"], registry=self.registry)
        self._memory_restarts = Counter(
            "linda_memory_exceeded", "Browsers that grew past --max-memory and were restarted", registry=self.registry
        )
        self._logouts = Counter("linda_logouts", "Devices that were unlinked", registry=self.registry)
        self.deliveries = Counter(
            "linda_webhook_deliveries", "Tries to deliver to webhooks", ["outcome"], registry=self.registry
        )
        self.registry.register(self)

    def __call__(self, published: Published) -> None:
        """Count what is worth counting."""
        event = published.event
        name, session = event.event, str(event.session)
        if name == "checked":
            with self._lock:
                self._began.setdefault(session, time.monotonic())
        elif name == "ready":
            with self._lock:
                began = self._began.pop(session, None)
            if began is not None and event.facts.get("isRestored"):
                self._restored.observe(time.monotonic() - began)
        elif name == "session_restoration_failed":
            self._failed.labels(str(event.facts.get("name"))).inc()
        elif name == "disconnected":
            self._disconnects.inc()
        elif name == "reconnected":
            self._reconnects.labels(str(event.facts.get("via"))).inc()
        elif name in ("qr", "pairing_code"):
            self._codes.labels(name).inc()
        elif name == "memory_exceeded":
            self._memory_restarts.inc()
        elif name == "logged_out":
            self._logouts.inc()
        if name in ("stopped", "error", "session_restoration_failed"):
            with self._lock:
                self._began.pop(session, None)

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        sources = self._sources
        accounts = GaugeMetricFamily("linda_accounts", "Accounts by status", labels=["status"])
        for status, count in sources.by_status().items():
            accounts.add_metric([status], count)
        yield accounts
        lost = CounterMetricFamily(
            "linda_events_dropped", "Events a subscriber was too slow for", labels=["subscriber"]
        )
        for subscriber, count in sources.lost().items():
            lost.add_metric([subscriber], count)
        yield lost
        for name, what, value in (
            ("linda_browser_memory_bytes", "Of all browsers with their processes", sources.memory_mb() * 1_000_000),
            ("linda_browser_memory_max_bytes", "Of the largest browser", sources.largest_mb() * 1_000_000),
            ("linda_socket_clients", "Socket.IO clients connected", self.clients()),
            ("linda_connections", "HTTP and WebSocket connections open", self.connections()),
            ("linda_database_up", "1 where the accounts' database answers", float(sources.database_answers())),
            ("linda_database_unwritten", "Accounts whose state is not in the database yet", sources.unwritten()),
        ):
            yield GaugeMetricFamily(name, what, value=value)

    def page(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
