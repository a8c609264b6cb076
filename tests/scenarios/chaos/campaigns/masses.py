"""Very many at once: catching up, a backfill and the deletion of a large job, beside jobs that fire each second."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles, too_late
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

_LATE_SECONDS = 1.0
"""What any of this may cost a healthy job of one second, at the 99th percentile."""

_RUNS_DELETED = 10
"""Runs of the job that is deleted, for each fire time of the backfill."""

_LONGEST_SECONDS = 3600
_DOWN = timedelta(hours=2)
_RUN_OF_AN_OUTAGE = 50
"""Fire times of two hours that each job runs at least: the others are folded, as its catch-up limit says."""


def masses(world: World, cycles: int, tell: Progress) -> Report:
    """``cycles``: the fire times of the backfill, in thousands. A job with ten times as many runs is deleted."""
    fire_times = cycles * 1000
    sizes = {
        "jobs_after_an_outage": min(2000, max(20, fire_times // 200)),
        "fire_times": fire_times,
        "runs_deleted": fire_times * _RUNS_DELETED,
    }
    return _beside_healthy_jobs(world, sizes, tell)


def outage(world: World, cycles: int, tell: Progress) -> Report:
    """``cycles``: how many jobs of one minute catch up with two hours."""
    return _beside_healthy_jobs(world, {"jobs_after_an_outage": cycles}, tell)


def backfill(world: World, cycles: int, tell: Progress) -> Report:
    """``cycles``: how many fire times, in thousands."""
    return _beside_healthy_jobs(world, {"fire_times": cycles * 1000}, tell)


def deletion(world: World, cycles: int, tell: Progress) -> Report:
    """``cycles``: how many runs, in thousands."""
    return _beside_healthy_jobs(world, {"runs_deleted": cycles * 1000}, tell)


def _beside_healthy_jobs(world: World, sizes: dict[str, int], tell: Progress) -> Report:
    """Do what sizes name, one after the other, beside twenty jobs of one second on two nodes."""
    if "jobs_after_an_outage" in sizes:
        _write_jobs_after_an_outage(world, count=sizes["jobs_after_an_outage"])
    if "runs_deleted" in sizes:
        _write_large_job(world, runs=sizes["runs_deleted"], tell=tell)
    specs = [Spec(id=f"good-{number:02d}", start_at=world.soon(), every_seconds=1) for number in range(20)]
    load.create(specs)
    nodes = [world.launch() for _ in range(2)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    ways = {"jobs_after_an_outage": _catch_up, "fire_times": _backfill, "runs_deleted": _delete}
    figures: dict[str, dict[str, Any]] = {}
    failures = []
    for name, size in sizes.items():
        found = figures[name] = ways[name](world, size)
        tell(f"{name.replace('_', ' ')}: {size:,}, after {found['done_after_seconds']:,} s")
        failures += too_late(f"healthy jobs were late beside {name}", seconds=found["p99"], most=_LATE_SECONDS)
        failures += [f"not done in time: {name}"] if found["left"] else []
    verdict = judge(world, specs, until=world.settle(specs))
    failures += [f"{node.output.name} ended" for node in nodes if not node.is_alive]
    return Report(done=sizes, figures=figures, verdict=verdict, failures=failures)


def _catch_up(world: World, jobs: int) -> dict[str, Any]:
    since = world.now()
    began = time.monotonic()

    def is_planned() -> bool:
        behind = "SELECT 1 FROM django_apscheduler_djangojob WHERE id LIKE 'late-%%' AND next_run_time < %s LIMIT 1"
        return not world.query(behind, world.now() - timedelta(minutes=2))

    is_behind = _wait(is_planned)
    planned = time.monotonic() - began
    done = _until_nothing_waits(world, "late-%")
    done["done_after_seconds"] = round(time.monotonic() - began, 1)
    done["left"] |= is_behind
    ((run,),) = world.query("SELECT count(*) FROM scheduler_run WHERE job_key LIKE 'late-%%' AND state = 'succeeded'")
    assert run >= _RUN_OF_AN_OUTAGE * jobs, f"Only {run} fire times of the outage were run."
    return {"runs": run, "planned_after_seconds": round(planned, 1), **done, **_lateness(world, since=since)}


def _write_jobs_after_an_outage(world: World, *, count: int) -> None:
    """Write jobs that fire each minute, run each fire time, and were due for the first time two hours ago."""
    world.query(
        "WITH parent AS (INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)"
        " SELECT 'late-' || n, date_trunc('minute', now()) - %s, '' FROM generate_series(1, %s) AS n RETURNING id)"
        " INSERT INTO scheduler_job (djangojob_ptr_id, name, task, trigger, coalesce, misfire_grace_time,"
        " needs_inspection)"
        """ SELECT id, id, 'sample.nothing', '{"type": "interval", "minutes": 1, "timezone": "UTC","""
        """ "start_at": "2026-01-01T00:00:00+00:00"}', false, NULL, false FROM parent""",
        _DOWN,
        count,
    )


def _backfill(world: World, fire_times: int) -> dict[str, Any]:
    from scheduler.services import bulk, jobs
    from scheduler.services.bulk import Selection

    now = world.now().replace(microsecond=0)
    since = now - timedelta(seconds=fire_times + 60)
    job = jobs.create(
        id="past",
        task="sample.nothing",
        trigger={"type": "interval", "seconds": 1, "start_at": since.isoformat(), "timezone": "UTC"},
        max_instances=50,
        paused=True,
    )
    began = time.monotonic()
    action = bulk.begin(
        subject="backfill",
        action="queue",
        selection=Selection(ids=(job.pk,)),
        parameters={
            "since": since.isoformat(),
            "until": (since + timedelta(seconds=fire_times - 1)).isoformat(),
        },
        actor="chaos",
    )
    while action.finished_at is None and time.monotonic() - began < _LONGEST_SECONDS:
        action = bulk.step(id=action.pk, seconds=5.0)
    entered = time.monotonic() - began
    done = _until_nothing_waits(world, "past")
    return {
        "fire_times": action.done,
        "entered_after_seconds": round(entered, 1),
        **done,
        "runs": world.query("SELECT count(*) FROM scheduler_run WHERE job_key = 'past' AND state = 'succeeded'")[0][0],
        **_lateness(world, since=now),
    }


def _write_large_job(world: World, *, runs: int, tell: Progress) -> None:
    from scheduler.services import jobs

    jobs.create(id="large", task="sample.nothing", trigger={"type": "interval", "days": 9})
    for first in range(0, runs, 100_000):
        world.query(
            "INSERT INTO scheduler_run (job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind,"
            " attempt, state, reason, executor, priority, held, coalesced, requested_by, created_at, finished_at,"
            " traceback, log)"
            " SELECT 'large', 'large', 'large', 'sample.nothing', '[]', '{}', now() - n * interval '1 minute', now(),"
            " 'scheduled', 1, 'succeeded', '', 'default', 0, false, 0, '', now(), now(), '', ''"
            " FROM generate_series(%s + 1, %s) AS n",
            first,
            min(runs, first + 100_000),
        )
    world.query("ANALYZE scheduler_run")
    ((size,),) = world.query("SELECT pg_size_pretty(pg_total_relation_size('scheduler_run'))")
    tell(f"a job with {runs:,} runs is written, {size}")


def _delete(world: World, runs: int) -> dict[str, Any]:
    from scheduler.services import jobs

    since = world.now()
    began = time.monotonic()
    jobs.remove(job=jobs.get(id="large"))
    removed = time.monotonic() - began

    def is_detached() -> bool:
        return not world.query("SELECT 1 FROM scheduler_removed LIMIT 1")

    left = _wait(is_detached)
    detached = time.monotonic() - began
    return {
        "removed_after_seconds": round(removed, 2),
        "done_after_seconds": round(detached, 1),
        "detached": world.query("SELECT count(*) FROM scheduler_run WHERE job_id IS NULL AND job_key = 'large'")[0][0],
        "size": world.query("SELECT pg_size_pretty(pg_total_relation_size('scheduler_run'))")[0][0],
        "left": left,
        **_lateness(world, since=since),
    }


def _until_nothing_waits(world: World, jobs: str) -> dict[str, Any]:
    began = time.monotonic()

    def is_done() -> bool:
        return not world.query(
            "SELECT 1 FROM scheduler_run WHERE finished_at IS NULL AND job_key LIKE %s AND scheduled_at < %s LIMIT 1",
            jobs,
            world.now() - timedelta(minutes=2),
        )

    left = _wait(is_done)
    return {"done_after_seconds": round(time.monotonic() - began, 1), "left": left}


def _wait(condition: Any) -> bool:
    """Return whether the condition does not hold after the longest time."""
    try:
        wait_until(condition, _LONGEST_SECONDS, every=0.5)
    except AssertionError:
        return True
    return False


def _lateness(world: World, *, since: datetime) -> dict[str, Any]:
    """
    Return how late healthy jobs began from an instant on, and how many of their fire times were not run by themselves.

    A row that covers many fire times counts as many times, each as late as its body began. So does a job that is due.
    """
    world.wait(5)  # what something costs shows in the fire times that follow, and it may have been over at once
    rows = world.query(
        "SELECT extract(epoch FROM coalesce(run.started_at, run.finished_at, now()) - moment)::float8,"
        " run.state IN ('succeeded', 'running', 'queued') AND moment = run.scheduled_at,"
        " extract(epoch FROM run.created_at - moment)::float8"
        " FROM scheduler_run AS run"
        " CROSS JOIN generate_series(coalesce(run.covers_from, run.scheduled_at), run.scheduled_at, interval '1 s')"
        " AS moment"
        " WHERE run.job_key LIKE 'good-%%' AND moment >= %(since)s AND moment < now() - interval '3 s'"
        " UNION ALL"
        " SELECT extract(epoch FROM now() - moment)::float8, false, extract(epoch FROM now() - moment)::float8"
        " FROM django_apscheduler_djangojob AS job"
        " CROSS JOIN generate_series(job.next_run_time, now() - interval '3 s', interval '1 s') AS moment"
        " WHERE job.id LIKE 'good-%%'",
        since=since,
    )
    entered = percentiles([seconds for _, _, seconds in rows])
    return {
        "not_run": sum(not is_run for _, is_run, _ in rows),
        **percentiles([seconds for seconds, _, _ in rows]),
        "entered_late_p50": entered["p50"],
        "entered_late_p99": entered["p99"],
    }
