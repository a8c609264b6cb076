"""The pages of nodes and of health."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import NodeState, RunState
from scheduler.models import BulkAction, NodeMeasure, Run
from scheduler.services import bulk, jobs
from tests.integration.admin.runs import node, run, yes
from tests.waiting import PATIENCE_SECONDS

NODES = reverse("admin:scheduler_node_changelist")
HEALTH = reverse("admin:scheduler_health")


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestNodes:
    def test_are_shown_and_cannot_be_changed(self, client: Client) -> None:
        seen = node(state=NodeState.LOST, reason="No heartbeat since noon.")
        address = reverse("admin:scheduler_node_change", args=[seen.pk])

        assert "web-2" in client.get(NODES).content.decode()
        assert "No heartbeat since noon." in client.get(address).content.decode()
        assert client.post(address, {"name": "x"}).status_code == 403
        assert client.get(reverse("admin:scheduler_node_add")).status_code == 403

    def test_show_what_they_use(self, client: Client) -> None:
        seen, now = node(), timezone.now()
        values = {"clock_at": now, "reported_at": now, "backlog": 0, "memory_bytes": 128 * 2**20, "processors": 1.254}
        NodeMeasure.objects.create(node=seen, **values)

        text = client.get(reverse("admin:scheduler_node_change", args=[seen.pk])).content.decode()

        assert "128.0\xa0MB" in text
        assert "125 % of one processor" in text

    def test_are_called_silent_when_they_are(self, client: Client) -> None:
        node(heartbeat_at=timezone.now() - timedelta(minutes=4))

        assert "silent" in client.get(NODES).content.decode()


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestHealth:
    def test_says_what_is_wrong_and_what_to_do(self, login: Callable[..., Client]) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        type(job).objects.update(next_run_time=timezone.now() - timedelta(minutes=5))

        response = login("view_node").get(HEALTH)

        assert response.context["sentence"].startswith("Not healthy. No scheduler is running")
        assert "FAIL overdue: 1 job" in response.context["text"]
        assert "manage.py runscheduler" in response.content.decode()

    def test_says_that_all_is_well(self, client: Client) -> None:
        node()

        assert client.get(HEALTH).context["sentence"] == "All is well."
        assert HEALTH in client.get(NODES).content.decode()

    def test_leads_to_where_the_queue_of_an_executor_is_emptied(self, client: Client) -> None:
        node()
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        mine = [jobs.run_now(job=job).pk for _ in range(2)]
        running = run(job=job, state=RunState.RUNNING, finished_at=None)
        other = run(state=RunState.QUEUED, executor="processpool", started_at=None, finished_at=None)

        rows = {row["executor"]: row for row in client.get(HEALTH).context["queues"]}
        asked = client.get(rows["default"]["empty"]).content.decode()
        yes(client, rows["default"]["empty"])
        bulk.step(id=BulkAction.objects.get().pk, seconds=PATIENCE_SECONDS)

        assert "2 runs are selected." in asked
        states = dict(Run.objects.values_list("pk", "state"))
        assert [states[pk] for pk in (*mine, running.pk, other.pk)] == ["cancelled", "cancelled", "running", "queued"]

    def test_offers_to_empty_a_queue_only_to_those_who_may(self, login: Callable[..., Client]) -> None:
        node()
        run(state=RunState.QUEUED, started_at=None, finished_at=None)
        client = login("view_node", "view_run")

        assert [row["empty"] for row in client.get(HEALTH).context["queues"]] == [""]

    def test_is_closed_without_the_permission(self, login: Callable[..., Client]) -> None:
        assert login("view_job").get(HEALTH).status_code == 403

    def test_shows_each_value_beside_its_limit(self, client: Client) -> None:
        node()

        rows = {row["name"]: (row["value"], row["limit"]) for row in client.get(HEALTH).context["rows"]}

        assert rows["nodes"] == ("1", "≥ 1")
        assert rows["overdue"] == ("0 s", f"≤ {conf.get().overdue_seconds:g} s")
        assert rows["jobs that cannot run"] == ("0", "0")
