"""Something that all jobs need is gone: every job fails at once, or none can be sent to its worker."""

from __future__ import annotations

import os
import time
from collections import Counter

import psutil

from tests.brokers import KINDS, Broker
from tests.receivers import MailServer, WebhookReceiver
from tests.scenarios.chaos.campaigns import Progress, Report, too_late
from tests.scenarios.chaos.campaigns.alerting import add_channels
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.oracle import Verdict, judge
from tests.scenarios.chaos.world import Process, World

_PATIENCE_SECONDS = 400.0
_MOST_GROWTH = 1.25
"""Of the memory, from the first quarter of the time to its most."""

_LOADED_FOR_MESSAGES_MB = 30
"""What a node imports for its first message: templates, mail and webhooks."""

_QUEUE = "chaos"
_JOBS_A_SECOND = 20
_MOST_JOBS = 10_000
"""Jobs that are due while the broker is away, for each second of it."""

_REFUSED = "scheduler.broker.refused"
_PROBES = 10
_LONGEST_REST_SECONDS = 30.0
"""A node tries a broker that is away with ten runs, at last each half minute."""

_MOST_TRIES_AT_FIRST = 8
_BACK_WITHIN_SECONDS = 45.0
"""Nodes and workers both try to connect each half minute."""


def outage(world: World, cycles: int, tell: Progress) -> Report:
    """Let very many jobs fail at once on one node that also tells of it. ``cycles``: how many jobs."""
    from scheduler.models import Rule
    from tests.benchmarks import scratch

    with WebhookReceiver() as receiver, MailServer() as mail:
        Rule.objects.all().delete()
        watching = Rule.objects.create(name="Any job", kind="failing", threshold=1)
        watching.channels.set(add_channels(world, receiver, mail))
        scratch.add_jobs(task="chaos.fail", count=cycles, trigger='{"type": "interval", "hours": 9, "timezone": "UTC"}')
        began = time.monotonic()
        node = world.launch()
        world.started(node)
        resident, place, failed_after, told_after = _watch(world, node, cycles, began, tell)
        world.terminate(node)
        hooked, mailed = Counter(each.id for each in receiver.delivered), len(mail.mails)
    ((rows, jobs, active),) = world.query(
        "SELECT count(*), count(DISTINCT job_key), count(*) FILTER (WHERE finished_at IS NULL) FROM scheduler_run"
    )
    ((incidents, untold),) = world.query(
        "SELECT count(*), count(*) FILTER (WHERE opened_in IS NULL) FROM scheduler_incident"
    )
    quarter, most = resident[max(place, len(resident) // 4)], max(resident)
    failures = [] if told_after else [f"{untold} of {incidents} incidents were not told"]
    failures += [f"{incidents} incidents of {cycles} jobs"] if incidents != cycles else []
    grew = most > quarter * _MOST_GROWTH + _LOADED_FOR_MESSAGES_MB
    failures += [f"the memory grew from {quarter} to {most} MB"] if grew else []
    failures += ["a message came twice"] if max(hooked.values(), default=0) > 1 else []
    return Report(
        done={"jobs": cycles},
        figures={
            "failed_after_seconds": failed_after,
            "told_after_seconds": told_after,
            "incidents": incidents,
            "untold": untold,
            "webhooks": len(hooked),
            "mails": mailed,
            "rss_mb": {"first": resident[0], "quarter": quarter, "middle": resident[len(resident) // 2], "max": most},
        },
        verdict=Verdict(fire_times=cycles, lost=cycles - jobs, doubled=rows - jobs, unaccounted=active),
        failures=failures,
    )


def _watch(
    world: World, node: Process, jobs: int, began: float, tell: Progress
) -> tuple[list[int], int, float | None, float | None]:
    """
    Return the memory of the node each second, in MB, and after how many seconds all jobs had failed, and all was told.

    Beside the memory stands the place in the list at which a quarter of the jobs had failed: what came before is the
    start of the node, which takes its time on a busy machine.
    """
    resident: list[int] = []
    place = 0
    failed_after = told_after = None
    while told_after is None and time.monotonic() - began < _PATIENCE_SECONDS:
        world.wait(1.0)
        resident.append(round(psutil.Process(node.pid).memory_info().rss / 2**20))
        ((failed, told),) = world.query(
            "SELECT (SELECT count(*) FROM scheduler_run WHERE state = 'failed'),"
            " (SELECT count(*) FROM scheduler_incident WHERE opened_in IS NOT NULL)"
            " * ((SELECT count(*) FROM scheduler_notification WHERE state = 'pending') = 0)::int"
        )
        passed = round(time.monotonic() - began, 1)
        if failed < jobs / 4:
            place = len(resident) - 1
        if failed_after is None and failed >= jobs:
            failed_after = passed
            tell(f"{failed} runs have failed; the node has {resident[-1]} MB")
        if told >= jobs:
            told_after = passed
            tell(f"all is told; the node has {resident[-1]} MB")
    return resident, place, failed_after, told_after


def broker_away(world: World, cycles: int, tell: Progress) -> Report:
    """Take the broker away, and let very many runs of Celery workers be due. ``cycles``: for how many seconds."""
    from tests.benchmarks import scratch

    jobs = min(_MOST_JOBS, max(500, cycles * _JOBS_A_SECOND))
    with KINDS["valkey"]() as broker:
        os.environ["CELERY_BROKER_URL"] = broker.url
        variables = {"CELERY_BROKER_URL": broker.url}
        nodes = [world.launch(variables=variables) for _ in range(2)]
        worker = _worker(world, variables)
        for process in (*nodes, worker):
            world.started(process)
        broker.kill()
        scratch.add_jobs(task="chaos.work", count=jobs, trigger=_RARELY, executor=f"celery:{_QUEUE}")
        ((due,),) = world.query("SELECT min(next_run_time) FROM django_apscheduler_djangojob")
        specs = [Spec(id=f"bench-{number}", start_at=due, every_seconds=9 * 3600) for number in range(1, jobs + 1)]
        since = time.monotonic()
        resident, most_stamped = _while_away(world, nodes, seconds=cycles)
        tries, away = world.logged(_REFUSED), time.monotonic() - since
        tell(f"{jobs} runs waited for {cycles} s, {tries} tries, at most {most_stamped} stamped")
        back = _when_back(world, broker, jobs)
        tell(f"all have ended: {back}")
        resident += [_megabytes(node) for node in nodes]
        verdict = judge(world, specs, until=world.settle(specs))
    ((rings,),) = world.query("SELECT sum(rings) FROM scheduler_run")
    quarter, most = resident[len(resident) // 4], max(resident)
    most_tries = len(nodes) * (_MOST_TRIES_AT_FIRST + away / _LONGEST_REST_SECONDS)
    failures = [f"{process.output.name} ended" for process in (*nodes, worker) if not process.is_alive]
    failures += [f"the memory grew from {quarter} to {most} MB"] if most > quarter * _MOST_GROWTH else []
    failures += [f"the broker was tried {tries} times"] if tries > most_tries else []
    failures += [f"{most_stamped} runs were stamped in vain"] if most_stamped > len(nodes) * _PROBES else []
    late = back["first_body_after_seconds"]
    failures += too_late("the first body began after the broker was back", seconds=late, most=_BACK_WITHIN_SECONDS)
    return Report(
        done={"jobs": jobs, "away_seconds": cycles},
        figures={
            "tries": tries,
            "rings": int(rings),
            **back,
            "rss_mb": {"first": resident[0], "quarter": quarter, "max": most},
        },
        verdict=verdict,
        failures=failures,
    )


_RARELY = '{"type": "interval", "hours": 9, "timezone": "UTC"}'


def _worker(world: World, variables: dict[str, str]) -> Process:
    options = ("--pool", "threads", "--concurrency", "6", "--without-mingle", "--without-gossip")
    return world.launch(
        *options, program=("-m", "celery"), command=("-A", "openlearn", "worker", "-Q", _QUEUE), variables=variables
    )


def _while_away(world: World, nodes: list[Process], *, seconds: int) -> tuple[list[int], int]:
    """
    Return the larger memory of the nodes each second, in MB, and how many runs at most they stamped in vain.

    From the moment on when each has tried the broker with a whole batch, and knows.
    """
    resident: list[int] = []
    most_stamped = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until or not resident:
        world.wait(1.0)
        if world.logged(_REFUSED) >= len(nodes):
            resident.append(max(map(_megabytes, nodes)))
            ((stamped,),) = world.query("SELECT count(*) FROM scheduler_run WHERE rung_at IS NOT NULL")
            most_stamped = max(most_stamped, stamped)
    return resident, most_stamped


def _when_back(world: World, broker: Broker, jobs: int) -> dict[str, float]:
    """Start the broker again, and return after how many seconds the first body had begun, and all had ended."""
    broker.start()
    began = time.monotonic()
    first = last = _PATIENCE_SECONDS
    while last == _PATIENCE_SECONDS and time.monotonic() - began < _PATIENCE_SECONDS:
        world.wait(0.1)
        ((begun, ended),) = world.query("SELECT count(started_at), count(finished_at) FROM scheduler_run")
        passed = round(time.monotonic() - began, 1)
        first = min(first, passed) if begun else first
        last = passed if ended >= jobs else last
    return {"first_body_after_seconds": first, "all_ended_after_seconds": last}


def _megabytes(process: Process) -> int:
    return round(psutil.Process(process.pid).memory_info().rss / 2**20)
