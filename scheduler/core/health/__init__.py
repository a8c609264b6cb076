"""
Health: measurements and their judgement.

One judgement for the dashboard, the health page, the API, the command line and the metrics, so that all of them agree.
``standing`` has the facts, the other modules judge a part of them each.
"""

from __future__ import annotations

from scheduler.core.health import jobs, nodes, queues
from scheduler.core.health.check import Check, Limits, Status, worst
from scheduler.core.health.standing import Standing

__all__ = ["Check", "Limits", "Standing", "Status", "checks", "worst"]


def checks(found: Standing, *, limits: Limits) -> tuple[Check, ...]:
    """Judge everything that was measured."""
    return (
        nodes.nodes(found.scheduling, limits, views=found.nodes),
        jobs.overdue(found, limits),
        queues.queue(found, limits),
        queues.brokers(found, limits),
        queues.limits(found),
        jobs.stalled(found, limits),
        nodes.stuck(found),
        nodes.recorder(found.scheduling, limits),
        jobs.broken(found),
        jobs.stopped(found),
        jobs.failing(found),
        nodes.clocks(found.scheduling, limits),
        nodes.time_zones(found),
        nodes.transactions(found.transaction),
        jobs.unadopted(found),
        jobs.clean_up(found),
    )
