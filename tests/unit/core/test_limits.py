"""Limits by key: how they are written, which key a run has, and who may start."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core.tasks.limits import Head, Limits, Share, grant, parse_concurrency, parse_rate, share_of
from scheduler.core.tasks.registry import Secret, task
from scheduler.errors import InvalidTask


class TestARate:
    @pytest.mark.parametrize(
        ("text", "key", "seconds"),
        [
            ("host:{host} 1/s", "host:{host}", 1.0),
            ("10/min", None, None),
            ("all 10/min", "all", 6.0),
            ("{host}:{port} 7200/h", "{host}:{port}", 0.5),
            ("a key with spaces 1/d", "a key with spaces", 86_400.0),
        ],
    )
    def test_is_a_key_and_a_number_in_a_time(self, text: str, key: str | None, seconds: float | None) -> None:
        if key is None:
            with pytest.raises(ValueError, match="write a key"):
                parse_rate(text)
            return
        limit = parse_rate(text)
        assert (limit.key, limit.seconds) == (key, seconds)

    @pytest.mark.parametrize(
        "text",
        ["", "host", "host 0/s", "host 1/week", "host -1/s", "{host 1/s", "{host.name} 1/s", "{host!r} 1/s", "{} 1/s"],
    )
    def test_that_cannot_be_read_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(ValueError, match="write a key"):
            parse_rate(text)


class TestAConcurrency:
    def test_is_a_key_and_a_number(self) -> None:
        limit = parse_concurrency("host:{host} 2")
        assert (limit.key, limit.number, limit.names) == ("host:{host}", 2, {"host"})

    @pytest.mark.parametrize("text", ["host 0", "host two", "host 1/s", "host"])
    def test_that_cannot_be_read_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="write a key"):
            parse_concurrency(text)


class TestAKey:
    @pytest.mark.parametrize(
        ("arguments", "key"),
        [
            ({"host": "example.org"}, "host:example.org"),
            ({"host": 7}, "host:7"),
            ({"host": None}, "host:"),
            ({}, "host:"),
            ({"host": {"b": 1, "a": 2}}, 'host:{"a": 2, "b": 1}'),
            ({"host": "a\x00\n b"}, "host:a b"),
        ],
    )
    def test_has_the_arguments_of_the_run(self, arguments: dict[str, Any], key: str) -> None:
        assert share_of(limits=Limits(rate=parse_rate("host:{host} 1/s")), arguments=arguments).rate_key == key

    def test_that_is_long_is_cut_and_stays_distinct(self) -> None:
        limits = Limits(rate=parse_rate("{host} 1/s"))
        one, other = (share_of(limits=limits, arguments={"host": "x" * 5000 + end}).rate_key for end in "ab")

        assert one != other
        assert len(one) == len(other) == 200


class TestATask:
    def test_declares_limits(self) -> None:
        from scheduler.core.tasks.registry import registry

        found = registry.get("sample.crowded").limits
        assert found is not None
        assert found.concurrency is not None
        assert (found.rate, found.concurrency.key, found.concurrency.number) == (None, "host:{host}", 2)

    def test_names_its_own_arguments(self) -> None:
        with pytest.raises(InvalidTask, match="names port; it has no such argument"):
            task(name="tests.limited", rate="{port} 1/s")(_visit)

    def test_shows_no_secret(self) -> None:
        with pytest.raises(InvalidTask, match="names password, which is secret"):
            task(name="tests.limited", rate="{password} 1/s")(_visit)

    @pytest.mark.parametrize("value", ["x", 5])
    def test_says_what_cannot_be_read(self, value: Any) -> None:
        with pytest.raises(InvalidTask):
            task(name="tests.limited", concurrency=value)(_visit)


def _visit(*, host: str, password: Annotated[str, Secret] = "") -> None: ...


def head(run: int, *, priority: int = 0, **share: Any) -> Head:
    return Head(run=run, priority=priority, share=Share(**share))


HEADS = st.lists(
    st.builds(
        lambda key, other, priority: (key, other, priority),
        st.sampled_from("ab"), st.sampled_from("cd"), st.integers(-2, 2),
    ),
    max_size=30,
)  # fmt: skip


class TestGranting:
    @given(found=HEADS, active=st.integers(0, 3))
    def test_never_exceeds_a_limit_and_leaves_no_room_unused(
        self, found: list[tuple[str, str, int]], active: int
    ) -> None:
        heads = [
            head(run, priority=priority, rate_key=rate, rate_seconds=0.5, concurrency_key=key, concurrency_most=3)
            for run, (rate, key, priority) in enumerate(found)
        ]
        granted = grant(heads=heads, next_starts={"a": 0.3}, active={"c": active}, horizon_seconds=2.0)
        by_run = {item.run: item for item in heads}
        places = Counter(by_run[run].share.concurrency_key for run in granted.runs)
        starts = {key: sorted(s for r, s in granted.runs.items() if by_run[r].share.rate_key == key) for key in "ab"}

        assert places["c"] + active <= max(3, active)
        assert places["d"] <= 3
        for key, times in starts.items():
            assert all(later - earlier >= 0.5 - 1e-9 for earlier, later in pairwise(times))
            assert all((0.3 if key == "a" else 0.0) <= time <= 2.0 for time in times)
        for item in heads:
            if item.run not in granted.runs:
                full = places[item.share.concurrency_key] + (active if item.share.concurrency_key == "c" else 0) >= 3
                late = granted.next_starts.get(item.share.rate_key, 0.3) > 2.0
                assert full or late

    def test_goes_by_priority_and_then_by_age(self) -> None:
        heads = [
            head(run, priority=priority, concurrency_key="a", concurrency_most=2)
            for run, priority in ((3, 0), (1, 0), (2, 5))
        ]
        assert list(grant(heads=heads, next_starts={}, active={}, horizon_seconds=2.0).runs) == [2, 1]
