"""Far too much at once: all jobs are due at one instant, and a node dies in the middle of it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import psutil

from tests.scenarios.chaos.campaigns import Progress, Report, too_late
from tests.scenarios.chaos.oracle import Verdict
from tests.scenarios.chaos.world import Process, World


def flood(world: World, cycles: int, tell: Progress) -> Report:
    """Let so many jobs (``cycles``) be due at one instant on two nodes, and kill one of them half-way."""
    nodes, instant = _flooded(world, cycles)
    tell(f"{cycles} jobs are due at {instant:%H:%M:%S}")
    began = time.monotonic()
    resident, gaps, killed_at = [], [], None
    while True:
        world.wait(0.25)
        done, oldest = world.query(
            "SELECT (SELECT count(*) FROM scheduler_run WHERE finished_at IS NOT NULL AND state = 'succeeded'),"
            " (SELECT max(extract(epoch FROM clock_timestamp() - heartbeat_at))::float8 FROM scheduler_node"
            "   WHERE pid = %s AND state = 'running')",
            nodes[1].pid,
        )[0]
        gaps.append(oldest or 0.0)
        resident.append(psutil.Process(nodes[1].pid).memory_info().rss)
        if killed_at is None and done > cycles / 2:
            world.kill(nodes[0])
            killed_at = done
            tell(f"{done} runs have succeeded; a node is killed")
        if done >= cycles or time.monotonic() - began > 600:
            break
    tell(f"{done} runs have succeeded")
    ((rows, jobs, active),) = world.query(
        "SELECT count(*), count(DISTINCT job_key), count(*) FILTER (WHERE finished_at IS NULL) FROM scheduler_run"
        " WHERE attempt = 1"
    )
    verdict = Verdict(fire_times=cycles, lost=cycles - jobs, doubled=rows - jobs, unaccounted=active)
    settled = resident[len(resident) // 4 :]
    failures = [] if done >= cycles else [f"only {done} of {cycles} had succeeded after 600 s"]
    failures += too_late("a heartbeat was late", seconds=max(gaps), most=3)
    return Report(
        done={"jobs": cycles, "killed_after_runs": killed_at},
        figures={
            **_drained(world, cycles, instant),
            "oldest_heartbeat_seconds": round(max(gaps), 2),
            "rss_mb": {"quarter": round(settled[0] / 2**20), "max": round(max(resident) / 2**20)},
        },
        verdict=verdict,
        failures=failures,
    )


def _flooded(world: World, count: int) -> tuple[list[Process], datetime]:
    """Start two nodes, and then let jobs be due at one instant some seconds ahead. Return the nodes and the instant."""
    from tests.benchmarks import scratch

    hourly = '{"type": "interval", "hours": 1, "timezone": "UTC"}'
    scratch.add_jobs(task="chaos.work", count=count, trigger=hourly, ahead=86_400)
    world.execute("UPDATE scheduler_job SET rerun_if_interrupted = true")
    nodes = [world.launch() for _ in range(2)]
    for node in nodes:
        world.started(node)
    instant = world.now() + timedelta(seconds=3 + count / 10_000)
    world.query("UPDATE django_apscheduler_djangojob SET next_run_time = %s", instant)
    world.execute("VACUUM ANALYZE django_apscheduler_djangojob, scheduler_job")
    world.execute("SELECT pg_notify('scheduler_jobs', '')")
    return nodes, instant


def _drained(world: World, count: int, instant: datetime) -> dict[str, float]:
    """Return when the first body began and the last ones ended, in seconds since the instant, and the rate."""
    ((first, most, last),) = world.query(
        "SELECT min(started_at), percentile_disc(0.99) WITHIN GROUP (ORDER BY finished_at), max(finished_at)"
        " FROM scheduler_run WHERE state = 'succeeded'"
    )
    began, nearly_all, ended = ((at - instant).total_seconds() for at in (first, most, last))
    return {
        "first_begins_after_seconds": round(began, 3),
        "99_percent_ended_after_seconds": round(nearly_all, 1),
        "drained_after_seconds": round(ended, 1),
        "runs_per_second": round(count / ended),
    }
