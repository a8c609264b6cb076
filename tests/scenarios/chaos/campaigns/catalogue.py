"""The campaigns by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.scenarios.chaos.campaigns import (
    Progress,
    Report,
    alerting,
    celery_workers,
    clocks,
    databases,
    endurance,
    enqueueing,
    floods,
    freezes,
    loads,
    masses,
    oddities,
    operations,
    outages,
    processes,
)
from tests.scenarios.chaos.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What to run, and how often something is broken when nobody says."""

    run: Callable[[World, int, Progress], Report]
    cycles: int
    server: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    loses_no_node: bool = False
    """Its verdict is about nodes that live: in the suite, on any machine, it takes minutes until one is given up."""


CAMPAIGNS = {
    "kill": Campaign(run=processes.kill, cycles=200),
    "stop": Campaign(run=processes.stop, cycles=200, loses_no_node=True),
    "pause": Campaign(run=freezes.pause, cycles=50),
    "pg": Campaign(run=databases.pg, cycles=40, loses_no_node=True),
    "net": Campaign(run=databases.net, cycles=250),
    "clock": Campaign(run=clocks.clock, cycles=8),
    "poison": Campaign(
        run=loads.poison,
        cycles=1000,
        loses_no_node=True,
        # Fifty megabytes become JSON while no other thread of the process can move.
        variables={"SCHEDULER_LEASE_SECONDS": "6", "SCHEDULER_REAP_AFTER_SECONDS": "10"},
    ),
    "edit": Campaign(run=loads.edit, cycles=5000),
    "flood": Campaign(run=floods.flood, cycles=100_000),
    "alerts": Campaign(run=alerting.alerts, cycles=200),
    "outage": Campaign(run=outages.outage, cycles=100_000, loses_no_node=True),
    "enqueue": Campaign(run=enqueueing.enqueue, cycles=200),
    "celery": Campaign(run=celery_workers.on_valkey, cycles=200, variables=celery_workers.VARIABLES),
    "celery-rabbitmq": Campaign(run=celery_workers.on_rabbitmq, cycles=200, variables=celery_workers.VARIABLES),
    "celery-away": Campaign(run=outages.broker_away, cycles=600),
    "odd": Campaign(run=oddities.odd, cycles=90),
    "operate": Campaign(run=operations.operate, cycles=120),
    "masses": Campaign(run=masses.masses, cycles=100),
    "masses-outage": Campaign(run=masses.outage, cycles=2000),
    "masses-backfill": Campaign(run=masses.backfill, cycles=1000),
    "masses-deletion": Campaign(run=masses.deletion, cycles=10_000),
    "soak": Campaign(run=endurance.soak, cycles=480),
}
