"""Whether a job's definition can run: the same rule when a person saves it and when a node finds it in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scheduler.core import triggers
from scheduler.core.registry import Task, jsonable, registry
from scheduler.errors import InvalidArguments


def check_arguments(
    *, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], max_bytes: int
) -> tuple[list[Any], dict[str, Any]]:
    """
    Return the arguments as JSON values, after checking that they fit the task.

    :raises InvalidArguments: they do not fit, are no JSON, or are larger than ``max_bytes``
    """
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise InvalidArguments(f"args is “{args}”; it must be a list.")
    if not isinstance(kwargs, Mapping):
        raise InvalidArguments(f"kwargs is “{kwargs}”; it must be an object with a name for each argument.")
    plain_args, plain_kwargs = jsonable(list(args)), jsonable(dict(kwargs))
    size = len(json.dumps([plain_args, plain_kwargs]).encode())
    if size > max_bytes:
        raise InvalidArguments(f"The arguments take {size:,} bytes as JSON; {max_bytes:,} are allowed.")
    task.bind(args=plain_args, kwargs=plain_kwargs)
    return plain_args, plain_kwargs


def inspect(*, task: str, args: Any, kwargs: Any, trigger: Any, now: datetime, max_bytes: int) -> dict[str, Any]:
    """
    Check a stored definition and return its normalized trigger.

    :raises UnknownTask, InvalidArguments, InvalidTrigger: naming what does not fit
    """
    check_arguments(task=registry.get(task), args=args, kwargs=kwargs, max_bytes=max_bytes)
    return triggers.normalize(trigger, now=now)
