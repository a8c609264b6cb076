"""Templates and their instances as parts of a document: for exports and imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from scheduler.core.states import Via
from scheduler.errors import InvalidImport, SchedulerError
from scheduler.models import Declaration as Row
from scheduler.models import Job, Template, TemplateVersion
from scheduler.services import templates
from scheduler.services.declarations import Action
from scheduler.services.templates import instances

Versions = Mapping[str, Mapping[int, TemplateVersion]]
"""The stored versions by slug and by their number in the document."""


class _Version(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1)
    parameters: list[dict[str, Any]] = []
    body: dict[str, Any]
    note: str = ""


class _Template(BaseModel):
    model_config = ConfigDict(extra="forbid")

    slug: str
    title: str
    description: str = ""
    versions: list[_Version] = Field(min_length=1)


class _Instance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    job: str
    template: str
    version: int
    parameters: dict[str, Any] = {}


def export(*, slugs: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return templates with all of their versions, by slug; ``None``: all templates."""
    found = Template.objects.order_by("slug") if slugs is None else Template.objects.filter(slug__in=list(slugs))
    return [_exported(template) for template in found.order_by("slug").prefetch_related("versions")]


def _exported(template: Template) -> dict[str, Any]:
    versions = sorted(template.versions.all(), key=lambda each: each.number)
    return {
        "slug": template.slug,
        "title": template.title,
        "description": template.description,
        "versions": [
            {"number": each.number, "parameters": each.parameters, "body": each.body, "note": each.note}
            for each in versions
        ],
    }


def export_instances(*, jobs: Iterable[str]) -> list[dict[str, Any]]:
    """Return template, version and values of the jobs that are instances. Secrets are masked, files declare theirs."""
    rows = Row.objects.filter(job_key__in=list(jobs), is_declared=True, template_version__isnull=False)
    found = rows.exclude(owner="").select_related("template_version__template").order_by("job_key")
    return [
        {
            "job": row.job_key,
            "template": row.template_version.template.slug,
            "version": row.template_version.number,
            "parameters": instances.stored_masked(row),
        }
        for row in found
        if row.template_version is not None
    ]


def load(*, document: Any, actor: str = "", update: bool = True) -> Versions:
    """
    Create the templates of a document, and add the versions that others do not have. The caller's transaction is open.

    ``update``: false leaves templates that exist as they are.

    :raises InvalidImport, InvalidTemplate: naming the value
    """
    found: dict[str, dict[int, TemplateVersion]] = {}
    for given in _read(list[_Template], document, "templates"):
        found[given.slug] = dict(_versions(given, actor=actor, update=update))
    return found


def _versions(given: _Template, *, actor: str, update: bool) -> Iterator[tuple[int, TemplateVersion]]:
    template = templates.all_templates().filter(slug=given.slug).first()
    for each in sorted(given.versions, key=lambda version: version.number):
        parameters, body = templates.check(parameters=each.parameters, body=each.body)
        if template is None:
            named: dict[str, Any] = {"slug": given.slug, "title": given.title, "description": given.description}
            version = templates.create(**named, parameters=parameters, body=body, actor=actor)
            template = version.template
            yield each.number, version
            continue
        same = template.versions.filter(parameters=parameters, body=body).order_by("-number").first()
        if same is not None:
            yield each.number, same
        elif update:
            added: dict[str, Any] = {"parameters": parameters, "body": body, "note": each.note}
            yield each.number, templates.add_version(template=template, **added, actor=actor)


def attach(*, document: Any, versions: Versions, actor: str = "", via: Via | str = Via.CODE) -> dict[str, str]:
    """
    Let the jobs of a document be instances again. They stay as they are: where one differs is drift.

    Return the problem of each job, empty if there was none. Jobs that are instances already stay what they are.

    :raises InvalidImport: the list has another form
    """
    done: dict[str, str] = {}
    for given in _read(list[_Instance], document, "instances"):
        if not Job.objects.filter(pk=given.job).exists() or Row.objects.filter(job_key=given.job).exists():
            continue
        try:
            done[given.job] = _attached(given, versions, actor=actor, via=via)
        except SchedulerError as error:
            done[given.job] = str(error)
    return done


def _attached(given: _Instance, versions: Versions, *, actor: str, via: Via | str) -> str:
    version = versions.get(given.template, {}).get(given.version)
    if version is None:
        version = templates.version(template=templates.get(slug=given.template), number=given.version)
    [step] = instances.adopt(version=version, given=[(given.job, given.parameters)], actor=actor, via=via).steps
    return step.text if step.action is Action.REFUSED else ""


def _read(shape: Any, document: Any, name: str) -> Any:
    try:
        return TypeAdapter(shape).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in (name, *first["loc"]))
        raise InvalidImport(f"{place}: {first['msg']}.") from None
