"""Upgrades: the instances of a template are brought to one of its versions, a newer or a former one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scheduler.core.declarations import Declaration
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Declaration as Row
from scheduler.models import Template, TemplateVersion
from scheduler.services import declarations, templates
from scheduler.services.declarations import Action, Options, Step, Synchronisation
from scheduler.services.declarations.collecting import Collected
from scheduler.services.templates import instances
from scheduler.services.templates.rendering import declaration, opened


def draft(
    *, template: Template, body: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]] = ()
) -> TemplateVersion:
    """
    Return the version that a template would get, to plan with it. It is not stored.

    :raises InvalidTemplate: naming what is wrong
    """
    checked_parameters, checked_body = templates.check(parameters=list(parameters), body=body)
    number = templates.version(template=template).number + 1
    return TemplateVersion(template=template, number=number, parameters=checked_parameters, body=checked_body)


def plan(*, version: TemplateVersion, overwrite: bool = False) -> Synchronisation:
    """Return what ``apply`` would do to each instance, without doing it. The version may be a draft."""
    found = _upgraded(version)
    steps: list[Step] = list(found.refused)
    for owner, group in found.by_owner.items():
        collected = Collected(declarations=tuple(group), errors=(), owner=owner, is_complete=False)
        steps += declarations.plan(collected=collected, options=Options(overwrite=overwrite)).steps
    return Synchronisation(steps=tuple(steps), errors=())


def apply(
    *,
    version: TemplateVersion,
    overwrite: bool = False,
    keys: Collection[str] | None = None,
    actor: str = "",
    via: Via | str = Via.CODE,
    on_step: Callable[[Step], None] | None = None,
) -> Synchronisation:
    """
    Bring instances of a template to one of its versions, in batches: those with these keys, or all of them.

    Changes by people stay, unless ``overwrite``. An instance whose values do not fit the version is refused by itself.
    """
    found = _upgraded(version, keys=keys)
    steps: list[Step] = list(found.refused)
    for owner, group in found.by_owner.items():
        done = declarations.apply(
            collected=Collected(declarations=tuple(group), errors=(), owner=owner, is_complete=False),
            options=Options(recreate=False, overwrite=overwrite),
            actor=actor,
            via=via,
            reason=instances.reason_of(version),
            on_step=on_step,
        )
        steps += done.steps
    return Synchronisation(steps=tuple(steps), errors=())


def keys_of(*, template: Template, after: str = "", limit: int) -> list[str]:
    """Return the keys of the next instances, by key."""
    rows = _rows(template).filter(key__gt=after).order_by("key")
    return list(rows.values_list("key", flat=True)[:limit])


def count_of(*, template: Template) -> int:
    """Count the instances that an upgrade concerns."""
    number: int = _rows(template).count()
    return number


def _rows(template: Template) -> Any:
    return instances.of(template=template).filter(is_declared=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upgraded:
    """The instances of a template as another version declares them."""

    by_owner: dict[str, list[Declaration]] = field(default_factory=dict)
    refused: list[Step] = field(default_factory=list)


def _upgraded(version: TemplateVersion, *, keys: Collection[str] | None = None) -> _Upgraded:
    found = _Upgraded()
    known = frozenset(each.name for each in templates.parameters(of=version))
    for row in _chosen(version.template, keys):
        try:
            declared = _declared(row, version, known)
        except SchedulerError as error:
            facts: dict[str, Any] = {"key": row.key, "source": row.source, "job": row.job_key}
            found.refused.append(Step(action=Action.REFUSED, text=error.message, **facts))
        else:
            found.by_owner.setdefault(row.owner, []).append(declared)
    return found


def _chosen(template: Template, keys: Collection[str] | None) -> Iterator[Row]:
    rows = _rows(template)
    yield from (rows if keys is None else rows.filter(key__in=keys)).iterator()


def _declared(row: Row, version: TemplateVersion, known: Collection[str]) -> Declaration:
    """Return an instance by another version, whose parameters it keeps as far as the version knows them."""
    values = {name: value for name, value in opened(row.parameters or {}).items() if name in known}
    declared = declaration(version=version, key=row.key, values=values, owner=row.owner)
    return replace(declared, source=row.source, origin=declared.origin)
