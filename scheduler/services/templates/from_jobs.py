"""A template made from a job: its simple arguments become parameters, and its secrets ones that are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler import conf, sealing
from scheduler.core import triggers
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import policies
from scheduler.core.tasks.registry import registry
from scheduler.models import Job

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A template as it could be created."""

    slug: str
    title: str
    description: str
    parameters: tuple[dict[str, Any], ...]
    body: Mapping[str, Any]


def proposed(*, job: Job) -> Proposal:
    """
    Return the template that a job amounts to. It is not created.

    :raises UnknownTask: the job's task is not registered
    """
    parameters: dict[str, dict[str, Any]] = {"name": {"name": "name", "title": "Name", "default": job.name}}
    body: dict[str, Any] = {"task": job.task, "name": "{name}", "trigger": _escaped(_unanchored(job.trigger))}
    args = [_argument(f"argument_{place}", value, parameters) for place, value in enumerate(job.args, start=1)]
    kwargs = {_escaped(name): _argument(name, value, parameters) for name, value in job.kwargs.items()}
    defaults = policies.defaults(task=registry.get(job.task), settings=conf.get())
    body |= {name: value for name, value in (("args", args), ("kwargs", kwargs), ("tags", _escaped(job.tags))) if value}
    changed = {name: getattr(job, name) for name in POLICIES if getattr(job, name) != defaults[name]}
    slug = re.sub(r"[^a-z0-9]+", "-", job.name.lower()).strip("-")[:100].strip("-")
    return Proposal(
        slug=slug or "template",
        title=job.name[:200],
        description=job.description,
        parameters=tuple(parameters.values()),
        body=body | changed,
    )


def _argument(name: str, value: Any, parameters: dict[str, dict[str, Any]]) -> Any:
    """Return the placeholder of an argument, whose parameter is added, or the value where it is none."""
    key = name if name not in parameters else f"{name}_argument"
    if not _NAME.fullmatch(key) or key in parameters:
        key = f"argument_{len(parameters)}"
    if sealing.is_sealed(value):
        parameters[key] = {"name": key, "type": "secret"}
        return f"{{{key}}}"
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    kind = "list" if is_list else _TYPES.get(type(value))
    if kind is None:
        return _escaped(value)
    parameters[key] = {"name": key, "type": kind, "default": value}
    return f"{{{key}}}"


def _unanchored(trigger: Any) -> Any:
    """Leave out the phase of an interval, as each instance counts from its own creation, and the pins of calendars."""
    trigger = triggers.without_pins(trigger)
    if isinstance(trigger, Mapping) and trigger.get("type") == "interval":
        return {name: value for name, value in trigger.items() if name != "start_at"}
    return trigger


def _escaped(value: Any) -> Any:
    """Double the braces of texts, which would be placeholders otherwise."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(inner) for name, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value
