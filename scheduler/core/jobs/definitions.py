"""The rules of a job's definition: the same when a person saves it and when a node finds it in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from scheduler.core import error_messages, text, triggers
from scheduler.core.tasks.registry import registry, revealed
from scheduler.core.tasks.task import Task, jsonable
from scheduler.errors import InvalidArguments
from scheduler.untouched import json

_encode = json.JSONEncoder(ensure_ascii=False).encode


class Vault(Protocol):
    """The storage for the values of a job's secret arguments."""

    def seal(self, value: Any, *, task: str, argument: str) -> dict[str, str]: ...

    def unseal(self, value: Mapping[str, str], *, task: str, argument: str) -> Any: ...

    def is_sealed(self, value: object) -> bool: ...

    def is_at_home(self, value: Mapping[str, str], *, task: str, argument: str) -> bool: ...


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
    if not args and not kwargs and task.takes_nothing:
        return [], {}
    plain_args, plain_kwargs = jsonable(revealed(list(args))), jsonable(revealed(dict(kwargs)))
    names = task.names_of(plain_args)

    def opened(name: str, value: Any) -> Any:
        return vault.unseal(value, task=task.name, argument=name) if vault.is_sealed(value) else value

    task.bind(
        args=[opened(name, value) for name, value in zip(names, plain_args, strict=True)],
        kwargs={name: opened(name, value) for name, value in plain_kwargs.items()},
    )
    return sealed_arguments(task=task, args=plain_args, kwargs=plain_kwargs, max_bytes=max_bytes, vault=vault)


def sealed_arguments(
    *, task: Task, args: list[Any], kwargs: dict[str, Any], max_bytes: int, vault: Vault
) -> tuple[list[Any], dict[str, Any]]:
    """
    Return arguments that are JSON values as they are stored: those marked as secret are sealed.

    :raises InvalidArguments: they are larger than ``max_bytes``, or hold what PostgreSQL cannot store
    """
    encoded_arguments(args=args, kwargs=kwargs, max_bytes=max_bytes)
    if task.secrets:
        names = task.names_of(args)
        args = [_sealed(task, name, value, vault) for name, value in zip(names, args, strict=True)]
        kwargs = {name: _sealed(task, name, value, vault) for name, value in kwargs.items()}
    return args, kwargs


def encoded_arguments(*, args: list[Any], kwargs: dict[str, Any], max_bytes: int) -> tuple[str, str]:
    """
    Return arguments that are JSON values as PostgreSQL stores them.

    :raises InvalidArguments: they are larger than ``max_bytes``, or hold what PostgreSQL cannot store
    """
    encoded = _encode(args) if args else "[]", _encode(kwargs) if kwargs else "{}"
    size = sum(map(len, encoded))
    if size > max_bytes // 6:  # a character is written as six at most
        size = len(json.dumps([args, kwargs]))
    if size > max_bytes:
        raise InvalidArguments(error_messages.ARGUMENTS_TOO_LARGE(size=size, most=max_bytes))
    whole = "".join(encoded)
    if "\\u0000" in whole or not text.is_storable(whole):
        raise InvalidArguments(error_messages.ARGUMENTS_HOLD_NUL())
    return encoded


def _sealed(task: Task, name: str, value: Any, vault: Vault) -> Any:
    """Return a secret value sealed for its place, with the present key."""
    if name not in task.secrets or value is None or value == "":
        return value
    if vault.is_sealed(value):
        if vault.is_at_home(value, task=task.name, argument=name):
            return value
        value = vault.unseal(value, task=task.name, argument=name)
    return vault.seal(value, task=task.name, argument=name)


def inspect(
    *, task: str, args: Any, kwargs: Any, trigger: Any, now: datetime, max_bytes: int, vault: Vault
) -> dict[str, Any]:
    """
    Check a stored definition and return its normalized trigger.

    :raises UnknownTask, InvalidArguments, InvalidTrigger: naming what does not fit
    """
    check_arguments(task=registry.get(task), args=args, kwargs=kwargs, max_bytes=max_bytes, vault=vault)
    return triggers.normalize(trigger, now=now)
