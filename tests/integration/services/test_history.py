"""Finding runs of which there are few: an index leads to them, so that the ledger is not read for them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection

from scheduler.core.states import RunKind
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from tests.integration.admin.runs import run

NODE = UUID(int=7)


@pytest.fixture
def plan(db: None) -> Callable[..., str]:
    """How the database finds a page of runs in a ledger, when reading all of it is out of the question."""
    run()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scheduler_run SELECT copy.* FROM scheduler_run AS one, generate_series(1, 2000) AS n,"
            " jsonb_populate_record(NULL::scheduler_run, to_jsonb(one) || jsonb_build_object('id', one.id + n,"
            " 'scheduled_at', one.scheduled_at - n * interval '1 minute')) AS copy"
        )
        cursor.execute("ANALYZE scheduler_run")

    def explain(filter: RunFilter, *dearer: str) -> str:
        with connection.cursor() as cursor:
            for step in ("seqscan", *dearer):
                cursor.execute(f"SET LOCAL enable_{step} = off")
        return run_queries.runs(filter=filter)[:51].explain()

    return explain


class TestRunsThatAreRare:
    @pytest.mark.parametrize("kind", [kind for kind in RunKind if kind is not RunKind.SCHEDULED])
    def test_are_found_by_their_kind(self, plan: Callable[..., str], kind: RunKind) -> None:
        found = plan(RunFilter(kinds=(kind,)), "sort")

        assert "scheduler_run_other_kind" in found
        assert "Sort" not in found

    @pytest.mark.parametrize("filter", [RunFilter(task="shop.rare"), RunFilter(node=str(NODE))])
    def test_are_found_by_their_task_or_node(self, plan: Callable[..., str], filter: RunFilter) -> None:
        assert "scheduler_run_at_task_node" in plan(filter, "indexscan")

    def test_are_all_found(self, db: None) -> None:
        rare = {run(task="shop.rare").pk, run(task="shop.rare", kind=RunKind.MANUAL, node=NODE).pk}
        run()
        run(kind=RunKind.RETRY)
        kinds = (RunKind.SCHEDULED, RunKind.MANUAL)

        def found(**filter: object) -> list[RunKind]:
            return [each.kind for each in run_queries.runs(filter=RunFilter(**filter))]  # type: ignore[arg-type]

        assert {each.pk for each in run_queries.runs(filter=RunFilter(task="shop.rare"))} == rare
        assert (found(kinds=(RunKind.MANUAL,)), found(node=str(NODE))) == (["manual"], ["manual"])
        assert (len(found(kinds=kinds)), len(found(kinds=(RunKind.RETRY, RunKind.MANUAL)))) == (3, 2)
