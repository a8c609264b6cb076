"""Declared values in the form in which they are compared: with the last synchronisation, and with the stored job."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from scheduler import conf, sealing
from scheduler.core import triggers
from scheduler.core.declarations import REMOVED, Declaration, flatten
from scheduler.core.definition import POLICIES
from scheduler.core.jobs import ids, names, policies
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.core.triggers import CALENDAR_KEYS
from scheduler.errors import InvalidArguments
from scheduler.models import Job
from scheduler.store.jobs import rows

_DIGEST = "$digest"
"""The one key of an object that stands for a secret in what is remembered of a declaration."""

_ARGUMENT = "kwargs."


def checked(declaration: Declaration) -> dict[str, Any]:
    """
    Return what a declaration states, flat, after checking all of it by the rules of a job.

    :raises UnknownTask, InvalidArguments, InvalidPolicy, InvalidName: naming the value
    """
    stated = dict(declaration.definition)
    ids.checked(declaration.key)
    task = registry.get(registry.name_of(stated["task"]))
    stated["task"] = task.name
    stated["args"], stated["kwargs"] = _plain(task, stated)
    if "name" in stated:
        names.checked_name(stated["name"])
    if "description" in stated:
        names.checked_description(stated["description"])
    if "tags" in stated:
        stated["tags"] = names.checked_tags(stated["tags"])
    known = {"task", "args", "kwargs", "trigger", "name", "description", "tags"}
    stated |= policies.check({name: value for name, value in stated.items() if name not in known})
    return flatten(stated)


def check_trigger(trigger: Mapping[str, Any]) -> None:
    """
    Check the rule of a trigger. Its calendars may be declared beside it, and exist only when it is applied.

    :raises InvalidTrigger: naming the part
    """
    triggers.parse({name: value for name, value in trigger.items() if name not in CALENDAR_KEYS})


def _plain(task: Task, stated: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments as JSON, with the secrets in plain text: they are sealed when the job is written."""
    args, kwargs = rows.check_arguments(task=task.name, args=stated.get("args", ()), kwargs=stated.get("kwargs", {}))
    return [opened(value) for value in args], {name: opened(value) for name, value in kwargs.items()}


def opened(value: Any) -> Any:
    """Return the value of a sealed argument. ``None`` where the key that sealed it is gone."""
    if not sealing.is_sealed(value):
        return value
    try:
        return sealing.unseal(value)
    except InvalidArguments:
        return None


def remembered(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a declaration: JSON, with a digest in place of each secret."""
    secrets = registry.get(flat["task"]).secrets
    return {
        name: _digest(value) if name.removeprefix(_ARGUMENT) in secrets and name.startswith(_ARGUMENT) else value
        for name, value in flat.items()
    }


def _digest(value: Any) -> dict[str, str]:
    key = b"scheduler.declared:" + settings.SECRET_KEY.encode()
    return {_DIGEST: hmac.new(key, json.dumps(value).encode(), hashlib.sha256).hexdigest()}


def stored(job: Job) -> dict[str, Any]:
    """Return a job's definition, flat, with its secrets opened."""
    definition = {
        "task": job.task,
        "args": [opened(value) for value in job.args],
        "kwargs": {name: opened(value) for name, value in job.kwargs.items()},
        "trigger": job.trigger,
        "name": job.name,
        "description": job.description,
        "tags": job.tags,
        **{name: getattr(job, name) for name in POLICIES},
    }
    return flatten(definition)


def default(*, declaration: Declaration, task: str) -> dict[str, Any]:
    """Return the value of each field that a declaration leaves out."""
    found = registry.get(task)
    return {
        "args": [],
        "name": declaration.key,
        "description": "",
        "tags": [],
        **policies.defaults(task=found, settings=conf.get()),
    }


def is_digest(value: Any) -> bool:
    """Return whether a remembered value stands for a secret."""
    return isinstance(value, Mapping) and set(value) == {_DIGEST}


def is_same(field: str, declared: Any, present: Any) -> bool:
    """Return whether a stored value is the declared one, digests of secrets and anchors of triggers considered."""
    if is_digest(declared):
        return present is not REMOVED and _digest(present) == declared
    if field != "trigger" or not isinstance(present, Mapping):
        return bool(declared == present)
    return rows.is_same_trigger(trigger=declared, stored=present)
