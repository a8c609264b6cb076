"""Export and import: the definitions of jobs as one JSON document that round-trips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from scheduler.core import error_messages, reasons, triggers
from scheduler.core.definition import NAMES
from scheduler.core.states import JobSource, JobState, Via
from scheduler.errors import InvalidImport, InvalidPause, JobNotFound, SchedulerError
from scheduler.models import Job
from scheduler.services import jobs, masking
from scheduler.services.alerts import transfer as alerts
from scheduler.services.calendars import transfer as calendars
from scheduler.services.jobs import building, bulk, validation
from scheduler.services.templates import transfer as templates
from scheduler.store import database
from scheduler.store.clock import aware, database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author

FORMAT = "openlearn-scheduler-jobs"
VERSION = 2
"""Since 2 it says which jobs are finished, and how long and why others are paused."""

READABLE = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The outcome for one job of the document."""

    id: str
    what: str
    """``created``, ``updated``, ``unchanged``, ``skipped`` or ``refused``."""

    text: str = ""
    """Why it was refused."""


def export(*, ids: tuple[str, ...] = (), with_alerts: bool = False) -> dict[str, Any]:
    """
    Describe these jobs, or all of them. Secrets are masked: they are kept where the document is imported again.

    ``with_alerts``: the rules, channels and dead-man's switches as well.

    :raises JobNotFound: one of these is not there
    """
    found = Job.objects.defer("job_state").order_by("pk")
    if ids:
        found = found.filter(pk__in=ids)
        missing = sorted(set(ids) - set(found.values_list("pk", flat=True)))
        if missing:
            raise JobNotFound(error_messages.NO_SUCH_JOB(id=missing[0]))
    exported = [_exported(job) for job in found.iterator(chunk_size=500)]
    named = {name for job in exported for name in calendars.named_by(trigger=job["trigger"])}
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if named:
        document["calendars"] = calendars.export(names=named)
    document["jobs"] = exported
    if attached := templates.export_instances(jobs=[job["id"] for job in exported]):
        document["templates"] = templates.export(slugs={each["template"] for each in attached})
        document["instances"] = attached
    return {**document, "alerts": alerts.export()} if with_alerts else document


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
    Create the jobs of a document, each in a transaction of its own. Rejected jobs do not stop the others.

    No import fires at once: a date that has passed comes in as finished. ``update``: existing jobs get the definition
    of the document, and are paused or resumed as it says. Otherwise they are skipped. ``dry_run``: all changes are
    tried and rolled back, so that errors are reported. The calendars and templates of the document come first, all or
    none. Last of all jobs become instances of their templates again.

    :raises InvalidImport, InvalidCalendar, InvalidTemplate: the document is not an export. No change was made
    """
    entries = _entries(document)
    author = {"actor": actor, "via": Via(via), "reason": reason or reasons.IMPORTED()}
    needed = any(document.get(name) for name in ("calendars", "templates", "instances"))
    if not dry_run or not needed:
        with database.atomic():
            versions = _load_needed(document, author=author, update=update)
        done = [_import(entry=entry, author=author, update=update, dry_run=dry_run) for entry in entries]
        return (*done, *_attach(document, versions, author=author))
    with database.atomic():  # the jobs are tried with the calendars and templates, and all is rolled back
        versions = _load_needed(document, author=author, update=update)
        done = [_import(entry=entry, author=author, update=update, dry_run=False) for entry in entries]
        done += _attach(document, versions, author=author)
        transaction.set_rollback(True, using=database.tables_alias())
    return tuple(done)


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
        for entry in _entries(document) if dry_run else ():  # a switch may name a job that is not there yet
            _import(entry=entry, author=author, update=update, dry_run=False)
        done = alerts.load(document=document["alerts"], actor=actor, via=via, update=update)
        if dry_run:
            transaction.set_rollback(True, using=database.tables_alias())
    return done


def _exported(job: Job) -> dict[str, Any]:
    definition = {name: getattr(job, name) for name in NAMES}
    masked = {name: masking.masked(definition[name]) for name in ("args", "kwargs")}
    definition["trigger"] = triggers.current_form(job.trigger)
    is_paused = job.state == JobState.PAUSED
    until = job.paused_until if is_paused else None
    return {
        "id": job.pk,
        **definition,
        **masked,
        "paused": is_paused,
        "paused_until": None if until is None else until.isoformat(),
        "paused_reason": job.reason_text if is_paused else "",
        "finished": job.state == JobState.FINISHED,
    }


def _is_same(name: str, present: Any, given: Any) -> bool:
    return triggers.is_same(present, given) if name == "trigger" else bool(present == given)


def _entries(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise InvalidImport(f"This is no export of jobs: it has no “format”: “{FORMAT}”.")
    if document.get("version") not in READABLE:
        raise InvalidImport(f"Its version is {document.get('version')!r}; this release reads {VERSION} and before.")
    entries = document.get("jobs")
    if not isinstance(entries, list):
        raise InvalidImport("It has no list of jobs.")
    known = {"id", *_STATE, *NAMES}
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise InvalidImport(f"The job at place {place} has no id.")
        unknown = sorted(set(entry) - known)
        if unknown:
            raise InvalidImport(f"“{entry['id'][:64]}” has unknown members: {', '.join(unknown)}.")
        for name, kind in _KINDS.items():
            if name in _NEEDED and name not in entry:
                raise InvalidImport(f"“{entry['id'][:64]}” has no {name}.")
            if name in entry and not isinstance(entry[name], kind):
                word = _IN_JSON[kind]
                raise InvalidImport(f"“{entry['id'][:64]}”: {name} is “{str(entry[name])[:64]}”. It must be {word}.")
    return entries


_STATE = ("paused", "paused_until", "paused_reason", "finished")
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


def _import(*, entry: dict[str, Any], author: dict[str, Any], update: bool, dry_run: bool) -> Imported:
    with database.atomic():
        done = _imported(entry=entry, author=author, update=update)
        if dry_run:
            transaction.set_rollback(True, using=database.tables_alias())
    return done


def _imported(*, entry: dict[str, Any], author: dict[str, Any], update: bool) -> Imported:
    id = entry["id"]
    if not id.isprintable():
        return Imported(id=id[:64], what="refused", text=f"The id “{id[:64]}” holds characters that cannot be printed.")
    stored = Job.objects.defer("job_state").filter(pk=id).first()
    definition = {name: entry[name] for name in NAMES if name in entry}
    try:
        if stored is None:
            _create(entry=entry, definition=definition, author=author)
            return Imported(id=id, what="created")
        if not update:
            return Imported(id=id, what="skipped")
        present = _exported(stored)
        changed = {name: value for name, value in definition.items() if not _is_same(name, present[name], value)}
        if changed:
            bulk.update(job=stored, **author, version=None, **changed)
        is_moved = _pause_or_resume(entry=entry, present=present, author=author)
        return Imported(id=id, what="updated" if changed or is_moved else "unchanged")
    except SchedulerError as error:
        return Imported(id=id, what="refused", text=str(error))


def _create(*, entry: dict[str, Any], definition: dict[str, Any], author: dict[str, Any]) -> None:
    """Create a job that is paused or finished as the document says, and finished if its only time has passed."""
    validation.refuse_masks(task=definition["task"], changes=definition, stored=None)
    given = {"args": (), "kwargs": {}, **definition}
    is_paused, now = bool(entry.get("paused")), database_now()
    job = building.unsaved(
        id=entry["id"], given=given, source=JobSource.CODE, paused=is_paused, actor=author["actor"], now=now
    )
    changes: dict[str, Any] = {}
    if is_paused:
        changes = {"paused_until": _until(entry)}
        if entry.get("paused_reason"):
            changes |= reasons.columns(entry["paused_reason"])
    elif entry.get("finished") or (job.next_run_time is not None and job.next_run_time <= now):
        changes = rows.due(None)
    for name, value in changes.items():
        setattr(job, name, value)
    with database.atomic():
        rows.insert(job=job, author=Author(**author))


def _pause_or_resume(*, entry: dict[str, Any], present: dict[str, Any], author: dict[str, Any]) -> bool:
    """Bring an existing job into the state of the document, if that says one. Return whether it was in another."""
    if "paused" not in entry or present["finished"]:
        return False
    wanted = _until(entry) if entry["paused"] else None
    if entry["paused"]:
        if present["paused"] and _instant(present["paused_until"]) == wanted:
            return False
        jobs.pause(job=entry["id"], **{**author, "reason": entry.get("paused_reason", "")}, until=wanted)
        return True
    if present["paused"]:
        jobs.resume(job=entry["id"], **author)
    return bool(present["paused"])


def _until(entry: dict[str, Any]) -> datetime | None:
    """Return when a pause ends. ``None``: when a person ends it, or it would have ended already."""
    until = _instant(entry.get("paused_until"))
    return until if until is not None and until > database_now() else None


def _instant(text: object) -> datetime | None:
    """:raises InvalidPause: it is not an instant"""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise InvalidPause(f"paused_until is “{str(text)[:64]}”; it must be an instant in ISO 8601.") from None
    return aware(found)
