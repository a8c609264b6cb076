from __future__ import annotations

import pytest

from scheduler.core import text


class TestText:
    @pytest.mark.parametrize("odd", ["a\x00b", "half \ud800 of a pair"])
    def test_that_postgresql_cannot_store_is_known_and_mended(self, odd: str) -> None:
        assert not text.is_storable(odd)
        assert text.is_storable(text.storable(odd))

    def test_that_it_can_store_stays(self) -> None:
        assert text.is_storable("naïve 🙂\n")
        assert text.storable("naïve 🙂\n") == "naïve 🙂\n"

    def test_is_cut(self) -> None:
        assert text.storable("abcdef", most=3) == "abc"
