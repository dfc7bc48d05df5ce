"""Prometheus metrics: what an operator wants on a wall."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from linda_cli.lifecycle.events import Event

_MEMORY_EVERY = 10.0
"""Seconds for which the browsers' memory is remembered: reading it takes about 10 ms a browser."""


class Metrics:
    """A listener of the hub, and the page for Prometheus."""

    def __init__(self, by_status: Callable[[], Mapping[str, int]], memory: Callable[[], int]) -> None:
        self.clients: Callable[[], int] = lambda: 0
        self.registry = CollectorRegistry()
        self._by_status = by_status
        self._memory = memory
        self._remembered = (0.0, 0)
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
        self._logouts = Counter("linda_logouts", "Devices that were unlinked", registry=self.registry)
        self.registry.register(self)

    def __call__(self, told: Event) -> None:
        """Count what is worth counting."""
        name, session = told.event, str(told.session)
        if name == "checked":
            with self._lock:
                self._began.setdefault(session, time.monotonic())
        elif name == "ready":
            with self._lock:
                began = self._began.pop(session, None)
            if began is not None and told.facts.get("isRestored"):
                self._restored.observe(time.monotonic() - began)
        elif name == "session_restoration_failed":
            self._failed.labels(str(told.facts.get("name"))).inc()
        elif name == "disconnected":
            self._disconnects.inc()
        elif name == "reconnected":
            self._reconnects.labels(str(told.facts.get("via"))).inc()
        elif name in ("qr", "pairing_code"):
            self._codes.labels(name).inc()
        elif name == "logged_out":
            self._logouts.inc()
        if name in ("stopped", "error", "session_restoration_failed"):
            with self._lock:
                self._began.pop(session, None)

    def collect(self) -> Iterator[Metric]:
        """What is asked for only when somebody looks."""
        accounts = GaugeMetricFamily("linda_accounts", "Accounts by status", labels=["status"])
        for status, count in self._by_status().items():
            accounts.add_metric([status], count)
        yield accounts
        moment, memory = self._remembered
        if time.monotonic() - moment > _MEMORY_EVERY or not moment:
            memory = self._memory()
            self._remembered = (time.monotonic(), memory)
        yield GaugeMetricFamily("linda_browser_memory_bytes", "Of all browsers with their processes", value=memory)
        yield GaugeMetricFamily("linda_socket_clients", "Socket.IO clients connected", value=self.clients())

    def page(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
