"""
Every metric, declared once: its name, its labels, what it means and what it is read from.

All are read from the database when they are asked for, so that every web process and every node says the same, and
counters never fall when a process ends. Labels are tasks, states, executors, queues, nodes, channels and
releases. Never a job or a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from scheduler.core import health
from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.core.health import Check, Standing, Status
from scheduler.core.health.standing import NodeView, QueueTotal
from scheduler.core.queues import tracks
from scheduler.core.states import JobState, RunState
from scheduler.store import alerts
from scheduler.store.alerts import AlertMeasures
from scheduler.store.measuring import measures
from scheduler.store.measuring.measures import Execute, Total


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that is read for one answer."""

    standing: Standing
    checks: Sequence[Check]
    """The judgement of the standing: the same as that of the health page."""

    totals: Sequence[Total]
    queue_totals: Sequence[QueueTotal] = ()
    alerts: AlertMeasures = field(default_factory=AlertMeasures)


def read(*, execute: Execute = measures.execute) -> Sources:
    """Ask the database: twelve queries."""
    standing = measures.standing(execute=execute)
    return Sources(
        standing=standing,
        checks=health.checks(standing, limits=measures.limits()),
        totals=measures.totals(execute=execute),
        queue_totals=measures.queue_totals(execute=execute),
        alerts=alerts.measure(execute=execute),
    )


class Collector:
    """Turns what was read into metrics, as prometheus_client's registries want it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._standing = sources.standing

    def collect(self) -> Iterable[Metric]:
        yield from self._health()
        yield from self._scheduling()
        yield from self._jobs()
        yield from self._executors()
        yield from self._remote()
        yield from self._queues()
        yield from self._nodes()
        yield from self._runs()
        yield from self._alerts()

    def _health(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "scheduler_health_status", "0: passed, 1: a warning, 2: failed, by check of the health.", labels=["check"]
        )
        for check in self._sources.checks:
            family.add_metric([check.name], _LEVELS[check.status])
        yield family

    def _scheduling(self) -> Iterable[Metric]:
        now = self._standing.scheduling
        for name, text, value in (
            ("scheduler_nodes_up", "Nodes with a fresh heartbeat.", now.fresh_nodes),
            ("scheduler_nodes_expected", "Nodes that have not said that they stopped, and are not lost.", now.nodes),
            ("scheduler_jobs_due", "Active jobs whose time has come and that are not planned yet.", now.due),
            ("scheduler_jobs_overdue", "Jobs that are due for longer than SCHEDULER_OVERDUE_SECONDS.", now.overdue),
            ("scheduler_jobs_failing", "Active jobs whose last run failed.", now.failing),
            ("scheduler_jobs_stopped", "Jobs that were paused because they failed.", now.stopped),
            (
                "scheduler_jobs_stalled",
                "Jobs whose last fire times were all missed or skipped.",
                self._standing.stalled,
            ),
            ("scheduler_max_overdue_seconds", "How long the oldest job is due.", now.max_overdue or 0.0),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        if now.next_run_time is not None:
            yield GaugeMetricFamily(
                "scheduler_next_run_timestamp_seconds",
                "When the next job is due, in Unix time.",
                value=now.next_run_time.timestamp(),
            )

    def _jobs(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("scheduler_jobs", "Jobs by state.", labels=["state"])
        for state in JobState:
            family.add_metric([state.value], self._standing.jobs.get(state.value, 0))
        yield family

    def _remote(self) -> Iterable[Metric]:
        """Runs of remote executors between ring and start, and brokers that refuse messages."""
        rung = GaugeMetricFamily(
            "scheduler_rung_runs", "Queued runs of which the broker was told, by remote executor.", labels=["executor"]
        )
        oldest = GaugeMetricFamily(
            "scheduler_rung_oldest_seconds", "How long ago the oldest of these messages was sent.", labels=["executor"]
        )
        refused = GaugeMetricFamily(
            "scheduler_broker_refusals", "Nodes whose last messages the broker refused, by broker.", labels=["broker"]
        )
        for queue in self._standing.queues:
            if tracks.is_remote(queue.executor):
                rung.add_metric([queue.executor], queue.rung)
                oldest.add_metric([queue.executor], max(queue.oldest_rung or 0.0, 0.0))
        refusing = Counter(broker for node in self._standing.nodes if node.is_fresh for broker in node.brokers)
        for broker, nodes in sorted(refusing.items()):
            refused.add_metric([broker], nodes)
        yield from (rung, oldest, refused)

    def _queues(self) -> Iterable[Metric]:
        runs = GaugeMetricFamily(
            "scheduler_queue_runs", "Runs that wait, wait for later, or run, by queue.", labels=["queue", "state"]
        )
        oldest = GaugeMetricFamily(
            "scheduler_queue_waiting_seconds", "How long the oldest run waits that may start.", labels=["queue"]
        )
        for queue in self._standing.named_queues:
            runs.add_metric([queue.name, "queued"], queue.queued - queue.deferred)
            runs.add_metric([queue.name, "deferred"], queue.deferred)
            runs.add_metric([queue.name, "running"], queue.running)
            oldest.add_metric([queue.name], max(queue.oldest or 0.0, 0.0))
        ended = CounterMetricFamily("scheduler_queue_ended", "Runs that ran and ended, by queue.", labels=["queue"])
        for total in self._sources.queue_totals:
            ended.add_metric([total.name], total.ended)
        yield from (runs, oldest, ended)

    def _executors(self) -> Iterable[Metric]:
        active = GaugeMetricFamily(
            "scheduler_runs_active", "Runs that have not ended, by state.", labels=["executor", "state"]
        )
        depth = GaugeMetricFamily(
            "scheduler_queue_depth", "Queued runs, also those for later, by executor.", labels=["executor"]
        )
        oldest = GaugeMetricFamily(
            "scheduler_queue_oldest_seconds", "How long the oldest of them is due that may start.", labels=["executor"]
        )
        held = GaugeMetricFamily(
            "scheduler_held_oldest_seconds",
            "How long the oldest run has waited for another run of its job.",
            labels=["executor"],
        )
        for queue in self._standing.queues:
            active.add_metric([queue.executor, RunState.QUEUED.value], queue.queued)
            active.add_metric([queue.executor, "held"], queue.held)
            active.add_metric([queue.executor, RunState.RUNNING.value], queue.running)
            depth.add_metric([queue.executor], queue.queued)
            oldest.add_metric([queue.executor], max(queue.oldest or 0.0, 0.0))
            held.add_metric([queue.executor], max(queue.oldest_held or 0.0, 0.0))
        yield from (active, depth, oldest, held)

    def _nodes(self) -> Iterable[Metric]:
        for name, text, read in _OF_NODES:
            family = GaugeMetricFamily(name, text, labels=["node"])
            for label, node in _by_label(self._standing.nodes):
                value = read(node)
                if value is not None:
                    family.add_metric([label], value)
            yield family
        rules = GaugeMetricFamily(
            "scheduler_node_time_zone_rules", "1, by the release by which it computes.", labels=["node", "release"]
        )
        for label, node in _by_label(self._standing.nodes):
            if node.tzdata:
                rules.add_metric([label, node.tzdata], 1)
        yield rules
        for name, text, of in _OF_POOLS:
            family = GaugeMetricFamily(name, text, labels=["node", "executor"])
            for label, node in _by_label(self._standing.nodes):
                for executor, value in sorted(of(node).items()):
                    family.add_metric([label, executor], value)
            yield family

    def _alerts(self) -> Iterable[Metric]:
        now = self._sources.alerts
        incidents = GaugeMetricFamily(
            "scheduler_incidents_open", "Incidents that are open, by kind.", labels=["kind", "severity"]
        )
        for (kind, severity), number in sorted(now.open.items()):
            incidents.add_metric([kind, severity], number)
        oldest = GaugeMetricFamily(
            "scheduler_notification_oldest_seconds", "Age of the oldest message not sent.", labels=["channel"]
        )
        counters = {
            "sent": CounterMetricFamily("scheduler_notifications_sent", "Messages sent.", labels=["channel"]),
            "failed": CounterMetricFamily("scheduler_notifications_failed", "Tries that failed.", labels=["channel"]),
        }
        for (channel, word), number in sorted(now.messages.items()):
            counters[word].add_metric([channel], number)
            if word == "sent":
                oldest.add_metric([channel], now.oldest.get(channel, 0.0))
        yield from (incidents, oldest, *counters.values())

    def _runs(self) -> Iterable[Metric]:
        ended = CounterMetricFamily("scheduler_runs", "Runs that ended, by task and state.", labels=["task", "state"])
        took = HistogramMetricFamily(
            "scheduler_run_duration_seconds", "How long runs took that began, by task.", labels=["task"]
        )
        late = HistogramMetricFamily(
            "scheduler_fire_lag_seconds", "From being due to beginning, of runs that began, by task.", labels=["task"]
        )
        durations: dict[str, list[int]] = defaultdict(lambda: [0] * (len(RUN_SECONDS) + 1))
        lags: dict[str, list[int]] = defaultdict(lambda: [0] * (len(LAG_SECONDS) + 1))
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for total in self._sources.totals:
            ended.add_metric([total.task, total.state], total.runs)
            for place, runs in enumerate(total.run_buckets):
                durations[total.task][place] += runs
            for place, runs in enumerate(total.lag_buckets):
                lags[total.task][place] += runs
            sums[total.task][0] += total.run_seconds
            sums[total.task][1] += total.lag_seconds
        for task, (run_seconds, lag_seconds) in sums.items():
            took.add_metric([task], _cumulative(RUN_SECONDS, durations[task]), sum_value=run_seconds)
            late.add_metric([task], _cumulative(LAG_SECONDS, lags[task]), sum_value=lag_seconds)
        yield from (ended, took, late)


_LEVELS = {Status.PASS: 0, Status.WARN: 1, Status.FAIL: 2}

_OF_NODES: tuple[tuple[str, str, Callable[[NodeView], float | None]], ...] = (
    ("scheduler_node_up", "1: its heartbeat is fresh.", lambda node: float(node.is_fresh)),
    ("scheduler_node_heartbeat_age_seconds", "Since its last heartbeat.", lambda node: node.heartbeat_age),
    ("scheduler_node_uptime_seconds", "Since it started.", lambda node: node.uptime),
    ("scheduler_node_stuck_threads", "Threads whose run timed out and goes on.", lambda node: node.stuck),
    ("scheduler_node_recorder_backlog", "Outcomes in memory, not recorded yet.", lambda node: node.backlog),
    ("scheduler_node_tick_seconds", "Duration of its latest pass.", lambda node: node.tick_seconds),
    ("scheduler_node_clock_skew_seconds", "Its clock, ahead of the database's.", lambda node: node.skew),
    ("scheduler_node_database_connections", "Pooled connections in use.", lambda node: node.connections),
    ("scheduler_node_memory_bytes", "Resident memory, with its child processes.", lambda node: node.memory_bytes),
    ("scheduler_node_processors", "Processors that it keeps busy.", lambda node: node.processors),
)
_OF_POOLS: tuple[tuple[str, str, Callable[[NodeView], dict[str, int]]], ...] = (
    ("scheduler_pool_size", "Runs at once, by executor.", lambda node: node.executors),
    ("scheduler_pool_busy", "Runs that have begun, by executor.", lambda node: node.busy),
    ("scheduler_pool_waiting", "Runs that it has taken and not begun, by executor.", lambda node: node.waiting),
)


def _by_label(nodes: Sequence[NodeView]) -> Iterable[tuple[str, NodeView]]:
    """Name each node. Those of one name get a number, because no two series may be the same."""
    seen: dict[str, int] = defaultdict(int)
    for node in nodes:
        seen[node.name] += 1
        yield node.name if seen[node.name] == 1 else f"{node.name}#{seen[node.name]}", node


def _cumulative(bounds: Sequence[float], buckets: Sequence[int]) -> list[tuple[str, float]]:
    result: list[tuple[str, float]] = []
    total = 0
    for bound, runs in zip([*(repr(bound) for bound in bounds), "+Inf"], buckets, strict=True):
        total += runs
        result.append((bound, total))
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """Metrics as text, in the format that the caller accepts."""

    content_type: str
    body: bytes


def render(*, sources: Sources, accept: str = "") -> Exposition:
    """Write the metrics as Prometheus or OpenMetrics text."""
    encode, content_type = choose_encoder(accept)
    return Exposition(content_type=content_type, body=encode(Collector(sources)))
