from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import runs as runs_admin
from scheduler.core.states import NodeState, RunState
from scheduler.models import Node, Run
from scheduler.services import jobs

RUNS = reverse("admin:scheduler_run_changelist")
NODES = reverse("admin:scheduler_node_changelist")


def run(**values: Any) -> Run:
    at = values.pop("at", timezone.now())
    values = {"state": RunState.SUCCEEDED, "started_at": at, "finished_at": at + timedelta(seconds=3), **values}
    return Run.objects.create(
        **{
            "job_key": "nightly",
            "job_name": "Nightly cleaning",
            "task": "scheduler.cleanup_jobs",
            "scheduled_at": at,
            "due_at": at,
            "created_at": at,
            "executor": "default",
            **values,
        }
    )


def node(**values: Any) -> Node:
    now = timezone.now()
    return Node.objects.create(
        **{"name": "web-2", "host": "h", "pid": 1, "version": "1", "started_at": now, "heartbeat_at": now, **values}
    )


def page(run: Run) -> str:
    return reverse("admin:scheduler_run_change", args=[run.pk])


class TestRunList:
    def test_shows_state_node_duration_and_the_first_line_of_the_error(self, client: Client) -> None:
        run(state=RunState.FAILED, error="ValueError: first line\nsecond line", node=node().pk)

        text = client.get(RUNS).content.decode()

        for part in ("Nightly cleaning", "failed", "web-2", "3.0 s", "ValueError: first line"):
            assert part in text
        assert "second line" not in text

    def test_shows_rows_that_lack_everything(self, client: Client) -> None:
        run(state=RunState.SKIPPED, started_at=None, reason="2 runs are active.")
        run(state=RunState.QUEUED, started_at=None, finished_at=None)
        run(node=uuid4(), job_id="never-existed")

        text = client.get(RUNS).content.decode()

        assert "2 runs are active." in text
        assert client.get(RUNS).context["cl"].result_count == 3

    def test_filters_by_state_kind_and_job(self, client: Client) -> None:
        job = jobs.create(id="a b&c", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        mine = jobs.run_now(job=job)
        run()
        link = (
            client.get(reverse("admin:scheduler_job_change", args=[job.pk])).context["adminform"].model_admin.runs(job)
        )

        for query in ("state__exact=queued", "kind__exact=manual", link.split('"')[1].partition("?")[2]):
            assert [found.pk for found in client.get(f"{RUNS}?{query}").context["cl"].queryset] == [mine.pk]

    def test_never_counts_the_whole_ledger(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runs_admin, "_MOST_COUNTED", 5)
        for _ in range(9):
            run()

        with CaptureQueriesContext(
            connection,
        ) as queries:
            shown = client.get(RUNS).context["cl"]

        counts = [query["sql"] for query in queries if "COUNT" in query["sql"]]
        assert (shown.result_count, len(shown.result_list)) == (5, 9)
        assert len(counts) == 1
        assert "LIMIT 5" in counts[0]

    def test_does_a_fixed_number_of_queries_and_leaves_long_columns_out(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for _ in range(30):
            run(node=node().pk, traceback="x")

        with django_assert_max_num_queries(6) as queries:
            client.get(RUNS)

        assert not [query["sql"] for query in queries if '"traceback"' in query["sql"]]


class TestRunPage:
    def test_shows_result_traceback_and_arguments(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        shown = run(result={"new": ["<b>"]}, traceback="Traceback: <i>", error="E", args=[1], kwargs={"days": 7})

        with django_assert_max_num_queries(6):
            text = client.get(page(shown)).content.decode()

        assert "&lt;b&gt;" in text
        assert "Traceback: &lt;i&gt;" in text
        assert "&quot;days&quot;: 7" in text

    def test_survives_what_it_points_to_being_gone(self, client: Client) -> None:
        shown = run(previous_id=987_654_321, job_id="never-existed", node=uuid4())

        text = client.get(page(shown)).content.decode()

        assert "#987654321" in text
        assert str(shown.node)[:8] in text

    def test_cannot_be_changed_by_anybody(self, client: Client) -> None:
        shown = run()

        assert client.post(page(shown), {"state": "failed"}).status_code == 403
        assert client.get(reverse("admin:scheduler_run_add")).status_code == 403
        assert client.post(reverse("admin:scheduler_run_delete", args=[shown.pk]), {"post": "yes"}).status_code == 403
        client.post(RUNS, {"action": "delete_selected", "_selected_action": [shown.pk], "post": "yes"})
        assert Run.objects.get().state == RunState.SUCCEEDED

    def test_is_closed_without_the_permission(self, login: Callable[..., Client]) -> None:
        assert login("view_job").get(page(run())).status_code == 403

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(0.0042, "4 ms"), (3, "3.0 s"), (59.94, "59.9 s"), (119.6, "2 min 0 s"), (3 * 3600 + 125, "3 h 2 min")],
    )
    def test_says_how_long_it_took(self, client: Client, seconds: float, words: str) -> None:
        at = timezone.now()
        shown = run(started_at=at, finished_at=at + timedelta(seconds=seconds))

        assert f">{words}<" in client.get(page(shown)).content.decode()


class TestNodes:
    def test_are_shown_and_cannot_be_changed(self, client: Client) -> None:
        seen = node(state=NodeState.LOST, reason="No heartbeat since noon.")
        address = reverse("admin:scheduler_node_change", args=[seen.pk])

        assert "web-2" in client.get(NODES).content.decode()
        assert "No heartbeat since noon." in client.get(address).content.decode()
        assert client.post(address, {"name": "x"}).status_code == 403
        assert client.get(reverse("admin:scheduler_node_add")).status_code == 403
