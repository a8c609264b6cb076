"""The campaigns: each breaks one kind of thing, and returns figures and a verdict."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.scenarios.chaos.oracle import Verdict
from tests.scenarios.chaos.world import PREPARED, World

Progress = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Report:
    """What a campaign did, what it measured, and what the judge says."""

    done: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict
    failures: list[str] = field(default_factory=list)
    """What this campaign in particular expects and did not find."""

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good and not self.failures


def percentiles(values: Sequence[float], *, digits: int = 3) -> dict[str, float]:
    """Return p50, p99 and the maximum."""
    if not values:
        return {"count": 0}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], digits)

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": round(ordered[-1], digits)}


def is_judged_by_time() -> bool:
    """Whether bounds in seconds are kept. In the test suite they are not: it runs on any machine, beside anything."""
    return PREPARED not in os.environ


def too_late(what: str, *, seconds: float, most: float) -> list[str]:
    """Return the failure that something was later than it may be, if it was and counts."""
    return [f"{what}: {seconds} s, at most {most} s"] if seconds > most and is_judged_by_time() else []


def lateness(world: World) -> dict[str, float]:
    """How long after the fire time first attempts were written into the ledger; of several in one row, the first."""
    rows = world.query(
        "SELECT extract(epoch FROM created_at - coalesce(covers_from, scheduled_at))::float8 FROM scheduler_run"
        " WHERE kind = 'scheduled' AND attempt = 1"
    )
    return percentiles([seconds for (seconds,) in rows])
