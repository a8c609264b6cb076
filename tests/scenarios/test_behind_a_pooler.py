from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections, transaction

from scheduler.models import Run
from scheduler.services import jobs, runs
from scheduler.services.runs import enqueueing
from scheduler.services.runs.enqueueing import Call
from scheduler.store.sessions.notifications import Channel, Hint
from tests import pgbouncer
from tests.hearing import hearing
from tests.pgbouncer import Pooler
from tests.postgres import Cluster
from tests.sample_app import django_tasks as sample
from tests.scenarios.site import Site, connected_to
from tests.scenarios.ticking import assert_begun_once, assert_covered_once, every_second
from tests.waiting import wait_until

if pgbouncer.PROGRAM is None and os.environ.get("CI") != "true":
    pytest.skip(pgbouncer.MISSING, allow_module_level=True)


@pytest.fixture
def pooler(cluster: Cluster, tmp_path: Path) -> Iterator[Pooler]:
    assert pgbouncer.PROGRAM is not None, pgbouncer.MISSING
    directory = Path("/tmp") / f"pooler-{os.getpid()}-{tmp_path.name}"  # where the pooler's own user may go
    directory.mkdir()
    with Pooler(cluster, directory=directory) as pooler:
        yield pooler


class TestNodesBehindAPoolerInTransactionMode:
    @pytest.mark.parametrize("has_direct_way", [True, False], ids=["with a direct way", "without a direct way"])
    def test_lose_and_double_nothing(self, site: Site, pooler: Pooler, has_direct_way: bool) -> None:
        created = [every_second(f"job-{number}") for number in range(10)]
        variables = {"DATABASE_URL": pooler.url(site.url)}
        if has_direct_way:
            variables["DATABASE_URL_SYNC"] = site.url
        nodes = [site.start_node("--threads", "3", **variables) for _ in range(2)]
        site.began("job-9", count=4)

        nodes[0].kill()
        site.lose(nodes[0])
        before = len(site.executions("job-9"))
        site.began("job-9", count=before + 3)
        nodes[1].stop()

        for job in created:
            assert_covered_once(job)
            assert_begun_once(site, job)
            # What the killed node had begun.
            assert Run.objects.filter(job_key=job.pk, state="interrupted").count() <= 1

    def test_take_what_is_enqueued(self, site: Site, pooler: Pooler) -> None:
        url = pooler.url(site.url)
        nodes = [site.start_node(DATABASE_URL=url, SCHEDULER_POLL_SECONDS="1") for _ in range(2)]

        for count in range(20, 140, 20):
            enqueueing.enqueue_many(calls=[Call(task="sample.nothing")] * 20)
            wait_until(lambda: Run.objects.filter(state="succeeded").count() == count)  # noqa: B023 - called here

        for node in nodes:
            node.stop()
            assert "Traceback" not in node.output
        assert Run.objects.count() == 120

    def test_hear_of_changes_by_polling_alone(self, site: Site, pooler: Pooler) -> None:
        node = site.start_node(DATABASE_URL=pooler.url(site.url), SCHEDULER_POLL_SECONDS="1")

        job = jobs.create(task="governed.listen", trigger={"type": "date", "run_at": "2100-01-01T00:00:00Z"})
        run = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=run.pk, state="running").exists())
        runs.cancel(run=run)

        wait_until(lambda: Run.objects.filter(pk=run.pk, state="cancelled").exists())
        node.stop()


@pytest.fixture
def heard(site: Site) -> Iterator[Callable[[], set[Hint]]]:
    """What nodes with a direct way heard since it was asked last."""
    with hearing() as heard:
        yield heard


@pytest.fixture
def pooled(site: Site, pooler: Pooler, heard: object) -> Iterator[None]:
    """Let this process use the database through the pooler."""
    with connected_to(pooler.url(site.url)):
        yield


def enqueue(number: int) -> None:
    """Enqueue calls: a single one has a procedure of its own, and commits in it."""
    enqueueing.enqueue_many(calls=[Call(task="sample.nothing", queue="mail")] * number)


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.usefixtures("pooled")
class TestEnqueueingThroughAPoolerInTransactionMode:
    HINTS = {Hint(Channel.RUNS, "default@mail")}

    def test_wakes_nodes_at_once_without_a_transaction(self, number: int, heard: Callable[[], set[Hint]]) -> None:
        enqueue(number)
        assert heard() == self.HINTS
        assert Run.objects.count() == number

    def test_wakes_nodes_when_the_transaction_has_committed(self, number: int, heard: Callable[[], set[Hint]]) -> None:
        with transaction.atomic():
            enqueue(number)
            assert heard() == set()
        assert heard() == self.HINTS
        assert Run.objects.count() == number

    def test_leaves_nothing_of_a_transaction_that_rolls_back(self, number: int, heard: Callable[[], set[Hint]]) -> None:
        with transaction.atomic():
            enqueue(number)
            transaction.set_rollback(True)
        assert heard() == set()
        assert not Run.objects.exists()

    def test_keeps_the_transactions_of_many_clients_apart(self, number: int) -> None:
        settings = connections["default"].settings_dict

        def work(client: int) -> int:
            """Enqueue from a connection of its own. Every third transaction rolls back."""
            connections["default"].settings_dict = settings
            committed = 0
            for turn in range(15):
                with transaction.atomic():
                    enqueue(number)
                    transaction.set_rollback((client + turn) % 3 == 0)
                committed += (client + turn) % 3 != 0
                enqueue(number)
            connections["default"].close()
            return committed + 15

        with ThreadPoolExecutor(8) as clients:  # the pooler has four sessions for them
            committed = sum(clients.map(work, range(8)))
        assert Run.objects.count() == number * committed == number * 200


class TestANodeWithADirectWay:
    def test_begins_what_is_enqueued_through_a_pooler_without_polling(self, site: Site, pooler: Pooler) -> None:
        url = pooler.url(site.url)
        variables = {"DATABASE_URL": url, "DATABASE_URL_SYNC": site.url, "SCHEDULER_POLL_SECONDS": "60"}
        node = site.start_node(**variables)
        with connected_to(url):
            for number in range(5):
                with transaction.atomic():
                    result = sample.add.enqueue(number, 1)
                wait_until(lambda: sample.add.get_result(result.id).is_finished)  # noqa: B023 - called here
                assert sample.add.get_result(result.id).return_value == number + 1
        node.stop()
