"""Digests: what ran and what did not, once a day or a week."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, Sum
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler import conf
from scheduler.models import Channel, Incident, Job, Notification, Rollup
from scheduler.services import transactions
from scheduler.services.alerts import sentences
from scheduler.services.queries import metrics
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_MOST = 10
_MOST_READ = 1000
"""Lines that are read to say how many there are beside those that are shown."""

_DAYS = {"daily": 1, "weekly": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPart:
    """A list under a title. Without lines it is left out."""

    title: str
    lines: tuple[str, ...]


def next_at(*, channel: Channel, now: datetime) -> datetime | None:
    """Return when the next digest of a channel is due: on its clock, on Mondays if it is weekly."""
    if channel.digest not in _DAYS:
        return None
    zone = ZoneInfo(channel.zone)
    at = channel.digest_at
    day = now.astimezone(zone).date()
    for ahead in range(9):
        candidate = datetime.combine(day + timedelta(days=ahead), at, tzinfo=zone).astimezone(now.tzinfo)
        if candidate > now and (channel.digest == "daily" or candidate.astimezone(zone).weekday() == 0):
            return candidate
    return None


def write_due(*, now: datetime) -> int:
    """Put the digests that are due into the outbox. Return how many."""
    put = 0
    for channel in Channel.objects.filter(enabled=True, next_digest_at__lte=now).exclude(digest=""):
        following = next_at(channel=channel, now=now)
        # Only one sender changes the row, and only it writes the message, in the same transaction.
        with transactions.atomic():
            mine = Channel.objects.filter(pk=channel.pk, next_digest_at=channel.next_digest_at).update(
                next_digest_at=following
            )
            if mine:
                Notification.objects.create(channel=channel, kind="digest", severity="info", due_at=now)
                put += 1
    return put


def compose(*, channel: Channel, zone: ZoneInfo, now: datetime) -> tuple[str, tuple[str, ...]]:
    """Return the title and the paragraphs of a digest of the days before."""
    days = _DAYS.get(channel.digest, 1)
    since = now - timedelta(days=days)
    window = metrics.window(since=since, until=now, now=now)
    total = window.total
    failed = total.failed + total.timed_out + total.interrupted
    ran = ngettext(
        "%(number)s run, %(failed)s of them failed.", "%(number)s runs, %(failed)s of them failed.", total.executed
    )
    ran %= {"number": sentences.count(total.executed), "failed": sentences.count(failed)}
    paragraphs = [
        _("From %(since)s to %(until)s.")
        % {"since": sentences.clock(since, zone=zone), "until": sentences.clock(now, zone=zone)},
        ran,
    ]
    if total.missed or total.skipped:
        said = _("%(missed)s scheduled times were missed, %(skipped)s skipped.")
        paragraphs.append(said % {"missed": sentences.count(total.missed), "skipped": sentences.count(total.skipped)})
    failing = [
        f"{name or key}: {sentences.count(tally.failed + tally.timed_out + tally.interrupted)}"
        for key, name, tally, _last in window.jobs
        if tally.failed + tally.timed_out + tally.interrupted
    ]
    parts = (
        DigestPart(title=_("Most failures:"), lines=tuple(failing)),
        DigestPart(title=_("Longest on average:"), lines=tuple(_slowest(since))),
        DigestPart(title=_("Open incidents:"), lines=tuple(_open())),
        DigestPart(title=_("Active, without a run:"), lines=tuple(_without_a_run(since))),
        *_parts_of_the_project(since=since, until=now, zone=zone),
    )
    paragraphs += [_written(part) for part in parts if part.lines]
    title = _("Weekly digest") if days > 1 else _("Daily digest")
    return f"{title}: {ran}", tuple(paragraphs)


def _parts_of_the_project(*, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[DigestPart]:
    for path in conf.get().digest_parts:
        try:
            with transactions.atomic():
                part = import_string(path)(since=since, until=until, zone=zone)
        except Exception as error:  # the project's code: the rest of the digest is sent all the same
            logger.exception(events.ALERTS_DIGEST_PART_FAILED, extra={"part": path})
            part = DigestPart(title=path, lines=(f"{type(error).__name__}: {error}",))
        yield part


def _written(part: DigestPart) -> str:
    lines = [f"- {sentences.one_line(line)}" for line in part.lines[:_MOST]]
    left = len(part.lines) - len(lines)
    if left:
        lines.append(f"- {ngettext('and %s more', 'and %s more', left) % sentences.count(left)}")
    return "\n".join([part.title, *lines])


def _slowest(since: datetime) -> list[str]:
    rows = (
        Rollup.objects.filter(hour__gte=since)
        .order_by()
        .values("job_key")
        .annotate(seconds=Sum("run_seconds"), runs=Sum(F("succeeded") + F("failed") + F("timed_out")))
        .filter(runs__gt=0)
        .annotate(mean=F("seconds") / F("runs"))
        .order_by("-mean")[:_MOST]
    )
    names = dict(Job.objects.filter(pk__in=[row["job_key"] for row in rows]).values_list("pk", "name"))
    return [
        f"{names.get(row['job_key'], row['job_key'])}: {sentences.decimal(row['mean'])} s"
        for row in rows
        if row["mean"]
    ]


def _open() -> list[str]:
    found = Incident.objects.open().order_by("opened_at")[:_MOST_READ]
    return [f"{sentences.subject(incident)}: {sentences.what(incident)}" for incident in found]


def _without_a_run(since: datetime) -> list[str]:
    ran = Rollup.objects.filter(hour__gte=since).values("job_key")
    names = (
        Job.objects.active()
        .filter(created_at__lt=since)
        .exclude(pk__in=ran)
        .order_by("pk")
        .values_list("name", flat=True)
    )
    return list(names[:_MOST_READ])
