"""The page of a job: how it is, what it does and when, what its runs were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler import conf
from scheduler.admin import addresses
from scheduler.admin.alerts import alert_text
from scheduler.admin.changes import change_text
from scheduler.admin.dashboard import charts
from scheduler.admin.format import display, policy_text, trigger_text
from scheduler.admin.jobs import declared, pausing
from scheduler.admin.runs import run_notes, run_results
from scheduler.admin.runs.run_page import RUN_WITH_OTHER_ARGUMENTS
from scheduler.core import error_messages, triggers
from scheduler.core.states import JobSource, JobState, RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidTrigger
from scheduler.models import Job, Run
from scheduler.services.jobs import conditions
from scheduler.services.queries import error_groups, job_history, overview, run_queries
from scheduler.services.queries.error_groups import ErrorGroup
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.services.queries.overview import Recent
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.runs import notes
from scheduler.services.sites import reverse

STRIP = 50
_SHOWN_RUNS = 10
_SHOWN_CHANGES = 10
_PREVIEWED = 8
_GROUPED = timedelta(days=7)
_SOURCES: dict[str, Any] = {
    JobSource.ADMIN: gettext_lazy("admin"),
    JobSource.API: gettext_lazy("API"),
    JobSource.CODE: gettext_lazy("code"),
}


def context(request: HttpRequest, job: Job, *, now: datetime | None = None) -> dict[str, Any]:
    now = now or timezone.now()
    see_runs = request.user.has_perm("scheduler.view_run")
    runs = overview.recent(jobs=[job.pk], count=STRIP).get(job.pk, []) if see_runs else []
    condition = condition_of(job, now=now)
    newest = job_history.changes(filter=ChangeFilter(job=job.pk))[:_SHOWN_CHANGES]
    return {
        "title": display.first_line(job.name),
        "crumbs": [{"address": reverse("admin:scheduler_job_changelist"), "text": _("Jobs")}],
        "job": job,
        "tone": display.JOB_MARKS[condition].tone,
        "condition": condition,
        "sentence": sentence(job, runs, condition=condition, now=now),
        "tags": [{"text": tag, "address": addresses.jobs(tag=tag)} for tag in job.tags],
        "policies": policy_text.of(job),
        "declared": declared.context(request, job),
        "changes": change_text.rows(request, newest, now=now, is_newest=True),
        "source": _SOURCES.get(job.source, job.source),
        "alerts": alert_text.job_part(request, job),
        "may": permissions(request, job) | {"see_runs": see_runs},
        "links": _links(job),
        **_schedule(job, now=now),
        **_active_runs(request, job),
        **(_past(request, job, runs, now=now, is_troubled=condition in conditions.TROUBLES) if see_runs else _NO_PAST),
    }


def _schedule(job: Job, *, now: datetime) -> dict[str, Any]:
    coming = upcoming(job, now=now)
    return {
        "when": trigger_text.describe(job.trigger),
        "upcoming": coming,
        "within_a_minute": any(later - earlier < timedelta(minutes=1) for earlier, later in pairwise(coming)),
        "own_zone": zone_of(job.trigger),
    }


def _active_runs(request: HttpRequest, job: Job) -> dict[str, Any]:
    active = list(Run.objects.active().filter(job_id=job.pk).only("pk", "state", "node", "started_at")[:20])
    may_cancel = request.user.has_perm("scheduler.cancel_run") and request.user.has_perm("scheduler.view_run")
    return {
        "running": [{"run": run, "address": addresses.run(run.pk)} for run in active if run.state == RunState.RUNNING],
        "queued": Run.objects.active().filter(job_id=job.pk, state=RunState.QUEUED).count(),
        "cancel_queued": addresses.runs_many(action="cancel", select_across="1", job=job.pk, tab="queued")
        if may_cancel
        else "",
    }


_NO_PAST: dict[str, Any] = {"strip": None, "chart": None, "usual": "", "taken": None, "runs": [], "groups": []}
"""For a person who may not see runs."""


def _past(
    request: HttpRequest, job: Job, runs: Sequence[Recent], *, now: datetime, is_troubled: bool
) -> dict[str, Any]:
    seconds = [run.seconds for run in runs if run.seconds is not None and run.state == RunState.SUCCEEDED]
    failures = RunFilter(states=run_queries.UNSUCCESSFUL, job=job.pk, since=now - _GROUPED)
    groups = error_groups.grouped(filter=failures, now=now).groups
    results = run_results.in_list(request, runs[:_SHOWN_RUNS])
    return {
        "strip": charts.strip(runs, size=STRIP),
        "chart": charts.durations(runs),
        "usual": _usual(seconds),
        "taken": run_notes.shown(notes.of_jobs(jobs=[job.pk]).get(job.pk)) if is_troubled else None,
        "runs": [
            {"run": run, "address": addresses.run(run.id), "result": results.get(run.id, "")}
            for run in runs[:_SHOWN_RUNS]
        ],
        "groups": _errors(job, groups[:10]),
    }


def _links(job: Job) -> dict[str, str]:
    return {
        "pause": addresses.job_action("pause", job.pk),
        "resume": addresses.job_action("resume", job.pk),
        "clone": addresses.job_action("clone", job.pk),
        "template": f"{reverse('admin:scheduler_template_add')}?{urlencode({'job': job.pk})}",
        "export": addresses.job_action("export", job.pk),
        "run": addresses.job_action("run", job.pk),
        "run_with": addresses.job_action("run_with", job.pk),
        "backfill": addresses.job_action("backfill", job.pk),
        "statistics": addresses.job_action("statistics", job.pk),
        "edit": addresses.job_form(job.pk),
        "delete": addresses.job_action("delete", job.pk),
        "changes": addresses.changes(job=job.pk),
        "runs": addresses.runs(job=job.pk),
        "errors": addresses.runs(job=job.pk, group="error"),
    }


def _errors(job: Job, groups: Sequence[ErrorGroup]) -> list[dict[str, Any]]:
    return [
        {
            "group": group,
            "address": addresses.run(group.sample),
            "runs": addresses.runs(job=job.pk, tab="failed", like=group.like),
        }
        for group in groups
    ]


def permissions(request: HttpRequest, job: Job) -> dict[str, bool]:
    """The permitted actions for the present state of the job. Other buttons are hidden."""
    user = request.user
    may_pause = user.has_perm("scheduler.pause_job")
    return {
        "pause": may_pause and job.state != JobState.PAUSED,
        "change_pause": may_pause and job.state == JobState.PAUSED,
        "resume": may_pause and job.state == JobState.PAUSED,
        "run": user.has_perm("scheduler.run_job") and job.state != JobState.BROKEN,
        "run_with": user.has_perms(RUN_WITH_OTHER_ARGUMENTS) and job.state != JobState.BROKEN,
        "edit": user.has_perm("scheduler.change_job"),
        "clone": user.has_perm("scheduler.add_job"),
        "template": user.has_perm("scheduler.add_template"),
        "delete": user.has_perm("scheduler.delete_job"),
    }


def condition_of(job: Job, *, now: datetime) -> str:
    """Return the job's condition, from the row if it was read with it."""
    known: str | None = getattr(job, "condition", None)
    return known or conditions.condition_of(job=job, now=now)


def sentence(job: Job, runs: list[Recent], *, condition: str, now: datetime) -> str:
    """Say how the job is, since when, and what was wrong."""
    reason = display.reason(job.state_reason, most=400)
    match condition:
        case "broken":
            said = _("Cannot run: %s") % (reason or _("reason unknown."))
            is_unknown = error_messages.UNREGISTERED_TASK(name=job.task) in str(job.state_reason)
            return f"{said} {_known_here(job)}".strip() if is_unknown else said
        case "paused":
            return pausing.sentence(job, now=now)
        case "stopped":
            return f"{pausing.sentence(job, now=now)} {_failing(job, runs, now=now)}"
        case "finished":
            return _("Finished.") + (f" {reason}" if reason else "")
        case "failing":
            return _failing(job, runs, now=now)
        case "overdue":
            return _overdue(job, runs, now=now)
        case "unknown":
            word = job.overlap if job.state == JobState.ACTIVE else job.state
            return _("“%s” is a word of a newer release. Nodes of this one leave the job alone.") % display.plain(word)
        case "stalled":
            return f"{passed(runs)} {_ended(runs, now=now)}".strip()
    upcoming = _("Next run %s.") % display.distance(job.next_run_time, now=now) if job.next_run_time else ""
    return " ".join(filter(None, (_ended(runs, now=now), upcoming)))


def _known_here(job: Job) -> str:
    """The cure where a node was started before its code had the task."""
    if job.task not in registry.names():
        return ""
    return _("This web process knows the task: restart nodes that were started before it was written.")


def passed(runs: list[Recent]) -> str:
    """Say how many of its last scheduled times passed without a run."""
    number = 0
    for run in runs:
        if run.state not in (RunState.MISSED, RunState.SKIPPED):
            break
        number += 1
    more = _("at least ") if number == len(runs) else ""
    return _("Not running: %(more)s%(number)s scheduled times in a row were skipped or missed.") % {
        "more": more,
        "number": display.number(number),
    }


def _overdue(job: Job, runs: list[Recent], *, now: datetime) -> str:
    if job.next_run_time is not None and job.next_run_time < now - timedelta(seconds=conf.get().overdue_seconds):
        late = display.span(now - job.next_run_time)
        return _("Overdue %s: not picked up yet. Is a scheduler running?") % late
    waiting = [run.scheduled_at for run in runs if run.state == RunState.QUEUED]
    if not waiting:
        return _("Overdue: a run waits in the queue.")
    return _("Overdue: a run has waited in the queue since %s.") % display.clock(min(waiting), now=now)


def _ended(runs: list[Recent], *, now: datetime) -> str:
    """Say how the last run ended, or what it does if it is the first."""
    last = next((run for run in runs if run.finished_at is not None), None)
    if last is None or last.finished_at is None:
        if any(run.state == RunState.RUNNING for run in runs):
            return _("Its first run is running.")
        return _("It has not run yet.")
    word = display.RUN_MARKS[last.state].word
    return _("Last run: %(state)s, %(when)s.") % {"state": word, "when": display.distance(last.finished_at, now=now)}


def _failing(job: Job, runs: list[Recent], *, now: datetime) -> str:
    number = job.consecutive_failures
    told = ngettext("Failing: %s failure.", "Failing: %s times in a row.", number) % display.number(number)
    error = next((run.error for run in runs if run.error), "")
    success = next((run for run in runs if run.state == RunState.SUCCEEDED), None)
    if error:
        told += f" {display.reason(error).rstrip('.')}."
    if success is not None:
        told += " " + _("Last success %s.") % display.clock(success.scheduled_at, now=now)
    return told


def zone_of(trigger: Any) -> str:
    """The zone of the trigger, or an empty text."""
    zone = trigger.get("timezone") if isinstance(trigger, Mapping) else None
    return zone if isinstance(zone, str) else ""


def upcoming(job: Job, *, now: datetime) -> list[datetime]:
    """The next fire times as the engine will compute them. Empty for a job that is not scheduled."""
    if job.state != JobState.ACTIVE or job.next_run_time is None or not isinstance(job.trigger, Mapping):
        return []
    try:
        later = triggers.next_fire_times(job.trigger, after=max(job.next_run_time, now), count=_PREVIEWED - 1)
        is_left_out = triggers.left_out(job.trigger, at=job.next_run_time) is not None
    except (InvalidTrigger, TypeError):
        return [job.next_run_time]
    return [*later] if is_left_out else [job.next_run_time, *later]


def _usual(seconds: list[float]) -> str:
    middle, high = overview.percentile(seconds, 0.5), overview.percentile(seconds, 0.95)
    if middle is None or high is None:
        return ""
    return _("median %(middle)s, p95 %(high)s") % {
        "middle": display.took(middle),
        "high": display.took(high),
    }
