"""People and raw SQL do everything to jobs at once, while nodes are killed and frozen; each fire time has one row."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg2

from scheduler.errors import SchedulerError
from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, lateness
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.oracle import Verdict, judge
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

_PEOPLE = 3
_SHORT_SECONDS = 2


class _Operator:
    """Does one thing after the other to the jobs that are its own, and remembers when each was in the schedule."""

    def __init__(self, world: World, number: int, count: int) -> None:
        import random

        self.world = world
        self.count = count
        self.chance = random.Random(f"{world.seed}-{number}")  # noqa: S311 - it is to be repeatable
        self.names = [f"operated-{number}-{place}" for place in range(4)]
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []
        self.in_schedule: dict[str, list[tuple[datetime, datetime | None]]] = {name: [] for name in self.names}
        """When each job was in the schedule for certain, by the database's clock; ``None``: it still is."""

    def work(self) -> None:
        from django.db import connections

        for name in self.names:
            self._begin(name)
        ways: tuple[Callable[[str], None], ...] = (
            self.pause,
            self.pause_with_sql,
            self.clear_with_sql,
            self.fail_too_often,
            self.delete,
            self.delete_with_sql,
            self.finish,
            self.backfill,
            self.edit,
        )
        for _ in range(self.count):
            name, way = self.chance.choice(self.names), self.chance.choice(ways)
            self.done[way.__name__] += 1
            try:
                way(name)
            except SchedulerError as error:
                self.done[f"refused: {type(error).__name__}"] += 1
            except psycopg2.Error as error:
                self.done[f"refused: {type(error).__name__}"] += 1
            except Exception as error:  # noqa: BLE001 - whatever it raises is a finding
                self.problems.append(f"{way.__name__}: {type(error).__name__}: {error}")
            self.world.wait(self.chance.uniform(0.1, 0.8))
        connections.close_all()

    def _begin(self, name: str) -> None:
        from scheduler.services import jobs

        start_at = self.world.now().replace(microsecond=0) + timedelta(seconds=2)
        jobs.create(
            id=name,
            task="chaos.work",
            trigger={"type": "interval", "seconds": 1, "start_at": start_at.isoformat(), "timezone": "UTC"},
            misfire_grace_time=None,
            pause_after_failures=1,
            coalesce=self.chance.random() < 0.6,
            overlap=self.chance.choice(("skip", "queue")),
        )
        # Created on a busy machine, it may have begun before it was there.
        self.in_schedule[name].append((max(start_at, self.world.now() + timedelta(seconds=1)), None))

    def _out(self, name: str, change: Callable[[], object]) -> None:
        """Take a job out of the schedule: up to the moment before, each fire time is owed a row."""
        before = self.world.now()
        change()
        begin, end = self.in_schedule[name][-1]
        if end is None:
            self.in_schedule[name][-1] = (begin, before)

    def _in(self, name: str, change: Callable[[], object]) -> None:
        change()
        self.in_schedule[name].append((self.world.now() + timedelta(seconds=1), None))

    def _leave_and_return(self, name: str, leave: Callable[[], object], come_back: Callable[[], object]) -> None:
        self._out(name, leave)
        self.world.wait(self.chance.uniform(0.0, 1.5))
        self._in(name, come_back)

    def _resume(self, name: str) -> None:
        from scheduler.services import jobs

        jobs.resume(job=jobs.get(id=name))

    def pause(self, name: str) -> None:
        from scheduler.services import jobs

        self._leave_and_return(name, lambda: jobs.pause(job=jobs.get(id=name)), lambda: self._resume(name))

    def pause_with_sql(self, name: str) -> None:
        sql = "UPDATE scheduler_job SET state = 'paused' WHERE djangojob_ptr_id = %s"
        self._leave_and_return(name, lambda: self.world.query(sql, name), lambda: self._resume(name))

    def clear_with_sql(self, name: str) -> None:
        """An active job goes on: nothing is left out."""
        self.world.query("UPDATE django_apscheduler_djangojob SET next_run_time = NULL WHERE id = %s", name)

    def fail_too_often(self, name: str) -> None:
        sql = """UPDATE scheduler_job SET kwargs = '{"seconds": "many"}', version = version + 1
                  WHERE djangojob_ptr_id = %s"""
        mend = "UPDATE scheduler_job SET kwargs = '{}', version = version + 1 WHERE djangojob_ptr_id = %s"

        def leave() -> None:
            self.world.query(sql, name)
            self.world.wait(_SHORT_SECONDS)
            # What still waits with these arguments would fail later, and pause the job once more.
            active = "SELECT count(*) = 0 FROM scheduler_run WHERE job_key = %s AND finished_at IS NULL"
            wait_until(lambda: self.world.query(active, name)[0][0], every=0.2)

        def come_back() -> None:
            self.world.query(mend, name)
            self._resume(name)

        self._leave_and_return(name, leave, come_back)

    def delete(self, name: str) -> None:
        from scheduler.services import jobs

        self._leave_and_return(name, lambda: jobs.remove(job=jobs.get(id=name)), lambda: self._again(name))

    def delete_with_sql(self, name: str) -> None:
        sql = (
            "WITH gone AS (DELETE FROM scheduler_job WHERE djangojob_ptr_id = %s RETURNING djangojob_ptr_id)"
            " DELETE FROM django_apscheduler_djangojob WHERE id IN (SELECT djangojob_ptr_id FROM gone)"
        )
        self._leave_and_return(name, lambda: self.world.query(sql, name), lambda: self._again(name))

    def _again(self, name: str) -> None:
        self._begin(name)
        self.in_schedule[name].pop()  # the caller notes it

    def finish(self, name: str) -> None:
        """End it as APScheduler's own API does, and give it a trigger again."""
        from scheduler.services import jobs
        from scheduler.store.jobstore import PostgresJobStore

        def come_back() -> None:
            # Never the trigger that it has: that would leave it finished.
            start_at = self.world.now().replace(microsecond=0) - timedelta(days=self.done["finish"])
            trigger = {"type": "interval", "seconds": 1, "start_at": start_at.isoformat(), "timezone": "UTC"}
            jobs.update(job=jobs.get(id=name), trigger=trigger)

        self._leave_and_return(name, lambda: PostgresJobStore().finish_job(name), come_back)

    def backfill(self, name: str) -> None:
        """Queue the newest fire times anew: those without a row of their own are run by the backfill."""
        from scheduler.services import jobs, runs

        now = self.world.now()
        runs.backfill(job=jobs.get(id=name), since=now - timedelta(seconds=5), until=now - timedelta(milliseconds=1))

    def edit(self, name: str) -> None:
        from scheduler.services import jobs

        jobs.update(job=jobs.get(id=name), description=str(self.chance.random()), priority=self.chance.randint(-3, 3))


def operate(world: World, cycles: int, tell: Progress) -> Report:
    """Let three people and SQL operate on jobs while nodes are killed and frozen. ``cycles``: operations of each."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=40, crons=5)
    load.create(specs)
    nodes = [world.launch() for _ in range(3)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    operators = [_Operator(world, number, cycles) for number in range(_PEOPLE)]
    threads = [threading.Thread(target=operator.work) for operator in operators]
    for thread in threads:
        thread.start()
    killed = frozen = 0
    while any(thread.is_alive() for thread in threads):
        world.wait(world.chance.uniform(2.0, 5.0))
        place = world.chance.randrange(len(nodes))
        if world.chance.random() < 0.5:
            world.kill(nodes[place])
            nodes[place] = world.launch()
            world.started(nodes[place])
            killed += 1
        else:
            since = world.pause(nodes[place])
            world.wait(world.chance.uniform(1.0, 6.0))
            world.resume(nodes[place], since)
            frozen += 1
        tell(f"{killed} nodes killed, {frozen} frozen")
    for thread in threads:
        thread.join()
    own = [Spec(id=name, start_at=world.now(), every_seconds=1) for operator in operators for name in operator.names]
    until = world.settle([*specs, *own])
    verdict = judge(world, specs, until=until)
    checked = sum(_judge(world, verdict, operator, until) for operator in operators)
    for name in sorted({example.split()[1] for example in verdict.examples if example.startswith(("lost", "doubled"))}):
        _tell_history(world, name, tell)
    problems = [problem for operator in operators for problem in operator.problems]
    return Report(
        done={"killed": killed, "frozen": frozen, **sum((operator.done for operator in operators), Counter())},
        figures={
            "operated_fire_times": checked,
            "entered_late_seconds": lateness(world),
            "owed_windows_left": world.query("SELECT count(*) FROM scheduler_owed")[0][0],
        },
        verdict=verdict,
        failures=problems[:10],
    )


def _judge(world: World, verdict: Verdict, operator: _Operator, until: datetime) -> int:
    """Every second in which a job was in the schedule is covered; no second is covered twice, whatever was done."""
    checked = 0
    for name in operator.names:
        covered: Counter[datetime] = Counter()
        rows = world.query(
            "SELECT coalesce(covers_from, scheduled_at), scheduled_at, id, kind, state, coalesced, reason_code,"
            " created_at FROM scheduler_run WHERE job_key = %s AND attempt = 1 ORDER BY id",
            name,
        )
        for begin, end, *_ in rows:
            moment = begin
            while moment <= end:
                covered[moment] += 1
                moment += load.SECOND
        for moment, count in covered.items():
            if count > 1:
                twice = [[str(value) for value in row] for row in rows if row[0] <= moment <= row[1]]
                verdict.note("doubled", f"{name} at {moment}: {twice}")
        for begin, end in operator.in_schedule[name]:
            moment = begin.replace(microsecond=0) + load.SECOND
            while moment <= min(end or until, until):
                checked += 1
                verdict.fire_times += 1
                if not covered[moment]:
                    verdict.note("lost", f"{name} at {moment}")
                moment += load.SECOND
    return checked


def _tell_history(world: World, name: str, tell: Progress) -> None:
    """Show what was done to a job that lost a fire time, and how it stands."""
    done = "SELECT changed_at, action, via, reason FROM scheduler_change WHERE job_key = %s ORDER BY id"
    stands = (
        "SELECT job.state, job.needs_inspection, job.interrupted_at, parent.next_run_time FROM scheduler_job AS job"
        " JOIN django_apscheduler_djangojob AS parent ON parent.id = job.djangojob_ptr_id WHERE parent.id = %s"
    )
    for row in (*world.query(done, name), *world.query(stands, name)):
        tell(f"{name}: {row}")
