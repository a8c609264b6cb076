"""Messages are lost between a node and a body: in the broker, or with the worker that has just received them."""

from __future__ import annotations

import pytest

from scheduler.models import Run
from tests.brokers import Broker
from tests.scenarios.ringing import ring, waiting_run
from tests.scenarios.site import NodeProcess, Site
from tests.waiting import wait_until


def ringing_node(site: Site, broker: Broker) -> NodeProcess:
    return site.start_node("--processes", "0", CELERY_BROKER_URL=broker.url, SCHEDULER_RING_AGAIN_SECONDS="1")


class TestAQueueThatIsEmptied:
    def test_costs_its_runs_time_and_nothing_else(self, site: Site, broker: Broker) -> None:
        runs = [waiting_run(f"job-{number}") for number in range(3)]
        ring(Run(pk=10**9, attempt=1))  # the first message makes the queue
        node = ringing_node(site, broker)
        wait_until(lambda: broker.waiting("scrape") > len(runs))
        broker.forget("scrape")

        worker = site.start_worker(broker)

        wait_until(lambda: Run.objects.filter(state="succeeded").count() == len(runs))
        worker.stop()
        node.stop()
        assert sorted(execution.run_id for execution in site.executions()) == sorted(run.pk for run in runs)


class TestAWorkerThatDiesInTheMiddle:
    @pytest.mark.parametrize(
        ("place", "attempts", "bodies"),
        [
            ("run.after_gate", ["interrupted", "succeeded"], 1),
            ("finish.before_commit", ["interrupted", "succeeded"], 2),
            pytest.param("run.before_gate", ["succeeded"], 1, marks=pytest.mark.campaign),
            pytest.param("run.before_user_code", ["interrupted", "succeeded"], 1, marks=pytest.mark.campaign),
            pytest.param("finish.after_commit", ["succeeded"], 1, marks=pytest.mark.campaign),
        ],
    )
    def test_costs_time_and_at_most_an_attempt(
        self, site: Site, valkey: Broker, place: str, attempts: list[str], bodies: int
    ) -> None:
        killed = site.start_worker(valkey, SCHEDULER_FAILPOINTS=f"{place}=kill")
        waiting_run("again", rerun_if_interrupted=True)
        node = ringing_node(site, valkey)
        assert killed.ended() == -9
        site.lose(killed)

        heir = site.start_worker(valkey)

        wait_until(lambda: Run.objects.filter(state="succeeded").exists())
        heir.stop()
        node.stop()
        assert list(Run.objects.order_by("attempt").values_list("state", flat=True)) == attempts
        assert len(site.executions("again")) == bodies
