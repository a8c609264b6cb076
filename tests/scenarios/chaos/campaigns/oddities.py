"""Odd rows, floods of held runs, deletions of large jobs and locks from outside; the healthy jobs must not notice."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg2

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles, too_late
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

_LATE_SECONDS = 1.0
"""What any of this may cost a healthy job of one second, at the 99th percentile."""

_TIMES = ("infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "9999-12-31")
_ODD_JOBS = (
    "next_run_time|parent|{time}",
    "interrupted_at|job|{time}",
    "consecutive_failures|job|2147483647",
    "version|job|2147483647",
    "trigger|job|null",
    "kwargs|job|[]",
    "overlap|job|weird",
    "state|job|weird",
    "timeout|job|NaN",
    "max_instances|job|2147483647",
)
_ODD_RUNS = (
    "scheduled_at|{time}",
    "due_at|{time}",
    "attempt|32767",
    "coalesced|2147483647",
    "kwargs|null",
    "kind|weird",
)


_REFUSE_RUNS = """
CREATE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE check_violation USING MESSAGE = 'chaos: no runs of ' || NEW.job_key; END $$;
CREATE TRIGGER chaos_refuse BEFORE INSERT ON scheduler_run
    FOR EACH ROW WHEN (NEW.job_key LIKE 'refused-%') EXECUTE FUNCTION chaos_refuse()
"""
"""A trigger of somebody else, which makes each claim fail that has one of these jobs."""

_LOCKED_SECONDS = 4.0
_LONGEST_SECONDS = 300.0


def odd(world: World, cycles: int, tell: Progress) -> Report:
    """Do one odd thing after the other beside healthy jobs on two nodes. ``cycles``: how many."""
    from scheduler.services import jobs

    specs = [Spec(id=f"good-{number:02d}", start_at=world.soon(), every_seconds=1) for number in range(20)]
    load.create(specs)
    jobs.create(id="odd", task="chaos.work", trigger={"type": "interval", "seconds": 1}, misfire_grace_time=None)
    every = {"type": "interval", "seconds": 1}
    jobs.create(id="locked", task="chaos.work", trigger=every, kwargs={"seconds": 0.7})
    world.query(_REFUSE_RUNS)
    nodes = [world.launch() for _ in range(2)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    things: tuple[Callable[[World], str], ...] = (
        _odd_job,
        _odd_run,
        _flood,
        _locked_run,
        _locked_job,
        _large_deletion,
        _odd_job,
        _odd_run,
        _odd_run_of_a_lost_node,
        _refused_job,
        _odd_enqueued_run,
        _locked_rollup,
    )
    done: dict[str, int] = {}
    for cycle in range(cycles):
        what = things[cycle % len(things)](world)
        done[what] = done.get(what, 0) + 1
        world.wait(world.chance.uniform(0.5, 1.5))
        if cycle % 10 == 9:
            tell(f"{cycle + 1} odd things done")
    world.wait(5)
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    late = percentiles(
        [
            seconds
            for (seconds,) in world.query(
                "SELECT extract(epoch FROM coalesce(started_at, finished_at) - scheduled_at)::float8 FROM scheduler_run"
                " WHERE job_key LIKE 'good-%%' AND scheduled_at <= %s",
                until,
            )
        ]
    )
    skipped = world.query(
        "SELECT count(*) FROM scheduler_run"
        " WHERE job_key LIKE 'good-%%' AND state <> 'succeeded' AND scheduled_at <= %s",
        until,
    )[0][0]
    failures = [f"{node.output.name} ended" for node in nodes if not node.is_alive]
    failures += too_late("a healthy job was late", seconds=late["p99"], most=_LATE_SECONDS)
    halved = {name: world.logged(f"scheduler.row.{name}") for name in ("set_apart", "passed_by")}
    failures += [f"no row was {name}" for name, count in halved.items() if cycles >= len(things) and not count]
    return Report(
        done=done,
        figures={
            "healthy_fire_times_not_run": skipped,
            "healthy_late_seconds": late,
            **{f"rows_{name}": count for name, count in halved.items()},
        },
        verdict=verdict,
        failures=failures,
    )


def _a_time(world: World) -> str:
    return world.chance.choice(_TIMES)


def _odd_job(world: World) -> str:
    """Write an odd value into a job that is due."""
    column, table, value = world.chance.choice(_ODD_JOBS).split("|")
    value = value.format(time=_a_time(world))
    name = f"odd-{len(world.processes)}-{world.chance.randrange(10**9)}"
    world.query(
        "WITH parent AS (INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)"
        " VALUES (%s, now(), '') RETURNING id)"
        " INSERT INTO scheduler_job (djangojob_ptr_id, name, task, trigger, needs_inspection)"
        " SELECT id, id, 'chaos.work',"
        """ '{"type": "interval", "seconds": 2, "timezone": "UTC", "start_at": "2026-01-01T00:00:00+00:00"}', false"""
        " FROM parent",
        name,
    )
    key = "id" if table == "parent" else "djangojob_ptr_id"
    target = "django_apscheduler_djangojob" if table == "parent" else "scheduler_job"
    _try(world, f"UPDATE {target} SET {column} = %s WHERE {key} = %s", value, name)  # noqa: S608 - names from above
    return "odd jobs"


def _odd_run(world: World) -> str:
    """Write an odd value into a run that waits, or is held. A second run of one fire time would be refused."""
    column, value = world.chance.choice(_ODD_RUNS).split("|")
    value = value.format(time=_a_time(world))
    _insert_runs(world, count=1, held=world.chance.random() < 0.5)
    _try(
        world,
        f"UPDATE scheduler_run SET {column} = %s WHERE id = (SELECT max(id) FROM scheduler_run WHERE job_key = 'odd')"  # noqa: S608
        " AND NOT EXISTS (SELECT 1 FROM scheduler_run WHERE job_key = 'odd' AND scheduled_at = %s)",
        value,
        value if column == "scheduled_at" else None,
    )
    return "odd runs"


def _odd_run_of_a_lost_node(world: World) -> str:
    """Leave a run behind that cannot be tried again, on a node that nobody knows."""
    _insert_runs(world, count=1, held=False)
    _try(
        world,
        "UPDATE scheduler_run"
        "   SET node = gen_random_uuid(), state = 'running', started_at = '-infinity', attempt = 32767"
        " WHERE id = (SELECT max(id) FROM scheduler_run WHERE job_key = 'odd') AND state = 'queued'",
    )
    return "odd runs of lost nodes"


def _refused_job(world: World) -> str:
    """Write a job whose runs a trigger refuses."""
    from scheduler.services import jobs

    name = f"refused-{world.chance.randrange(10**9)}"
    jobs.create(id=name, task="chaos.work", trigger={"type": "interval", "seconds": 1})
    broken = "SELECT 1 FROM scheduler_job WHERE name = %s AND state = 'broken'"
    wait_until(lambda: world.query(broken, name), _LONGEST_SECONDS, every=0.2)
    return "refused jobs"


def _odd_enqueued_run(world: World) -> str:
    """Enqueue a run that fails and whose policy for that cannot be read."""
    world.query(
        "INSERT INTO scheduler_run (public_id, job_key, job_name, task, args, kwargs, policies, scheduled_at, due_at,"
        " kind, attempt, state, reason, executor, priority, held, coalesced, requested_by, created_at, traceback, log)"
        " VALUES (gen_random_uuid(), '/chaos.fail', 'chaos.fail', 'chaos.fail', '[]', '{}',"
        """ '{"max_retries": "chaos: many"}', now(), now(), 'enqueued', 1, 'queued', '', 'default@default', 0, false,"""
        " 0, '', now(), '', '')"
    )
    waiting = "SELECT 1 FROM scheduler_run WHERE task = 'chaos.fail' AND finished_at IS NULL"
    wait_until(lambda: not world.query(waiting), _LONGEST_SECONDS, every=0.2)
    return "odd enqueued runs"


def _locked_rollup(world: World) -> str:
    """Keep the roll-up locked in which the runs of one job are counted."""
    before = world.logged("scheduler.row.passed_by")
    _hold(
        world,
        "SELECT 1 FROM scheduler_rollup WHERE job_key = 'locked' FOR UPDATE",
        until=lambda: world.logged("scheduler.row.passed_by") > before,
    )
    return "locked roll-ups"


def _flood(world: World) -> str:
    """Hold ten thousand runs of one job, as a backfill of the default size does."""
    _insert_runs(world, count=10_000, held=True)
    return "floods of 10,000 held runs"


def _locked_run(world: World) -> str:
    """Keep a run that is active locked, as in an open psql."""
    _hold(
        world,
        "SELECT id FROM scheduler_run WHERE job_key = 'locked' AND finished_at IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    return "locked runs"


def _locked_job(world: World) -> str:
    """Keep the odd job locked."""
    _hold(world, "SELECT id FROM django_apscheduler_djangojob WHERE id = 'odd' FOR UPDATE")
    return "locked jobs"


def _large_deletion(world: World) -> str:
    """Delete a job with a hundred thousand runs."""
    from scheduler.services import jobs

    name = f"large-{world.chance.randrange(10**9)}"
    job = jobs.create(id=name, task="chaos.work", trigger={"type": "interval", "days": 9})
    world.query(
        "INSERT INTO scheduler_run (job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt,"
        " state, reason, executor, priority, held, coalesced, requested_by, created_at, finished_at, traceback, log)"
        " SELECT %s, %s, %s, 'chaos.work', '[]', '{}', now() - n * interval '1 minute', now(), 'scheduled', 1,"
        " 'succeeded', '', 'default', 0, false, 0, '', now(), now(), '', '' FROM generate_series(1, 100000) AS n",
        name,
        name,
        name,
    )
    jobs.remove(job=job)
    return "deletions of 100,000 runs"


def _insert_runs(world: World, *, count: int, held: bool) -> None:
    world.query(
        "INSERT INTO scheduler_run (job_id, job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt,"
        " state, reason, executor, priority, held, coalesced, requested_by, created_at, traceback, log)"
        " SELECT 'odd', 'odd', 'odd', 'chaos.work', '[]', '{}',"
        " clock_timestamp() - interval '300 days' + n * interval '1 microsecond', now(), 'manual', 1, 'queued', '',"
        " 'default', -100, %s, 0, '', now(), '', '' FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING",
        held,
        count,
    )


def _try(world: World, sql: str, *parameters: str | None) -> None:
    """SQL may refuse the value: then there is nothing odd."""
    try:
        world.query(sql, *parameters)
    except psycopg2.Error as error:
        print(f"refused: {str(error).splitlines()[0]}", flush=True)


def _hold(world: World, sql: str, *, until: Callable[[], bool] = lambda: True) -> None:
    """Keep rows locked for some seconds, and on until the condition holds."""
    connection = psycopg2.connect(world.url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            began = time.monotonic()
            while (held := time.monotonic() - began) < _LOCKED_SECONDS or (held < _LONGEST_SECONDS and not until()):
                world.wait(0.5)
    finally:
        connection.rollback()
        connection.close()
