"""The page of a task: how many runs it has, how many fail, how long they take, its last errors."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from scheduler.admin import addresses
from scheduler.admin.format import display
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownTask
from scheduler.services.runs import task_statistics
from scheduler.services.sites import reverse


def context(request: HttpRequest, name: str) -> dict[str, Any]:
    found = task_statistics.of_task(name=name)
    try:
        description = registry.get(name).description
    except UnknownTask:
        description = _("No task of this name is registered here.")
    return {
        "title": display.first_line(name),
        "crumbs": [{"address": reverse("admin:scheduler_queue_changelist"), "text": _("Queues")}],
        "description": description,
        "found": found,
        "durations": [
            {"name": _("half of the runs"), "took": _seconds(found.p50)},
            {"name": _("95 of 100"), "took": _seconds(found.p95)},
            {"name": _("99 of 100"), "took": _seconds(found.p99)},
        ],
        "errors": [{"run": run, "address": addresses.run(run.pk)} for run in found.last_errors],
        "links": {"runs": addresses.runs(task=name), "jobs": addresses.jobs(task=name)},
    }


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else display.took(seconds)
