"""
Jobs declared in code: ``@schedule`` above ``@task``, or ``register(…)``. ``manage.py jobs apply`` creates them.

``@rows`` registers a provider of rows: the instances of a template, for ``manage.py templates sync``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from scheduler.core.declarations import OnConflict
from scheduler.errors import DuplicateTask, InvalidParameters

if TYPE_CHECKING:
    from scheduler.services.jobs.calling import Stated

Function = TypeVar("Function", bound=Callable[..., Any])

Row = tuple[str, Mapping[str, Any]]
"""The key of an instance, which is the id of its job, and the values of its parameters."""

Rows = Callable[[], Iterable[Row]]
Provider = TypeVar("Provider", bound=Rows)

Trigger = str | timedelta | Mapping[str, Any]
"""A cron expression, the time between two runs, or a trigger as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One schedule as the code states it. It is checked when the declarations are collected."""

    task: Callable[..., Any] | str
    trigger: Trigger
    key: str | None
    timezone: str | None
    previous_keys: tuple[str, ...]
    on_conflict: str
    stated: Mapping[str, Any]
    """Arguments, name, description, tags and policies, as given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedTemplate:
    """A template that an app brings along."""

    slug: str
    title: str
    body: Mapping[str, Any]
    parameters: Sequence[Mapping[str, Any]] = ()
    description: str = ""
    module: str = ""


_registered: list[Registered] = []
_providers: dict[str, Rows] = {}
_templates: dict[str, ShippedTemplate] = {}


def register(
    task: Callable[..., Any] | str,
    trigger: Trigger,
    *,
    key: str | None = None,
    timezone: str | None = None,
    previous_keys: Sequence[str] = (),
    on_conflict: str = OnConflict.KEEP,
    **stated: Unpack[Stated],
) -> None:
    """
    Declare a job for a task: its function or its name.

    ``trigger`` is a cron expression, a ``timedelta`` or a trigger as JSON. ``timezone`` belongs to a cron expression.
    ``key`` names the declaration for good and is the id of its job. Without one it is the task's name. ``stated`` are
    ``args``, ``kwargs``, ``name``, ``description``, ``tags`` and the policies of a job. ``on_conflict``: whose value
    counts where both the code and a person changed a field, ``keep`` or ``declared``.

    Errors are reported by ``manage.py jobs plan`` and by ``manage.py check``, with the name of the function.
    """
    declared = Registered(
        task=task,
        trigger=trigger,
        key=key,
        timezone=timezone,
        previous_keys=tuple(previous_keys),
        on_conflict=on_conflict,
        stated=stated,
    )
    if declared not in _registered:  # a module that is loaded again declares the same
        _registered.append(declared)


def schedule(
    trigger: Trigger,
    *,
    key: str | None = None,
    timezone: str | None = None,
    previous_keys: Sequence[str] = (),
    on_conflict: str = OnConflict.KEEP,
    **stated: Unpack[Stated],
) -> Callable[[Function], Function]:
    """
    Declare a job for the task below. Several are allowed, each with a ``key`` of its own.

    The function is returned unchanged. The parameters are those of ``register``.
    """

    def declare(function: Function) -> Function:
        register(
            function,
            trigger,
            key=key,
            timezone=timezone,
            previous_keys=previous_keys,
            on_conflict=on_conflict,
            **stated,
        )
        return function

    return declare


def registered() -> tuple[Registered, ...]:
    """Every schedule that the loaded code declares, in the order of loading."""
    return tuple(_registered)


def rows(name: str) -> Callable[[Provider], Provider]:
    """
    Register a provider: a function that yields the key and the parameters of each instance of a template.

    :raises InvalidParameters: the name has other characters than small letters, digits and hyphens
    :raises DuplicateTask: another function has the name
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name):
        raise InvalidParameters(f"The provider is called “{name}”. Allowed: small letters, digits and hyphens.")

    def register(function: Provider) -> Provider:
        present = _providers.get(name)
        if present is not None and present.__qualname__ != function.__qualname__:
            raise DuplicateTask(f"Two functions provide the rows “{name}”. Rename one of them.")
        _providers[name] = function
        return function

    return register


def providers() -> Mapping[str, Rows]:
    """Every provider of rows, by name."""
    return dict(_providers)


def ship_template(template: ShippedTemplate) -> None:
    """
    Let an app bring a template along. It is created when templates are first used, and gets a version with each change
    of its body, unless a person changed it. Call it in the app's ``tasks`` module.

    :raises DuplicateTask: another app ships a template of this slug
    """
    present = _templates.get(template.slug)
    if present is not None and present.module != template.module:
        raise DuplicateTask(f"Two apps ship a template “{template.slug}”. Rename one of them.")
    _templates[template.slug] = template


def shipped_templates() -> tuple[ShippedTemplate, ...]:
    """Every template that an app ships, by slug."""
    return tuple(_templates[slug] for slug in sorted(_templates))
