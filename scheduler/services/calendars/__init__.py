"""Calendars: create, change, remove, and what is on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import Q, QuerySet

from scheduler.core import error_messages
from scheduler.core.jobs import names
from scheduler.core.states import Via
from scheduler.core.triggers.calendars import contents, country_holidays, files, rules
from scheduler.core.triggers.calendars.contents import LONGEST_NAME, Content
from scheduler.core.triggers.calendars.named import During
from scheduler.core.triggers.zones import parse_zone, zone_name
from scheduler.errors import CalendarInUse, CalendarNotFound, InvalidCalendar, InvalidTrigger, NameTaken, StaleVersion
from scheduler.models import Calendar, CalendarVersion, Job
from scheduler.services import transactions
from scheduler.services.calendars import following
from scheduler.store.clock import database_now

FIELDS = ("name", "title", "rules", "timezone", "tags", "during")
"""The fields of a calendar that a person writes."""

MOST_FILE_BYTES = files.MOST_BYTES
MOMENT = timedelta(seconds=1)
"""The least step of a calendar."""

_LONGEST_TITLE = 200


def all_calendars() -> QuerySet[Calendar]:
    """Return the calendars, by name."""
    return Calendar.objects.order_by("name")


def get(*, name: str) -> Calendar:
    """:raises CalendarNotFound: a calendar with this name does not exist"""
    found = Calendar.objects.filter(name=name).first()
    if found is None:
        raise CalendarNotFound(error_messages.NO_SUCH_CALENDAR(name=f"{name}"[:LONGEST_NAME]))
    return found


def create(*, name: str, actor: str = "", via: Via | str = Via.CODE, **given: Any) -> Calendar:
    """
    Create a calendar. With ``tags`` it is a maintenance window: jobs with one of them follow.

    ``given`` are fields of ``FIELDS``. ``rules`` is a text or a list of lines: ``scheduler.core.triggers.calendars``.

    :raises InvalidCalendar, NameTaken: naming the field, its value and what is allowed
    """
    calendar = Calendar(created_by=actor[:150], version=0)
    with transactions.atomic():
        _save(calendar, {"name": name, **given}, action="created", actor=actor, via=via)
    following.replan_some(actor=actor, via=via)
    return calendar


def update(
    *, calendar: Calendar, actor: str = "", via: Via | str = Via.CODE, version: int | None = None, **given: Any
) -> Calendar:
    """
    Change a calendar. The jobs that use it follow, each with its next fire time; nodes do the last of many.

    ``version``: reject the change if the calendar changed since that version was read.

    :raises InvalidCalendar, NameTaken, StaleVersion: no change was made. A change is invalid after which a job would
        never run; the jobs are named
    """
    with transactions.atomic():
        stored = _lock(calendar)
        if version is not None and version != stored.version:
            values = {"name": stored.name, "version": stored.version, "yours": version}
            raise StaleVersion(error_messages.CALENDAR_CHANGED_MEANWHILE(**values))
        _save(stored, {**written(calendar=stored), **given}, action="edited", actor=actor, via=via)
    following.replan_some(actor=actor, via=via)
    return stored


def remove(*, calendar: Calendar, actor: str = "", via: Via | str = Via.CODE) -> None:
    """
    Delete a calendar. Its history stays.

    :raises CalendarInUse: triggers name it; the jobs are named
    """
    with transactions.atomic():
        stored = _lock(calendar)
        _refuse_in_use(stored)
        _note(stored, {}, action="deleted", actor=actor, via=via)
        stored.delete()
    following.replan_some(actor=actor, via=via)


def refresh(*, actor: str = "", via: Via | str = Via.CODE) -> list[Calendar]:
    """Read the holidays of all countries anew, and return the calendars that this changed."""
    changed = []
    for calendar in all_calendars():
        if any(line.lower().startswith("holidays") for line in calendar.rules):
            after = update(calendar=calendar, actor=actor, via=via)
            if after.digest != calendar.digest:
                changed.append(after)
    return changed


def rules_of_file(*, file: bytes, now: datetime | None = None) -> list[str]:
    """
    Return the events of an iCalendar file as rules.

    :raises InvalidCalendar: it cannot be used
    """
    return files.rules_of(file, today=(now or database_now()).date())


def users(*, calendar: Calendar) -> QuerySet[Job]:
    """Return the jobs whose triggers name a calendar, by id."""
    return Job.objects.filter(_names(calendar.name)).order_by("pk")


def written(*, calendar: Calendar) -> dict[str, Any]:
    """Return a calendar as a person writes it: the same for the API, files and exports."""
    return {name: list(value) if isinstance(value := getattr(calendar, name), list) else value for name in FIELDS}


def represent(*, calendar: Calendar) -> dict[str, Any]:
    """Describe a calendar as JSON."""
    stamps = {
        name: getattr(calendar, name) for name in ("version", "created_at", "created_by", "updated_at", "updated_by")
    }
    return {**written(calendar=calendar), "holidays": len(calendar.holidays), "digest": calendar.digest, **stamps}


def changes_of(*, name: str, limit: int = 50) -> list[CalendarVersion]:
    """Return the newest changes of a calendar, also of one that was deleted."""
    return list(CalendarVersion.objects.filter(calendar_name=name).order_by("-id")[:limit])


def content_of(*, rules_text: Any, timezone: str = "", now: datetime | None = None) -> Content:
    """
    Check rules and a zone, and return the content of a calendar with them.

    :raises InvalidCalendar: naming the line and its fault
    """
    lines = rules.clean(rules_text)
    read = rules.read(lines)
    today = (now or database_now()).date()
    content = Content(
        rules=tuple(lines),
        holidays=country_holidays.dates(read.countries, today=today) if read.countries else (),
        timezone=_timezone(timezone),
    )
    contents.compiled(content, timezone="UTC")
    return content


def _lock(calendar: Calendar) -> Calendar:
    stored = Calendar.objects.select_for_update().filter(pk=calendar.pk).first()
    if stored is None:
        raise CalendarNotFound(error_messages.NO_SUCH_CALENDAR(name=calendar.name))
    return stored


def _save(calendar: Calendar, given: Mapping[str, Any], *, action: str, actor: str, via: Via | str) -> None:
    """The caller's transaction is open."""
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise InvalidCalendar(error_messages.CALENDAR_HAS_NO(names=", ".join(unknown)), field=unknown[0])
    before = written(calendar=calendar) if calendar.pk else {}
    before_digest = calendar.digest
    name = _name(given)
    if calendar.pk and name != calendar.name and (jobs := following.named(users(calendar=calendar))):
        raise InvalidCalendar(error_messages.CALENDAR_RENAMED(name=calendar.name, jobs=jobs), field="name")
    now = database_now()
    content = content_of(rules_text=given.get("rules", ()), timezone=given.get("timezone") or "", now=now)
    calendar.name, calendar.title = name, _title(given.get("title"))
    calendar.rules, calendar.holidays = list(content.rules), [list(each) for each in content.holidays]
    calendar.timezone, calendar.digest = content.timezone, content.digest
    calendar.tags = names.checked_tags(given.get("tags") or ())
    calendar.during = _during(given.get("during"))
    if before == written(calendar=calendar) and calendar.digest == before_digest:
        return
    calendar.version += 1
    calendar.updated_at, calendar.updated_by = now, actor[:150]
    try:
        with transactions.atomic():
            calendar.save()
    except IntegrityError as error:
        raise NameTaken(error_messages.CALENDAR_EXISTS(name=calendar.name)) from error
    _note(calendar, before, action=action, actor=actor, via=via)
    following.check(calendar=calendar, jobs=_followers(calendar, before), now=now)


def _followers(calendar: Calendar, before: Mapping[str, Any]) -> QuerySet[Job]:
    tags = [*calendar.tags, *before.get("tags", ())]
    return Job.objects.filter(_names(calendar.name) | Q(tags__overlap=tags) if tags else _names(calendar.name))


def _names(name: str) -> Q:
    # Those with calendars are few, and have an index.
    has_calendars = Q(trigger__has_any_keys=["calendars", "windows"])
    return has_calendars & (Q(trigger__only_on__contains=[name]) | Q(trigger__not_on__contains=[name]))


def _refuse_in_use(calendar: Calendar) -> None:
    if jobs := following.named(users(calendar=calendar)):
        raise CalendarInUse(error_messages.CALENDAR_IN_USE(name=calendar.name, jobs=jobs))


def _note(calendar: Calendar, before: Mapping[str, Any], *, action: str, actor: str, via: Via | str) -> None:
    after = {} if action == "deleted" else written(calendar=calendar)
    if action == "deleted":
        before = written(calendar=calendar)
    content = Content(
        rules=tuple(calendar.rules),
        holidays=tuple((day, title) for day, title in calendar.holidays),
        timezone=calendar.timezone,
    )
    CalendarVersion.objects.create(
        calendar_name=calendar.name,
        version=calendar.version,
        digest=calendar.digest,
        content=content.as_json(),
        action=action,
        changes={
            field: [before.get(field), after.get(field)] for field in FIELDS if before.get(field) != after.get(field)
        },
        actor=actor[:150],
        via=Via(via).value,
    )


def _name(given: Mapping[str, Any]) -> str:
    name = given.get("name")
    if not contents.is_name(name):
        problem = error_messages.CALENDAR_NAME(name=f"{name}"[:LONGEST_NAME], most=LONGEST_NAME)
        raise InvalidCalendar(problem, field="name")
    return str(name)


def checked(*, given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the fields of a calendar besides its name, as they would be stored.

    :raises InvalidCalendar: naming the field, its value and what is allowed
    """
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise InvalidCalendar(error_messages.CALENDAR_HAS_NO(names=", ".join(unknown)), field=unknown[0])
    _name(given)
    content = content_of(rules_text=given.get("rules", ()), timezone=given.get("timezone") or "")
    return {
        "title": _title(given.get("title")),
        "rules": list(content.rules),
        "timezone": content.timezone,
        "tags": names.checked_tags(given.get("tags") or ()),
        "during": _during(given.get("during")),
    }


def _title(value: Any) -> str:
    title = "" if value is None else value
    if not isinstance(title, str) or len(title.strip()) > _LONGEST_TITLE or not title.isprintable():
        raise InvalidCalendar(error_messages.CALENDAR_TITLE(most=_LONGEST_TITLE), field="title")
    return title.strip()


def _during(value: Any) -> str:
    if value is None or value == "":
        return During.SKIP.value
    if not isinstance(value, str) or value not in tuple(During):
        raise InvalidCalendar(error_messages.CALENDAR_DURING(choices=", ".join(During)), field="during")
    return During(value).value


def _timezone(value: str) -> str:
    if not value:
        return ""
    try:
        return zone_name(parse_zone(value, pointer="/timezone"))
    except InvalidTrigger as error:
        raise InvalidCalendar(error.message, field="timezone") from None
