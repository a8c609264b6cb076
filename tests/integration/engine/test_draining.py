"""A drained node begins no more runs, lets go of those that it has not begun, and is asked in its heartbeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler.core.states import RunState
from scheduler.engine.node import Node
from scheduler.errors import NodeStateUnchanged
from scheduler.models import Job, Run
from scheduler.models import Node as Row
from scheduler.services import jobs, nodes
from scheduler.services.queries import health
from scheduler.services.runs import enqueueing
from scheduler.store.recording import runs as stored_runs
from tests.nodes import make_node, work

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = "sample.nothing"


@contextmanager
def working(**changes: Any) -> Iterator[Node]:
    node = make_node(**changes)
    try:
        yield node
    finally:
        node.stop(grace_seconds=0.1)


def row(node: Node) -> Row:
    return Row.objects.get(pk=node.identity.node)


def drain(node: Node) -> None:
    nodes.drain(node=row(node), actor="ada")
    node.heartbeat.beat_now()


class TestADrainedNode:
    def test_begins_no_run_and_plans_no_job_until_it_takes_runs_again(self) -> None:
        with working(threads=2) as node:
            drain(node)
            enqueueing.enqueue(task=NOTHING)
            due = jobs.create(task=NOTHING, trigger={"type": "interval", "hours": 1})
            Job.objects.filter(pk=due.pk).update(next_run_time="2020-01-01T00:00:00Z", misfire_grace_time=None)
            pauses = [node.run_once() for _ in range(20)]

            assert sum(pause > 0 for pause in pauses) > 10, pauses  # whatever else it does from time to time
            assert list(Run.objects.values_list("state", flat=True)) == [RunState.QUEUED]

            nodes.undrain(node=row(node))
            node.heartbeat.beat_now()
            work(node, until=lambda: Run.objects.filter(state=RunState.SUCCEEDED).count() == 2)

    def test_lets_what_it_has_begun_go_on_and_gives_the_rest_to_others(self, tmp_path: Path) -> None:
        until = tmp_path / "end"
        held = enqueueing.enqueue(task="sample.wait", kwargs={"until": str(until)})
        with working(threads=1) as node, working(threads=1) as other:
            work(node, until=lambda: Run.objects.filter(state=RunState.RUNNING).exists())
            waiting = [enqueueing.enqueue(task=NOTHING).public_id for _ in range(3)]
            taken = stored_runs.take(
                node.heartbeat.connection, node=node.identity.node, executor="default@default", tasks=[NOTHING], limit=9
            )
            assert len(taken) == 3
            node.workload.add(taken)
            drain(node)
            node.run_once()

            mine = Run.objects.filter(node=node.identity.node)
            assert list(mine.values_list("public_id", flat=True)) == [held.public_id]
            done = Run.objects.filter(public_id__in=waiting, state=RunState.SUCCEEDED)
            work(other, until=lambda: done.count() == len(waiting))
            until.touch()
            work(node, until=lambda: not mine.filter(finished_at=None).exists())
            assert Run.objects.get(public_id=held.public_id).state == RunState.SUCCEEDED

    def test_stays_drained_under_another_id(self) -> None:
        with working() as node:
            drain(node)
            Row.objects.update(state="lost")
            node.heartbeat.do()
            node.run_once()

            assert row(node).drained_by == "ada"
            assert node.heartbeat.lease.is_drained

    def test_is_judged_as_no_node_when_it_is_the_only_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with working() as node:
            drain(node)
            checks = {check.name: check for check in health.judged().checks}

            assert (checks["nodes"].status, checks["nodes"].value) == ("fail", 0)
            assert "The only node is drained" in checks["nodes"].text

            with working():
                assert {check.name: check.status for check in health.judged().checks}["nodes"] == "pass"


class TestDraining:
    def test_is_refused_where_it_would_change_nothing(self) -> None:
        with working() as node:
            with pytest.raises(NodeStateUnchanged, match="is not drained"):
                nodes.undrain(node=row(node))
            drain(node)
            with pytest.raises(NodeStateUnchanged, match="is drained already"):
                nodes.drain(node=row(node))
        with pytest.raises(NodeStateUnchanged, match="is not running any more"):
            nodes.undrain(node=row(node))

    def test_is_no_matter_of_a_worker_whose_broker_gives_it_the_runs(self) -> None:
        with working() as node:
            Row.objects.update(kind="celery")

            with pytest.raises(NodeStateUnchanged, match="is a worker of a broker"):
                nodes.drain(node=row(node))

    def test_is_a_button_on_the_page_of_the_node(self, admin_client: Client) -> None:
        with working() as node:
            page = reverse("admin:scheduler_node_change", args=[node.identity.node])
            path = reverse("admin:scheduler_node_drain", args=[node.identity.node])
            assert path in admin_client.get(page).content.decode()
            assert "Runs that it has begun go on" in admin_client.get(path).content.decode()

            admin_client.post(path, {"confirmed": "1"})
            shown = admin_client.get(page).content.decode()

            assert "Drained by admin:" in shown
            assert "No run is left here, so its process can be ended." in shown
            admin_client.post(path.replace("/drain/", "/undrain/"), {"confirmed": "2"})
            assert path in admin_client.get(page).content.decode()
        assert path not in admin_client.get(page).content.decode()
