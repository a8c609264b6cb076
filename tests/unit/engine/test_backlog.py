"""While much is overdue, jobs that became due just now do not come last."""

from __future__ import annotations

from scheduler.engine.duties.claim import Backlog


def claims(backlog: Backlog, *, at: float, full: bool) -> float | None:
    """Do one claim, and return how recent its jobs were to be."""
    recent = backlog.recent_seconds(at)
    backlog.note(at, is_full=full, is_recent=recent is not None)
    return recent


class TestABacklog:
    def test_begins_with_a_claim_that_was_not_enough(self) -> None:
        backlog = Backlog()

        assert claims(backlog, at=100.0, full=False) is None
        assert claims(backlog, at=101.0, full=True) is None
        assert claims(backlog, at=101.2, full=True) is None
        assert claims(backlog, at=101.3, full=False) == 2.0

    def test_looks_further_back_as_long_as_that_is_enough_and_not_before_it_began(self) -> None:
        backlog = Backlog()
        claims(backlog, at=100.0, full=True)

        looks = []
        for second in range(6):
            looks.append(claims(backlog, at=101.0 + second, full=False))
            assert claims(backlog, at=101.0 + second, full=True) is None

        assert looks == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]

    def test_comes_to_the_oldest_now_and_then_whatever_is_due_meanwhile(self) -> None:
        backlog = Backlog()
        claims(backlog, at=100.0, full=True)

        found = [claims(backlog, at=101.0 + number / 10, full=True) for number in range(10)]

        assert found == [2.0, 2.0, 2.0, 2.0, None] * 2

    def test_lets_jobs_that_fire_every_few_seconds_come_first_some_times_a_second(self) -> None:
        backlog = Backlog()
        assert not backlog.is_for_frequent(99.0)

        claims(backlog, at=100.0, full=True)
        assert [backlog.is_for_frequent(at) for at in (100.1, 100.9)] == [True, False], "not twice in a row"
        claims(backlog, at=101.0, full=True)
        assert [backlog.is_for_frequent(at) for at in (101.05, 101.15)] == [False, True]

        for _ in range(2):
            claims(backlog, at=101.2, full=False)
        assert not backlog.is_for_frequent(200.0), "the backlog is over"

    def test_ends_when_a_claim_of_the_oldest_is_enough(self) -> None:
        backlog = Backlog()
        claims(backlog, at=100.0, full=True)
        assert claims(backlog, at=101.0, full=False) == 2.0

        assert claims(backlog, at=101.1, full=False) is None
        assert [claims(backlog, at=102.0 + second, full=False) for second in range(3)] == [None] * 3
