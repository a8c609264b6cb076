"""Instances that files declare: each becomes a declaration with the version of its template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from scheduler.core.declarations import Declaration, DeclaredInstance
from scheduler.errors import SchedulerError
from scheduler.models import Template, TemplateVersion
from scheduler.services import templates
from scheduler.services.declarations.collecting import Collected, LoadError
from scheduler.services.declarations.steps import Action, Step
from scheduler.services.templates import rendering

_NEW = (Action.CREATE, Action.UPDATE, Action.ADOPT)


def with_instances(collected: Collected, *, steps: Iterable[Step] = ()) -> Collected:
    """
    Return the same with a declaration for each instance. One that cannot be made is an error, so no job is dropped.

    ``steps``: of a plan, whose templates do not exist yet in the version that they will have.
    """
    coming = {step.key: _coming(step) for step in steps if step.action in _NEW and "definition" in step.write}
    found: list[Declaration] = []
    errors: list[LoadError] = []
    for each in collected.instances:
        try:
            found.append(_declaration(each, coming))
        except SchedulerError as error:
            errors.append(LoadError(source=each.source, origin=each.origin, text=f"instances.{each.key}: {error}"))
    return replace(
        collected,
        declarations=(*collected.declarations, *found),
        instances=(),
        errors=(*collected.errors, *errors),
    )


def _coming(step: Step) -> TemplateVersion:
    """Return the version that a template will get, not written."""
    template = Template.objects.filter(slug=step.key).first()
    number = templates.version(template=template).number + 1 if template is not None else 1
    return TemplateVersion(template=template or Template(slug=step.key), number=number, **step.write["definition"])


def _declaration(instance: DeclaredInstance, coming: Mapping[str, TemplateVersion]) -> Declaration:
    version = coming.get(instance.template)
    if version is None or instance.version not in (None, version.number):
        version = templates.version(template=templates.get(slug=instance.template), number=instance.version)
    found = rendering.declaration(version=version, key=instance.key, values=instance.parameters, owner="")
    return replace(
        found,
        source=instance.source,
        origin=instance.origin,
        previous_keys=instance.previous_keys,
        on_conflict=instance.on_conflict,
    )
