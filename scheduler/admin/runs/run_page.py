"""The page of a run: what happened in one sentence, then everything that helps to understand it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.jobs import run_with
from scheduler.admin.runs import run_around, run_log, run_notes, run_remote, run_report, tracebacks
from scheduler.conf import get as settings
from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.services import nodes
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import NodeSeen
from scheduler.services.sites import reverse

_DEAF = timedelta(seconds=30)
"""Code that has not reacted to a cancellation for so long does not listen."""

RUN_WITH_OTHER_ARGUMENTS = ("scheduler.run_job", "scheduler.change_job", "scheduler.view_run_output")
"""Other arguments are another definition, if only for once."""


def context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return all that page and live region show. Thirteen queries at most."""
    now = timezone.now()
    job = Job.objects.defer("job_state").filter(pk=run.job_id).first() if run.job_id else None
    attempts, near = run_queries.attempts(run=run), run_queries.neighbours(run=run)
    nodes = run_queries.nodes(runs=[run, *attempts, *([near.last_success] if near.last_success else [])])
    names = {pk: seen.name for pk, seen in nodes.items()}
    node, seen = node_name(run, names), nodes.get(str(run.node))
    may = permissions(request, run, job)
    trace = tracebacks.read(display.plain(run.traceback))
    log = run_log.show(request, run) if may["see_output"] else None
    said = _summary(run, node=node, seen=seen, place=trace.place if may["see_output"] else "", now=now)
    facts = {"sentence": said, "node": node, "version": seen.version if seen else ""}
    address, see_job = request.build_absolute_uri(addresses.run(run.pk)), request.user.has_perm("scheduler.view_job")
    return {
        "title": f"{display.first_line(run.job_name)} #{run.pk}",
        "crumbs": [{"address": reverse("admin:scheduler_run_changelist"), "text": _("Runs")}],
        "run": run,
        **facts,
        "tone": display.RUN_MARKS[run.state].tone,
        "took": display.run_time(run),
        "trace": trace,
        "log": log,
        "log_summary": run_log.summary(log) if log else "",
        "is_part": pages.PART in request.GET,
        "most_log_bytes": filesizeformat(settings().max_log_bytes),
        "report": run_report.write(run, **facts, log=run_log.read(run), see_output=may["see_output"], address=address),
        "may": may,
        "runbook": job.description if job and run.error else "",
        "progress": progress(run.progress) if run.finished_at is None else None,
        "links": _links(run, job),
        "run_address": addresses.run(run.pk),
        "attempts": [_attempt(attempt, names) for attempt in attempts],
        "around": run_around.neighbours(run, near),
        "changes": run_around.changes(
            run, near.last_success, nodes=nodes, see_output=may["see_output"], see_job=see_job
        ),
        **run_around.kept(run, now=now),
        **run_notes.context(request, run),
    }


def _summary(run: Run, *, node: str, seen: NodeSeen | None, place: str, now: datetime) -> str:
    """Return the sentence above the page, and whether the node of a running run is silent."""
    is_queued = run.state == RunState.QUEUED
    if is_queued and run.is_remote and not run.held and run.due_at <= now:
        reason = display.reason(run.reason, most=400)
        return " ".join(filter(None, (reason, run_remote.waiting(run, now=now))))
    hold_up = nodes.hold_up(executor=run.runs_on, queue=run.queue, now=now) if is_queued else ""
    said = sentence(run, node=node, place=place, now=now, hold_up=hold_up)
    if run.state == RunState.RUNNING and seen is not None and nodes.state_of(seen, now=now) == "silent":
        said += " " + silence(node, seen, now=now)
    return said


def _attempt(attempt: Run, names: dict[str, str]) -> dict[str, Any]:
    return {
        "run": attempt,
        "address": addresses.run(attempt.pk),
        "waited": display.took(attempt.started_at - attempt.due_at) if attempt.started_at else "",
        "node": node_name(attempt, names),
    }


def silence(node: str, seen: NodeSeen, *, now: datetime) -> str:
    """Explain that the outcome of a run is unknown while its node is silent."""
    return _("But %(node)s stopped reporting %(when)s. The run may or may not have finished.") % {
        "node": display.first_line(node),
        "when": display.distance(seen.heartbeat_at, now=now),
    }


def permissions(request: HttpRequest, run: Run, job: Job | None) -> dict[str, bool]:
    """The permitted actions for the present state of the run. Other buttons are hidden."""
    user = request.user
    is_over = run.finished_at is not None
    see_output = user.has_perm("scheduler.view_run_output")
    return {
        "see_output": see_output,
        "retry": (job is not None or run.is_enqueued) and is_over and user.has_perm("scheduler.retry_run"),
        "again": (job is not None or run_with.can_be_given(run)) and user.has_perms(RUN_WITH_OTHER_ARGUMENTS),
        "only_retry": run_with.has_secrets(run) and user.has_perms(RUN_WITH_OTHER_ARGUMENTS),
        "cancel": not is_over and run.cancel_requested_at is None and user.has_perm("scheduler.cancel_run"),
    }


def sentence(run: Run, *, node: str, place: str, now: datetime, hold_up: str = "") -> str:
    """Say in one sentence what became of the run."""
    where = _(" on %s") % node if node else ""
    error = display.reason(run.failure, most=300)
    what = f": {error}{f' ({place})' if place else ''}" if error else "."
    after = _(" after %s") % display.run_time(run) if display.run_time(run) else ""
    reason = display.reason(run.reason, most=400)
    match run.state:
        case RunState.QUEUED if run.held:
            return _("Waiting for another run of its job to end.")
        case RunState.QUEUED if run.reason:
            return reason
        case RunState.QUEUED if run.due_at > now:
            return _("Waiting: it is due %s.") % display.distance(run.due_at, now=now)
        case RunState.QUEUED:
            return _queued(run, hold_up=hold_up, since=display.span(now - run.due_at))
        case RunState.RUNNING:
            since = display.span(now - run.started_at) if run.started_at else "?"
            said = _("Running for %(since)s%(where)s.") % {"since": since, "where": where}
            return " ".join(filter(None, (said, _cancelling(run, node=node, now=now))))
        case RunState.SUCCEEDED:
            return _("Succeeded") + after + where + "."
        case RunState.FAILED:
            return _("Failed") + after + where + what
        case RunState.TIMED_OUT:
            return _("Timed out") + after + where + what
        case RunState.CANCELLED:
            return _("Cancelled") + after + where + (f": {reason}" if reason else ".")
        case RunState.INTERRUPTED:
            told = _("Interrupted") + after + where + (what if error else f": {reason}" if reason else ".")
            return " ".join((told, _("It may or may not have finished.")))
        case RunState.MISSED:
            return _("Missed") + (f": {reason}" if reason else ".")
        case RunState.SKIPPED:
            return _("Skipped") + (f": {reason}" if reason else ".")
    return run.state


def _queued(run: Run, *, hold_up: str, since: str) -> str:
    """Say what a run waits for that is due."""
    if hold_up == nodes.PAUSED:
        facts = {"since": since, "queue": display.first_line(run.queue)}
        return _("Queued for %(since)s: the queue “%(queue)s” is paused.") % facts
    if hold_up == nodes.UNSERVED:
        facts = {"since": since, "executor": display.first_line(run.runs_on)}
        return _("Waiting for %(since)s: no running node serves the executor “%(executor)s”.") % facts
    return _("Queued for %s, waiting for a free worker.") % since


def _cancelling(run: Run, *, node: str, now: datetime) -> str:
    """Say that a cancellation was requested, and the way out if the code of a thread does not listen."""
    if run.cancel_requested_at is None:
        return ""
    if run.runs_on == "processpool" or now - run.cancel_requested_at < _DEAF:
        return _("Cancellation requested.")
    since = display.span(now - run.cancel_requested_at)
    text = _("Cancellation requested %(since)s ago, and the code has not checked for it. Restart the node %(node)s.")
    return text % {"since": since, "node": node or "?"}


def node_name(run: Run, names: dict[str, str]) -> str:
    """Return the name of the run's node, or the beginning of its id once its row was deleted."""
    return names.get(str(run.node), str(run.node)[:8]) if run.node else ""


def progress(reported: Any) -> dict[str, Any] | None:
    """Return the progress of a task, or an empty text if it is malformed."""
    if not isinstance(reported, dict):
        return None
    done, total = reported.get("done"), reported.get("total")
    is_counted = isinstance(done, int | float) and isinstance(total, int | float) and total > 0
    text = display.first_line(str(reported.get("message") or ""))
    if isinstance(done, int | float):
        of = (
            _("%(done)s of %(total)s") % {"done": _counted(done), "total": _counted(total)} if total else _counted(done)
        )
        text = f"{of} {text}".strip()
    return {"text": text, "done": done, "total": total if is_counted else None}


def _counted(reported: Any) -> str:
    return display.number(reported) if isinstance(reported, int | float) else display.first_line(str(reported))


def _links(run: Run, job: Job | None) -> dict[str, str]:
    links = {
        name: reverse(f"admin:scheduler_run_{name}", args=[run.pk]) for name in ("retry", "again", "cancel", "log")
    }
    links["runs"] = f"{reverse('admin:scheduler_run_changelist')}?{urlencode({'job': run.job_key})}"
    if job is not None:
        links["job"] = addresses.job(job.pk)
    elif run.is_enqueued:
        links["runs"] = addresses.runs(task=run.task)
        links["task"] = addresses.task(run.task)
        links["queue"] = reverse("admin:scheduler_queue_page", args=[run.queue])
    return links
