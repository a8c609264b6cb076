"""Pauses as people ask for them and read of them: until when, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin import pages
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.errors import InvalidPause
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.jobs import pauses

_MORNING = time(8)
_MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause as somebody asks for it, of one job or of many."""

    reason: str
    until: datetime | None
    now: datetime
    problem: str = ""
    """Why it cannot be: its end was not understood."""

    asks: ClassVar[dict[str, Any]] = {"asks_reason": True, "asks_until": True}
    """The fields of the question."""

    @property
    def answer(self) -> dict[str, str]:
        """The same again as the fields of the question have it."""
        return {"reason": self.reason, "ends": "at" if self.until else "", "until": as_typed(self.until)}

    @property
    def end(self) -> str:
        return "" if self.until is None else display.clock(self.until, now=self.now)

    def begin(self, request: HttpRequest, job: Job) -> Job:
        """:raises AlreadyPaused, InvalidPause, JobNotFound: no change was made"""
        return jobs.pause(job=job, **pages.author(request), reason=self.reason, until=self.until)


def asked(request: HttpRequest) -> Pause:
    """Read the pause that somebody asks for."""
    reason, now = pages.reason(request), timezone.now()
    try:
        return Pause(reason=reason, until=until_of(request, now=now), now=now)
    except InvalidPause as error:
        return Pause(reason=reason, until=None, now=now, problem=told(error))


def until_of(request: HttpRequest, *, now: datetime | None = None) -> datetime | None:
    """
    Parse the end of a pause on the clock of the page. ``None``: until it is resumed.

    :raises InvalidPause: naming the value
    """
    now = now or timezone.now()
    chosen, typed = request.POST.get("ends", ""), request.POST.get("until", "").strip()
    if chosen == "hour":
        return now + timedelta(hours=1)
    if chosen == "tomorrow":
        day = timezone.localtime(now).date() + timedelta(days=1)
        return timezone.make_aware(datetime.combine(day, _MORNING))
    # Whoever types a time means it, with or without the dot before it.
    if chosen not in ("", "at") or (chosen == "at" and not typed):
        raise InvalidPause(_("Enter an end, or choose another option."))
    return _instant(typed, now=now) if typed else None


def _instant(typed: str, *, now: datetime) -> datetime:
    try:
        found = parse_datetime(typed)
    except ValueError:
        found = None
    if found is None:
        raise InvalidPause(_("“%s” is not a date and time. Write it as 2027-03-01T08:00.") % display.first_line(typed))
    if timezone.is_naive(found):
        found = timezone.make_aware(found)
    if found <= now:
        raise InvalidPause(
            _("%(until)s is in the past (now %(now)s).")
            % {"until": display.clock(found, now=now), "now": display.clock(now, now=now)}
        )
    return found


def as_typed(until: datetime | None) -> str:
    """Format an end for its field, or return an empty text."""
    return "" if until is None else f"{timezone.localtime(until):%Y-%m-%dT%H:%M:%S}"


def sentence(job: Job, *, now: datetime) -> str:
    """Say who paused the job, since or until when, why, and how many fire times that costs."""
    by = display.plain(job.state_changed_by)
    said = _("Paused by %s") % by if by else _("Paused")
    if job.paused_until is not None:
        said += _(" until %s") % display.clock(job.paused_until, now=now)
    elif job.state_changed_at is not None:
        said += _(" since %s") % display.clock(job.state_changed_at, now=now)
    reason = display.reason(job.state_reason, most=400).rstrip(".")
    said += _(": “%s”.") % reason if reason else "."
    return f"{said} {cost(job, now=now)}".rstrip()


def cost(job: Job, *, now: datetime) -> str:
    """Describe the number of fire times skipped until the pause ends, or return an empty text if unknown."""
    number = pauses.fire_times_ahead(job=job, now=now)
    if number is None:
        return ""
    if number > _MOST_COUNTED:
        return _("More than %s scheduled times will be skipped.") % display.number(_MOST_COUNTED)
    if number == 0:
        return _("No scheduled times will be skipped.")
    text = ngettext("%(number)s scheduled time will be skipped.", "%(number)s scheduled times will be skipped.", number)
    return text % {"number": display.number(number)}
