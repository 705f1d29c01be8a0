"""What Prometheus scrapes: aggregates only, and labels whose values are few.

What happens to sandboxes is counted from the audit log, so that what others do to them (the command line, the process
that keeps their time) counts too.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from aisbx.audit.read import Record
from aisbx.engine.found import RUNNING
from aisbx.errors import AisbxError
from aisbx.types import MeteredSandbox
from aisbx.violations.derive import violations_of
from aisbx.violations.rules import patterns, rules
from aisbx.violations.severity import SEVERITIES
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from aisbx_supervisor.feed import Feed

if TYPE_CHECKING:
    from aisbx_supervisor.service import Service

CONTENT = CONTENT_TYPE_LATEST
_EVERY = 15.0
"""Seconds between two looks at what sandboxes use."""
_SHARE = 9
"""So many times as long as a look took passes to the next: sandboxes decide how many files there are."""
_MOST = 32
"""Values of a label that somebody else chooses; what comes later is `other`."""
_MOST_RULES = 128
"""The same for rules, of which profiles may have some more."""
_DENIALS = frozenset(
    {"auth.denied", "auth.failed", "scope.denied", "limit.denied", "anomaly", "run.refused", "exec.refused"}
)
_SEVERITIES = frozenset(SEVERITIES)
_LIMITS = {"timed_out": "time", "oom_killed": "memory", "pids_limited": "pids"}
_LONG = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0, 7 * 24 * 3600.0)


class Metrics:
    """Of one service."""

    def __init__(self, service: "Service") -> None:
        """Begin with nothing."""
        disable_created_metrics()  # a series more for each, which nobody asks for
        self._service = service
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("aisbx_requests_total", "Requests.", ("method", "route", "status"), registry=registry)
        self.seconds = Histogram(
            "aisbx_request_duration_seconds", "From a request to the end of its answer.", ("route",), registry=registry
        )
        connections = Gauge("aisbx_active_connections", "Connections that are open.", registry=registry)
        connections.set_function(self._connections)
        self.errors = Counter(
            "aisbx_errors_total", "Requests that failed, by their error's code.", ("code",), registry=registry
        )
        self._starts = Counter(
            "aisbx_sandbox_starts_total", "Sandboxes that were made.", ("profile",), registry=registry
        )
        self._stops = Counter("aisbx_sandbox_stops_total", "Sandboxes that ended.", ("reason",), registry=registry)
        self._lives = Histogram(
            "aisbx_sandbox_duration_seconds", "From a sandbox's beginning to its end.", registry=registry, buckets=_LONG
        )
        self._alive = Gauge("aisbx_sandboxes", "Sandboxes, by state.", ("state",), registry=registry)
        self._cpu = Gauge("aisbx_cpu_usage_percent", "Of one core, by all sandboxes together.", registry=registry)
        self._memory = Gauge(
            "aisbx_memory_usage_bytes",
            "Resident, of all sandboxes together; what is shared counts each time.",
            registry=registry,
        )
        self._disk = Gauge("aisbx_disk_usage_bytes", "On disk, in private workspaces.", registry=registry)
        self._denials = Counter(
            "aisbx_denials_total", "What was denied, by the kind of its record.", ("kind",), registry=registry
        )
        self._limits = Counter("aisbx_limits_total", "Commands that met a limit.", ("limit",), registry=registry)
        self._violations = Counter(
            "aisbx_violations_total", "What was tried and denied.", ("rule", "severity"), registry=registry
        )
        pool = Gauge("aisbx_pool_waiting", "Requests that wait for a thread.", registry=registry)
        pool.set_function(lambda: service.waiting)
        self._pools = Gauge(
            "aisbx_pool_sandboxes", "Sandboxes that wait to be asked for.", ("profile",), registry=registry
        )
        self._known: set[str] = set()
        self._rules: set[str] = set()
        # From nothing on: who asks for an increase sees none in a series that begins with it.
        for rule in (*rules(), *patterns()):
            self._rules.add(rule.id)
            self._violations.labels(rule.id, rule.severity)
        for counter, values in ((self._denials, _DENIALS), (self._limits, _LIMITS.values())):
            for value in values:
                counter.labels(value)
        self._made: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self._states: set[str] = set()
        self._when = 0.0
        self.feed = Feed(service.engine.audit["path"], self._take)

    def _connections(self) -> int:
        return self._service.connections()

    def text(self) -> bytes:
        """Give all as Prometheus reads it."""
        return generate_latest(self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        known = method if method in _METHODS else "other"
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def begin(self) -> None:
        """Know what is there, and count from now on."""
        self._remember()
        self.feed.begin()

    async def watch(self) -> None:
        """Look at what sandboxes use, again and again."""
        while True:
            began = time.monotonic()
            try:
                await self._service.aside(self._measure)
            except AisbxError as error:
                _log.warning("what sandboxes use cannot be seen: %s; hint: %s", error.message, error.hint)
            took = time.monotonic() - began
            await asyncio.sleep(max(_EVERY - took, _SHARE * took))

    def _remember(self) -> None:
        """Know when those that are there were made, also by a service that was killed."""
        store = self._service.boxes.store
        for name in store.names():
            try:
                record = store.read(name)
            except AisbxError:
                continue
            if record is not None:
                self._made[name] = record.created

    def _take(self, record: Record) -> None:
        kind, name = record.text("kind"), record.text("run")
        if kind in {"sandbox.create", "sandbox.fork"}:
            self._starts.labels(self._bounded(record.text("profile"), self._known)).inc()
            self._made[name] = record.time
        elif kind == "sandbox.end":
            self._stopped(name, record.text("reason") if record.text("reason") in _REASONS else "other", record.time)
        elif kind == "sandbox.destroy" and name in self._made:  # one that ended by itself has been counted
            self._stopped(name, "destroyed", record.time)
        elif kind in _DENIALS:
            self._denials.labels(kind).inc()
        for one in violations_of(record):
            severity, times = one.text("severity"), one.data.get("times")
            rule = self._bounded(one.text("rule"), self._rules, _MOST_RULES)
            counter = self._violations.labels(rule, severity if severity in _SEVERITIES else "other")
            counter.inc(times if isinstance(times, int) and times > 0 else 1)
        for key, limit in _LIMITS.items():
            if record.data.get(key) is True:
                self._limits.labels(limit).inc()

    def _stopped(self, name: str, reason: str, when: float) -> None:
        self._stops.labels(reason).inc()
        if (made := self._made.pop(name, None)) is not None:
            self._lives.observe(max(0.0, when - made))

    def _measure(self) -> None:
        now = time.monotonic()
        boxes, used, memory = self._service.boxes, dict[str, float](), 0
        states: dict[str, int] = {}
        spent = 0.0
        for name in boxes.store.names():
            found = boxes.look(name)
            states[found.state] = states.get(found.state, 0) + 1
            if found.state != RUNNING:
                continue
            try:
                sandbox = self._service.engine.driver(found.record.driver if found.record else "").attach(
                    str(boxes.store.home(name))
                )
                if not isinstance(sandbox, MeteredSandbox):
                    continue
                consumption = sandbox.consumption()
            except AisbxError:
                continue  # it has ended meanwhile
            memory += consumption.memory
            used[name] = consumption.cpu
            if name in self._used:
                spent += max(0.0, consumption.cpu - self._used[name])
        for state in {*states, *self._states}:
            self._alive.labels(state).set(states.get(state, 0))
        self._states |= states.keys()
        self._cpu.set(100 * spent / max(1e-3, now - self._when) if self._when else 0.0)
        for profile, count in self._service.pools.waiting().items():
            self._pools.labels(profile).set(count)
        self._memory.set(memory)
        self._disk.set(boxes.places.bytes())
        self._used, self._when = used, now

    @staticmethod
    def _bounded(value: str, known: set[str], most: int = _MOST) -> str:
        if value not in known and len(known) >= most:
            return "other"
        known.add(value)
        return value


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "WEBSOCKET"})
_REASONS = frozenset({"ttl", "idle-ttl", "ended", "violation"})
_log = logging.getLogger("aisbx")
