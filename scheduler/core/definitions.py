"""Whether a job's definition can run: the same rule when a person saves it and when a node finds it in the table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from scheduler.core import error_messages, triggers
from scheduler.core.registry import Task, jsonable, registry
from scheduler.errors import InvalidArguments


class Vault(Protocol):
    """The storage for values of secret arguments."""

    def seal(self, value: str) -> dict[str, str]: ...

    def is_sealed(self, value: object) -> bool: ...

    def unseal(self, value: Mapping[str, str]) -> str: ...


def check_arguments(
    *, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], max_bytes: int, vault: Vault
) -> tuple[list[Any], dict[str, Any]]:
    """
    Return the arguments as JSON values, after checking that they fit the task. Those marked as secret are sealed.

    :raises InvalidArguments: they do not fit, are not JSON, or are larger than ``max_bytes``
    """
    if isinstance(args, str) or not isinstance(args, Sequence):
        raise InvalidArguments(error_messages.ARGS_IS_A_LIST(value=f"{args}"))
    if not isinstance(kwargs, Mapping):
        raise InvalidArguments(error_messages.KWARGS_IS_AN_OBJECT(value=f"{kwargs}"))
    plain_args, plain_kwargs = jsonable(list(args)), jsonable(dict(kwargs))
    size = len(json.dumps([plain_args, plain_kwargs]).encode())
    if size > max_bytes:
        raise InvalidArguments(error_messages.ARGUMENTS_TOO_LARGE(size=size, most=max_bytes))
    opened_args = [vault.unseal(value) if vault.is_sealed(value) else value for value in plain_args]
    opened_kwargs = {
        name: vault.unseal(value) if vault.is_sealed(value) else value for name, value in plain_kwargs.items()
    }
    task.bind(args=opened_args, kwargs=opened_kwargs)
    return _sealed(task, plain_args, plain_kwargs, vault)


def _sealed(task: Task, args: list[Any], kwargs: dict[str, Any], vault: Vault) -> tuple[list[Any], dict[str, Any]]:
    if not task.secrets:
        return args, kwargs
    names = list(task.signature.parameters)

    def sealed(name: str, value: Any) -> Any:
        return vault.seal(value) if name in task.secrets and isinstance(value, str) and value else value

    return (
        [sealed(names[place], value) if place < len(names) else value for place, value in enumerate(args)],
        {name: sealed(name, value) for name, value in kwargs.items()},
    )


def inspect(
    *, task: str, args: Any, kwargs: Any, trigger: Any, now: datetime, max_bytes: int, vault: Vault
) -> dict[str, Any]:
    """
    Check a stored definition and return its normalized trigger.

    :raises UnknownTask, InvalidArguments, InvalidTrigger: naming what does not fit
    """
    check_arguments(task=registry.get(task), args=args, kwargs=kwargs, max_bytes=max_bytes, vault=vault)
    return triggers.normalize(trigger, now=now)
