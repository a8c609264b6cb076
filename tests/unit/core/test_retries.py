from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core.retries import ASKED_FOR_RETRIES, RetryPolicy, delay_before_retry


def policy(**changes: object) -> RetryPolicy:
    values = {"max_retries": 5, "delay": timedelta(seconds=10), "jitter": 0.0, **changes}
    return RetryPolicy(**values)  # type: ignore[arg-type]


class TestDelayBeforeRetry:
    @pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160)])
    def test_grows_by_the_backoff(self, attempt: int, seconds: float) -> None:
        assert delay_before_retry(policy=policy(), attempt=attempt, chance=0) == timedelta(seconds=seconds)

    def test_ends_with_the_last_retry(self) -> None:
        assert delay_before_retry(policy=policy(), attempt=6, chance=0) is None

    def test_is_capped(self) -> None:
        capped = policy(max_retries=1000, delay_cap=timedelta(seconds=60))

        assert delay_before_retry(policy=capped, attempt=1000, chance=0) == timedelta(seconds=60)

    def test_is_jittered_upwards_only(self) -> None:
        jittered = policy(jitter=0.5)

        assert delay_before_retry(policy=jittered, attempt=1, chance=1) == timedelta(seconds=15)
        assert delay_before_retry(policy=jittered, attempt=1, chance=0) == timedelta(seconds=10)

    def test_is_what_the_task_asked_for(self) -> None:
        asked = timedelta(seconds=7)

        assert delay_before_retry(policy=policy(), attempt=1, asked_after=asked, chance=1) == asked

    def test_is_bounded_for_a_task_that_asks_without_a_policy(self) -> None:
        none, asked = policy(max_retries=0), timedelta(seconds=7)

        assert delay_before_retry(policy=none, attempt=ASKED_FOR_RETRIES, asked_after=asked, chance=0) == asked
        assert delay_before_retry(policy=none, attempt=ASKED_FOR_RETRIES + 1, asked_after=asked, chance=0) is None
        assert delay_before_retry(policy=none, attempt=1, chance=0) is None

    @given(
        attempt=st.integers(1, 2000),
        delay=st.floats(0, 604_800),
        backoff=st.floats(1, 100),
        cap=st.floats(0, 604_800),
        jitter=st.floats(0, 1),
        chance=st.floats(0, 1),
    )
    def test_is_never_negative_nor_beyond_the_jittered_cap(
        self, attempt: int, delay: float, backoff: float, cap: float, jitter: float, chance: float
    ) -> None:
        found = delay_before_retry(
            policy=RetryPolicy(
                max_retries=2000,
                delay=timedelta(seconds=delay),
                backoff=backoff,
                delay_cap=timedelta(seconds=cap),
                jitter=jitter,
            ),
            attempt=attempt,
            chance=chance,
        )

        assert found is not None
        assert timedelta(0) <= found <= timedelta(seconds=cap * (1 + jitter) + 0.001)
