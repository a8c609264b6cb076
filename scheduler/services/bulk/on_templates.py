"""The upgrade of a template's instances in the background, in batches."""

from __future__ import annotations

from typing import Any

from scheduler.errors import InvalidRequest, TemplateNotFound, UnusableDeclaration
from scheduler.messages import phrase
from scheduler.models import BulkAction, Template, TemplateVersion
from scheduler.services import templates
from scheduler.services.bulk.selection import Refusal, Selection
from scheduler.services.declarations import Action
from scheduler.services.templates import upgrades

ACTIONS = ("upgrade",)
_AT_ONCE = 200
"""Instances in one transaction, as for declared jobs."""


def checked(*, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """:raises InvalidRequest: it cannot be done to templates, or not so"""
    number, overwrite = parameters.get("version"), parameters.get("overwrite", False)
    if action not in ACTIONS:
        raise InvalidRequest(f"“{action}” is not an action on templates. There are: {', '.join(ACTIONS)}.")
    if not isinstance(number, int) or not isinstance(overwrite, bool):
        raise InvalidRequest("An upgrade needs the number of a version.")
    return {"version": number, "overwrite": overwrite}


def measure(selection: Selection, parameters: dict[str, Any]) -> tuple[int, str]:
    """
    Return how many instances the template has.

    :raises TemplateNotFound: the template or its version does not exist
    """
    version = _version(selection.ids[0], parameters)
    return upgrades.count_of(template=version.template), ""


def following(row: BulkAction) -> list[str]:
    """Return the keys of the next instances. Those that are created meanwhile have a version already."""
    try:
        template = _version(row.selection["ids"][0], row.parameters).template
    except TemplateNotFound:
        return []
    return upgrades.keys_of(template=template, after=row.cursor, limit=_AT_ONCE)


def apply(row: BulkAction, ids: list[str]) -> list[Refusal]:
    """Upgrade these instances and return the refusals."""
    done = upgrades.apply(
        version=_version(row.selection["ids"][0], row.parameters),
        overwrite=row.parameters["overwrite"],
        keys=ids,
        actor=row.requested_by,
        via=row.via,
    )
    refused = [step for step in done.steps if step.action is Action.REFUSED]
    return [Refusal(id=step.job or step.key, name=step.key, error=UnusableDeclaration(step.text)) for step in refused]


def _version(template: Any, parameters: dict[str, Any]) -> TemplateVersion:
    found = Template.objects.filter(pk=template).first()
    if found is None:
        raise TemplateNotFound(phrase("The template was deleted."))
    return templates.version(template=found, number=parameters["version"])
