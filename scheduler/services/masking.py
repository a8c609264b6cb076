"""Secrets on their way out and back: people see a mask, and what is stored stays when the mask comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler import sealing
from scheduler.core import error_messages
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidArguments
from scheduler.models import Job

MASK = "•••"


def masked(arguments: Any) -> Any:
    """Return the arguments with a mask in place of every sealed value."""
    if sealing.is_sealed(arguments):
        return MASK
    if isinstance(arguments, Mapping):
        return {name: masked(value) for name, value in arguments.items()}
    if isinstance(arguments, list):
        return [masked(value) for value in arguments]
    return arguments


def unmasked(*, given: Any, stored: Any, pointer: str = "/kwargs") -> Any:
    """
    Return what was given, with the stored value in place of each mask.

    :raises InvalidArguments: an encrypted value was given, which users never see
    """
    if sealing.is_sealed(given):
        problem = {
            "pointer": pointer,
            "code": "sealed",
            "detail": error_messages.SEALED_VALUE_SENT(),
        }
        raise InvalidArguments(problem["detail"], problems=(problem,))
    if given == MASK and sealing.is_sealed(stored):
        return stored
    if isinstance(given, Mapping):
        under = stored if isinstance(stored, Mapping) else {}
        return {
            name: unmasked(given=value, stored=under.get(name), pointer=f"{pointer}/{name}")
            for name, value in given.items()
        }
    if isinstance(given, list):
        beside = stored if isinstance(stored, list) else []
        return [
            unmasked(given=value, stored=beside[place] if place < len(beside) else None, pointer=f"{pointer}/{place}")
            for place, value in enumerate(given)
        ]
    return given


def refuse_masks(*, kwargs: Mapping[str, Any], secrets: frozenset[str]) -> None:
    """
    Refuse a mask where a secret is wanted and none is stored: it would become the secret.

    :raises InvalidArguments: naming the argument
    """
    for name in sorted(secrets & set(kwargs)):
        if kwargs[name] == MASK:
            detail = error_messages.NOTHING_MASKED(name=name)
            raise InvalidArguments(
                detail, problems=({"pointer": f"/kwargs/{name}", "code": "masked", "detail": detail},)
            )


def check_destination(*, job: Job, changes: Mapping[str, Any]) -> None:
    """
    Refuse to keep a secret, unless it is entered again, beside arguments that may send it somewhere else.

    ``changes``: the new ``task``, ``args`` or ``kwargs``, sealed values where the stored ones stay.

    :raises InvalidArguments: naming the secret and what was changed
    """
    before, after = _by_name(job, {}), _by_name(job, changes)
    kept = sorted(name for name, value in after.items() if sealing.is_sealed(value))
    if not kept:
        return
    task = registry.get(changes.get("task", job.task))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    others = sorted(changed - task.secrets - task.secrets_unaffected_by)
    if task.name != job.task:
        others = ["task", *others]
    if not others:
        return
    detail = error_messages.SECRET_NEEDED(secret=kept[0], names=", ".join(others))
    raise InvalidArguments(
        detail, problems=({"pointer": f"/kwargs/{kept[0]}", "code": "secret_needed", "detail": detail},)
    )


def _by_name(job: Job, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return every argument under its name, those of ``*args`` and of a task that is gone under their numbers."""
    args, kwargs = changes.get("args", job.args), changes.get("kwargs", job.kwargs)
    task = changes.get("task", job.task)
    is_gone = "task" not in changes and task not in registry.names()
    names = [""] * len(args) if is_gone else registry.get(task).names_of(args)
    by_position = {name or f"args[{place}]": args[place] for place, name in enumerate(names)}
    return {**by_position, **kwargs}


def opened(job: Job) -> sealing.Opened:
    """
    Return the arguments of a job with its secrets in plain text, for a copy that seals them for itself.

    :raises UnknownTask, InvalidArguments: the secrets cannot be opened
    """
    if not any(sealing.is_sealed(value) for value in (*job.args, *job.kwargs.values())):
        return sealing.Opened(args=job.args, kwargs=job.kwargs, secrets=())
    names = registry.get(job.task).names_of(job.args)
    return sealing.open_arguments(args=job.args, kwargs=job.kwargs, job=job.pk, task=job.task, names=names)
