from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from scheduler.models import Job
from scheduler.services import jobs

PAGES = ("scheduler_dashboard", "scheduler_health", "scheduler_job_changelist", "scheduler_job_add")


@pytest.fixture
def job(db: None) -> Job:
    return jobs.create(task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1}, id="clean")


def _pages(client: Client, job: Job) -> list[str]:
    own = [f"admin:{name}" for name in (*PAGES, "scheduler_run_changelist", "scheduler_node_changelist")]
    shown = [client.get(reverse(name)) for name in own]
    shown.append(client.get(reverse("admin:scheduler_job_page", args=[job.pk])))
    shown.append(client.get(reverse("admin:scheduler_job_delete", args=[job.pk])))
    shown.append(client.post(reverse("admin:scheduler_job_pause", args=[job.pk])))
    assert {response.status_code for response in shown} == {200}
    return [response.content.decode() for response in shown]


class TestTheEnvironment:
    def test_is_named_on_every_page_and_before_every_action(self, client: Client, job: Job, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "ENVIRONMENT": "staging"}

        for page in _pages(client, job):
            assert 'ols-environment ols-mute"' in page
            assert "</span> staging</strong>" in page

    def test_stands_out_in_production(self, client: Client, job: Job, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "ENVIRONMENT": "production"}

        for page in _pages(client, job):
            assert 'ols-environment ols-bad"' in page
            assert "</span> PRODUCTION</strong>" in page

    def test_is_not_made_up_where_none_is_set(self, client: Client, job: Job) -> None:
        assert not [page for page in _pages(client, job) if "ols-environment" in page]

    def test_is_shown_as_text_whatever_it_contains(self, client: Client, job: Job, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "ENVIRONMENT": "<b>dev</b>"}

        for page in _pages(client, job):
            assert "&lt;b&gt;dev&lt;/b&gt;" in page
