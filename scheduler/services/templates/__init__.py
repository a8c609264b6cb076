"""
Templates: job definitions with parameters and versions, and their instances.

A version is never changed: editing a template adds one. An instance is an ordinary job. It is remembered as a
declaration of its template, so that a new version is applied by the same three-way merge as jobs from code: changes by
people stay unless the upgrade asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet

from scheduler.core import templates as rules
from scheduler.core.templates import Parameter
from scheduler.errors import InvalidTemplate, TemplateNotFound
from scheduler.messages import phrase, phrase_of
from scheduler.models import Template, TemplateVersion
from scheduler.services import transactions

__all__ = [
    "add_version",
    "all_templates",
    "check",
    "check_words",
    "create",
    "current",
    "get",
    "parameters",
    "remove",
    "version",
]


def all_templates() -> QuerySet[Template]:
    """Return every template, by slug. Those that are shipped are created first."""
    from scheduler.services.templates import predefined

    predefined.ensure()
    return Template.objects.order_by("slug")


def get(*, slug: str) -> Template:
    """
    Return one template. If it is a shipped one, the shipped templates are created first.

    :raises TemplateNotFound: a template with this slug does not exist
    """
    from scheduler.services.templates import predefined

    if predefined.is_shipped(slug):
        predefined.ensure()
    found = Template.objects.filter(slug=slug).first()
    if found is None:
        raise TemplateNotFound(phrase("There is no template “{slug}”.", slug=slug[:100]))
    return found


def version(*, template: Template, number: int | None = None) -> TemplateVersion:
    """
    Return one version of a template. Without a number its newest.

    :raises TemplateNotFound: the version does not exist
    """
    versions: QuerySet[TemplateVersion] = template.versions.order_by("-number")
    found = versions.filter(number=number).first() if number is not None else versions.first()
    if found is None:
        raise TemplateNotFound(phrase("“{title}” has no version {number}.", title=template.title, number=number or 1))
    return found


def current(*, slug: str) -> TemplateVersion:
    """:raises TemplateNotFound: a template with this slug does not exist"""
    return version(template=get(slug=slug))


def parameters(*, of: TemplateVersion) -> tuple[Parameter, ...]:
    return rules.read_parameters(of.parameters)


def check(*, parameters: Any, body: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """
    Return parameters and body as they are stored.

    :raises InvalidTemplate: naming what is wrong
    """
    read = rules.read_parameters(parameters)
    rules.check_body(body, read)
    return [each.as_json() for each in read], dict(body)


def create(
    *,
    slug: str,
    title: str,
    body: Mapping[str, Any],
    parameters: Sequence[Mapping[str, Any]] = (),
    description: str = "",
    actor: str = "",
    is_predefined: bool = False,
) -> TemplateVersion:
    """
    Create a template with its first version.

    :raises InvalidTemplate: naming what is wrong, or the slug is taken
    """
    stored_parameters, stored_body = check(parameters=list(parameters), body=body)
    check_words(slug=slug, title=title)
    try:
        with transactions.atomic():
            template = Template.objects.create(
                slug=slug, title=title, description=description, created_by=actor, is_predefined=is_predefined
            )
            return TemplateVersion.objects.create(
                template=template, number=1, parameters=stored_parameters, body=stored_body, created_by=actor
            )
    except IntegrityError:
        raise InvalidTemplate(phrase("A template “{slug}” exists already.", slug=slug)) from None


def check_words(*, slug: str, title: str) -> None:
    """:raises InvalidTemplate: naming what is wrong"""
    if not slug or len(slug) > 100 or not all(part.isalnum() for part in slug.replace("_", "-").split("-")):
        raise InvalidTemplate(
            phrase("The slug is “{slug}”. Allowed: letters, digits and hyphens between them.", slug=slug[:64])
        )
    if not title.strip() or len(title) > 200 or not title.isprintable():
        raise InvalidTemplate(phrase("The title has 1 to 200 characters that can be printed."))


def add_version(
    *,
    template: Template,
    body: Mapping[str, Any],
    parameters: Sequence[Mapping[str, Any]] = (),
    note: str = "",
    actor: str = "",
) -> TemplateVersion:
    """
    Add a version, or return the newest one if it is equal. Instances stay as they are until they are upgraded.

    :raises InvalidTemplate: naming what is wrong
    """
    stored_parameters, stored_body = check(parameters=list(parameters), body=body)
    with transactions.atomic():
        Template.objects.select_for_update().get(pk=template.pk)
        newest = version(template=template)
        if (newest.parameters, newest.body) == (stored_parameters, stored_body):
            return newest
        return TemplateVersion.objects.create(
            template=template,
            number=newest.number + 1,
            parameters=stored_parameters,
            body=stored_body,
            note=note[:500],
            created_by=actor,
        )


def remove(*, template: Template) -> None:
    """
    Delete a template that has no instances.

    :raises InvalidTemplate: it has some. No row was deleted
    """
    from scheduler.services.templates import instances

    count = instances.of(template=template).count()
    if count:
        raise InvalidTemplate(
            phrase_of(
                "“{title}” has an instance. Detach or delete it first.",
                "“{title}” has {number:,} instances. Detach or delete them first.",
                number=count,
                title=template.title,
            )
        )
    template.delete()
