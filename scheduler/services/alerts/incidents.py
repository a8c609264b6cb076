"""Incidents: what is wrong now, and what people do about it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.dispatch import Signal

from scheduler.core.alerts import ClosedBecause
from scheduler.errors import IncidentIsClosed, IncidentNotFound, InvalidPause
from scheduler.messages import phrase
from scheduler.models import Incident, Job, Mute, Notification
from scheduler.services import transactions
from scheduler.store.clock import database_now
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """A filter of incidents. Empty fields match all."""

    state: str = ""
    """``open``, ``closed`` or ``unacknowledged``."""

    job: str = ""
    rule: int | None = None
    kind: str = ""
    severity: str = ""
    since: datetime | None = None


def find(*, filter: IncidentFilter) -> QuerySet[Incident]:
    """Return the incidents, newest first."""
    found = Incident.objects.order_by("-id")
    if filter.state == "open":
        found = found.filter(closed_at__isnull=True)
    elif filter.state == "closed":
        found = found.filter(closed_at__isnull=False)
    elif filter.state == "unacknowledged":
        found = found.filter(closed_at__isnull=True, acknowledged_at__isnull=True)
    if filter.rule is not None:
        found = found.filter(rule_id=filter.rule)
    if filter.since is not None:
        found = found.filter(opened_at__gte=filter.since)
    equal = {"job_key": filter.job, "kind": filter.kind, "severity": filter.severity}
    return found.filter(**{name: value for name, value in equal.items() if value})


def get(*, id: int) -> Incident:
    """:raises IncidentNotFound: an incident with this id does not exist"""
    incident = Incident.objects.filter(pk=id).first()
    if incident is None:
        raise IncidentNotFound(phrase("There is no incident with the id {id}.", id=f"{id}"))
    return incident


def count_open() -> int:
    return Incident.objects.open().count()


def messages_about(*, incident: Incident, limit: int = 100) -> list[Notification]:
    """Return the messages about an incident, newest first."""
    batches = Q(pk__in=[])
    if incident.opened_in is not None:
        batches |= Q(batch=incident.opened_in)
    if incident.closed_in is not None:
        batches |= Q(batch=incident.closed_in)
    return list(Notification.objects.filter(batches).select_related("channel").order_by("-created_at", "pk")[:limit])


@transactions.atomic()
def acknowledge(*, incident: Incident, actor: str, note: str = "") -> Incident:
    """
    Say that somebody takes care: no reminders, no escalation.

    :raises IncidentIsClosed: no change was made
    """
    stored = _locked(incident)
    if stored.acknowledged_at is None:
        stored.acknowledged_at, stored.acknowledged_by = database_now(), actor[:150]
    stored.remind_at = None
    if note:
        stored.note = note[:2000]
    stored.save(update_fields=["acknowledged_at", "acknowledged_by", "remind_at", "note"])
    return stored


@transactions.atomic()
def snooze(*, incident: Incident, until: datetime, actor: str, note: str = "") -> Incident:
    """
    Hold back reminders and escalation until then.

    :raises IncidentIsClosed, InvalidPause: no change was made
    """
    _check(until)
    stored = _locked(incident)
    stored.snoozed_until, stored.remind_at = until, until
    if note:
        stored.note = note[:2000]
    stored.save(update_fields=["snoozed_until", "remind_at", "note"])
    return stored


@transactions.atomic()
def close(*, incident: Incident, actor: str, note: str = "") -> Incident:
    """
    Close an incident by hand. If its condition still holds, the next failure or the next look opens another one.

    :raises IncidentIsClosed: no change was made
    """
    stored = _locked(incident)
    stored.closed_at, stored.closed_because = database_now(), ClosedBecause.CLOSED_BY_HAND
    stored.closed_by = actor[:150]
    if note:
        stored.note = note[:2000]
    stored.save(update_fields=["closed_at", "closed_because", "closed_by", "note"])
    return stored


def mute(*, job: Job, until: datetime, actor: str, reason: str = "") -> Mute:
    """
    Mute a job until then. Its incidents are kept. Those that are open then are announced.

    :raises InvalidPause: no change was made
    """
    _check(until)
    muted, _created = Mute.objects.update_or_create(
        job_key=job.pk, defaults={"until": until, "muted_by": actor[:150], "reason": reason[:2000]}
    )
    return muted


def unmute(*, job: Job) -> bool:
    """Announce incidents of a job again. False: it was not muted."""
    deleted, _rows = Mute.objects.filter(job_key=job.pk).delete()
    return bool(deleted)


def mute_of(*, job: Job) -> Mute | None:
    return Mute.objects.filter(job_key=job.pk, until__gt=Now()).first()


def of_thread(*, thread: str) -> QuerySet[Incident]:
    """Return the incidents of a message, open ones first."""
    return Incident.objects.filter(opened_in=thread).order_by(F("closed_at").desc(nulls_first=True), "id")


def announce(signal: Signal, *, opened_in: Sequence[str] = (), closed_in: Sequence[str] = ()) -> None:
    """Send a signal about each incident of these messages, for the project's own code."""
    if not signal.has_listeners():
        return
    found = Incident.objects.filter(Q(opened_in__in=opened_in) | Q(closed_in__in=closed_in))
    for incident in found.order_by("pk").iterator(chunk_size=500):
        for receiver, error in signal.send_robust(sender=Incident, incident=incident):
            if isinstance(error, Exception):
                extra = {"receiver": getattr(receiver, "__qualname__", repr(receiver)), "error": str(error)}
                logger.error(events.ALERTS_RECEIVER_FAILED, extra=extra)


def _locked(incident: Incident) -> Incident:
    """The caller's transaction is open."""
    stored = Incident.objects.select_for_update().filter(pk=incident.pk).first()
    if stored is None:
        raise IncidentNotFound(phrase("There is no incident with the id {id}.", id=f"{incident.pk}"))
    if stored.closed_at is not None:
        raise IncidentIsClosed()
    return stored


def _check(until: datetime) -> None:
    now = database_now()
    if not now < until <= now + LONGEST:
        raise InvalidPause(
            phrase(
                "until is “{until}”. It must be a future time within a year (now {now}).",
                until=until.isoformat(timespec="seconds"),
                now=now.isoformat(timespec="seconds"),
            )
        )
