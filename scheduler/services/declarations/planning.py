"""The plan: what a synchronisation would do to each declared job, without doing it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scheduler import conf
from scheduler.core import definition
from scheduler.core.declarations import REMOVED, Declaration, Merge, OnConflict, is_older, merge
from scheduler.core.states import JobState
from scheduler.core.triggers.calendars import contents
from scheduler.errors import SchedulerError, UnusableDeclaration
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services.calendars.transfer import named_by
from scheduler.services.declarations import comparing
from scheduler.services.declarations.steps import Action, Options, Step
from scheduler.store.jobs import rows


def decide(
    *,
    declarations: Iterable[Declaration],
    keys: Collection[str],
    options: Options,
    lock: bool = False,
) -> Iterator[Step]:
    """
    Return one step for each declaration. With ``lock`` their jobs stay locked until the transaction ends.

    ``keys`` are those of all declarations of the synchronisation: what is declared under its own name is not renamed.
    An invalid declaration is rejected by itself.
    """
    wanted = list(declarations)
    names = {name for each in wanted for name in (each.key, *each.previous_keys)}
    known = {row.key: row for row in Row.objects.filter(key__any_of=names)}
    ids = {row.job_key for row in known.values()} | {each.key for each in wanted}
    jobs = _jobs(ids, lock=lock)
    renamed: dict[str, str] = {}
    for declaration in wanted:
        row = _row(declaration, known, keys)
        try:
            if row is not None and renamed.setdefault(row.key, declaration.key) != declaration.key:
                raise UnusableDeclaration(f"“{row.key}” is a previous key of “{renamed[row.key]}” as well.")
            yield _step(declaration=declaration, row=row, jobs=jobs, options=options)
        except SchedulerError as error:
            yield Step(
                key=declaration.key,
                action=Action.REFUSED,
                source=declaration.source,
                origin=declaration.origin,
                text=error.message,
            )


def _jobs(ids: Iterable[str], *, lock: bool) -> dict[str, Job]:
    ids = list(ids)
    if lock:
        rows.lock_many(ids=ids)
        found = Job.objects.defer("job_state")
    else:
        found = Job.objects.only(*definition.NAMES, "state", "state_changed_at")
    return {job.pk: job for job in found.filter(id__any_of=ids)}


def _may_own(declaration: Declaration, row: Row) -> bool:
    """Return whether a declaration may go on with what is remembered. Rows take over instances of their template."""
    return row.owner == declaration.owner or bool(row.owner and declaration.owner.startswith(f"{row.owner}:"))


def _row(declaration: Declaration, rows: Mapping[str, Row], keys: Collection[str]) -> Row | None:
    """Return what is remembered under the key, else under a former one that is not declared by itself."""
    former = (name for name in declaration.previous_keys if name not in keys)
    return next((rows[name] for name in (declaration.key, *former) if name in rows), None)


def _step(*, declaration: Declaration, row: Row | None, jobs: Mapping[str, Job], options: Options) -> Step:
    flat = comparing.checked(declaration)
    facts: dict[str, Any] = {
        "key": declaration.key,
        "source": declaration.source,
        "origin": declaration.origin,
        "flat": flat,
        "declaration": declaration,
    }
    if row is not None and not _may_own(declaration, row):
        text = f"The key “{row.key}” belongs to {row.owner or 'a declaration in ' + row.source}."
        return Step(**facts, action=Action.REFUSED, text=text)
    if row is None:
        return _first(jobs=jobs, options=options, facts=facts)
    facts["renames"] = "" if row.key == declaration.key else row.key
    facts["job"] = row.job_key
    if is_older(conf.get().release, row.release) and not options.rollback:
        text = f"Release {row.release} declares it; this is {conf.get().release}."
        return Step(**facts, action=Action.NEWER, text=text)
    job = jobs.get(row.job_key)
    if job is None:
        if options.recreate:
            return Step(**facts, action=Action.CREATE)
        text = "The job was deleted. “jobs apply --recreate” creates it again."
        return Step(**facts, action=Action.DELETED, text=text)
    return _merged(base=row.declared, job=job, row=row, options=options, facts=facts)


def _first(
    *,
    jobs: Mapping[str, Job],
    options: Options,
    facts: Mapping[str, Any],
) -> Step:
    """The step of a declaration that was never synchronised."""
    job = jobs.get(facts["key"])
    if job is None and options.adopt:
        job = _equivalent_job(facts["flat"])
    if job is None:
        comparing.check_trigger(facts["flat"]["trigger"])
        return Step(**facts, action=Action.CREATE)
    facts = {**facts, "job": job.pk}
    if not options.adopt:
        text = f"A job with the id “{job.pk}” exists already. “jobs apply --adopt” takes it over."
        return Step(**facts, action=Action.REFUSED, text=text)
    merged = _merged(base=None, job=job, row=None, options=options, facts=facts)
    return merged if job.pk in jobs else replace(merged, stored=None)  # a twin is not locked


def _equivalent_job(flat: Mapping[str, Any]) -> Job | None:
    """Return the one job that no declaration owns and that does the same at the same times."""
    owned = Row.objects.values("job_key")
    found = [
        job
        for job in Job.objects.defer("job_state").filter(task=flat["task"]).exclude(pk__in=owned)
        if all(
            comparing.is_same(name, value, comparing.stored(job).get(name))
            for name, value in flat.items()
            if name in ("args", "trigger") or name.startswith("kwargs.")
        )
    ]
    return found[0] if len(found) == 1 else None


def _merged(
    *,
    base: Mapping[str, Any] | None,
    job: Job,
    row: Row | None,
    options: Options,
    facts: Mapping[str, Any],
) -> Step:
    flat, declaration = facts["flat"], facts["declaration"]
    present, noted = comparing.stored(job), comparing.remembered(flat)
    defaults = comparing.default(declaration=declaration, task=flat["task"])
    merged = merge(
        base=noted if base is None and options.keep else base,
        declared=noted,
        stored=present,
        default=lambda name: defaults.get(name, REMOVED),
        is_same=comparing.is_same,
        on_conflict=OnConflict.DECLARED if options.overwrite else declaration.on_conflict,
    )
    drift = () if options.overwrite else merged.drift
    write = _written(merged, flat, overwrite=options.overwrite)
    # What the source changed, or a person brought back, counts again.
    kept = frozenset(each.field for each in drift) & frozenset(row.kept if row else ()) - {*merged.conflicts}
    resumes = row is not None and _is_our_pause(row, job)
    is_current = not (write or resumes or facts.get("renames")) and _is_current(row, declaration, noted)
    return Step(
        **facts,
        action=Action.ADOPT if row is None else Action.UNCHANGED if is_current else Action.UPDATE,
        write=write,
        before={name: present.get(name, REMOVED) for name in write},
        drift=tuple(each for each in drift if each.field not in kept),
        conflicts=merged.conflicts,
        kept=kept,
        resumes=resumes,
        noted=noted,
        stored=job,
        stays_paused=job.state == JobState.PAUSED and not resumes,
        tags=tuple(job.tags),
    )


def _written(merged: Merge, flat: Mapping[str, Any], *, overwrite: bool) -> dict[str, Any]:
    """Return the fields to be written, with overwriting those that drifted as well."""
    write = {name: flat.get(name, value) for name, value in merged.write.items()}
    if "trigger" in write:
        comparing.check_trigger(flat["trigger"])
    return write | ({each.field: flat[each.field] for each in merged.drift} if overwrite else {})


def _is_our_pause(row: Row, job: Job) -> bool:
    """Return whether the job is paused because its source had dropped it, and was not touched since."""
    return row.paused_at is not None and job.state == JobState.PAUSED and job.state_changed_at == row.paused_at


def _is_current(row: Row | None, declaration: Declaration, noted: Mapping[str, Any]) -> bool:
    """Return whether what is remembered of a declaration is what it says now."""
    return (
        row is not None
        and row.is_declared
        and (row.source, row.owner) == (declaration.source, declaration.owner)
        and row.template_version_id == declaration.template_version
        and row.declared == noted
    )


def with_known_calendars(steps: Sequence[Step]) -> Iterator[Step]:
    """Refuse the steps of a plan whose triggers name a calendar that neither exists nor is created by the plan."""
    created = {step.key for step in steps if step.kind == "calendar" and step.action is Action.CREATE}
    named = [_calendars(step) for step in steps]
    wanted = frozenset[str]().union(*named) - created
    known = created | set(contents.present(wanted)) if wanted else created
    for step, names in zip(steps, named, strict=True):
        unknown = sorted(names - known)
        text = contents.unknown(unknown[0], key="trigger").message if unknown else ""
        yield replace(step, action=Action.REFUSED, text=text) if unknown else step


def _calendars(step: Step) -> frozenset[str]:
    """Return the calendars that the trigger will have which a step writes to a job."""
    is_written = step.kind == "job" and step.has_changes and "trigger" in step.written
    return frozenset(named_by(trigger=step.written["trigger"])) if is_written else frozenset()


def dropped(*, declarations: Iterable[Declaration], options: Options, owner: str) -> Iterator[Step]:
    """
    Return one step for each job that its source no longer declares.

    ``declarations`` are all of this owner. A former key counts as declared until its job is renamed.
    """
    wanted = list(declarations)
    keys = {each.key for each in wanted}
    synced = set(Row.objects.filter(key__any_of=keys).values_list("key", flat=True))
    former = {name for each in wanted if each.key not in synced for name in each.previous_keys}
    known = Row.objects.filter(is_declared=True, owner=owner).order_by("key")
    gone = set(known.values_list("key", flat=True)) - keys - former
    for row in known.filter(key__any_of=gone) if gone else ():
        facts: dict[str, Any] = {"key": row.key, "source": row.source, "origin": row.origin, "job": row.job_key}
        if is_older(conf.get().release, row.release) and not options.rollback:
            text = f"Release {row.release} declares it; this is {conf.get().release}."
            yield Step(**facts, action=Action.NEWER, text=text)
        elif options.prune == "keep":
            yield Step(**facts, action=Action.RELEASE, text="No longer declared; it goes on as an ordinary job.")
        else:
            yield Step(**facts, action=Action.PAUSE, text="No longer declared.")
