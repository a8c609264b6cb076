"""The plan: what a synchronisation would do to each declared job, without doing it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from scheduler import conf
from scheduler.core import definition
from scheduler.core.declarations import REMOVED, Declaration, Drift, OnConflict, is_older, merge
from scheduler.core.states import JobSource, JobState
from scheduler.errors import SchedulerError, UnusableDeclaration
from scheduler.models import Declaration as Row
from scheduler.models import Job
from scheduler.services.declarations import comparing
from scheduler.store.jobs import rows


class Action(StrEnum):
    """The action for one declared job."""

    CREATE = "create"
    ADOPT = "adopt"
    """A job that exists already belongs to the declaration from now on, changed where it differs."""

    UPDATE = "update"
    UNCHANGED = "unchanged"
    PAUSE = "pause"
    """Its source dropped it."""

    RELEASE = "release"
    """Its source dropped it, and it goes on as an ordinary job."""

    DELETED = "deleted"
    """A person deleted the job: it stays deleted."""

    NEWER = "newer"
    """A newer release declares it, so this release leaves it unchanged."""

    REFUSED = "refused"


CHANGES = frozenset({Action.CREATE, Action.ADOPT, Action.UPDATE, Action.PAUSE, Action.RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a synchronisation."""

    prune: str = "pause"
    """Of jobs that their source dropped: ``pause`` them, or ``keep`` them as ordinary jobs."""

    adopt: bool = False
    """Take over jobs that exist already: of the same id, or with the same task, arguments and trigger."""

    recreate: bool = False
    """Create jobs again that a person deleted."""

    rollback: bool = False
    """Let this release win over a newer one."""

    keep: bool = False
    """Change no field of a job that is taken over: where it differs is drift."""

    paused: bool = False
    """Create jobs paused."""

    job_source: JobSource = JobSource.CODE
    """The ``source`` of jobs that are created."""

    overwrite: bool = False
    """Write the declared value of every field, also where a person changed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The effect of a synchronisation on one declaration."""

    key: str
    action: Action
    source: str
    kind: str = "job"
    """``job``, or a kind of declared objects."""

    origin: str = ""
    job: str = ""
    """The id of the job, empty if it does not exist yet."""

    write: Mapping[str, Any] = field(default_factory=dict)
    """New values of the job, by flat field. Secrets are in plain text: see ``comparing.remembered``."""

    before: Mapping[str, Any] = field(default_factory=dict)
    """The stored values that ``write`` replaces."""

    drift: tuple[Drift, ...] = ()
    conflicts: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    """Fields that drifted and that a person chose to keep: no drift until the source changes them."""

    resumes: bool = False
    """The job was paused because its source had dropped it, and is declared again."""

    stays_paused: bool = False
    tags: tuple[str, ...] = ()
    """Of the job as it is stored."""

    renames: str = ""
    """The former key."""

    text: str = ""
    """The reason for doing no change, or the error."""

    flat: Mapping[str, Any] = field(default_factory=dict)
    """All that is declared, flat."""

    noted: Mapping[str, Any] = field(default_factory=dict)
    """The same as it is remembered: with digests in place of secrets."""

    stored: Job | None = field(default=None, repr=False, compare=False)
    """The job, locked if the plan is to be carried out."""

    declaration: Declaration | None = None
    """``None`` if the declaration is gone."""

    @property
    def has_changes(self) -> bool:
        return self.action in CHANGES


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
                text=str(error),
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
    """Whether a declaration may go on with what is remembered. Rows take over single instances of their template."""
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
    write = {name: flat.get(name, value) for name, value in merged.write.items()}
    if "trigger" in write:
        comparing.check_trigger(flat["trigger"])
    if options.overwrite:
        write |= {each.field: flat[each.field] for each in merged.drift}
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


def _is_our_pause(row: Row, job: Job) -> bool:
    """Whether the job is paused because its source had dropped it, and was not touched since."""
    return row.paused_at is not None and job.state == JobState.PAUSED and job.state_changed_at == row.paused_at


def _is_current(row: Row | None, declaration: Declaration, noted: Mapping[str, Any]) -> bool:
    """Whether what is remembered of a declaration is what it says now."""
    return (
        row is not None
        and row.is_declared
        and (row.source, row.owner) == (declaration.source, declaration.owner)
        and row.template_version_id == declaration.template_version
        and row.declared == noted
    )


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
