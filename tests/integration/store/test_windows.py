from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler.models import Run
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from scheduler.store.measuring import windows
from tests.integration.admin.runs import run

NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(db: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs of an hour, one a minute, with gaps where some were deleted, in a ledger that counts as large."""
    monkeypatch.setattr(windows, "LEAST", 0)
    ids = [run(at=NOON + minute * MINUTE).pk for minute in range(60)]
    Run.objects.filter(pk__in=ids[20:25]).delete()
    return ids


class TestIds:
    @pytest.mark.parametrize(("minute", "first"), [(0, 0), (30, 20), (35, 25), (36, 26), (69, 59), (70, 60)])
    def test_are_found_with_some_slack(self, ledger: list[int], minute: int, first: int) -> None:
        low, _high = windows.ids(since=NOON + minute * MINUTE, until=None)

        existing = [place for place in range(60) if place < 20 or place > 24]
        assert [place for place in existing if ledger[place] >= (low or 0)] == [
            place for place in existing if place >= first
        ]

    def test_bound_the_window_on_both_sides(self, ledger: list[int]) -> None:
        low, high = windows.ids(since=NOON + 30 * MINUTE, until=NOON + 35 * MINUTE)

        assert low is not None
        assert low <= ledger[25]
        assert high == ledger[45]

    def test_have_no_bound_in_a_ledger_that_is_small_or_empty(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        run()
        assert windows.ids(since=NOON, until=NOON) == (None, None)

        monkeypatch.setattr(windows, "LEAST", 0)
        Run.objects.all().delete()
        assert windows.ids(since=NOON, until=None) == (None, None)


class TestAWindowOfRuns:
    def test_is_exact(self, ledger: list[int]) -> None:
        window = RunFilter(since=NOON + 30 * MINUTE, until=NOON + 35 * MINUTE)

        assert [found.pk for found in run_queries.runs(filter=window)] == ledger[34:29:-1]
