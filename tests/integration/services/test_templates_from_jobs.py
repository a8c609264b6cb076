"""A template made from a job: created again with its defaults it is the same job."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.core.definition import POLICIES
from scheduler.models import Job
from scheduler.services import jobs, templates
from scheduler.services.templates import from_jobs, instances

pytestmark = pytest.mark.django_db

CRON = {"type": "cron", "expression": "0 5 * * *", "timezone": "Europe/Berlin"}


def again(job: Job, **values: Any) -> Job:
    found = from_jobs.proposed(job=job)
    version = templates.create(
        slug=found.slug, title=found.title, parameters=found.parameters, body=found.body, actor="ada"
    )
    return instances.create(version=version, key="again", values=values)


@pytest.mark.parametrize(
    "definition",
    [
        {"task": "sample.square", "kwargs": {"number": 3}, "priority": 4, "tags": ["a", "b"]},
        {"task": "sample.square", "args": [3], "timeout": 2.5, "overlap": "queue"},
        {"task": "sample.nothing", "trigger": {"type": "interval", "minutes": 5}, "description": "Braces: {x}"},
        {
            "task": "scheduler.http_request",
            "kwargs": {"url": "https://example.org/{id}", "headers": {"X-A": "{b}"}, "expected_status": [200, 404]},
        },
        {"task": "scheduler.call_command", "kwargs": {"name": "check", "args": ["--deploy"], "options": None}},
    ],
    ids=lambda definition: definition["task"],
)
def test_makes_the_same_job(definition: dict[str, Any]) -> None:
    job = jobs.create(id="first", name="Nightly {report}", **{"trigger": CRON, **definition})

    other = again(job)

    same = ("task", "args", "kwargs", "name", "tags", *POLICIES)
    assert {name: getattr(other, name) for name in same} == {name: getattr(job, name) for name in same}
    kept = {name: value for name, value in job.trigger.items() if name != "start_at"}
    assert {name: value for name, value in other.trigger.items() if name != "start_at"} == kept


def test_takes_other_values() -> None:
    job = jobs.create(id="first", task="sample.square", trigger=CRON, kwargs={"number": 3})

    assert again(job, number=5, name="Five").kwargs == {"number": 5}
    assert Job.objects.get(pk="again").name == "Five"


def test_asks_for_secrets_and_never_holds_them() -> None:
    kwargs = {"url": "https://example.org/", "token": "s3cret"}
    job = jobs.create(id="first", task="scheduler.http_request", trigger=CRON, kwargs=kwargs)

    found = from_jobs.proposed(job=job)

    assert "s3cret" not in str(found)
    assert "sealed" not in str(found)
    assert {"name": "token", "type": "secret"} in found.parameters


@pytest.mark.parametrize("name", ["Ünïcode", "…", "name"])
def test_has_a_slug_whatever_the_name(name: str) -> None:
    job = jobs.create(id="first", name=name, task="sample.square", trigger=CRON, kwargs={"number": 3})

    assert again(job).name == name
