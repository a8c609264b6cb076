"""Choosing a remote executor: at every door the same sentence says what is wrong, and the cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from scheduler import checks, task
from scheduler.core.queues.policies import Policies
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownExecutor, UnusableExecutor
from scheduler.remote import executors
from scheduler.remote.executors import RemoteExecutor
from scheduler.services import jobs
from scheduler.services.queries import job_queries
from scheduler.services.runs import enqueueing
from scheduler.services.runs.enqueueing import Call
from tests.bells import Broker
from tests.ledger import add_node

TASK = "sample.nothing"
SOON = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}
WRONG = [
    ("nowhere:scrape", "“nowhere:scrape” is not an executor. Remote executors are celery:…, tasks:…."),
    ("celery:", "After the colon comes the name of a queue"),
    ("celery:two words", "After the colon comes the name of a queue"),
    ("celery:a@b", "After the colon comes the name of a queue"),
]


@pytest.fixture
def without_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "_is_installed", lambda module: module != "celery")


class TestParsing:
    def test_splits_kind_and_target_and_leaves_the_queue_out(self) -> None:
        assert executors.parse("celery:scrape@mail") == RemoteExecutor(kind="celery", target="scrape")
        assert executors.parse("celery:a:b") == RemoteExecutor(kind="celery", target="a:b")
        assert str(executors.parse("celery:scrape")) == "celery:scrape"

    @pytest.mark.parametrize("executor", ["default", "processpool", "default@a:b", ""])
    def test_finds_no_remote_executor_in_one_of_nodes(self, executor: str) -> None:
        assert executors.parse(executor) is None
        assert executors.broker_of(executor) is None
        executors.check(executor)

    def test_names_the_broker_that_a_kind_or_a_target_has(self) -> None:
        assert executors.broker_of("celery:scrape@mail") == "celery"
        assert executors.broker_of("tasks:other@mail") == "tasks:other"
        assert executors.broker_of("nowhere:other") is None


@pytest.mark.django_db
class TestSaving:
    DOORS = [
        lambda executor: jobs.create(task=TASK, trigger=SOON, executor=executor),
        lambda executor: jobs.update(
            job=jobs.create(task=TASK, trigger=SOON, executor="processpool"), executor=executor
        ),
        lambda executor: enqueueing.enqueue_many(calls=[Call(task=TASK, policies=Policies(executor=executor))]),
    ]

    @pytest.mark.parametrize("door", DOORS, ids=["create", "update", "enqueue"])
    @pytest.mark.parametrize(("executor", "sentence"), WRONG, ids=[executor for executor, _ in WRONG])
    def test_rejects_what_cannot_be_rung(self, door: Callable[[str], Any], executor: str, sentence: str) -> None:
        with pytest.raises(UnusableExecutor) as raised:
            door(executor)

        assert sentence in str(raised.value)
        assert raised.value.code == "unknown_executor"

    @pytest.mark.parametrize("door", DOORS, ids=["create", "update", "enqueue"])
    def test_names_the_extra_that_is_missing(self, without_celery: None, door: Callable[[str], Any]) -> None:
        with pytest.raises(UnusableExecutor) as raised:
            door("celery:scrape")

        assert str(raised.value) == (
            "The executor “celery:scrape” needs a package that is missing here. Install openlearn-scheduler[celery]."
        )

    def test_accepts_one_that_can_be_rung(self, broker: Broker) -> None:
        assert jobs.create(task=TASK, trigger=SOON, executor="celery:scrape").executor == "celery:scrape"

    def test_offers_the_queues_of_workers_and_not_their_pools(self, broker: Broker) -> None:
        add_node(kind="celery", executors={"celery": 4}, queues=["scrape", "mail"])
        add_node(executors={"default": 4, "gpu": 1})

        assert job_queries.executors() >= {"celery:scrape", "celery:mail", "gpu"}
        with pytest.raises(UnknownExecutor, match="There is no executor “celery”"):
            jobs.create(task=TASK, trigger=SOON, executor="celery")

    def test_rejects_it_on_the_command_line(self, without_celery: None) -> None:
        jobs.create(task=TASK, trigger=SOON)

        with pytest.raises(Exception, match=r"Install openlearn-scheduler\[celery\]"):
            call_command("jobs", "bulk", "edit", "--all", "--set-executor", "celery:scrape")


class TestATask:
    def test_that_names_one_is_checked_when_the_process_starts(self, without_celery: None) -> None:
        task(name="tests.remote", executor="celery:scrape")(_body)
        try:
            found = [str(message.msg) for message in checks.tasks() if message.id == "scheduler.E007"]
            assert found == [message.msg for message in run_checks() if message.id == "scheduler.E007"]
        finally:
            registry.remove("tests.remote")

        assert len(found) == 1
        assert "“tests.remote”" in found[0]
        assert "Install openlearn-scheduler[celery]" in found[0]


def _body() -> None:
    """A task needs one."""
