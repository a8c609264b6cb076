"""The usual load for long, with a fault now and then: what grows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median

import psutil

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, lateness
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import QUICK, World

SAMPLES_A_MINUTE = 6

MAY_GROW = 1.2
"""Of the middle third's median, the last third's may be this much: a leak grows on, and a cache does not."""

SLACK = 3
"""And this many more, whatever it is: a session is opened and a thread begins where a sample is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How the node that nobody kills, and the database, are at one moment."""

    rss_mb: float
    file_descriptors: int
    threads: int
    sessions: int
    """Of all nodes."""

    bytes_a_run: float
    """Of the ledger with its indexes: their fill must not fall as rows come and change."""


def soak(world: World, cycles: int, tell: Progress) -> Report:
    """Run the usual mix for ``cycles`` minutes, kill a node beside the watched one every minute, look for growth."""
    specs = load.standard(seed=world.seed, start_at=world.soon())
    load.create(specs)
    steady, other = world.launch(), world.launch()
    for node in (steady, other):
        world.started(node)
    world.reach(specs)
    samples: list[Sample] = []
    rows: list[int] = []
    oldest_heartbeat = 0.0
    for minute in range(cycles):
        for _ in range(SAMPLES_A_MINUTE):
            oldest_heartbeat = max(oldest_heartbeat, _watch_the_heartbeat(world, steady.pid))
            samples.append(_sample(world, steady.pid))
        rows.append(world.query("SELECT count(*) FROM scheduler_run")[0][0])
        world.kill(other)
        other = world.launch()
        world.started(other)
        tell(f"minute {minute + 1}: {rows[-1]} runs, {samples[-1]}")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    growth = compare(samples)
    failures = [f"{name} grew from {begin:g} to {end:g}" for name, (begin, end) in growth.items() if grew(begin, end)]
    if oldest_heartbeat > float(QUICK["SCHEDULER_REAP_AFTER_SECONDS"]):
        failures.append(f"a heartbeat was {oldest_heartbeat:.1f} s old")
    return Report(
        done={"minutes": cycles, "kills": cycles},
        figures={
            **{name: {"middle": begin, "end": end} for name, (begin, end) in growth.items()},
            "oldest_heartbeat_seconds": round(oldest_heartbeat, 2),
            "runs_a_minute": {"least": min(_steps(rows)), "most": max(_steps(rows))},
            "late_seconds": lateness(world),
        },
        verdict=verdict,
        failures=failures,
    )


def compare(samples: Sequence[Sample]) -> dict[str, tuple[float, float]]:
    """Return for each measure the median of the middle third and that of the last; in the first, caches fill."""
    third = max(1, len(samples) // 3)
    middle, last = samples[third : 2 * third] or samples, samples[-third:]
    return {
        measure.name: (
            round(median(asdict(sample)[measure.name] for sample in middle), 1),
            round(median(asdict(sample)[measure.name] for sample in last), 1),
        )
        for measure in fields(Sample)
    }


def grew(begin: float, end: float) -> bool:
    return end > begin * MAY_GROW + SLACK


def _steps(counts: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in zip([0, *counts], counts, strict=False)]


def _watch_the_heartbeat(world: World, pid: int) -> float:
    """Return how old the node's heartbeat was at most in the time between two samples."""
    oldest = 0.0
    for _ in range(60 // SAMPLES_A_MINUTE * 2):
        world.wait(0.5)
        ((seconds,),) = world.query(
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - heartbeat_at)), 0)::float8 FROM scheduler_node"
            " WHERE pid = %s AND state = 'running'",
            pid,
        )
        oldest = max(oldest, seconds)
    return oldest


def _sample(world: World, pid: int) -> Sample:
    process = psutil.Process(pid)
    ((sessions, size),) = world.query(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s),"
        " pg_total_relation_size('scheduler_run') / greatest((SELECT count(*) FROM scheduler_run), 1)::float8",
        "scheduler %",
    )
    return Sample(
        rss_mb=process.memory_info().rss / 2**20,
        file_descriptors=process.num_fds(),
        threads=process.num_threads(),
        sessions=sessions,
        bytes_a_run=size,
    )
