"""A node that polls every ten minutes: what takes effect sooner, it was told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.scenarios.site import Site
from tests.scenarios.ticking import EVERY_SECOND
from tests.waiting import wait_until

DAILY = {"type": "interval", "days": 1}
SOON = 50.0
"""Seconds within which a hint has arrived, however busy the machine: all that a node does by itself is rarer."""


@pytest.fixture
def site(site: Site) -> Iterator[Site]:
    """A site with an idle node."""
    node = site.start_node(SCHEDULER_POLL_SECONDS="600", SCHEDULER_BUSY_POLL_SECONDS="600")
    yield site
    node.stop()


def ticking(**changes: Any) -> Job:
    return jobs.create(**{"id": "tick", "task": "sample.record", "trigger": EVERY_SECOND, **changes})


def lateness(run: Run) -> float:
    assert run.started_at is not None
    return (run.started_at - run.due_at).total_seconds()


class TestAChangeByTheServices:
    def test_creates_a_job_that_runs_on_time(self, site: Site) -> None:
        ticking()

        assert lateness(site.run("tick", state="succeeded", timeout=SOON)) < SOON

    def test_runs_a_job_at_once(self, site: Site) -> None:
        job = ticking(trigger=DAILY)

        jobs.run_now(job=job, actor="somebody")

        run = site.run("tick", state="succeeded", timeout=SOON)
        assert (run.kind, run.requested_by) == ("manual", "somebody")
        assert lateness(run) < SOON

    def test_moves_a_job_to_another_trigger(self, site: Site) -> None:
        job = ticking(trigger=DAILY)

        jobs.update(job=job, trigger=EVERY_SECOND)

        site.began("tick", timeout=SOON)

    def test_changes_the_arguments_of_the_next_run(self, site: Site) -> None:
        job = ticking(task="sample.give", kwargs={"value": "old"})
        assert site.run("tick", state="succeeded", timeout=SOON).result == "old"

        jobs.update(job=job, kwargs={"value": "new"})

        changed_at = timezone.now()
        run = site.run("tick", state="succeeded", timeout=SOON, created_at__gt=changed_at)
        assert run.result == "new"

    @pytest.mark.parametrize("change", [jobs.pause, jobs.remove], ids=("pauses", "removes"))
    def test_stops_a_job(self, site: Site, change: Any) -> None:
        job = ticking()
        ticking(id="other")
        site.began("tick", timeout=SOON)

        change(job=job)

        changed_at = timezone.now()
        wait_until(lambda: Run.objects.filter(job_key="other", created_at__gt=changed_at).count() >= 2)
        assert not Run.objects.filter(job_key="tick", created_at__gt=changed_at).exists()
        assert site.run("tick", state="succeeded")

    def test_resumes_a_job(self, site: Site) -> None:
        job = ticking(paused=True)

        jobs.resume(job=job)

        assert lateness(site.run("tick", state="succeeded", timeout=SOON)) < SOON


class TestAChangePastTheServices:
    def test_by_an_update_of_rows_moves_a_job_to_another_trigger(self, site: Site) -> None:
        ticking(trigger=DAILY)

        Job.objects.filter(pk="tick").update(trigger=EVERY_SECOND)

        site.began("tick", timeout=SOON)

    def test_by_an_update_of_rows_pauses_and_resumes_a_job(self, site: Site) -> None:
        ticking()
        ticking(id="other")
        site.began("tick", timeout=SOON)

        Job.objects.filter(pk="tick").update(state="paused")
        changed_at = timezone.now()
        wait_until(lambda: Run.objects.filter(job_key="other", created_at__gt=changed_at).count() >= 2)
        assert not Run.objects.filter(job_key="tick", created_at__gt=changed_at).exists()

        Job.objects.filter(pk="tick").update(state="active")
        site.run("tick", state="succeeded", timeout=SOON, created_at__gt=timezone.now())

    def test_by_sql_creates_a_job(self, site: Site) -> None:
        template = ticking(id="template", trigger=DAILY)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_apscheduler_djangojob (id, job_state) VALUES ('tick', '')")
            cursor.execute(
                """
                INSERT INTO scheduler_job
                SELECT copy.*
                  FROM scheduler_job AS job,
                       jsonb_populate_record(NULL::scheduler_job, to_jsonb(job) || jsonb_build_object(
                           'djangojob_ptr_id', 'tick', 'trigger', %s::jsonb, 'needs_inspection', true)) AS copy
                 WHERE job.djangojob_ptr_id = %s
                """,
                [json.dumps(EVERY_SECOND), template.pk],
            )

        site.began("tick", timeout=SOON)

    def test_by_sql_that_cannot_work_breaks_only_its_job_and_heals_with_the_cause(self, site: Site) -> None:
        ticking()
        ticking(id="other")
        with connection.cursor() as cursor:
            cursor.execute("""UPDATE scheduler_job SET trigger = '{"type": "cron", "expression": "no"}'
                               WHERE djangojob_ptr_id = 'tick'""")
        broken = wait_until(lambda: Job.objects.filter(pk="tick", state="broken").first(), SOON)
        assert "expression" in broken.state_reason or "no" in broken.state_reason

        Job.objects.filter(pk="tick").update(trigger=EVERY_SECOND, needs_inspection=True)

        site.run("tick", state="succeeded", timeout=SOON, created_at__gt=timezone.now())
        assert Job.objects.get(pk="tick").state == "active"
        site.run("other", state="succeeded", timeout=SOON, created_at__gt=timezone.now())
