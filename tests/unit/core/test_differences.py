from __future__ import annotations

from typing import Any

import pytest

from scheduler.core.jobs import differences
from scheduler.core.jobs.differences import Difference


def cron(expression: str, timezone: str = "UTC") -> dict[str, str]:
    return {"type": "cron", "expression": expression, "timezone": timezone}


class TestDifference:
    @pytest.mark.parametrize(
        ("name", "old", "new", "texts"),
        [
            ("trigger", cron("0 2 * * *"), cron("0 3 * * *"), ("cron 0 2 * * *", "cron 0 3 * * *")),
            ("trigger", cron("0 2 * * *"), {"type": "interval", "hours": 1}, ("cron 0 2 * * *", "every hour")),
            ("priority", 0, 5, ("0", "5")),
            ("coalesce", True, False, ("yes", "no")),
            ("timeout", None, 30.0, ("–", "30.0")),
            ("tags", [], ["a", "b"], ("–", '["a", "b"]')),
            ("name", "A  b\nc", "", ("A b c", "–")),
            ("trigger", 5, {"type": "moon"}, ("5", '{"type": "moon"}')),
        ],
    )
    def test_is_said_on_one_line(self, name: str, old: Any, new: Any, texts: tuple[str, str]) -> None:
        assert Difference(name=name, old=old, new=new).texts == texts

    def test_names_the_zone_where_nothing_else_differs(self) -> None:
        old, new = Difference(
            name="trigger", old=cron("0 2 * * *"), new=cron("0 2 * * *", timezone="Europe/Berlin")
        ).texts

        assert old != new
        assert "Europe/Berlin" in new

    def test_cuts_what_is_long(self) -> None:
        old, _ = Difference(name="description", old="x" * 1000, new="").texts

        assert (len(old), old[-1]) == (60, "…")


class TestRead:
    def test_says_the_trigger_first_and_arguments_one_by_one(self) -> None:
        found = differences.read(
            {"priority": [0, 1], "kwargs": [{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 4, "d": 5}], "trigger": [1, 2]}
        )

        assert [(each.name, each.old, each.new) for each in found] == [
            ("trigger", 1, 2),
            ("kwargs.b", 2, 4),
            ("kwargs.c", 3, None),
            ("kwargs.d", None, 5),
            ("priority", 0, 1),
        ]

    def test_notices_an_argument_that_is_given_as_nothing(self) -> None:
        assert differences.read({"kwargs": [{}, {"a": None}]}) == (Difference(name="kwargs.a", old=None, new=None),)

    def test_takes_arguments_as_they_are_where_raw_sql_wrote_none(self) -> None:
        assert differences.read({"kwargs": [[1], {"a": 1}]}) == (Difference(name="kwargs", old=[1], new={"a": 1}),)


class TestBetween:
    def test_finds_what_differs_of_what_both_have(self) -> None:
        found = differences.between({"name": "a", "priority": 1, "later": 1}, {"name": "b", "priority": 1, "former": 2})

        assert found == (Difference(name="name", old="a", new="b"),)


class TestBrief:
    def test_says_the_first_three_and_counts_the_rest(self) -> None:
        found = differences.read(
            {"trigger": [cron("0 2 * * *"), cron("0 3 * * *")], "a": [1, 2], "b": [1, 2], "c": [1, 2], "d": [1, 2]}
        )

        assert differences.brief(found) == "cron 0 2 * * * → cron 0 3 * * *, a: 1 → 2, b: 1 → 2, and 2 more"

    def test_is_empty_where_nothing_differs(self) -> None:
        assert differences.brief(()) == ""
