"""The one message: Celery's task ``scheduler.run`` with the arguments ``run``, ``attempt`` and ``ring``."""

from __future__ import annotations

from typing import Any

from scheduler.remote.executors import Ring

TASK = "scheduler.run"

_LARGEST = {"run": 2**63, "attempt": 2**15, "ring": 2**31}
"""One more than the largest value of each column of the ledger."""


def arguments(ring: Ring) -> dict[str, int]:
    """Return the arguments of the task: all that the broker learns."""
    return ring._asdict()


def message_id(ring: Ring) -> str:
    """Return the id of the message, by which Celery's own tools name it."""
    return f"scheduler-run-{ring.run}-{ring.attempt}-{ring.ring}"


def ring_of(payload: Any) -> Ring:
    """
    Read a message of Celery's protocol 2: ``[args, kwargs, embedded]``.

    :raises ValueError: it names no run
    """
    try:
        _, given, _ = payload
        numbers = {name: given[name] for name in Ring._fields}
    except (TypeError, ValueError, KeyError):
        raise ValueError(f"It is not a ring: {str(payload)[:200]}") from None
    for name, number in numbers.items():
        if type(number) is not int or not 0 < number < _LARGEST[name]:
            raise ValueError(f"Its {name} is {str(number)[:50]}. It must be a whole number from 1 on.")
    return Ring(**numbers)
