"""The jobs of an export, one entry each: described, created a thousand at a time, changed one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction

from scheduler.core import error_messages, reasons, triggers
from scheduler.core.definition import NAMES
from scheduler.core.states import JobSource, JobState
from scheduler.errors import InvalidPause, JobNotFound, SchedulerError
from scheduler.models import Job
from scheduler.services import jobs, masking
from scheduler.services.jobs import building, bulk, creation, validation
from scheduler.services.jobs.building import Repeated
from scheduler.store import database
from scheduler.store.clock import aware, database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author

_TOGETHER = 1000
"""Jobs that are created in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The outcome for one job of the document."""

    id: str
    what: str
    """``created``, ``updated``, ``unchanged``, ``skipped`` or ``refused``."""

    text: str = ""
    """Why it was refused."""


def exported(job: Job) -> dict[str, Any]:
    """Return the entry of a job. Its secrets are masked."""
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


def import_all(
    *, entries: Iterable[dict[str, Any]], author: dict[str, Any], update: bool, dry_run: bool
) -> Iterator[Imported]:
    """
    Create the jobs of these entries, and change those that exist if ``update`` says so. Yield an outcome for each.

    No transaction is open while the caller works on an outcome. ``dry_run``: all changes are tried and rolled back.
    """
    left = iter(entries)
    while chunk := list(islice(left, _TOGETHER)):
        with database.atomic() if dry_run else nullcontext():
            done = list(_import_some(entries=chunk, author=author, update=update))
            if dry_run:
                transaction.set_rollback(True, using=database.tables_alias())
        yield from done


def _import_some(*, entries: Sequence[dict[str, Any]], author: dict[str, Any], update: bool) -> Iterator[Imported]:
    with database.atomic(), triggers.parsing_once():
        new = _create_all(entries=entries, author=author)
    for entry in entries:
        outcome = new.get(entry["id"])
        if outcome is None:
            outcome = _change(entry=entry, author=author, update=update)
        elif outcome.what == "created":
            del new[entry["id"]]  # an id that comes twice exists by the second time
        yield outcome


def _create_all(*, entries: Sequence[dict[str, Any]], author: dict[str, Any]) -> dict[str, Imported]:
    """Create the jobs that do not exist. Return the outcome of each of these, by its id."""
    repeated = Repeated()
    now = database_now()
    ids = [entry["id"] for entry in entries if entry["id"].isprintable()]
    there = set(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
    new: dict[str, Job] = {}
    refused: dict[str, SchedulerError] = {}
    for entry in entries:
        id = entry["id"]
        if id in there or id in new or id in refused or not id.isprintable():
            continue
        try:
            new[id] = _new(entry=entry, author=author, now=now, repeated=repeated)
        except SchedulerError as error:
            refused[id] = error
    refused |= creation.insert(new=list(new.values()), author=Author(**author))
    made = {id: Imported(id=id, what="created") for id in new}
    return made | {id: Imported(id=id, what="refused", text=str(error)) for id, error in refused.items()}


def _change(*, entry: dict[str, Any], author: dict[str, Any], update: bool) -> Imported:
    """Bring a job that exists to what its entry says."""
    id = entry["id"]
    if not id.isprintable():
        return Imported(id=id[:64], what="refused", text=f"The id “{id[:64]}” holds characters that cannot be printed.")
    if not update:
        return Imported(id=id, what="skipped")
    with database.atomic():
        return _changed(entry=entry, author=author)


def _changed(*, entry: dict[str, Any], author: dict[str, Any]) -> Imported:
    id = entry["id"]
    definition = {name: entry[name] for name in NAMES if name in entry}
    try:
        stored = Job.objects.defer("job_state").filter(pk=id).first()
        if stored is None:
            raise JobNotFound(error_messages.NO_SUCH_JOB(id=id))
        present = exported(stored)
        changed = {name: value for name, value in definition.items() if not _is_same(name, present[name], value)}
        if changed:
            bulk.update(job=stored, **author, version=None, **changed)
        is_moved = _pause_or_resume(entry=entry, present=present, author=author)
        return Imported(id=id, what="updated" if changed or is_moved else "unchanged")
    except SchedulerError as error:
        return Imported(id=id, what="refused", text=str(error))


def _new(*, entry: dict[str, Any], author: dict[str, Any], now: datetime, repeated: Repeated) -> Job:
    """Return a job that is paused or finished as the document says, and finished if its only time has passed."""
    definition = {name: entry[name] for name in NAMES if name in entry}
    validation.refuse_masks(task=definition["task"], changes=definition, stored=None)
    given = {"args": (), "kwargs": {}, **definition}
    is_paused = bool(entry.get("paused"))
    facts = {"source": JobSource.CODE, "paused": is_paused, "actor": author["actor"], "now": now}
    job = building.unsaved(id=entry["id"], given=given, repeated=repeated, **facts)
    changes: dict[str, Any] = {}
    if is_paused:
        changes = {"paused_until": _until(entry)}
        if entry.get("paused_reason"):
            changes |= reasons.columns(entry["paused_reason"])
    elif entry.get("finished") or (job.next_run_time is not None and job.next_run_time <= now):
        changes = rows.due(None)
    for name, value in changes.items():
        setattr(job, name, value)
    return job


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
