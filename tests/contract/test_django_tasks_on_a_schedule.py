"""A task of ``django.tasks`` as a task of ours: in the API, in the form of jobs, and run by a node for a job."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from scheduler.contrib.django_tasks import LedgerBackend
from scheduler.contrib.django_tasks.compat import BaseTaskBackend
from scheduler.models import Run
from scheduler.services import jobs
from scheduler.testing import run_due
from tests.sample_app import django_tasks as sample

pytestmark = pytest.mark.django_db

BACKENDS = f"{BaseTaskBackend.__module__.rpartition('.')[0]}"
SOON = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}


@pytest.fixture(
    params=[
        f"{LedgerBackend.__module__}.{LedgerBackend.__qualname__}",
        f"{BACKENDS}.immediate.ImmediateBackend",
        f"{BACKENDS}.dummy.DummyBackend",
    ],
    ids=lambda path: path.rpartition(".")[2],
)
def backend(request: pytest.FixtureRequest, settings: Any) -> None:
    """The backend of all tasks."""
    settings.TASKS = {"default": {"BACKEND": request.param, "QUEUES": []}}


def ended(task: Any, **kwargs: Any) -> Run:
    """Run a job of the task once, and return the row of the ledger."""
    run = jobs.run_now(job=jobs.create(task=task.module_path, trigger=SOON, kwargs=kwargs))
    run_due()
    run.refresh_from_db()
    return run


@pytest.mark.usefixtures("backend")
class TestAJobOfADjangoTask:
    @pytest.mark.parametrize(
        ("task", "kwargs", "result"),
        [
            (sample.add, {"first": 1, "second": 2}, 3),
            (sample.noop_async, {"two": 3}, None),
            (sample.describe_context, {"two": 3}, {"attempt": 1, "kwargs": {"two": 3}, "status": "RUNNING"}),
        ],
        ids=["sync", "async", "context"],
    )
    def test_runs_in_the_ledger_whatever_its_backend_is(self, task: Any, kwargs: dict[str, Any], result: Any) -> None:
        run = ended(task, **kwargs)
        assert (run.state, run.kind, run.public_id) == ("succeeded", "manual", None)
        if isinstance(result, dict):
            assert result.items() <= run.result.items()
        else:
            assert run.result == result

    def test_fails_with_the_error_of_its_body(self) -> None:
        run = ended(sample.fail_with_value_error)
        assert run.state == "failed"
        assert "This Task failed due to ValueError" in (run.error or "")


class TestADjangoTask:
    @pytest.fixture
    def client(self) -> Client:
        client = Client()
        client.force_login(User.objects.create_superuser("ada"))
        return client

    def test_has_its_typed_arguments_in_the_api(self, client: Client) -> None:
        answer = client.get(f"/api/v1/scheduler/tasks/{sample.add.module_path}").json()
        assert answer["arguments"]["properties"]["first"]["type"] == "integer"
        assert answer["arguments"]["required"] == ["first"]

    def test_has_a_field_for_each_argument_in_the_form_of_a_job(self, client: Client) -> None:
        job = jobs.create(task=sample.add.module_path, trigger=SOON, kwargs={"first": 7})
        html = client.get(reverse("admin:scheduler_job_change", args=[job.pk])).content.decode()
        field = next(tag for tag in html.split("<input ") if 'name="kwargs-value-first"' in tag.partition(">")[0])
        assert 'value="7"' in field.partition(">")[0]
        assert 'inputmode="numeric"' in field.partition(">")[0]
