"""The one message: Celery's task ``scheduler.run`` with the arguments ``run``, ``attempt`` and ``ring``."""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.remote.executors import Ring
from scheduler.untouched import json

TASK = "scheduler.run"

_LARGEST = {"run": 2**63, "attempt": 2**15, "ring": 2**31}
"""One more than the largest value of each column of the ledger."""


def arguments(ring: Ring) -> dict[str, int]:
    """Return the arguments of the task: all that the broker learns."""
    return ring._asdict()


class Message(NamedTuple):
    """A message of Celery's protocol 2."""

    headers: dict[str, Any]
    body: str


def message(ring: Ring) -> Message:
    """Return the message about a run. Its id is the one by which Celery's own tools name it."""
    name = f"scheduler-run-{ring.run}-{ring.attempt}-{ring.ring}"
    headers = {**_HEADERS, "id": name, "root_id": name, "kwargsrepr": f"{arguments(ring)}"}
    return Message(headers=headers, body=json.dumps([[], arguments(ring), _EMBEDDED]))


_HEADERS = {
    "lang": "py",
    "task": TASK,
    "shadow": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "parent_id": None,
    "argsrepr": "()",
    "origin": "scheduler",
    "ignore_result": True,
}
_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


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
