"""Instances of templates: created one by one or from rows, changed, detached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet

from scheduler.core import reasons
from scheduler.core.declarations import Declaration, OnConflict
from scheduler.core.jobs import ids
from scheduler.core.states import JobSource, Via
from scheduler.errors import InvalidParameters, JobNotFound, SchedulerError, UnusableDeclaration
from scheduler.messages import phrase
from scheduler.models import Declaration as Row
from scheduler.models import Job, Template, TemplateVersion
from scheduler.services import declarations, jobs, masking, transactions
from scheduler.services.declarations import Action, Options, Step, Synchronisation
from scheduler.services.declarations.collecting import Collected, LoadError
from scheduler.services.templates.rendering import declaration
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows
from scheduler.store.jobs.authorship import Author


def owner_of(*, template: Template, rows: str = "") -> str:
    """Return the owner of instances: of a provider of rows, or of those that people create one by one."""
    return f"template:{template.slug}:{rows}" if rows else f"template:{template.slug}"


def of(*, template: Template) -> QuerySet[Row]:
    """Return what is remembered of a template's instances, by key."""
    return Row.objects.filter(template_version__template=template).select_related("template_version").order_by("key")


def create(
    *,
    version: TemplateVersion,
    key: str,
    values: Mapping[str, Any],
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    paused: bool = False,
    source: JobSource | str = JobSource.CODE,
) -> Job:
    """
    Create one instance: an ordinary job with the id ``key``.

    :raises InvalidParameters: naming the parameter
    :raises UnusableDeclaration: the job cannot be created. The sentence says why
    """
    found = declaration(version=version, key=key, values=values, owner=owner_of(template=version.template))
    options = Options(recreate=True, paused=paused, job_source=JobSource(source))
    reason = reason or reason_of(version)
    done = _apply([found], owner=found.owner, author={"actor": actor, "via": via, "reason": reason}, options=options)
    return _job(done.steps[0])


def adopt(
    *,
    version: TemplateVersion,
    given: Iterable[tuple[str, Mapping[str, Any]]],
    actor: str = "",
    via: Via | str = Via.CODE,
) -> Synchronisation:
    """
    Let jobs that exist be instances from now on, by their ids. They stay as they are: where one differs is drift.

    :raises InvalidParameters: naming the parameter. No job was taken over
    """
    owner = owner_of(template=version.template)
    found = [declaration(version=version, key=key, values=values, owner=owner) for key, values in given]
    options = Options(adopt=True, keep=True)
    return _apply(
        found, owner=owner, author={"actor": actor, "via": via, "reason": reason_of(version)}, options=options
    )


def change(
    *,
    job: Job,
    values: Mapping[str, Any],
    version: TemplateVersion | None = None,
    on_conflict: OnConflict | str = OnConflict.KEEP,
    replaces: bool = False,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
) -> Job:
    """
    Give an instance other values of its parameters, and with ``version`` another version or template.

    ``replaces``: values that are left out have their defaults again, instead of staying. ``on_conflict``: whose value
    counts where these values and an edit of the job both changed a field, ``keep`` or ``declared``.

    :raises JobNotFound: the job is not an instance
    :raises InvalidParameters: naming the parameter. No change was made
    """
    row = _row(job)
    version = version or row.template_version
    assert version is not None  # noqa: S101 - see _row
    stored = row.parameters or {}
    before = {} if replaces else stored_masked(row)
    found = declaration(version=version, key=row.key, values={**before, **values}, owner=row.owner, stored=stored)
    found = replace(found, on_conflict=OnConflict(on_conflict))
    done = _apply([found], owner=row.owner, author={"actor": actor, "via": via, "reason": reason or reason_of(version)})
    return _job(done.steps[0])


def stored_masked(row: Row) -> dict[str, Any]:
    """Return the values of an instance as people may see them."""
    return {name: masking.masked(value) for name, value in (row.parameters or {}).items()}


def _row(job: Job) -> Row:
    row = Row.objects.filter(job_key=job.pk, template_version__isnull=False).select_related("template_version").first()
    if row is None:
        raise JobNotFound(phrase("“{name}” is not an instance of a template.", name=job.name))
    return row


def _job(step: Step) -> Job:
    if step.action is Action.REFUSED:
        raise UnusableDeclaration(step.text)
    return jobs.get(id=step.job)


def reason_of(version: TemplateVersion) -> str:
    """The reason in the change history of a job that a version of its template changes."""
    return reasons.FROM_TEMPLATE(template=version.template.slug, version=version.number)


def _apply(
    found: Iterable[Declaration],
    *,
    owner: str,
    author: Mapping[str, Any],
    options: Options = Options(recreate=True),  # noqa: B008 - frozen
    errors: tuple[LoadError, ...] = (),
    is_complete: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> Synchronisation:
    collected = Collected(declarations=tuple(found), errors=errors, owner=owner, is_complete=is_complete)
    return declarations.apply(collected=collected, options=options, **author, on_step=on_step)


def detach(*, job: Job, actor: str = "", via: Via | str = Via.CODE) -> None:
    """
    Let an instance be an ordinary job: its template no longer changes it. The job's history notes it.

    :raises JobNotFound: it is not an instance
    """
    with transactions.atomic():
        row = _row(job)
        version = row.template_version
        assert version is not None  # noqa: S101 - see _row
        slug = version.template.slug
        author = Author(
            actor=actor,
            via=Via(via),
            reason=reasons.DETACHED(template=slug),
            also={"template": [f"{slug} {version.number}", None]},
        )
        rows.save(job=rows.lock(id=job.pk), changes={}, author=author, now=database_now())
        row.delete()


def rows_plan(
    *, version: TemplateVersion, rows: str, given: Iterable[tuple[str, Mapping[str, Any]]]
) -> Synchronisation:
    """Return what ``rows_apply`` would do, without doing it."""
    return declarations.plan(collected=_collected(version, rows, given), options=Options())


def rows_apply(
    *,
    version: TemplateVersion,
    rows: str,
    given: Iterable[tuple[str, Mapping[str, Any]]],
    actor: str = "",
    via: Via | str = Via.CODE,
    on_step: Callable[[Step], None] | None = None,
) -> Synchronisation:
    """
    Bring the instances of one set of rows to what the rows say: create, update, and pause what vanished.

    ``rows`` names the set: a provider, or a table. ``given`` are keys with the values of the parameters. An invalid row
    is an error, and as long as one exists no row counts as vanished.
    """
    collected = _collected(version, rows, given)
    return declarations.apply(collected=collected, actor=actor, via=via, reason=reason_of(version), on_step=on_step)


def _collected(version: TemplateVersion, rows: str, given: Iterable[tuple[str, Mapping[str, Any]]]) -> Collected:
    owner = owner_of(template=version.template, rows=rows)
    found: dict[str, Declaration] = {}
    errors: list[LoadError] = []
    for number, (key, values) in enumerate(_numbered(given, rows, errors), start=1):
        origin = f"{rows} row {number}"
        try:
            if key in found:
                raise InvalidParameters(phrase("The key “{key}” is there twice.", key=key))
            ids.checked(key)
            found[key] = replace(
                declaration(version=version, key=key, values=values, owner=owner), source=rows, origin=origin
            )
        except SchedulerError as error:
            errors.append(LoadError(source=rows, origin=origin, text=error.message))
    return Collected(declarations=tuple(found.values()), errors=tuple(errors), owner=owner)


def _numbered(
    given: Iterable[tuple[str, Mapping[str, Any]]], rows: str, errors: list[LoadError]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Pass rows on. A provider that fails half-way is an error, and what it gave so far counts."""
    try:
        yield from given
    except Exception as error:  # noqa: BLE001 - a provider is the project's code
        errors.append(LoadError(source=rows, origin=rows, text=f"{type(error).__name__}: {error}"))
