"""The three-way merge: only what the source changed is written, a person's edit stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import declarations
from scheduler.core.declarations import REMOVED, Merge, OnConflict, is_older, read_trigger, unflatten
from scheduler.errors import UnusableDeclaration

DEFAULTS = {"priority": 0, "name": "nightly"}


def merge(base: dict[str, Any] | None, declared: dict[str, Any], stored: dict[str, Any], **how: Any) -> Merge:
    return declarations.merge(
        base=base,
        declared=declared,
        stored=stored,
        default=lambda name: DEFAULTS.get(name, REMOVED),
        is_same=lambda _name, wanted, present: wanted is present or wanted == present,
        **how,
    )


class TestMerge:
    def test_writes_what_only_the_source_changed(self) -> None:
        merged = merge({"priority": 1}, {"priority": 2}, {"priority": 1})

        assert merged == Merge(write={"priority": 2})

    def test_keeps_what_only_a_person_changed_as_drift(self) -> None:
        merged = merge({"priority": 1}, {"priority": 1}, {"priority": 5})

        assert merged.write == {}
        assert [(each.field, each.declared, each.stored) for each in merged.drift] == [("priority", 1, 5)]
        assert merged.conflicts == ()

    def test_keeps_a_persons_value_where_both_changed_it(self) -> None:
        merged = merge({"priority": 1}, {"priority": 2}, {"priority": 5})

        assert (merged.write, merged.conflicts) == ({}, ("priority",))
        assert [each.field for each in merged.drift] == ["priority"]

    def test_writes_the_declared_value_where_the_declaration_asks_for_it(self) -> None:
        merged = merge({"priority": 1}, {"priority": 2}, {"priority": 5}, on_conflict=OnConflict.DECLARED)

        assert (merged.write, merged.drift, merged.conflicts) == ({"priority": 2}, (), ("priority",))

    def test_does_nothing_where_both_made_the_same_change(self) -> None:
        assert merge({"priority": 1}, {"priority": 2}, {"priority": 2}) == Merge()

    def test_writes_the_default_of_a_field_that_the_source_no_longer_states(self) -> None:
        assert merge({"priority": 4}, {}, {"priority": 4}).write == {"priority": 0}

    def test_keeps_a_persons_value_of_a_field_that_the_source_no_longer_states(self) -> None:
        merged = merge({"priority": 4}, {}, {"priority": 7})

        assert (merged.write, merged.drift, merged.conflicts) == ({}, (), ("priority",))

    def test_takes_out_an_argument_that_the_source_no_longer_states(self) -> None:
        merged = merge({"kwargs.pages": 3}, {}, {"kwargs.pages": 3})

        assert unflatten(merged.write, kwargs={"pages": 3, "topic": "x"}) == {"kwargs": {"topic": "x"}}

    def test_keeps_a_persons_value_of_a_field_that_the_source_begins_to_state(self) -> None:
        assert merge({}, {"priority": 1}, {"priority": 5}).conflicts == ("priority",)
        assert merge({}, {"priority": 1}, {"priority": 0}).write == {"priority": 1}

    def test_writes_all_of_a_job_that_is_taken_over(self) -> None:
        assert merge(None, {"priority": 1}, {"priority": 5}).write == {"priority": 1}

    def test_leaves_alone_what_was_never_declared(self) -> None:
        assert merge({}, {"priority": 1}, {"priority": 1, "kwargs.topic": "mine"}) == Merge()

    values = st.integers(0, 3)
    sides = st.dictionaries(st.sampled_from(["priority", "name", "kwargs.a", "kwargs.b"]), values)

    @given(base=sides, declared=sides, stored=sides, on_conflict=st.sampled_from(OnConflict))
    def test_repeating_it_changes_nothing(
        self, base: dict[str, Any], declared: dict[str, Any], stored: dict[str, Any], on_conflict: OnConflict
    ) -> None:
        first = merge(base, declared, stored, on_conflict=on_conflict)
        after = {name: value for name, value in {**stored, **first.write}.items() if value is not REMOVED}

        second = merge(declared, declared, after, on_conflict=on_conflict)

        assert second.write == {}

    @given(base=sides, declared=sides, stored=sides)
    def test_writes_no_field_that_a_person_changed(
        self, base: dict[str, Any], declared: dict[str, Any], stored: dict[str, Any]
    ) -> None:
        former = {**DEFAULTS, **base}
        edited = {name for name in stored if stored[name] != former.get(name, REMOVED)}

        assert not edited & set(merge(base, declared, stored).write)


class TestIsOlder:
    @pytest.mark.parametrize(
        ("release", "than", "expected"),
        [
            ("1.9", "1.10", True),
            ("1.10", "1.9", False),
            ("2026.11.3", "2026.11.3", False),
            ("v2", "v10", True),
            ("", "1", False),
            ("1", "", False),
            ("1.0rc1", "1.0.1", True),
            ("1.0", "1.0.1", True),
        ],
    )
    def test_counts_digits_as_numbers(self, release: str, than: str, expected: bool) -> None:
        assert is_older(release, than) is expected

    @given(one=st.text("0123456789.abc", max_size=8), other=st.text("0123456789.abc", max_size=8))
    def test_never_holds_both_ways(self, one: str, other: str) -> None:
        assert not (is_older(one, other) and is_older(other, one))


class TestReadTrigger:
    def test_takes_an_expression_with_its_zone(self) -> None:
        found = read_trigger("0 5 * * *", timezone="Europe/Berlin")

        assert found == {"type": "cron", "expression": "0 5 * * *", "timezone": "Europe/Berlin"}

    def test_takes_a_duration(self) -> None:
        assert read_trigger(timedelta(minutes=5), timezone=None) == {"type": "interval", "seconds": 300}

    @pytest.mark.parametrize(
        ("trigger", "timezone"), [(5, None), (timedelta(hours=1), "UTC"), ({"type": "date"}, "UTC")]
    )
    def test_refuses_anything_else(self, trigger: Any, timezone: str | None) -> None:
        with pytest.raises(UnusableDeclaration):
            read_trigger(trigger, timezone=timezone)
