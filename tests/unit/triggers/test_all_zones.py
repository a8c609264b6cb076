"""
Every change of every clock from 2010 to 2035 in every zone, against the oracle that looks at a clock every minute.

A sample by default; all of it, which takes hours on one core, with ``ZONES=all``, or the zones of one letter with
``ZONES=A``. Each day's run is another sample, and names what it looked at when it fails.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scheduler.core.triggers import parse
from tests.unit.triggers.oracle import fire_times, utc
from tests.unit.triggers.test_clock_changes import EXPRESSIONS

FIRST, LAST = utc(2010, 1, 1), utc(2036, 1, 1)
DAY = timedelta(days=1)
SAMPLE = 16
WANTED = os.environ.get("ZONES", "")


def zones() -> list[str]:
    """Return the zones that are places, in order."""
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/")))


def changes(zone_name: str) -> list[datetime]:
    """Return midnight in UTC before each change of the offset."""
    zone = ZoneInfo(zone_name)
    found, moment = [], FIRST
    offset = moment.astimezone(zone).utcoffset()
    while moment < LAST:
        following = (moment + DAY).astimezone(zone).utcoffset()
        if following != offset:
            found.append(moment)
        moment, offset = moment + DAY, following
    return found


def sample() -> list[tuple[str, datetime]]:
    if WANTED == "all":
        return [(zone, change) for zone in zones() for change in changes(zone)]
    if WANTED:
        return [(zone, change) for zone in zones() if zone.startswith(WANTED) for change in changes(zone)]
    chance = random.Random(datetime.now(UTC).date().toordinal())  # noqa: S311 - it keeps no secret
    found: list[tuple[str, datetime]] = []
    while len(found) < SAMPLE:
        zone = chance.choice(zones())
        candidates = changes(zone)
        if candidates:
            found.append((zone, chance.choice(candidates)))
    return found


class TestEveryZone:
    @pytest.mark.parametrize(("zone", "change"), sample())
    def test_agrees_with_a_clock_that_is_looked_at_every_minute(self, zone: str, change: datetime) -> None:
        start, end = change - timedelta(hours=6), change + timedelta(hours=36)

        for expression in EXPRESSIONS:
            trigger = parse({"type": "cron", "expression": expression, "timezone": zone})
            found, moment = [], trigger.next_after(start - timedelta(microseconds=1))
            while moment is not None and moment < end:
                found.append(moment)
                moment = trigger.next_after(moment)

            assert found == fire_times(expression, zone, start, end), expression
