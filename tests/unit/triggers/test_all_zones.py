"""
Changes of clocks from 2010 to 2035, against the oracle that looks at a clock every minute.

A sample by default, another one each day, which names what it looked at when it fails; all of it, which takes minutes,
with ``ZONES=all``, or the zones of one letter with ``ZONES=A``.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.triggers.oracle import utc
from tests.unit.triggers.sweep import Window, around, changes, disagreements, sweep, zones

SAMPLE = 16
WANTED = os.environ.get("ZONES", "")


def drawn(number: int) -> Window:
    """Return the window around one change, another one each day."""
    chance = random.Random(f"{datetime.now(UTC).date()} {number}")  # noqa: S311 - it keeps no secret
    while True:
        zone = chance.choice(zones())
        candidates = changes(zone)[1:]
        if candidates:
            return around(zone, chance.choice(candidates)[0])


@pytest.mark.skipif(bool(WANTED), reason="ZONES asks for more than a sample")
class TestASampleOfAllChanges:
    @pytest.mark.parametrize("number", range(SAMPLE))
    def test_agrees_with_a_clock_that_is_looked_at_every_minute(self, number: int) -> None:
        window = drawn(number)

        compared, different = disagreements(window)

        assert compared, window
        assert not different, window


@pytest.mark.skipif(not WANTED, reason="takes minutes: set ZONES=all, or ZONES=A for the zones of one letter")
class TestEveryZone:
    @pytest.mark.timeout(3600)
    def test_agrees_with_a_clock_that_is_looked_at_every_minute(self) -> None:
        done = sweep([zone for zone in zones() if WANTED == "all" or zone.startswith(WANTED)])

        assert done.changes_looked_at
        assert not done.disagreements


class TestTheChangesThatAreLookedAt:
    def test_are_known_to_the_minute(self) -> None:
        berlin = dict(changes("Europe/Berlin"))

        assert berlin[utc(2027, 3, 28, 1)] == timedelta(hours=2)
        assert berlin[utc(2027, 10, 31, 1)] == timedelta(hours=1)
        assert len(berlin) == 1 + 2 * 26

    def test_are_none_where_clocks_never_change(self) -> None:
        assert changes("Asia/Tokyo") == ((utc(2010, 1, 1), timedelta(hours=9)),)

    def test_hold_the_day_that_samoa_left_out(self) -> None:
        assert (utc(2011, 12, 30, 10), timedelta(hours=14)) in changes("Pacific/Apia")
