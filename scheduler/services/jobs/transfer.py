"""Export and import: the definitions of jobs as one JSON document that round-trips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from scheduler.core import error_messages, reasons, triggers
from scheduler.core.definition import NAMES
from scheduler.core.states import Via
from scheduler.errors import InvalidImport, JobNotFound
from scheduler.models import Job
from scheduler.services.alerts import transfer as alerts
from scheduler.services.calendars import transfer as calendars
from scheduler.services.jobs.documents import JobsInFile
from scheduler.services.jobs.entries import Imported, exported, import_all
from scheduler.services.templates import transfer as templates
from scheduler.store import database

FORMAT = "openlearn-scheduler-jobs"
VERSION = 2
"""Since 2 it says which jobs are finished, and how long and why others are paused."""

READABLE = (1, 2)

_TOGETHER = 500
"""Jobs that are in memory together while they are exported."""


def export(*, ids: tuple[str, ...] = (), with_alerts: bool = False) -> dict[str, Any]:
    """
    Describe these jobs, or all of them. Secrets are masked: they are kept where the document is imported again.

    ``with_alerts``: the rules, channels and dead-man's switches as well.

    :raises JobNotFound: one of these is not there
    """
    document = members(ids=ids, with_alerts=with_alerts)
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in document}


def members(*, ids: tuple[str, ...] = (), with_alerts: bool = False) -> Iterator[tuple[str, Any]]:
    """
    Yield the members of an export by name. The jobs are an iterator, which is read before the next member is asked for.

    :raises JobNotFound: one of these is not there
    """
    found = Job.objects.defer("job_state").order_by("pk")
    if ids:
        found = found.filter(pk__in=ids)
        missing = sorted(set(ids) - set(found.values_list("pk", flat=True)))
        if missing:
            raise JobNotFound(error_messages.NO_SUCH_JOB(id=missing[0]))
    named: set[str] = set()
    slugs: set[str] = set()
    yield "format", FORMAT
    yield "version", VERSION
    yield "jobs", _entries_of(found, named=named, slugs=slugs)
    if named:
        yield "calendars", calendars.export(names=named)
    if slugs:
        yield "templates", templates.export(slugs=slugs)
        yield "instances", _instances_of(found)
    if with_alerts:
        yield "alerts", alerts.export()


def _entries_of(found: QuerySet[Job], *, named: set[str], slugs: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the entries of jobs. Note the calendars that they name, and the templates of which they are instances."""
    for chunk in _chunks(found):
        slugs |= {each["template"] for each in templates.export_instances(jobs=[job.pk for job in chunk])}
        for job in chunk:
            named |= calendars.named_by(trigger=job.trigger)
        with triggers.parsing_once():
            entries = list(map(exported, chunk))
        yield from entries


def _instances_of(found: QuerySet[Job]) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(found.only("pk")):
        yield from templates.export_instances(jobs=[job.pk for job in chunk])


def _chunks(found: QuerySet[Job]) -> Iterator[list[Job]]:
    """Yield jobs some hundred at a time, by id. A cursor would need a connection of its own behind a pooler."""
    chunk = list(found[:_TOGETHER])
    while chunk:
        yield chunk
        chunk = list(found.filter(pk__gt=chunk[-1].pk)[:_TOGETHER])


def import_jobs(
    *,
    document: Any,
    actor: str,
    via: Via | str = Via.CODE,
    reason: str = "",
    update: bool = False,
    dry_run: bool = False,
) -> tuple[Imported, ...]:
    """
    Create the jobs of a document, a thousand in a transaction, and change each that exists in one of its own.
    Rejected jobs do not stop the others.

    No import fires at once: a date that has passed comes in as finished. ``update``: existing jobs get the definition
    of the document, and are paused or resumed as it says. Otherwise they are skipped. ``dry_run``: all changes are
    tried and rolled back, so that errors are reported. The calendars and templates of the document come first, all or
    none. Last of all jobs become instances of their templates again.

    :raises InvalidImport, InvalidCalendar, InvalidTemplate: the document is not an export. No change was made
    """
    author = {"actor": actor, "via": via, "reason": reason}
    return tuple(imported(document=document, **author, update=update, dry_run=dry_run))


def imported(
    *,
    document: Any,
    actor: str,
    via: Via | str = Via.CODE,
    reason: str = "",
    update: bool = False,
    dry_run: bool = False,
) -> Iterator[Imported]:
    """
    Do as ``import_jobs``, and yield the outcomes as they come: of a ``documents.Document`` few jobs are in memory.

    What the caller does not ask for is not imported.

    :raises InvalidImport, InvalidCalendar, InvalidTemplate: before the first outcome
    """
    entries = _entries(document)
    author = {"actor": actor, "via": Via(via), "reason": reason or reasons.IMPORTED()}
    needed = any(document.get(name) for name in ("calendars", "templates", "instances"))
    if not dry_run or not needed:
        with database.atomic():
            versions = _load_needed(document, author=author, update=update)
        yield from import_all(entries=entries, author=author, update=update, dry_run=dry_run)
        yield from _attach(document, versions, author=author)
        return
    with database.atomic():  # the jobs are tried with the calendars and templates, and all is rolled back
        versions = _load_needed(document, author=author, update=update)
        done = [*import_all(entries=entries, author=author, update=update, dry_run=False)]
        done += _attach(document, versions, author=author)
        transaction.set_rollback(True, using=database.tables_alias())
    yield from done


def _load_needed(document: Mapping[str, Any], *, author: Mapping[str, Any], update: bool) -> templates.Versions:
    """Create the calendars and templates that the jobs of a document need. The caller's transaction is open."""
    who = {"actor": author["actor"], "update": update}
    calendars.load(document=document.get("calendars", []), via=author["via"], **who)
    return templates.load(document=document.get("templates", []), **who)


def _attach(document: Mapping[str, Any], versions: templates.Versions, *, author: Mapping[str, Any]) -> list[Imported]:
    """Let jobs be instances again. Return those that cannot be, with the reason."""
    who = {"actor": author["actor"], "via": author["via"]}
    done = templates.attach(document=document.get("instances", []), versions=versions, **who)
    return [Imported(id=id, what="refused", text=f"not an instance: {text}") for id, text in done.items() if text]


def import_alerts(
    *, document: Any, actor: str, via: Via | str = Via.CODE, update: bool = False, dry_run: bool = False
) -> alerts.Loaded | None:
    """
    Create the rules, channels and switches of a document, all or none. ``None``: it has none.

    Jobs come first: a switch may name one. ``update`` and ``dry_run`` are as for jobs.

    :raises InvalidImport, InvalidRule, InvalidChannel, InvalidSwitch, NameTaken: no change was made
    """
    if not isinstance(document, Mapping) or "alerts" not in document:
        return None
    author = {"actor": actor, "via": Via(via), "reason": reasons.IMPORTED()}
    with database.atomic():
        if dry_run:
            calendars.load(document=document.get("calendars", []), actor=actor, via=via, update=update)
        if dry_run:  # a switch may name a job that is not there yet
            for _job in import_all(entries=_entries(document), author=author, update=update, dry_run=False):
                pass
        done = alerts.load(document=document["alerts"], actor=actor, via=via, update=update)
        if dry_run:
            transaction.set_rollback(True, using=database.tables_alias())
    return done


def _entries(document: Any) -> Iterable[dict[str, Any]]:
    """
    Return the entries of all jobs, each of which was checked for its form.

    :raises InvalidImport: naming the first that has another form
    """
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise InvalidImport(f"This is no export of jobs: it has no “format”: “{FORMAT}”.")
    if document.get("version") not in READABLE:
        raise InvalidImport(f"Its version is {document.get('version')!r}; this release reads {VERSION} and before.")
    entries = document.get("jobs")
    if not isinstance(entries, list | JobsInFile):
        raise InvalidImport("It has no list of jobs.")
    for place, entry in enumerate(entries):
        _check_form(entry, place=place)
    return entries


def _check_form(entry: Any, *, place: int) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise InvalidImport(f"The job at place {place} has no id.")
    unknown = sorted(entry.keys() - _KNOWN)
    if unknown:
        raise InvalidImport(f"“{entry['id'][:64]}” has unknown members: {', '.join(unknown)}.")
    for name, kind in _KINDS.items():
        if name in _NEEDED and name not in entry:
            raise InvalidImport(f"“{entry['id'][:64]}” has no {name}.")
        if name in entry and not isinstance(entry[name], kind):
            word = _IN_JSON[kind]
            raise InvalidImport(f"“{entry['id'][:64]}”: {name} is “{str(entry[name])[:64]}”. It must be {word}.")


_KNOWN = {"id", "paused", "paused_until", "paused_reason", "finished", *NAMES}
_KINDS: dict[str, type] = {
    "task": str,
    "trigger": dict,
    "args": list,
    "kwargs": dict,
    "paused": bool,
    "paused_reason": str,
    "finished": bool,
}
_NEEDED = ("task", "trigger")
_IN_JSON = {str: "a text", dict: "an object", list: "a list", bool: "true or false"}
