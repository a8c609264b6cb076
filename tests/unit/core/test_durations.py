"""Durations as people type them, and back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.core import durations


class TestADuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90", 90),
            ("2 h", 7200),
            ("90 min", 5400),
            ("1h30m", 5400),
            ("1 h 30 min", 5400),
            ("1 hour and 5 minutes", 3900),
            ("1,5 h", 5400),
            ("2 días, 3 horas", 183_600),
            ("500 ms", 0.5),
            ("1:30:00", 5400),
            ("PT2H", 7200),
            ("p1dt2h", 93_600),
            ("0", 0),
        ],
    )
    def test_is_understood(self, text: str, seconds: float) -> None:
        assert durations.seconds(text) == seconds

    @pytest.mark.parametrize("text", ["", "h", "2 parsecs", "-1", "1:30", "1 h 2 h", "P", "PT", "1 h and", "1" * 99])
    def test_is_refused_where_it_could_mean_two_things_or_none(self, text: str) -> None:
        with pytest.raises(durations.NotADuration):
            durations.seconds(text)

    @example(0.00001)
    @given(st.floats(0, 1e9) | st.integers(0, 10**9) | st.decimals(0, 10**6, places=3).map(float))
    def test_is_the_same_again_however_long_it_is(self, length: float) -> None:
        assert durations.seconds(durations.render(length)) == length

    @given(st.integers(0, 10**9))
    def test_is_the_same_in_iso_8601(self, length: int) -> None:
        assert durations.seconds(durations.iso(length)) == length
