"""The text of a notification, rendered when it is sent, in the language and on the clock of its channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler import __version__, conf
from scheduler.core.alerts import MessageKind
from scheduler.core.states import RunState
from scheduler.models import Channel, Incident, Job, Notification, Rollup, Run
from scheduler.services.alerts import links, sentences
from scheduler.services.queries.representations import instant
from scheduler.store.clock import database_now

MOST_NAMED = 20
"""Incidents that a message describes. It counts the rest."""

_MOST_RUNBOOK = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notification as a channel gets it."""

    id: str
    """The same at every try."""

    kind: str
    severity: str
    subject: str
    """One line of plain text."""

    text: str
    html: str
    data: dict[str, Any]
    """As JSON: what a webhook sends."""

    at: datetime
    """Of this try, by the database's clock: that of this machine may be wrong."""

    answers: str = ""
    """The id of the message that opened the conversation. Empty: this one does."""

    domain: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An incident as a message describes it."""

    subject: str
    what: str
    detail: str
    since: str
    count: int
    times: str
    """``count`` as the language writes it."""

    ended: str
    last_success: str
    next: str
    runbook: str
    job_link: str
    run_link: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """Everything that the templates and the JSON are made of."""

    title: str
    lines: tuple[Line, ...] = ()
    incidents: tuple[Incident, ...] = ()
    total: int = 0
    open: int = 0
    age: str = ""
    paragraphs: tuple[str, ...] = field(default=())


def render(*, notification: Notification, now: datetime | None = None) -> Message:
    """Render a message about how things are now."""
    channel = notification.channel
    now = now or database_now()
    with translation.override(channel.language or settings.LANGUAGE_CODE):
        content = _content(notification, zone=ZoneInfo(channel.zone), now=now)
        context = _context(notification, content)
        return Message(
            id=str(notification.pk),
            kind=notification.kind,
            severity=notification.severity,
            subject=content.title,
            text=render_to_string("scheduler/alerts/message.txt", context),
            html=render_to_string("scheduler/alerts/message.html", context),
            data=_data(notification, content),
            at=now,
            answers=_answers(notification),
            domain=links.domain(),
        )


def _content(notification: Notification, *, zone: ZoneInfo, now: datetime) -> _Content:
    if notification.kind == MessageKind.TEST:
        sentence = _("This is a test of the channel “%s”. If you can read it, alerts reach you here.")
        return _Content(
            title=_("Test of the channel “%s”") % sentences.one_line(notification.channel.name),
            paragraphs=(sentence % sentences.one_line(notification.channel.name),),
        )
    if notification.kind == MessageKind.DIGEST:
        from scheduler.services.alerts import digests

        title, paragraphs = digests.compose(channel=notification.channel, zone=zone, now=now)
        return _Content(title=title, paragraphs=paragraphs)
    return _of_incidents(notification, zone=zone, now=now)


def _of_incidents(notification: Notification, *, zone: ZoneInfo, now: datetime) -> _Content:
    found = about(notification)
    counts = found.aggregate(total=Count("id"), open=Count("id", filter=Q(closed_at__isnull=True)))
    named = list(found.order_by(F("closed_at").desc(nulls_first=True), "id")[:MOST_NAMED])
    jobs = Job.objects.in_bulk([incident.job_key for incident in named if incident.job_key])
    lines = tuple(_line(incident, jobs.get(incident.job_key), zone=zone) for incident in named)
    waited = (now - notification.created_at).total_seconds()
    age = _("This message was delayed by %s.") % sentences.duration(waited) if waited >= 300 else ""
    return _Content(
        title=_title(notification, lines, total=counts["total"], open=counts["open"]),
        lines=lines,
        incidents=tuple(named),
        total=counts["total"],
        open=counts["open"],
        age=age,
    )


def about(notification: Notification) -> QuerySet[Incident]:
    """Return the incidents that a message is about: those that recovered, those that are open, or all of its batch."""
    if notification.kind == MessageKind.RECOVERED:
        return Incident.objects.filter(closed_in=notification.batch)
    found = Incident.objects.filter(opened_in=notification.batch)
    if notification.kind in (MessageKind.REMINDER, MessageKind.CHANGED, MessageKind.ESCALATED):
        still_open = found.open()
        return still_open if still_open.exists() else found
    return found


def _title(notification: Notification, lines: Sequence[Line], *, total: int, open: int) -> str:
    words = {
        MessageKind.CHANGED: _("changed"),
        MessageKind.REMINDER: _("reminder"),
        MessageKind.ESCALATED: _("escalated"),
        MessageKind.RECOVERED: _("over"),
    }
    word = words.get(MessageKind(notification.kind)) or (_(notification.severity) if open else _("over"))
    if total == 1 and lines:
        about_it = f"{lines[0].subject}: {lines[0].what}"
    else:
        count = ngettext("%s incident", "%s incidents", total) % sentences.count(total)
        about_it = f"{count}: {sentences.one_line(notification.rule_name)}"
    environment = conf.get().environment
    return sentences.one_line(f"[{word}] {about_it}" + (f" ({environment})" if environment else ""))


def _line(incident: Incident, job: Job | None, *, zone: ZoneInfo) -> Line:
    last = last_success(incident.job_key) if incident.job_key else None
    return Line(
        subject=sentences.subject(incident),
        what=sentences.what(incident),
        detail=sentences.detail(incident),
        since=sentences.clock(incident.opened_at, zone=zone),
        count=incident.count,
        times=sentences.count(incident.count),
        ended=sentences.ended(incident),
        last_success=sentences.clock(last, zone=zone) if last else (_("never") if incident.job_key else ""),
        next="" if incident.closed_at else sentences.comes_next(job, zone=zone),
        runbook=job.description[:_MOST_RUNBOOK] if job is not None else "",
        job_link=links.job(incident.job_id) if job is not None else "",
        run_link=links.run(incident.run) if incident.run else "",
        link=links.incident(incident.pk),
    )


def last_success(job_key: str) -> datetime | None:
    """Return when a run of the job succeeded last: found through the hourly roll-ups."""
    hour = (
        Rollup.objects.filter(job_key=job_key, succeeded__gt=0).order_by("-hour").values_list("hour", flat=True).first()
    )
    if hour is None:
        return None
    found = (
        Run.objects.filter(job_key=job_key, job_id=job_key, state=RunState.SUCCEEDED, finished_at__gte=hour)
        .order_by("-scheduled_at", "-attempt")
        .values_list("finished_at", flat=True)
        .first()
    )
    return found or hour


def _answers(notification: Notification) -> str:
    if notification.thread is None or notification.kind in (MessageKind.OPENED, MessageKind.DIGEST, MessageKind.TEST):
        return ""
    first = Notification.objects.filter(
        thread=notification.thread,
        channel=notification.channel_id,
        kind__in=(MessageKind.OPENED, MessageKind.ESCALATED),
    ).order_by("created_at")
    opened = first.values_list("pk", flat=True).first()
    return "" if opened is None or opened == notification.pk else str(opened)


def _context(notification: Notification, content: _Content) -> dict[str, Any]:
    may_silence = content.open and notification.kind not in (MessageKind.RECOVERED, MessageKind.DIGEST)
    return {
        "content": content,
        "more": content.total - len(content.lines),
        "rule": sentences.one_line(notification.rule_name),
        "severity": notification.severity,
        "channel": sentences.one_line(notification.channel.name),
        "silence": links.silence(thread=str(notification.thread)) if may_silence and notification.thread else "",
        "may_silence": may_silence,
        "language": translation.get_language() or "en",
    }


def _data(notification: Notification, content: _Content) -> dict[str, Any]:
    data: dict[str, Any] = {
        "notification": str(notification.pk),
        "rule": notification.rule_name,
        "severity": notification.severity,
        "title": content.title,
        "environment": conf.get().environment,
        "version": __version__,
        "count": content.total,
        "open": content.open,
        "incidents": [represent(incident) for incident in content.incidents],
    }
    if content.paragraphs:
        data["text"] = "\n".join(content.paragraphs)
    kind = notification.kind
    event = f"alerts.{kind}" if kind in (MessageKind.TEST, MessageKind.DIGEST) else f"incident.{kind}"
    return {"type": event, "timestamp": instant(notification.created_at), "data": data}


def represent(incident: Incident) -> dict[str, Any]:
    """Describe an incident as JSON: the same for webhooks, the API and the command line."""
    return {
        "id": incident.pk,
        "rule": incident.rule_id,
        "rule_name": incident.rule_name,
        "kind": incident.kind,
        "severity": incident.severity,
        "subject": incident.subject,
        "job": incident.job_id or None,
        "task": incident.task or None,
        "job_name": incident.job_name or None,
        "what": sentences.what(incident),
        "detail": sentences.detail(incident),
        "count": incident.count,
        "measured": incident.measured,
        "run": incident.run,
        "opened_at": instant(incident.opened_at),
        "last_at": instant(incident.last_at),
        "closed_at": instant(incident.closed_at),
        "closed_because": incident.closed_because or None,
        "closed_by": incident.closed_by,
        "acknowledged_at": instant(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "snoozed_until": instant(incident.snoozed_until),
        "note": incident.note,
        "url": links.incident(incident.pk) or None,
    }


def sample(*, channel: Channel) -> Notification:
    """Make a test message for a channel, not written yet."""
    return Notification(channel=channel, kind=MessageKind.TEST, created_at=database_now())
