"""The vocabulary of alerts: severities, states and kinds as marks and words."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from scheduler.admin.format import display
from scheduler.admin.format.marks import Mark, Marks
from scheduler.core.alerts import KINDS, RuleKind, answers
from scheduler.models import Channel, Incident, Job, Notification, Switch
from scheduler.services.alerts import channels, incidents, rules, sentences
from scheduler.services.alerts.incidents import IncidentFilter
from scheduler.services.sites import reverse

SEVERITIES = Marks(
    {
        "info": Mark(word=gettext_lazy("info"), shape="i", tone="info"),
        "warning": Mark(word=gettext_lazy("warning"), shape="!", tone="warn"),
        "critical": Mark(word=gettext_lazy("critical"), shape="✕", tone="bad"),
    }
)
KIND_WORDS: dict[str, Any] = {
    RuleKind.FAILING: gettext_lazy("failing"),
    RuleKind.BROKEN: gettext_lazy("cannot run"),
    RuleKind.LATE: gettext_lazy("late"),
    RuleKind.DEADLINE: gettext_lazy("past its deadline"),
    RuleKind.SILENT: gettext_lazy("silent"),
    RuleKind.SLOW: gettext_lazy("slow"),
    RuleKind.DROPPED: gettext_lazy("skips runs"),
    RuleKind.RESULT: gettext_lazy("returns a value"),
    RuleKind.SYSTEM: gettext_lazy("the scheduler itself"),
}
SCOPE_WORDS: dict[str, Any] = {
    "everything": gettext_lazy("all jobs and enqueued tasks"),
    "tag": gettext_lazy("jobs with the tag"),
    "task": gettext_lazy("jobs and enqueued runs of the task"),
    "queue": gettext_lazy("jobs and enqueued tasks of the queue"),
    "job": gettext_lazy("the job with the id"),
}
MESSAGE_WORDS = {
    "opened": gettext_lazy("opened"),
    "changed": gettext_lazy("changed"),
    "reminder": gettext_lazy("reminder"),
    "escalated": gettext_lazy("escalated"),
    "recovered": gettext_lazy("over"),
    "digest": gettext_lazy("digest"),
    "test": gettext_lazy("test"),
}
MESSAGE_MARKS = Marks(
    {
        "pending": Mark(word=gettext_lazy("waiting"), shape="○", tone="mute"),
        "sent": Mark(word=gettext_lazy("sent"), shape="●", tone="ok"),
        "superseded": Mark(word=gettext_lazy("superseded"), shape="»", tone="mute"),
        "failed": Mark(word=gettext_lazy("given up"), shape="✕", tone="bad"),
    }
)
OPEN = Mark(word=gettext_lazy("open"), shape="●", tone="bad")
ACKNOWLEDGED = Mark(word=gettext_lazy("acknowledged"), shape="◐", tone="warn")
CLOSED = Mark(word=gettext_lazy("closed"), shape="✓", tone="mute")

_SHOWN = 10


def state_of(incident: Incident) -> Mark:
    if incident.closed_at is not None:
        return CLOSED
    return ACKNOWLEDGED if incident.acknowledged_at is not None else OPEN


def kind_sentence(kind: str) -> str:
    """Say when a rule of a kind opens an incident."""
    from django.utils.translation import gettext

    return gettext(KINDS[RuleKind(kind)].sentence) if kind in KIND_WORDS else kind


def incident_address(pk: int) -> str:
    return reverse("admin:scheduler_incident_change", args=[pk])


def mute_address(job_key: str) -> str:
    """Return where a job is muted. It has no query: the buttons that lead there would lose it."""
    return reverse("admin:scheduler_incident_mute", args=[quote(job_key)])


def row(incident: Incident) -> dict[str, Any]:
    """Describe an incident for a table."""
    return {
        "incident": incident,
        "address": incident_address(incident.pk),
        "mark": state_of(incident),
        "severity": SEVERITIES[incident.severity],
        "subject": sentences.subject(incident),
        "what": sentences.what(incident),
        "detail": sentences.detail(incident),
    }


def bell(request: HttpRequest) -> dict[str, Any]:
    """Return the open incidents for the bar of every page. Empty: this person may not see them."""
    if not request.user.has_perm("scheduler.view_incident"):
        return {}
    return {
        "count": incidents.count_open(),
        "address": f"{reverse('admin:scheduler_incident_changelist')}?state=open",
    }


def dashboard_part(request: HttpRequest) -> dict[str, Any]:
    """Return the open incidents, and whether anybody would hear of them."""
    if not request.user.has_perm("scheduler.view_incident"):
        return {}
    found = incidents.find(filter=IncidentFilter(state="open"))
    return {
        "rows": [row(incident) for incident in found[:_SHOWN]],
        "more": max(0, found.count() - _SHOWN),
        "all": f"{reverse('admin:scheduler_incident_changelist')}?state=open",
        "is_untested": not channels.is_any_tested(),
        "channels": reverse("admin:scheduler_channel_changelist")
        if request.user.has_perm("scheduler.view_channel")
        else "",
    }


def job_part(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Return the rules that watch a job, and its incidents."""
    if not request.user.has_perm("scheduler.view_incident"):
        return {}
    may_see_rules = request.user.has_perm("scheduler.view_rule")
    return {
        "rules": [
            {
                "rule": rule,
                "address": reverse("admin:scheduler_rule_change", args=[rule.pk]) if may_see_rules else "",
                "sentence": kind_sentence(rule.kind),
                "channels": ", ".join(channel.name for channel in rule.channels.all()),
            }
            for rule in rules.of_job(job=job)
        ],
        "rows": [row(incident) for incident in incidents.find(filter=IncidentFilter(job=job.pk))[:_SHOWN]],
        "mute": incidents.mute_of(job=job),
        "may_mute": request.user.has_perm("scheduler.acknowledge_incident"),
        "mute_address": mute_address(job.pk),
    }


def answer(about: Notification | Switch) -> str:
    """Render the answer to a message or a request in one line, in the language of the reader."""
    return _line(about.answer, about.answer_message)


def last_error(channel: Channel) -> str:
    """Render the last error of a channel in one line, in the language of the reader."""
    return _line(channel.last_error, channel.last_error_message)


def _line(text: str, data: Any) -> str:
    return display.reason(answers.read(text=text, data=data))
