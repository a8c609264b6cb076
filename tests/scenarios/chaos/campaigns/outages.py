"""Something that all jobs need is gone: every job fails at once."""

from __future__ import annotations

import time
from collections import Counter

import psutil

from tests.receivers import MailServer, WebhookReceiver
from tests.scenarios.chaos.campaigns import Progress, Report
from tests.scenarios.chaos.campaigns.alerting import add_channels
from tests.scenarios.chaos.oracle import Verdict
from tests.scenarios.chaos.world import Process, World

_PATIENCE_SECONDS = 400.0
_MOST_GROWTH = 1.25
"""Of the memory, from the first quarter of the time to its most."""


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
        resident, failed_after, told_after = _watch(world, node, cycles, began, tell)
        world.terminate(node)
        hooked, mailed = Counter(each.id for each in receiver.delivered), len(mail.mails)
    ((rows, jobs, active),) = world.query(
        "SELECT count(*), count(DISTINCT job_key), count(*) FILTER (WHERE finished_at IS NULL) FROM scheduler_run"
    )
    ((incidents, untold),) = world.query(
        "SELECT count(*), count(*) FILTER (WHERE opened_in IS NULL) FROM scheduler_incident"
    )
    quarter, most = resident[len(resident) // 4], max(resident)
    failures = [] if told_after else [f"{untold} of {incidents} incidents were not told"]
    failures += [f"{incidents} incidents of {cycles} jobs"] if incidents != cycles else []
    failures += [f"the memory grew from {quarter} to {most} MB"] if most > quarter * _MOST_GROWTH else []
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
) -> tuple[list[int], float | None, float | None]:
    """Return the memory of the node, in MB, and after how many seconds all jobs had failed, and all was told."""
    resident: list[int] = []
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
        if failed_after is None and failed >= jobs:
            failed_after = passed
            tell(f"{failed} runs have failed; the node has {resident[-1]} MB")
        if told >= jobs:
            told_after = passed
            tell(f"all is told; the node has {resident[-1]} MB")
    return resident, failed_after, told_after
