"""The effect of a clock change on a fire time, as an explanation for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler.core.triggers import budget
from scheduler.core.triggers.budget import TooCostly
from scheduler.core.triggers.calendared import CalendaredTrigger
from scheduler.core.triggers.combinations import Combination
from scheduler.core.triggers.dates import DateTrigger
from scheduler.core.triggers.trigger import MOMENT, Trigger, WallClockTrigger
from scheduler.core.triggers.zones import DAY_SECONDS, instant_of, zone_named


class ClockEffect(StrEnum):
    LEFT_OUT = "left_out"
    """Clocks go forward over the time that the trigger names: it fires right after the gap."""

    FIRST_ONLY = "first_only"
    """Clocks go back and show the time twice: it fires the first time, and not the second."""

    FIRST_OF_TWO = "first_of_two"
    SECOND_OF_TWO = "second_of_two"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    effect: ClockEffect
    wall: str
    """``02:30``: the time of day that is left out or shown twice."""


def clock_change(trigger: Trigger, *, fire_time: datetime) -> ClockChange | None:
    """Return the effect of a clock change at a fire time of the trigger, or ``None`` without a visible one."""
    if isinstance(trigger, CalendaredTrigger):
        return clock_change(trigger.rule, fire_time=fire_time)
    if isinstance(trigger, Combination):
        try:
            with budget.share(8):
                firing = [part for part in trigger.triggers if part.next_after(fire_time - MOMENT) == fire_time]
        except TooCostly:
            return None  # a remark is not worth a long search
        return next((change for part in firing if (change := clock_change(part, fire_time=fire_time))), None)
    if isinstance(trigger, WallClockTrigger):
        wall = trigger.clock.left_out(instant_of(fire_time))
        if wall is not None:
            second = wall % DAY_SECONDS
            return ClockChange(effect=ClockEffect.LEFT_OUT, wall=f"{second // 3600:02}:{second // 60 % 60:02}")
    local = fire_time.astimezone(zone_named(trigger.timezone))
    meant = trigger.run_wall if isinstance(trigger, DateTrigger) else None
    if meant is not None and meant.replace(tzinfo=None) != local.replace(tzinfo=None, fold=0):
        return ClockChange(effect=ClockEffect.LEFT_OUT, wall=f"{meant:%H:%M}")
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return None
    if local.fold:
        effect = ClockEffect.SECOND_OF_TWO
    elif isinstance(trigger, WallClockTrigger) and not trigger.clock.follows_clock:
        effect = ClockEffect.FIRST_ONLY
    else:
        effect = ClockEffect.FIRST_OF_TWO
    return ClockChange(effect=effect, wall=f"{local:%H:%M}")
