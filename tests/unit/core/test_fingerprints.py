from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import fingerprints


class TestAFingerprint:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            ("ValueError: 17 of 20\nmore", "ValueError: # of #"),
            ("  <object at 0x7f00aa>", "<object at #>"),
            ("no row 6f9619ff-8b86-d011-b42d-00cf4fc964ff here", "no row # here"),
            ("", ""),
        ],
    )
    def test_leaves_numbers_out(self, error: str, expected: str) -> None:
        assert fingerprints.of(error) == expected

    @given(st.text(alphabet="ab1 2#.*[(\\^$\n\tx0é", max_size=400))
    def test_finds_the_error_that_it_was_made_of(self, error: str) -> None:
        assert re.match(fingerprints.pattern(fingerprints.of(error)), error, re.IGNORECASE)

    @pytest.mark.parametrize("other", ["Timeout after long", "Timeout after 5 s at host 3", "A Timeout after 5 s"])
    def test_does_not_find_another_error(self, other: str) -> None:
        assert not re.match(fingerprints.pattern(fingerprints.of("Timeout after 9 s")), other)

    def test_makes_a_pattern_of_bounded_size(self) -> None:
        assert len(fingerprints.pattern("#" * 10_000)) < 5_000
