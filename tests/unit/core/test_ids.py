from __future__ import annotations

import pytest

from scheduler.core.jobs import ids
from scheduler.errors import InvalidName


class TestAnId:
    @pytest.mark.parametrize(
        "id", ["a", "a/b", "a b/ü", "a.b", "...", "a?b#c%2F", "run", "pause", "d" * 255, "x/runs/y"]
    )
    def test_may_be_what_has_an_address_of_its_own(self, id: str) -> None:
        assert ids.checked(id) == id

    @pytest.mark.parametrize(
        "id",
        [
            *("", "a" * 256, "a\nb", 7, None),
            *(".", "..", "a/../b", "a/./b", "../b", "a/..", "/a", "a/", "a//b", "/"),
            *("preview", "bulk", "add", "x/runs", "a/b/restore"),
        ],
    )
    def test_may_not_be_the_address_of_something_else(self, id: object) -> None:
        with pytest.raises(InvalidName, match="cannot be used"):
            ids.checked(id)
