"""What a Celery worker does with messages and options, without a broker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from scheduler.contrib import celery as scheduler_celery
from scheduler.contrib.celery import messages, receiving, steps
from scheduler.remote.executors import Ring


class TestAMessage:
    def test_says_which_attempt_of_which_run_and_nothing_else(self) -> None:
        ring = Ring(run=41, attempt=2, ring=3)

        assert messages.arguments(ring) == {"run": 41, "attempt": 2, "ring": 3}
        assert messages.ring_of([[], messages.arguments(ring), {"callbacks": None}]) == ring

    @pytest.mark.parametrize(
        "payload",
        [
            None,
            "text",
            [[], {}, {}],
            [[41, 2, 3], {}, {}],
            [[], {"run": "41", "attempt": 1, "ring": 1}, {}],
            [[], {"run": 0, "attempt": 1, "ring": 1}, {}],
            [[], {"run": True, "attempt": 1, "ring": 1}, {}],
            [[], {"run": 2**63, "attempt": 1, "ring": 1}, {}],
            [[], {"run": 1, "attempt": 2**15, "ring": 1}, {}],
        ],
    )
    def test_that_names_no_run_is_rejected(self, payload: Any) -> None:
        with pytest.raises(ValueError, match=r"not a ring|must be a whole number"):
            messages.ring_of(payload)


def controller(pool: str, **options: Any) -> SimpleNamespace:
    """Return what a step of a Celery worker sees of it."""
    app = Celery("test", set_as_current=False)
    scheduler_celery.setup(app, queues=options.pop("served", None))
    app.amqp.queues.select(options.pop("queues", ["scrape"]))
    kind = type("TaskPool", (), {"__module__": f"celery.concurrency.{pool}"})
    given = {"concurrency": 4, "min_concurrency": 4, "max_concurrency": None, "autoscale": None, **options}
    return SimpleNamespace(app=app, pool_cls=kind, **given)


def add(left: int, right: int) -> int:
    """A task of somebody's own."""
    return left + right


class TestAWorker:
    @pytest.mark.parametrize("pool", ["gevent", "eventlet", "somebody_elses"])
    def test_with_a_pool_without_threads_of_the_system_is_refused_with_a_sentence(self, pool: str) -> None:
        with pytest.raises(SystemExit, match=f"pool {pool}: .* Start it with --pool prefork, threads or solo"):
            steps.Bodies(controller(pool))

    @pytest.mark.parametrize(
        ("pool", "processes", "places"), [("prefork", True, 4), ("thread", False, 4), ("solo", False, 1)]
    )
    def test_has_as_many_places_as_celery_has(self, pool: str, processes: bool, places: int) -> None:
        step = steps.Bodies(controller(pool))

        assert (step._uses_processes, step._places) == (processes, places)

    def test_has_places_for_all_that_an_autoscaler_may_start(self) -> None:
        assert steps.Bodies(controller("prefork", autoscale=[9, 2], max_concurrency=9))._places == 9

    def test_leaves_celery_one_process_where_the_application_has_no_tasks_of_its_own(self) -> None:
        alone, shared = controller("prefork"), controller("prefork")
        shared.app.task(name="shop.add")(add)

        for parent in (alone, shared):
            steps.Bodies(parent)

        assert (alone.min_concurrency, shared.min_concurrency) == (1, 4)

    def test_of_other_queues_is_left_as_it_is(self) -> None:
        assert not steps.Bodies(controller("gevent", served={"scrape"}, queues=["mail"])).enabled
        assert steps.Bodies(controller("prefork", served={"scrape"}, queues=["mail", "scrape"])).enabled

    def test_reads_its_queues_from_the_command_line(self) -> None:
        assert steps.Bodies(controller("prefork", queues=["a", "b"]))._queues == ("a", "b")


class TestTheApplication:
    def test_lets_workers_outlive_a_broker_that_refuses_a_queue_for_a_moment(self) -> None:
        assert controller("prefork").app.conf.broker_channel_error_retry is True

    @pytest.mark.parametrize("is_early", [True, False])
    def test_keeps_what_the_project_says(self, is_early: bool) -> None:
        app = Celery("test", set_as_current=False)
        if is_early:
            app.conf.broker_channel_error_retry = False
        scheduler_celery.setup(app)
        app.conf.update({} if is_early else {"broker_channel_error_retry": False})

        assert app.conf.broker_channel_error_retry is False


class Consumer:
    """Keeps what is to be done in its thread until ``turn``."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, do: Callable[[], None]) -> None:
        self.soon.append(do)

    def turn(self) -> None:
        doing, self.soon = self.soon, []
        for do in doing:
            do()


def message_of(channel: Any) -> SimpleNamespace:
    message = SimpleNamespace(channel=channel, is_acknowledged=False)
    message.ack = lambda: setattr(message, "is_acknowledged", True)
    return message


class TestMessagesThatAreAnswered:
    def test_are_acknowledged_together_in_the_consumers_thread(self) -> None:
        consumer, channel = Consumer(), object()
        answered = receiving.Answered(consumer)
        several = [message_of(channel) for _ in range(3)]
        for message in several:
            answered.add(message)

        assert [message.is_acknowledged for message in several] == [False] * 3
        assert len(consumer.soon) == 1
        consumer.turn()
        assert [message.is_acknowledged for message in several] == [True] * 3

        answered.add(later := message_of(channel))
        consumer.turn()
        assert later.is_acknowledged

    def test_of_several_channels_are_acknowledged_each_on_its_own(self) -> None:
        consumer = Consumer()
        answered = receiving.Answered(consumer)
        several = [message_of(object()), message_of(object())]
        for message in several:
            answered.add(message)

        consumer.turn()

        assert all(message.is_acknowledged for message in several)

    def test_do_not_stop_the_consumer_when_the_broker_is_gone(self) -> None:
        def fail() -> None:
            raise OSError("Broken pipe")

        consumer = Consumer()
        answered = receiving.Answered(consumer)
        message, other = message_of(channel := object()), message_of(channel)
        message.ack = fail
        answered.add(message)
        answered.add(other)

        consumer.turn()

        assert other.is_acknowledged


class TestTheTask:
    def test_runs_nowhere_else(self) -> None:
        app = controller("prefork").app

        with pytest.raises(RuntimeError, match="only run by workers"):
            app.tasks[messages.TASK](run=1, attempt=1, ring=1)

    def test_is_received_by_the_parent(self) -> None:
        assert controller("prefork").app.tasks[messages.TASK].Strategy == f"{receiving.__name__}:strategy"


class TestWithoutCelery:
    def test_everything_else_starts(self) -> None:
        program = (
            "import sys; sys.modules['celery'] = sys.modules['kombu'] = None\n"
            "import django; django.setup()\n"
            "import scheduler.contrib.celery, scheduler.engine.scheduler, scheduler.engine.worker.worker\n"
            "import openlearn.urls\n"
            "from scheduler.remote import executors\n"
            "from scheduler.errors import UnusableExecutor\n"
            "try: executors.check('celery:scrape')\n"
            "except UnusableExecutor as error: print(error)\n"
        )

        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert "openlearn-scheduler[celery]" in done.stdout
