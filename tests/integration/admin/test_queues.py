from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.models import BulkAction, Queue, QueueCounter, Run
from scheduler.services import bulk, queues, runs
from scheduler.services.runs import enqueueing
from tests.sample_app import django_tasks as sample
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db

LIST = reverse("admin:scheduler_queue_changelist")


def address(name: str, queue: str = "mail") -> str:
    return reverse(f"admin:scheduler_queue_{name}", args=[queue])


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


class TestTheList:
    def test_names_queues_and_tasks(self, client: Client) -> None:
        sample.send_mail.enqueue()
        shown = text(client, LIST)
        assert "mail" in shown
        assert addresses.task("sample.nothing") in shown


class TestAQueue:
    def test_is_paused_with_a_reason_and_resumed(self, client: Client) -> None:
        assert "are skipped" not in text(client, address("pause"))
        client.post(address("pause"), {"confirmed": "1", "reason": "moving", "ends": "hour"})
        stored = Queue.objects.get()
        assert (stored.paused_by, stored.pause_reason) == ("anna", "moving")
        assert stored.paused_until is not None
        assert "moving" in text(client, address("page"))
        client.post(address("resume"), {"confirmed": "2"})
        assert Queue.objects.get().paused_at is None

    def test_shows_its_newest_runs(self, client: Client) -> None:
        sample.send_mail.enqueue()
        assert addresses.run(Run.objects.get().pk) in text(client, address("page"))

    def test_is_emptied_by_name(self, client: Client) -> None:
        for _ in range(3):
            sample.send_mail.enqueue()
        enqueueing.enqueue(task="sample.nothing")
        empty = re.search(r'href="([^"]*many/[^"]*)"', text(client, address("page")))
        assert empty is not None
        path = unescape(empty[1])

        asked = text(client, path)
        assert "Empty the queue “mail”?" in asked
        assert "3 runs are selected." in asked
        client.post(path, {"confirmed": "1", "action": "cancel", "select_across": "1"})
        bulk.step(id=BulkAction.objects.get().pk, seconds=PATIENCE_SECONDS)

        assert sorted(Run.objects.values_list("queue", "state")) == [
            ("default", "queued"), ("mail", "cancelled"), ("mail", "cancelled"), ("mail", "cancelled")
        ]  # fmt: skip
        assert "many/" not in text(client, address("page"))

    def test_is_emptied_by_those_alone_who_may_cancel(self, login: Callable[..., Client]) -> None:
        sample.send_mail.enqueue()

        assert "many/" not in text(login("view_queue", "view_run"), address("page"))

    def test_that_cannot_be_is_not_found(self, client: Client) -> None:
        assert client.get(address("page", "a@b")).status_code == 404

    def test_is_paused_by_those_alone_who_may(self, login: Callable[..., Client]) -> None:
        viewer = login("view_queue", "view_run")
        assert viewer.get(address("page")).status_code == 200
        assert viewer.get(address("pause")).status_code == 403
        assert viewer.post(address("pause"), {"confirmed": "1"}).status_code == 403


class TestTheRetentionOfAQueue:
    def test_is_stored_shown_and_left_to_the_settings(self, client: Client) -> None:
        shown = text(client, address("keep"))
        assert "successes 1 days, others 30 days" in shown
        client.post(address("keep"), {"confirmed": "1", "successes_days": "0.5", "failures_days": ""})
        stored = Queue.objects.get()
        assert (stored.keep_successes_days, stored.keep_failures_days) == (0.5, None)
        assert "successes 0.5 days, others 30 days" in text(client, address("page"))

    def test_that_cannot_be_is_refused_beside_its_field(self, client: Client) -> None:
        answer = client.post(address("keep"), {"confirmed": "1", "successes_days": "-1"})
        assert "id_successes_days_error" in answer.content.decode()
        assert not Queue.objects.exists()

    def test_is_changed_by_those_alone_who_may(self, login: Callable[..., Client]) -> None:
        viewer = login("view_queue", "view_run", "pause_queue")
        assert viewer.get(address("keep")).status_code == 403
        assert viewer.post(address("keep"), {"confirmed": "1", "successes_days": "1"}).status_code == 403


class TestTheDashboard:
    ADDRESS = reverse("admin:scheduler_dashboard")

    def test_shows_queues_once_there_is_more_than_the_default(self, client: Client) -> None:
        enqueueing.enqueue(task="sample.nothing")
        assert address("page", "default") not in text(client, self.ADDRESS)
        sample.send_mail.enqueue()
        shown = text(client, self.ADDRESS)
        assert address("page") in shown
        assert address("page", "default") in shown

    def test_shows_how_many_runs_of_a_queue_ended(self, client: Client) -> None:
        sample.send_mail.enqueue()
        QueueCounter.objects.create(node=uuid4(), queue="mail", since=timezone.now(), runs=4711)
        assert "<td>4,711</td>" in text(client, self.ADDRESS)


class TestATask:
    def test_shows_figures_and_last_errors(self, client: Client) -> None:
        enqueueing.enqueue(task="sample.nothing")
        run = Run.objects.get()
        Run.objects.update(
            state="failed", error="ValueError: odd", started_at=run.created_at, finished_at=run.created_at
        )
        shown = text(client, addresses.task("sample.nothing"))
        assert "ValueError: odd" in shown

    @pytest.mark.parametrize("name", ["nobody.knows", "sample.square"])
    def test_without_runs_is_shown_as_well(self, client: Client, name: str) -> None:
        text(client, addresses.task(name))


class TestAnEnqueuedRun:
    def test_is_in_the_list_and_leads_to_its_task(self, client: Client) -> None:
        sample.send_mail.enqueue()
        shown = text(client, addresses.runs(queue="mail"))
        assert addresses.task("tests.sample_app.django_tasks.send_mail") in shown

    def test_shows_its_queue_and_its_result(self, client: Client) -> None:
        result = sample.send_mail.enqueue()
        shown = text(client, addresses.run(Run.objects.get().pk))
        assert result.id in shown
        assert address("page") in shown

    def test_is_tried_again(self, client: Client) -> None:
        sample.add.enqueue(1, second=2)
        runs.cancel(run=Run.objects.get())
        client.post(reverse("admin:scheduler_run_retry", args=[Run.objects.get().pk]), {"confirmed": "1"})
        assert list(Run.objects.order_by("attempt").values_list("attempt", "state")) == [
            (1, "cancelled"),
            (2, "queued"),
        ]

    def test_is_run_again_with_other_arguments(self, client: Client) -> None:
        enqueueing.enqueue(task="sample.square", kwargs={"number": 2}, queue="mail")
        path = reverse("admin:scheduler_run_again", args=[Run.objects.get().pk])
        assert "number" in text(client, path)
        form = {"confirmed": "1", "kwargs-mode": "fields", "kwargs-value-number": "5"}
        client.post(path, form)
        assert sorted(run.kwargs["number"] for run in Run.objects.all()) == [2, 5]
        assert {run.queue for run in Run.objects.all()} == {"mail"}

    def test_with_a_secret_is_not_offered_again(self, client: Client) -> None:
        sample.whisper.enqueue(token="hush-hush")
        path = reverse("admin:scheduler_run_again", args=[Run.objects.get().pk])
        assert client.get(path).status_code == 404
        assert "Its task takes secrets" in text(client, addresses.run(Run.objects.get().pk))


class TestPausing:
    def test_is_told_on_the_page_of_a_run_that_waits(self, client: Client) -> None:
        sample.send_mail.enqueue()
        queues.pause(name="mail")

        assert "the queue “mail” is paused." in text(client, addresses.run(Run.objects.get().pk))

    def test_says_what_waits(self, client: Client) -> None:
        sample.send_mail.enqueue()
        queues.pause(name="mail")
        assert "1" in text(client, address("resume"))
