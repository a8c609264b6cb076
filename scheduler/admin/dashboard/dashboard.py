"""The dashboard: is all well, what is not, what runs, what comes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from scheduler.admin import addresses
from scheduler.admin.alerts import alert_text
from scheduler.admin.changes import change_text
from scheduler.admin.dashboard import charts, queue_part, timeline
from scheduler.admin.format import display, trigger_text
from scheduler.admin.format.languages import told
from scheduler.admin.jobs import job_page, pausing
from scheduler.admin.nodes.node_rows import node_rows
from scheduler.admin.runs import run_notes, run_page
from scheduler.core.health import Status
from scheduler.core.states import RunKind, RunState
from scheduler.models import Run
from scheduler.services.queries import dashboard, overview
from scheduler.services.queries.dashboard import Dashboard
from scheduler.services.sites import reverse

_TABS = ("broken", "stopped", "failing", "overdue", "stalled", "paused", "ok")
_ALWAYS_SHOWN = ("failing", "overdue", "paused", "ok")
_RED = ("broken", "stopped", "failing")
_MUCH_LONGER = 3


def context(request: HttpRequest, *, now: datetime | None = None) -> dict[str, Any]:
    now = now or timezone.now()
    found = dashboard.collect(now=now)
    see_runs = request.user.has_perm("scheduler.view_run")
    title = _("Scheduler")
    if found.trouble:
        title = f"({found.trouble}) {title}"
    return {
        "title": _("Dashboard"),
        "tab_title": title,
        "sentence": sentence(found),
        "tone": _tone(found),
        "alerts": alert_text.dashboard_part(request),
        "counts": _counts(found, see_runs=see_runs),
        "attention": [_attention_row(request, job, found, see_runs=see_runs) for job in found.attention],
        "hidden_trouble": found.trouble - len(found.attention),
        "running": [_running(request, run, found, now=now) for run in found.running] if see_runs else [],
        "timeline": timeline.draw(found.lanes, now=found.drawn_at) if see_runs else None,
        "timeline_rows": timeline.table(found.lanes, now=now) if see_runs else [],
        "is_failing": any(found.counts[name] for name in _RED),
        "is_silent": not found.alive and bool(found.nodes),
        "upcoming": upcoming(found, see_runs=see_runs),
        "paused": [
            {"job": job, "address": addresses.job(job.pk), "sentence": pausing.sentence(job, now=now)}
            for job in found.paused
        ],
        "nodes": node_rows(found.nodes),
        "queues": queue_part.rows(request, found.named_queues),
        "pause_all": reverse("admin:scheduler_job_pause_all") if request.user.has_perm("scheduler.pause_job") else "",
        "changed": change_text.rows(request, found.changed, now=now),
        "all_changes": addresses.changes(),
        **_shown_of(found),
        "may_add": request.user.has_perm("scheduler.add_job"),
        "may_see_nodes": request.user.has_perm("scheduler.view_node"),
    }


def _shown_of(found: Dashboard) -> dict[str, int]:
    """Say of how many jobs the timeline and the list of paused ones are a part."""
    return {
        "jobs": sum(found.counts.values()),
        "lanes": len(found.lanes),
        "more_paused": found.counts["paused"] + found.counts["stopped"] - len(found.paused),
    }


def upcoming(found: Dashboard, *, see_runs: bool) -> list[dict[str, Any]]:
    """The upcoming runs with their reason: the schedule, a further attempt, or passed fire times."""
    rows: list[dict[str, Any]] = [
        {
            "at": job.next_run_time,
            "name": job.name,
            "address": addresses.job(job.pk),
            "why": trigger_text.describe(job.trigger),
        }
        for job in found.upcoming
    ]
    if see_runs:
        rows += [
            {"at": run.due_at, "name": run.job_name, "address": addresses.run(run.pk), "why": reason_of(run)}
            for run in found.waiting
        ]
    return sorted(rows, key=lambda row: row["at"])[:10]


def reason_of(run: Run) -> str:
    """Say why a run waits."""
    if run.coalesced:
        return ngettext(
            "catch-up: also covers %(number)s earlier scheduled time",
            "catch-up: also covers %(number)s earlier scheduled times",
            run.coalesced,
        ) % {"number": display.number(run.coalesced)}
    if run.kind == RunKind.RETRY and run.job is not None and run.job.max_retries >= run.attempt - 1:
        return _("retry %(number)d of %(most)d") % {"number": run.attempt - 1, "most": run.job.max_retries}
    return str(display.KINDS.get(run.kind, run.kind))


def sentence(found: Dashboard) -> str:
    """Say whether it is all right: every problem that health found, how the jobs are, and on how many nodes."""
    said = [told(check.text) for check in found.report.problems]
    said.append(_jobs(found.counts))
    if found.alive:
        said.append(
            ngettext("The scheduler is running on %s node.", "The scheduler is running on %s nodes.", found.alive)
            % display.number(found.alive)
        )
    return " ".join(said)


def _jobs(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return _("No jobs yet.")
    if counts["ok"] == total:
        return ngettext("%(number)s job is OK.", "All %(number)s jobs are OK.", total) % {
            "number": display.number(total)
        }
    said = [
        ngettext("%(number)s job is OK", "%(number)s jobs are OK", counts["ok"])
        % {"number": display.number(counts["ok"])}
    ]
    if paused := counts["paused"]:
        said.append(
            ngettext("%(number)s is paused", "%(number)s are paused", paused) % {"number": display.number(paused)}
        )
    if finished := counts["finished"]:
        said.append(
            ngettext("%(number)s is finished", "%(number)s are finished", finished)
            % {"number": display.number(finished)}
        )
    return f"{', '.join(said)}."


def _tone(found: Dashboard) -> str:
    if found.report.status is Status.FAIL or any(found.counts[name] for name in _RED):
        return "bad"
    return "warn" if found.report.problems else "ok"


def _counts(found: Dashboard, *, see_runs: bool) -> list[dict[str, Any]]:
    jobs = reverse("admin:scheduler_job_changelist")
    rows = [
        {
            "number": display.number(found.counts[name]),
            "text": _of_so_many(name, found.counts[name]),
            "address": f"{jobs}?condition={name}",
        }
        for name in _TABS
        if found.counts[name] or name in _ALWAYS_SHOWN
    ]
    if see_runs:
        rows += _run_counts(found)
    return rows


def _of_so_many(condition: str, number: int) -> str:
    """Return the word of a condition as it stands after a number: some languages have another one for many."""
    words = {
        "broken": npgettext("number of jobs", "cannot run", "cannot run", number),
        "stopped": npgettext("number of jobs", "paused after failing", "paused after failing", number),
        "failing": npgettext("number of jobs", "failing", "failing", number),
        "overdue": npgettext("number of jobs", "overdue", "overdue", number),
        "stalled": npgettext("number of jobs", "not running", "not running", number),
        "paused": npgettext("number of jobs", "paused", "paused", number),
        "ok": npgettext("number of jobs", "OK", "OK", number),
    }
    return words[condition]


def _run_counts(found: Dashboard) -> list[dict[str, Any]]:
    running = sum(queue.running for queue in found.queues)
    queued = sum(queue.queued + queue.held for queue in found.queues)
    oldest = max((queue.longest or 0.0 for queue in found.queues), default=0.0)
    waiting = str(display.RUN_MARKS["queued"].word)
    if queued and oldest >= 1:
        waiting = _("queued, oldest %s") % display.span(oldest)
    rows: list[dict[str, Any]] = [
        {
            "number": display.number(running),
            "text": display.RUN_MARKS["running"].word,
            "address": addresses.runs(tab="running"),
        },
        {"number": display.number(queued), "text": waiting, "address": addresses.runs(tab="queued")},
    ]
    if found.ended:
        share = _("%s %%") % number_format(100 * found.succeeded / found.ended, decimal_pos=1, use_l10n=True)
        text = ngettext(
            "of %(number)s scheduled time in 24 h succeeded",
            "of %(number)s scheduled times in 24 h succeeded",
            found.ended,
        ) % {"number": display.number(found.ended)}
        rows.append({"number": share, "text": text, "address": addresses.runs(tab="failed")})
    return rows


def _attention_row(request: HttpRequest, job: Any, found: Dashboard, *, see_runs: bool) -> dict[str, Any]:
    runs = found.recent.get(job.pk, []) if see_runs else []
    failures: list[Any] = []
    for run in runs:
        if run.state == RunState.SUCCEEDED:
            break
        if run.error:
            failures.append(run)
    problem = display.reason(failures[0].error) if failures else display.reason(job.state_reason)
    if not failures:
        problem = _late(job, runs, found) or problem
    return {
        "job": job,
        "condition": job.condition,
        "address": addresses.job(job.pk),
        "problem": display.first_line(problem),
        "error_address": addresses.run(failures[0].id) if failures else "",
        "taken": run_notes.shown(found.taken.get(job.pk)) if see_runs else None,
        "since": failures[-1].scheduled_at if failures else _since(job),
        "strip": charts.strip(runs, size=20) if see_runs else "",
        "run_address": addresses.job_action("run", job.pk) if job_page.permissions(request, job)["run"] else "",
    }


def _since(job: Any) -> datetime | None:
    """Return the time that an overdue job missed, or when another one got into its state."""
    known: datetime | None = job.next_run_time if job.condition == "overdue" else job.state_changed_at
    return known or job.next_run_time


def _late(job: Any, runs: list[Any], found: Dashboard) -> str:
    """Explain why a job is late, or return an empty text."""
    if job.condition == "overdue":
        waiting = any(run.state == RunState.QUEUED for run in runs)
        if waiting and any(job.queue in queue.paused_queues for queue in found.queues):
            return _("Its run is queued, and the queue “%s” is paused.") % display.first_line(job.queue)
        return _("Its run is queued.") if waiting else _("Not picked up yet. Is a scheduler running?")
    if job.condition == "stalled":
        return job_page.passed(runs)
    return ""


def _running(request: HttpRequest, run: Run, found: Dashboard, *, now: datetime) -> dict[str, Any]:
    names = {str(seen.node.pk): seen.node.name for seen in found.nodes}
    others = found.recent.get(run.job_id or "", [])
    seconds = [other.seconds for other in others if other.seconds is not None and other.state == RunState.SUCCEEDED]
    usual = overview.percentile(seconds, 0.5)
    so_far = (now - run.started_at).total_seconds() if run.started_at else 0.0
    is_long = usual is not None and so_far > max(usual * _MUCH_LONGER, 5.0)
    may_cancel = run_page.permissions(request, run, None)["cancel"]
    return {
        "run": run,
        "address": addresses.run(run.pk),
        "usual": display.took(usual) if usual is not None else "–",
        "longer": _("%s× longer than usual") % display.number(int(so_far / usual)) if is_long and usual else "",
        "progress": run_page.progress(run.progress),
        "node": run_page.node_name(run, names),
        "cancel": reverse("admin:scheduler_run_cancel", args=[run.pk]) if may_cancel else "",
    }
