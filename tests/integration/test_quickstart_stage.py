"""The jobs that quickstart begins with."""

from __future__ import annotations

import pytest

from openlearn.quickstart import stage
from openlearn.tasks import SampleFailure
from openlearn.tasks import fail as fail_task
from scheduler.models import Incident, Job, Rule
from scheduler.services import jobs
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import fail

pytestmark = pytest.mark.django_db(transaction=True)


class TestTheJobThatFails:
    def test_opens_an_incident_with_the_rules_of_a_new_installation_and_is_paused_then(self) -> None:
        Rule.objects.get_or_create(name="Any job fails 3 times in a row", kind="failing", threshold=3)
        assert stage.seed_failing_job()
        job = Job.objects.get(pk=stage.FAILING_JOB)
        session = Connection(purpose="test")
        fail(
            session,
            "6b6f3a4e-35b3-4a5e-8a79-3f3d6f0a3e11",
            job,
            3,
            error="SampleFailure: This sample fails on purpose.",
        )
        session.close()

        job.refresh_from_db()
        assert (job.state, job.next_run_time) == ("paused", None)
        incident = Incident.objects.get(job_key=job.pk)
        assert (incident.closed_at, incident.measured) == (None, 3)

    def test_does_nothing_but_fail(self) -> None:
        with pytest.raises(SampleFailure, match="fails on purpose"):
            fail_task()

    def test_stays_deleted(self) -> None:
        stage.seed_failing_job()
        assert not stage.seed_failing_job()

        jobs.remove(job=Job.objects.get(pk=stage.FAILING_JOB))

        assert not stage.seed_failing_job()
        assert not Job.objects.exists()
