"""Date triggers: once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scheduler.core.triggers.trigger import Trigger, written
from scheduler.core.triggers.zones import zone_named


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTrigger(Trigger):
    """Fires once, at ``run_at``."""

    run_at: datetime
    run_wall: datetime | None = field(default=None, compare=False)
    """``run_at`` as it is meant: a time on the clocks of the zone. ``None``: an instant."""

    @property
    def _allowed(self) -> bool:
        return (self.start_at is None or self.start_at <= self.run_at) and (
            self.end_at is None or self.run_at <= self.end_at
        )

    def at_or_after(self, moment: datetime) -> datetime | None:
        return self.run_at if moment <= self.run_at and self._allowed else None

    def at_or_before(self, moment: datetime) -> datetime | None:
        return self.run_at if self.run_at <= moment and self._allowed else None

    def count_after(self, after: datetime, *, until: datetime) -> int:
        return 1 if after < self.run_at <= until and self._allowed else 0

    def first_after(self, now: datetime) -> datetime | None:
        """Return ``run_at`` even when it is over: whether that is too late is for the misfire grace time to say."""
        return self.run_at if self._allowed else None

    def as_json(self) -> dict[str, Any]:
        run_at = written(self.run_at, self.run_wall, zone_named(self.timezone))
        return {"type": "date", "run_at": run_at, **self._bounds_as_json()}
