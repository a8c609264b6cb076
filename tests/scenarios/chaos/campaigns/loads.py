"""Bad jobs among good ones, and edits while jobs fire."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import psutil

from scheduler.errors import NeverFires
from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, is_judged_by_time, percentiles
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

_DEADLOCK = "40P01"
_MANY = 500
"""Jobs from which on the campaign is a whole one."""


def poison(world: World, cycles: int, tell: Progress) -> Report:
    """Let one job in twenty be bad in every way there is; the others must not notice. ``cycles``: how many jobs."""
    from scheduler.services import jobs

    start_at = world.soon(10 + cycles // 40)
    bad = max(1, cycles // 20)
    shortest = 20 if cycles >= _MANY else 5
    specs = [
        # Whoever waits is late: a slow machine is not to look like jobs that stop each other.
        Spec(id=f"good-{number:04d}", start_at=start_at, every_seconds=shortest + number % 10, overlap="queue")
        for number in range(cycles - bad)
    ]
    load.create(specs)
    every = {"type": "interval", "seconds": 5, "start_at": start_at.isoformat(), "timezone": "UTC"}
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("chaos.kill_itself", {"executor": "processpool"}),
        ("chaos.exit", {}),
        ("chaos.hang", {"executor": "processpool"}),
        ("chaos.flood", {"kwargs": {"megabytes": 50}}),
        ("chaos.nonsense", {}),
        ("chaos.add", {"kwargs": {"number": 1}}),
        ("chaos.work", {}),
        ("chaos.work", {}),
    )
    for number in range(bad):
        task, given = kinds[number % len(kinds)]
        jobs.create(id=f"bad-{number:04d}-{number % len(kinds)}", task=task, trigger=every, **given)
    # What nobody can save through a form can be written into the database.
    world.execute(
        """UPDATE scheduler_job SET kwargs = '{"number": "many", "more": 1}' WHERE djangojob_ptr_id ~ '-5$'"""
    )
    world.execute("UPDATE scheduler_job SET task = 'gone.with_the_wind' WHERE djangojob_ptr_id ~ '^bad.*-6$'")
    never = '{"type": "cron", "expression": "0 0 30 2 *"}'
    world.execute(f"UPDATE scheduler_job SET trigger = '{never}' WHERE djangojob_ptr_id ~ '^bad.*-7$'")  # noqa: S608 - a constant
    nodes = [world.launch("--processes", "2") for _ in range(2)]
    for node in nodes:
        world.started(node)
    tell(f"{cycles} jobs, {bad} of them bad")
    resident = []
    watched = timedelta(seconds=62 if cycles >= _MANY else 15)
    while not resident or world.now() < start_at + watched:
        world.wait(2)
        resident.append(max(psutil.Process(node.pid).memory_info().rss for node in nodes if node.is_alive))
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    # On a machine that stands still, the run before may be active when the next one is due.
    fine = ["succeeded"] if is_judged_by_time() else ["succeeded", "skipped"]
    affected = world.query(
        "SELECT count(*) FROM scheduler_run WHERE job_key LIKE 'good-%%' AND state <> ALL(%s) AND scheduled_at <= %s",
        fine,
        until,
    )[0][0]
    failures = [f"{node.output.name} ended" for node in nodes if not node.is_alive]
    failures += [f"{affected} innocents were affected"] if affected else []
    return Report(
        done={"jobs": cycles, "bad": bad},
        figures={
            "innocents_affected": affected,
            "ends_of_bad_runs": dict(
                world.query("SELECT state, count(*) FROM scheduler_run WHERE job_key LIKE 'bad-%%' GROUP BY state")
            ),
            "broken_jobs": world.query("SELECT count(*) FROM scheduler_job WHERE state = 'broken'")[0][0],
            "node_rss_max_mb": round(max(resident) / 2**20),
            "late_seconds": _late(world, "good-"),
        },
        verdict=verdict,
        failures=failures,
    )


def _late(world: World, prefix: str) -> dict[str, float]:
    rows = world.query(
        "SELECT extract(epoch FROM started_at - scheduled_at)::float8 FROM scheduler_run"
        " WHERE starts_with(job_key, %s) AND started_at IS NOT NULL AND attempt = 1 AND kind = 'scheduled'",
        prefix,
    )
    return percentiles([seconds for (seconds,) in rows])


class _Editor:
    """One person, who edits, pauses, resumes, runs and deletes, and remembers what must be there in the end."""

    def __init__(self, number: int, edits: int, seed: int) -> None:
        import random

        self.number = number
        self.edits = edits
        self.chance = random.Random(f"{seed}-{number}")  # noqa: S311 - it is to be repeatable
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self.descriptions: dict[str, str] = {}
        self.latencies: list[tuple[int, float]] = []
        """Run of a job that was made due at once, and when that was committed (epoch)."""

    def work(self) -> None:
        from django.db import connections

        for number in range(self.edits):
            try:
                self._edit(number)
            except Exception as error:  # noqa: BLE001 - whatever an edit raises is a finding
                self.problems.append(f"{type(error).__name__}: {error}")
        connections.close_all()

    def _edit(self, number: int) -> None:
        from scheduler.errors import AlreadyPaused, NotPaused
        from scheduler.services import jobs

        # Two editors share each job: their edits meet.
        job = jobs.get(id=f"edited-{self.chance.randrange(40):02d}")
        what = self.chance.choice(("describe", "describe", "priority", "pause", "resume", "run", "recreate"))
        self.done[what] += 1
        if what == "describe":
            text = f"{self.number}-{number}"
            key = f"own-{self.number}-{self.chance.randrange(5)}"
            jobs.update(job=jobs.get(id=key), description=text)
            self.descriptions[key] = text
        elif what == "priority":
            jobs.update(job=job, priority=self.chance.randint(-5, 5))
        elif what == "pause":
            try:
                jobs.pause(job=job)
            except AlreadyPaused:
                self.done["refused"] += 1
        elif what == "resume":
            try:
                jobs.resume(job=job)
            except NotPaused:
                self.done["refused"] += 1
        elif what == "run":
            run = jobs.run_now(job=jobs.get(id=f"asked-{self.number}"))
            self.latencies.append((run.pk, time.time()))
        else:
            name = f"gone-{self.number}-{number}"
            created = jobs.create(id=name, task="chaos.work", trigger={"type": "interval", "seconds": 1})
            jobs.remove(job=created)


def edit(world: World, cycles: int, tell: Progress) -> Report:
    """Edit, pause, resume, run, create and delete from four threads while three nodes run the jobs."""
    from scheduler.services import jobs

    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=60, crons=5)
    load.create(specs)
    second = {"type": "interval", "seconds": 1}
    for number in range(40):
        jobs.create(id=f"edited-{number:02d}", task="chaos.work", trigger=second)
    editors = [_Editor(number, cycles // 4, world.seed) for number in range(4)]
    for editor in editors:
        jobs.create(
            id=f"asked-{editor.number}", task="chaos.work", trigger={"type": "interval", "days": 9}, max_instances=500
        )
        for number in range(5):
            jobs.create(id=f"own-{editor.number}-{number}", task="chaos.work", trigger=second)
    nodes = [world.launch() for _ in range(3)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    effect = _edits_take_effect(world, 40 if cycles >= _MANY else 10)
    tell(f"edits take effect: {effect}")
    threads = [threading.Thread(target=editor.work) for editor in editors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell(f"{cycles} edits")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    wanted = {key: text for editor in editors for key, text in editor.descriptions.items()}
    found = dict(world.query("SELECT djangojob_ptr_id, description FROM scheduler_job"))
    lost = sum(found.get(key) != text for key, text in wanted.items())
    problems = [problem for editor in editors for problem in editor.problems]
    ((deadlocks,),) = world.query("SELECT deadlocks FROM pg_stat_database WHERE datname = 'chaos'")
    failures = problems[:10]
    failures += [f"{lost} updates were lost"] if lost else []
    failures += [f"{deadlocks} deadlocks"] if deadlocks else []
    return Report(
        done=dict(sum((editor.done for editor in editors), Counter())),
        figures={
            "lost_updates": lost,
            "deadlocks": deadlocks,
            "errors": len(problems),
            "edit_takes_effect_seconds": effect,
            "run_now_begins_seconds": _asked(world, [pair for editor in editors for pair in editor.latencies]),
        },
        verdict=verdict,
        failures=failures,
    )


def _asked(world: World, asked: list[tuple[int, float]]) -> dict[str, float]:
    began = dict(
        world.query("SELECT id, extract(epoch FROM started_at)::float8 FROM scheduler_run WHERE kind = 'manual'")
    )
    return percentiles([began[run] - at for run, at in asked if began.get(run) is not None])


def _edits_take_effect(world: World, count: int) -> dict[str, float]:
    """Move a job that is not due for days to an instant in the near future, and see how late the first run is."""
    from scheduler.services import jobs

    seconds = []
    for number in range(count):
        job = jobs.create(id=f"effect-{number}", task="chaos.work", trigger={"type": "interval", "days": 9})
        world.wait(world.chance.uniform(0.05, 0.3))
        at = _moved(world, job)
        committed = max(world.now(), at)

        def row(job_id: str = job.pk) -> list[tuple[Any, ...]]:
            return world.query("SELECT created_at FROM scheduler_run WHERE job_key = %s", job_id)

        seconds.append(max(0.0, (wait_until(row)[0][0] - committed).total_seconds()))
    return percentiles(seconds)


def _moved(world: World, job: Any) -> datetime:
    """Let the job fire as soon as an edit can say so: on a busy machine an instant may be over before it is stored."""
    from scheduler.services import jobs

    for milliseconds in (30, 100, 300, 1000, 3000, 10_000, 30_000):
        at = world.now() + timedelta(milliseconds=milliseconds)
        with contextlib.suppress(NeverFires):
            jobs.update(job=job, trigger={"type": "date", "run_at": at.isoformat()})
            return at
    raise TimeoutError("An edit takes longer than half a minute.")
