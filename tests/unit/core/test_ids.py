from __future__ import annotations

import pytest

from scheduler.api import urls
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
            *("preview", "bulk", "add", "x/runs", "a/b/restore", "x/template", "x/declaration/take"),
        ],
    )
    def test_may_not_be_the_address_of_something_else(self, id: object) -> None:
        with pytest.raises(InvalidName, match="cannot be used"):
            ids.checked(id)


class TestAnAddress:
    def test_of_something_else_is_the_address_of_no_job(self) -> None:
        """Each word that the API has after an id, or in place of one, is refused."""
        of_one, of_all = "jobs/<job_id:id>/", "jobs/"
        routes = [route for route, _, _ in urls._ROUTES]
        taken = [f"a/{route.removeprefix(of_one)}" for route in routes if route.startswith(of_one)]
        taken += [route.removeprefix(of_all) for route in routes if route.startswith(of_all) and "<" not in route]

        assert len(taken) > 10
        for id in taken:
            with pytest.raises(InvalidName, match="means something else"):
                ids.checked(id)
