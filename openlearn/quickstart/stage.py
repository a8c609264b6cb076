"""Preparations for the first run: tables, a user, sources and jobs. Every step is idempotent."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model

from openlearn.quickstart.children import EXECUTOR
from openlearn.scraping import seeds
from openlearn.tasks import SAMPLE_FAILURE
from scheduler.core.states import ChangeAction
from scheduler.core.tasks.task import DEFAULT_EXECUTOR
from scheduler.models import Change, Job
from scheduler.services import jobs, retention

ADMIN = "admin"
FAILING_JOB = "samples.fail"


def create_admin() -> str | None:
    """Create the user ``admin`` with a random password and return it, or ``None`` if the user exists."""
    users = get_user_model().objects
    if users.filter(username=ADMIN).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(ADMIN, password=password)
    return password


def seed(*, base_url: str, executor: str = DEFAULT_EXECUTOR) -> None:
    """Create the missing sources and jobs. Those of the sample site move to ``base_url``, and to this executor."""
    for source in seeds.seed_sample(base_url=base_url):
        _move(source.job_id, executor=executor)
    seeds.seed_public_sources()
    retention.schedule_clean_up()
    seed_failing_job()


def _move(job_id: str, *, executor: str) -> None:
    """Let a job run on this executor, unless a person has chosen another one."""
    job = Job.objects.filter(pk=job_id).first()
    if job is not None and job.executor in {DEFAULT_EXECUTOR, EXECUTOR} - {executor}:
        jobs.update(job=job, executor=executor, reason="quickstart")


def seed_failing_job() -> bool:
    """
    Create a job that fails three times and is paused then, so that an incident can be seen.

    False: it exists, or somebody has deleted it.
    """
    deleted = Change.objects.filter(job_key=FAILING_JOB, action=ChangeAction.DELETED)
    if Job.objects.filter(pk=FAILING_JOB).exists() or deleted.exists():
        return False
    jobs.create(
        id=FAILING_JOB,
        name="Sample: fails on purpose",
        description="It shows what an incident looks like. Resume it to let it fail again, or delete it.",
        task=SAMPLE_FAILURE,
        trigger={"type": "interval", "seconds": 5},
        pause_after_failures=3,
        tags=["sample"],
    )
    return True
