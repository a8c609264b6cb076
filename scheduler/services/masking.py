"""Secrets on their way out and back: people see a mask, and what is stored stays when the mask comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler import sealing
from scheduler.core import error_messages
from scheduler.errors import InvalidArguments

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
