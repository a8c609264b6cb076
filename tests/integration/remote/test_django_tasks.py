"""``tasks:ALIAS``: other backends of Django's tasks carry rings, and the ledger decides what they begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from django.utils import timezone

from scheduler.contrib.django_tasks import hosting, ringing
from scheduler.contrib.django_tasks.bell import TasksBell
from scheduler.contrib.django_tasks.compat import BaseTaskBackend, task_backends
from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import BrokerUnavailable, UnusableExecutor
from scheduler.models import Node, Run
from scheduler.remote import executors
from scheduler.remote.executors import Ring
from scheduler.services import jobs, runs
from tests.nodes import make_node, work
from tests.sample_app import task_files
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

BACKENDS = BaseTaskBackend.__module__.removesuffix(".base")
SOON = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}


class RefusingBackend(BaseTaskBackend):
    """A backend whose storage is away."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        raise ConnectionError("no route to tasks.example")


class BrokenBackend(BaseTaskBackend):
    """A backend that cannot be made."""

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        raise ValueError("no such option")

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def backends(settings: Any, tmp_path: Any) -> Iterator[None]:
    here = "tests.integration.remote.test_django_tasks"
    settings.TASKS = {
        **settings.TASKS,
        "now": {"BACKEND": f"{BACKENDS}.immediate.ImmediateBackend"},
        "forgets": {"BACKEND": f"{BACKENDS}.dummy.DummyBackend", "QUEUES": ["one", "two"]},
        "file": {"BACKEND": "tests.sample_app.task_files.FileBackend", "OPTIONS": {"PATH": str(tmp_path / "tasks")}},
        "refuses": {"BACKEND": f"{here}.RefusingBackend"},
        "broken": {"BACKEND": f"{here}.BrokenBackend"},
    }
    yield
    hosting.stop_all()


def queued(executor: str, *, task: str = "sample.nothing", **changes: Any) -> Run:
    return jobs.run_now(job=jobs.create(task=task, trigger=SOON, executor=executor, **changes))


def is_over(run: Run) -> Callable[[], bool]:
    return lambda: Run.objects.get(pk=run.pk).finished_at is not None


class TestChoosingABackend:
    @pytest.mark.parametrize("alias", ["now", "forgets", "file", "refuses"])
    def test_is_possible_for_any_other_one(self, alias: str) -> None:
        executors.check(f"tasks:{alias}")

    @pytest.mark.parametrize(
        ("alias", "sentence"),
        [
            ("nowhere", "needs a backend “nowhere” in settings.TASKS. There are: “broken”, “default”"),
            ("default", "the backend “default” is the ledger itself"),
            ("broken", "does not take tasks (ValueError: no such option)"),
        ],
    )
    def test_is_rejected_with_the_reason(self, alias: str, sentence: str) -> None:
        with pytest.raises(UnusableExecutor) as raised:
            jobs.create(task="sample.nothing", trigger=SOON, executor=f"tasks:{alias}")

        assert sentence in str(raised.value)

    def test_adds_no_task_that_jobs_could_run(self) -> None:
        assert ringing.run.module_path == "scheduler.contrib.django_tasks.ringing.run"
        assert not [name for name in registry.names() if "ringing" in name]


class TestTheBell:
    def test_enqueues_the_number_of_a_run_and_nothing_else(self, tmp_path: Any) -> None:
        TasksBell("file").ring([Ring(run=7, attempt=2, ring=1), Ring(run=8, attempt=1, ring=3)])

        assert task_files.read(tmp_path / "tasks") == [
            {"run": 7, "attempt": 2, "ring": 1},
            {"run": 8, "attempt": 1, "ring": 3},
        ]

    def test_takes_a_queue_that_the_backend_has(self) -> None:
        TasksBell("forgets").ring([Ring(run=7, attempt=1, ring=1)])

        (result,) = task_backends["forgets"].results
        assert (result.task.queue_name, result.task.backend) == ("one", "forgets")

    def test_names_the_backend_that_refuses(self) -> None:
        with pytest.raises(BrokerUnavailable) as raised:
            TasksBell("refuses").ring([Ring(run=7, attempt=1, ring=1)])

        assert str(raised.value) == ("The broker tasks:refuses refused: ConnectionError: no route to tasks.example")

    def test_gives_a_slow_backend_up(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        monkeypatch.setattr("scheduler.contrib.django_tasks.bell.LONGEST_SECONDS", 0.0)

        with pytest.raises(BrokerUnavailable, match="It took more than 0 s"):
            TasksBell("file").ring([Ring(run=number, attempt=1, ring=1) for number in range(1_000)])

        assert len(task_files.read(tmp_path / "tasks")) < 10


class TestABackendThatRunsAtOnce:
    def test_runs_the_body_in_the_name_of_a_worker(self) -> None:
        run = queued("tasks:now", task="sample.square", kwargs={"number": 3})
        node = make_node(ring_again_seconds=3600.0)
        try:
            work(node, until=is_over(run))
        finally:
            node.stop(grace_seconds=0.1)

        run.refresh_from_db()
        worker = Node.objects.get(pk=run.node)
        assert (run.state, run.result["square"], run.rings) == (RunState.SUCCEEDED, 9, 1)
        assert (worker.kind, worker.queues, str(worker.pk) != node.identity.node) == ("tasks", ["now"], True)

    def test_records_a_failure_and_its_retry_as_a_node_does(self) -> None:
        run = queued("tasks:now", task="sample.fail", kwargs={"message": "no"}, max_retries=1, retry_delay=0)
        node = make_node()
        try:
            work(node, until=lambda: Run.objects.filter(state=RunState.FAILED).count() == 2)
        finally:
            node.stop(grace_seconds=0.1)

        attempts = list(Run.objects.filter(job=run.job_id).order_by("attempt").values_list("attempt", "error"))
        assert attempts == [(1, "ValueError: no"), (2, "ValueError: no")]


class TestARing:
    def test_ends_when_the_outcome_is_recorded(self) -> None:
        run = queued("tasks:now")

        hosting.answer(Ring(run=run.pk, attempt=1, ring=1), alias="now")

        assert Run.objects.get(pk=run.pk).state == RunState.SUCCEEDED

    def test_begins_no_second_body(self) -> None:
        run = queued("tasks:now")
        for number in (1, 2, 3):
            hosting.answer(Ring(run=run.pk, attempt=1, ring=number), alias="now")

        assert Run.objects.filter(job=run.job_id).count() == 1

    def test_of_a_cancelled_run_is_dropped(self) -> None:
        run = queued("tasks:now")
        runs.cancel(run=run.pk)

        hosting.answer(Ring(run=run.pk, attempt=1, ring=1), alias="now")

        assert Run.objects.get(pk=run.pk).state == RunState.CANCELLED

    def test_of_a_run_of_nodes_is_dropped(self) -> None:
        run = queued("default")

        hosting.answer(Ring(run=run.pk, attempt=1, ring=1), alias="now")

        assert Run.objects.get(pk=run.pk).state == RunState.QUEUED

    def test_makes_one_worker_for_each_backend(self) -> None:
        for alias in ("now", "now", "file"):
            hosting.answer(Ring(run=2**40, attempt=1, ring=1), alias=alias)

        assert sorted(Node.objects.filter(state="running").values_list("kind", "queues")) == [
            ("tasks", ["file"]),
            ("tasks", ["now"]),
        ]
        hosting.stop_all()
        assert set(Node.objects.values_list("state", flat=True)) == {"stopped"}

    def test_of_a_body_that_listens_can_be_cancelled(self) -> None:
        run = queued("tasks:now", task="governed.listen")
        answering = Thread(target=hosting.answer, args=(Ring(run=run.pk, attempt=1, ring=1),), kwargs={"alias": "now"})
        answering.start()
        wait_until(lambda: Run.objects.get(pk=run.pk).state == RunState.RUNNING)
        runs.cancel(run=run.pk)
        answering.join(120)

        assert Run.objects.get(pk=run.pk).state == RunState.CANCELLED


class TestABackendThatForgets:
    def test_leaves_the_run_waiting_and_counted(self) -> None:
        run = queued("tasks:forgets")
        queued_at = timezone.now()
        node = make_node(ring_again_seconds=3600.0)
        try:
            work(node, until=lambda: Run.objects.get(pk=run.pk).rings == 1)
        finally:
            node.stop(grace_seconds=0.1)

        run.refresh_from_db()
        assert (run.state, run.node) == (RunState.QUEUED, None)
        assert run.rung_at is not None
        assert queued_at < run.rung_at < timezone.now()
