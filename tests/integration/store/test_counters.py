"""The counters of a node: under keys that change, and added up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Sum

from scheduler.core.states import RunState
from scheduler.models import Counter, Node, QueueCounter, Rollup
from scheduler.services.queries import metrics
from scheduler.store.cleaning import retention
from scheduler.store.recording import rollups
from scheduler.store.sessions.connections import Connection
from tests.integration.store.conftest import Open
from tests.ledger import MINUTE, NOON, SECOND, add_job, add_node, add_run

CHANGES = 3


@pytest.fixture
def count(session: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Count that many runs, each in a transaction of its own, as a node does."""
    monkeypatch.setattr(rollups, "CHANGES_OF_A_KEY", CHANGES)
    job = add_job()

    def count(node: str, number: int) -> None:
        for _ in range(number):
            at = NOON + job.runs.count() * MINUTE
            run = add_run(job, scheduled_at=at, state=RunState.SUCCEEDED, finished_at=at + 2 * SECOND)
            assert not rollups.count(session, runs=[run.pk], node=node)

    return count


def shown() -> dict[str, Any]:
    """Return all that was counted, whoever did."""
    buckets = Counter.objects.values_list("run_buckets", "lag_buckets")
    return {
        "totals": metrics.totals().executed,
        "run_seconds": Counter.objects.aggregate(sum=Sum("run_seconds"))["sum"],
        "run_buckets": sum(sum(run) for run, _ in buckets),
        "lag_buckets": sum(sum(lag) for _, lag in buckets),
        "queues": QueueCounter.objects.aggregate(sum=Sum("runs"))["sum"],
        "roll-ups": Rollup.objects.aggregate(sum=Sum("succeeded"))["sum"],
    }


def expected(runs: int) -> dict[str, Any]:
    return {**dict.fromkeys(shown(), runs), "run_seconds": 2.0 * runs}


class TestTheKeysOfANode:
    def test_change_and_count_each_run_once(self, count: Callable[[str, int], None]) -> None:
        count(add_node(), 3 * CHANGES + 1)

        assert Counter.objects.count() == 4
        assert shown() == expected(3 * CHANGES + 1)

    def test_are_added_to_its_own_counters_when_they_are_used_no_more(
        self, count: Callable[[str, int], None], session: Connection
    ) -> None:
        node = add_node()
        for _ in range(2):
            count(node, 2 * CHANGES)
            rollups.fold(session, node=node)

        assert shown() == expected(4 * CHANGES)
        own = Counter.objects.get(node=node)
        assert own.runs == 3 * CHANGES, "but for the key in use"
        assert Counter.objects.count() == 2
        assert set(QueueCounter.objects.values_list("node", flat=True)) == set(
            Counter.objects.values_list("node", flat=True)
        )

    def test_are_left_to_the_clean_up_while_somebody_holds_one(
        self, count: Callable[[str, int], None], session: Connection, open_session: Open
    ) -> None:
        node = add_node()
        count(node, CHANGES + 1)
        with open_session().transaction() as other:
            other._connection.raw()
            other.execute("fold_counters", parts=[str(Counter.objects.get(runs=CHANGES).node)], into=node)
            with pytest.raises(Exception, match="lock timeout"):
                rollups.fold(session, node=node)
            other.roll_back()
        rollups.fold(session, node=node)
        assert shown() == expected(CHANGES + 1)

        retention.fold_counters()

        assert shown() == expected(CHANGES + 1)
        assert list(Counter.objects.values_list("node", "runs")) == [(UUID(int=0), CHANGES + 1)]

    def test_go_on_after_a_clean_up_has_added_up_the_key_in_use(self, count: Callable[[str, int], None]) -> None:
        node = add_node()
        count(node, 1)

        retention.fold_counters()
        count(node, 1)

        assert shown() == expected(2)

    def test_are_kept_together_when_the_node_is_forgotten(
        self, count: Callable[[str, int], None], session: Connection
    ) -> None:
        node = add_node()
        count(node, 2 * CHANGES)
        rollups.fold(session, node=node)
        Node.objects.all().delete()

        retention.fold_counters()

        assert shown() == expected(2 * CHANGES)
        assert list(Counter.objects.values_list("node", "runs")) == [(UUID(int=0), 2 * CHANGES)]
