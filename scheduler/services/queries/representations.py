"""Jobs, runs and nodes as JSON, for the API, the command line and exports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from scheduler.core import triggers
from scheduler.core.definition import POLICIES
from scheduler.core.health.standing import NodeView, Waiting
from scheduler.errors import InvalidTrigger
from scheduler.models import Change, Job, Node, Run, RunNote
from scheduler.services import masking
from scheduler.services.queries import job_history, job_queries, run_queries
from scheduler.services.queries.metrics import Tally
from scheduler.services.queries.status import Status
from scheduler.services.runs import notes
from scheduler.services.runs.notes import Noted


def instant(moment: datetime | None) -> str | None:
    """Write an instant as RFC 3339, in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def jobs(*, rows: Iterable[Job]) -> list[dict[str, Any]]:
    """Describe jobs, each with its newest run: one query for all."""
    rows = list(rows)
    newest = job_queries.last_runs(jobs=[row.pk for row in rows])
    return [job(row=row, last_run=newest.get(row.pk)) for row in rows]


def job(*, row: Job, last_run: Run | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "description": row.description,
        "tags": list(row.tags),
        "task": row.task,
        "args": masking.masked(row.args),
        "kwargs": masking.masked(row.kwargs),
        "trigger": _form(row.trigger),
        "when": words(row.trigger),
        **{name: getattr(row, name) for name in POLICIES},
        "state": row.state,
        "state_reason": row.state_reason,
        "reason_code": row.reason_code,
        "reason_params": row.reason_params or {},
        "state_changed_at": instant(row.state_changed_at),
        "state_changed_by": row.state_changed_by,
        "paused_until": instant(row.paused_until),
        "source": row.source,
        "next_run_time": instant(row.next_run_time),
        "consecutive_failures": row.consecutive_failures,
        "last_run": None if last_run is None else _last(last_run),
        "version": row.version,
        "created_at": instant(row.created_at),
        "created_by": row.created_by,
        "updated_at": instant(row.updated_at),
        "updated_by": row.updated_by,
    }


def words(trigger: Any) -> str | None:
    """Describe a stored trigger, or return ``None`` if raw SQL made it invalid."""
    return _read(json.dumps(trigger))[1]


def _form(trigger: Any) -> dict[str, Any] | None:
    """Return a stored trigger in today's form, or ``None`` if raw SQL made it invalid."""
    return _read(json.dumps(trigger))[0]


@lru_cache(maxsize=4096)
def _read(trigger: str) -> tuple[dict[str, Any] | None, str | None]:
    """Kept, because reading the triggers takes half the time of a list of jobs."""
    try:
        compiled = triggers.parse(json.loads(trigger))
        return triggers.without_pins(compiled.as_json()), triggers.describe(compiled)
    except (InvalidTrigger, TypeError, AttributeError):
        return None, None


def _last(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "state": run.state,
        "scheduled_at": instant(run.scheduled_at),
        "started_at": instant(run.started_at),
        "finished_at": instant(run.finished_at),
    }


def changes(*, rows: Iterable[Change]) -> list[dict[str, Any]]:
    """Describe changes of jobs, as a list has them."""
    return [
        {
            "id": row.pk,
            "job": row.job_key,
            "job_name": row.job_name,
            "job_exists": job_history.job_version(change=row) is not None,
            "version": row.version,
            "action": row.action,
            "actor": row.actor,
            "via": row.via,
            "reason": row.reason,
            "reason_code": row.reason_code,
            "reason_params": row.reason_params or {},
            "restored_version": row.restored_version,
            "changed_at": instant(row.changed_at),
            "changes": [{"name": each.name, "old": each.old, "new": each.new} for each in job_history.what(change=row)],
        }
        for row in rows
    ]


def runs(*, rows: Iterable[Run]) -> list[dict[str, Any]]:
    """Describe runs without their output, each with the name of its node: one query for all."""
    rows = list(rows)
    names = run_queries.node_names(runs=rows)
    noted = notes.of_runs(runs=[row.pk for row in rows])
    return [run(row=row, nodes=names, noted=noted.get(row.pk)) for row in rows]


def run(*, row: Run, nodes: Mapping[str, str], noted: Noted | None = None) -> dict[str, Any]:
    node = None if row.node is None else str(row.node)
    return {
        "id": row.pk,
        "job": "" if row.is_enqueued else row.job_key,
        "job_name": row.job_name,
        "job_exists": row.job_id is not None,
        "task": row.task,
        "queue": row.queue,
        "result_id": None if row.public_id is None else str(row.public_id),
        "kind": row.kind,
        "attempt": row.attempt,
        "state": row.state,
        "reason": row.reason,
        "reason_code": row.reason_code,
        "reason_params": row.reason_params or {},
        "error": row.error,
        "executor": row.runs_on,
        "priority": row.own_priority,
        "held": row.held,
        "rings": row.rings,
        "rung_at": instant(row.rung_at),
        "node": None if node is None else {"id": node, "name": nodes.get(node)},
        "scheduled_at": instant(row.scheduled_at),
        "due_at": instant(row.due_at),
        "expires_at": instant(row.expires_at),
        "covers_from": instant(row.covers_from),
        "coalesced": row.coalesced,
        "previous": row.previous_id,
        "requested_by": row.requested_by,
        "created_at": instant(row.created_at),
        "started_at": instant(row.started_at),
        "finished_at": instant(row.finished_at),
        "seconds": _seconds(row),
        "cancel_requested_at": instant(row.cancel_requested_at),
        "output_dropped_at": instant(row.output_dropped_at),
        "taken_by": noted.taken.by if noted is not None and noted.taken is not None else None,
        "notes": 0 if noted is None else noted.notes,
    }


def _seconds(row: Run) -> float | None:
    """Return how long it ran."""
    if row.started_at is None or row.finished_at is None:
        return None
    return (row.finished_at - row.started_at).total_seconds()


def note(*, row: RunNote) -> dict[str, Any]:
    return {
        "id": row.pk,
        "run": row.run_id,
        "kind": row.kind,
        "text": row.text,
        "author": row.author,
        "via": row.via,
        "created_at": instant(row.created_at),
    }


def output(*, row: Run) -> dict[str, Any]:
    """Return what only those see who may view the output of runs."""
    return {
        "args": masking.masked(row.args),
        "kwargs": masking.masked(row.kwargs),
        "result": row.result,
        "progress": row.progress,
    }


def node(*, row: Node) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "kind": row.kind,
        "time_zone_rules": row.tzdata,
        "executors": row.executors,
        "tasks": row.tasks,
        "stuck": row.stuck,
        "state": row.state,
        "reason": row.reason,
        "reason_code": row.reason_code,
        "reason_params": row.reason_params or {},
        "drained_at": instant(row.drained_at),
        "drained_by": row.drained_by,
        "started_at": instant(row.started_at),
        "heartbeat_at": instant(row.heartbeat_at),
        "stopped_at": instant(row.stopped_at),
    }


def status(*, found: Status) -> dict[str, Any]:
    """Describe the scheduler as a whole, without its jobs."""
    now = found.scheduling
    return {
        "status": found.word.value,
        "running": found.is_running,
        "health": found.report.status.value,
        "problems": [
            {"check": check.name, "status": check.status.value, "text": str(check.text)}
            for check in found.report.problems
        ],
        "total_jobs": found.total_jobs,
        "jobs_by_state": found.jobs_by_state,
        "metrics": totals(found.totals, uptime=now.uptime, last=found.last_execution_at),
        "nodes": [_living_node(node) for node in found.nodes],
        "queues": [_queue(queue) for queue in found.queues],
        "due_jobs": now.due,
        "overdue_jobs": now.overdue,
        "max_overdue_seconds": round(now.max_overdue or 0.0, 3),
        "next_run_time": instant(now.next_run_time),
        "checked_at": instant(now.now),
    }


def _living_node(node: NodeView) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "state": node.state,
        "kind": node.kind,
        "is_alive": node.is_fresh,
        "heartbeat_age_seconds": round(node.heartbeat_age, 3),
        "uptime_seconds": round(node.uptime, 3),
        "stuck": node.stuck,
        "executors": node.executors,
        "brokers": node.brokers,
        "busy": node.busy,
        "backlog": node.backlog,
        "tick_seconds": node.tick_seconds,
        "clock_skew_seconds": node.skew,
        "time_zone_rules": node.tzdata,
        "memory_bytes": node.memory_bytes,
        "processors": node.processors,
    }


def _queue(queue: Waiting) -> dict[str, Any]:
    return {
        "executor": queue.executor,
        "queued": queue.queued,
        "running": queue.running,
        "held": queue.held,
        "oldest_seconds": queue.oldest,
        "oldest_held_seconds": queue.oldest_held,
        "rung": queue.rung,
        "oldest_rung_seconds": queue.oldest_rung,
        "paused": queue.paused,
        "oldest_paused_seconds": queue.oldest_paused,
        "paused_queues": list(queue.paused_queues),
    }


def totals(tally: Tally, *, uptime: float | None, last: datetime | None) -> dict[str, Any]:
    return {
        **tally.as_dict(),
        "uptime_seconds": round(uptime or 0.0, 3),
        "last_execution_at": instant(last),
    }
