"""The surroundings of a run: its neighbours, changes since the last success, and its deletion."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses
from scheduler.admin.format import display
from scheduler.models import Change, Run
from scheduler.services import retention
from scheduler.services.queries import job_history, run_differences, run_queries
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.services.queries.run_differences import Difference
from scheduler.services.queries.run_queries import Neighbours, NodeSeen

_MOST_CHARS = 300
_MOST_CHANGES = 10
_WHAT = {
    "task": gettext_lazy("Task"),
    "kind": gettext_lazy("Started by"),
    "executor": gettext_lazy("Executor"),
    "timeout": gettext_lazy("Time limit"),
    "version": gettext_lazy("Version of the node"),
    "node": gettext_lazy("Node"),
}


def neighbours(run: Run, found: Neighbours) -> Sequence[dict[str, Any]]:
    items = (
        (_("Before"), found.previous),
        (_("After"), found.next),
        (_("Last success before"), found.last_success if run.error else None),
    )
    return [
        {"label": label, "run": other, "address": addresses.run(other.pk)}
        for label, other in items
        if other is not None
    ]


def changes(
    run: Run, success: Run | None, *, nodes: Mapping[str, NodeSeen], see_output: bool, see_job: bool
) -> list[dict[str, str]] | None:
    """Return the differences to the last success, or ``None`` without one."""
    if not run.error or success is None:
        return None
    found = run_differences.between(before=run_queries.with_arguments(run=success), after=run, nodes=nodes)
    shown = [_change(difference) for difference in found if see_output or difference.what != "argument"]
    return [*shown, *_changes_of_job(run, success)] if see_job else shown


def _changes_of_job(run: Run, success: Run) -> list[dict[str, str]]:
    """Changes of the job between the two runs, oldest first. The runs record the arguments."""
    between = ChangeFilter(job=run.job_key, since=success.created_at, until=run.created_at)
    newest = job_history.changes(filter=between).exclude(changes={})[:_MOST_CHANGES]
    return [
        {
            "what": _("%(field)s of the job, changed by %(who)s") % {"field": found.name, "who": _who(change)},
            "before": _json(found.old),
            "after": _json(found.new),
        }
        for change in reversed(newest)
        for found in job_history.what(change=change)
        if found.name.partition(".")[0] not in ("args", "kwargs")
    ]


def _who(change: Change) -> str:
    return display.first_line(change.actor, most=80) or change.via


def _change(found: Difference) -> dict[str, str]:
    if found.what != "argument":
        return {
            "what": str(_WHAT[found.what]),
            "before": _said(found.what, found.before),
            "after": _said(found.what, found.after),
        }
    return {
        "what": _("Argument %s") % display.first_line(found.name, most=80),
        "before": "–" if found.was_missing else _json(found.before),
        "after": "–" if found.is_missing else _json(found.after),
    }


def _said(what: str, value: Any) -> str:
    if value is None:
        return "–"
    if what == "timeout":
        return display.span(value)
    if what == "kind":
        return str(display.KINDS.get(value, value))
    return display.first_line(str(value))


def _json(value: Any) -> str:
    return display.first_line(json.dumps(display.masked(value), ensure_ascii=False), most=_MOST_CHARS)


def kept(run: Run, *, now: datetime) -> dict[str, str]:
    """Say when the run will be deleted, and at what age its output went."""
    return {"forgotten": _forgotten(run, now=now), "dropped": _dropped(run)}


def _forgotten(run: Run, *, now: datetime) -> str:
    if run.finished_at is None:
        return ""
    policy = retention.policy()
    if policy is None:
        return _("Automatic clean-up is off. This run is kept until “manage.py cleanup_jobs” runs.")
    said = _("Runs older than %(days)s days are deleted, except for the newest %(keep)s of each job.") % {
        "days": display.number(policy.days),
        "keep": display.number(policy.keep),
    }
    if policy.output_days is not None and run.output_dropped_at is None and not run.is_enqueued:
        said = " ".join((said, _output_goes(policy.output_days)))
    at = run.finished_at + timedelta(days=policy.days)
    if at <= now:
        return " ".join((said, _("This run can be deleted at any time.")))
    local = timezone.localtime(at)
    day = display.day(local, "j M" if local.year == timezone.localtime(now).year else "j M Y")
    return " ".join((said, _("This run will be deleted on %s or later.") % day))


def _output_goes(days: int) -> str:
    return ngettext(
        "Results, logs and tracebacks are dropped after %s day.",
        "Results, logs and tracebacks are dropped after %s days.",
        days,
    ) % display.number(days)


def _dropped(run: Run) -> str:
    if run.output_dropped_at is None or run.finished_at is None:
        return ""
    days = (run.output_dropped_at - run.finished_at).days
    return ngettext(
        "Output dropped after %s day: the result, the log and the traceback are no longer kept.",
        "Output dropped after %s days: the result, the log and the traceback are no longer kept.",
        days,
    ) % display.number(days)
