"""The jobs of a campaign, and when they fire: enumerated second by second, without the product's triggers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = timedelta(seconds=1)
ODD_MINUTES = "odd-minutes"
_RETRIES = 10
"""Of work that may be run again, where it fails because its process was killed."""

_A_FEW = 10
_CALENDAR_HOURS = 12
"""Longer than any campaign lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One job: what the product is told, and what the oracle needs to know."""

    id: str
    start_at: datetime
    """A whole second."""

    every_seconds: int | None = None
    seconds_of_minute: tuple[int, ...] = ()
    """For a cron expression with seconds, instead of ``every_seconds``."""

    body_seconds: float = 0.0
    gated: bool = True
    rerun: bool = False
    max_instances: int = 1
    coalesce: bool = True
    overlap: str = "skip"
    is_calendared: bool = False
    """Whether it does not run in odd minutes, as a calendar says."""

    @property
    def trigger(self) -> dict[str, Any]:
        anchor: dict[str, Any] = {"start_at": self.start_at.isoformat(), "timezone": "UTC"}
        if self.is_calendared:
            anchor["not_on"] = [ODD_MINUTES]
        if self.every_seconds is not None:
            return {"type": "interval", "seconds": self.every_seconds, **anchor}
        return {"type": "cron", "expression": f"{','.join(map(str, self.seconds_of_minute))} * * * * *", **anchor}

    def fire_times(self, until: datetime) -> list[datetime]:
        """Look at every second from the start on."""
        found, moment, number = [], self.start_at, 0
        while moment <= until:
            if self.every_seconds is not None:
                fires = number % self.every_seconds == 0
            else:
                fires = moment.second in self.seconds_of_minute
            if fires:
                found.append(moment)
            moment += SECOND
            number += 1
        return found

    def leaves_out(self, moment: datetime) -> bool:
        return self.is_calendared and moment.minute % 2 == 1

    @property
    def runs_again(self) -> bool:
        """Whether an interrupted run gets another attempt."""
        return self.rerun or not self.gated


def standard(*, seed: int, start_at: datetime, intervals: int = 200, crons: int = 20) -> list[Spec]:
    """Return a mix: quick and slow bodies, rerun or not, gated or not, every policy for what overlaps."""
    chance = random.Random(seed)  # noqa: S311 - it is to be repeatable
    specs = []
    for number in range(intervals + crons):
        kind = chance.random()
        slow = chance.random() < 0.15
        timing: dict[str, Any]
        if number < intervals:
            timing = {"every_seconds": chance.randint(1, 5)}
        else:
            timing = {"seconds_of_minute": tuple(sorted(chance.sample(range(60), chance.randint(4, 20))))}
        specs.append(
            Spec(
                id=f"job-{number:03d}",
                start_at=start_at,
                **timing,
                body_seconds=round(chance.uniform(0.1, 0.9), 2) if slow else 0.0,
                gated=kind < 0.8,
                rerun=0.4 < kind < 0.8,
                max_instances=chance.choice((1, 1, 2, 3)),
                coalesce=chance.random() < 0.6,
                overlap=chance.choice(("skip", "skip", "queue")),
                is_calendared=number % 8 == 3,
            )
        )
    return specs


def intervals_for(cycles: int) -> int:
    """Return how many jobs of an interval a campaign has. A few cycles prove the same of fewer."""
    return 200 if cycles > _A_FEW else 60


def create(specs: list[Spec], **policies: Any) -> None:
    """
    Create the jobs through the product's own service. ``policies`` are the same for all of them.

    :raises AssertionError: it took so long that some have missed their start
    """
    from django.db import transaction

    from scheduler.services import calendars, jobs

    if any(spec.is_calendared for spec in specs):
        calendars.create(name=ODD_MINUTES, rules=_odd_minutes(specs[0].start_at), timezone="UTC")
    with transaction.atomic():  # one COMMIT instead of hundreds, which take long on a busy disk
        for spec in specs:
            jobs.create(
                id=spec.id,
                task="chaos.work" if spec.gated else "chaos.work_idempotent",
                kwargs={"seconds": spec.body_seconds},
                trigger=spec.trigger,
                rerun_if_interrupted=spec.runs_again,
                max_instances=spec.max_instances,
                coalesce=spec.coalesce,
                overlap=spec.overlap,
                misfire_grace_time=None,
                max_retries=_RETRIES if spec.runs_again else 0,
                retry_delay=1,
                **policies,
            )
    if specs:
        spare = min(spec.start_at for spec in specs) - datetime.now(UTC)
        assert spare > timedelta(0), f"The jobs were created {-spare} after the first was to start."


def _odd_minutes(start_at: datetime) -> list[str]:
    first = start_at.replace(minute=1, second=0, microsecond=0) - timedelta(hours=1)
    minutes = [first + timedelta(minutes=2 * number) for number in range(30 * _CALENDAR_HOURS)]
    return [f"{at:%Y-%m-%d %H:%M}..{at + timedelta(minutes=1):%Y-%m-%d %H:%M} odd" for at in minutes]
