"""Where things are in the admin."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.admin.utils import quote

from scheduler.models import Run
from scheduler.services.sites import reverse


def run(pk: int) -> str:
    return reverse("admin:scheduler_run_change", args=[pk])


def runs(**wanted: str) -> str:
    return f"{reverse('admin:scheduler_run_changelist')}?{urlencode(wanted)}"


def runs_many(**wanted: str) -> str:
    """Where something is done with many runs."""
    return f"{reverse('admin:scheduler_run_many')}?{urlencode(wanted)}"


def task(name: str) -> str:
    """The page of a task."""
    return reverse("admin:scheduler_queue_task", args=[name])


def subject(run: Run) -> str:
    """The page of a run's job, or of its task if it was enqueued."""
    return job(run.job_id) if run.job_id else task(run.task)


def jobs(**wanted: str) -> str:
    """The list of jobs."""
    address = reverse("admin:scheduler_job_changelist")
    return f"{address}?{urlencode(wanted)}" if wanted else address


def changes(**wanted: str) -> str:
    """The history of jobs."""
    address = reverse("admin:scheduler_change_changelist")
    return f"{address}?{urlencode(wanted)}" if wanted else address


def job(pk: str) -> str:
    """The page that shows a job."""
    return reverse("admin:scheduler_job_page", args=[quote(pk)])


def job_form(pk: str) -> str:
    return reverse("admin:scheduler_job_change", args=[quote(pk)])


def job_action(name: str, pk: str) -> str:
    return reverse(f"admin:scheduler_job_{name}", args=[quote(pk)])
