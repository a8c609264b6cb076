"""
A process that enqueues inside transactions, of which a third roll back, until it is terminated.

    python -m tests.scenarios.chaos.enqueuer FILE SEED

For each task it notes in the file whether it was committed, after the transaction has ended.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

_PAUSE_SECONDS = 0.15
_ROLLED_BACK = 1 / 3


class RollBack(Exception):
    """The transaction is to leave nothing behind."""


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    import django

    django.setup()
    path, seed = Path(sys.argv[1]), sys.argv[2]
    chance = random.Random(seed)  # noqa: S311 - it is to be repeatable
    with path.open("a", buffering=1) as notes:
        while not stop.wait(chance.uniform(0, 2 * _PAUSE_SECONDS)):
            for token, name, is_committed in enqueue_some(chance):
                notes.write(f"{token} {name} {'committed' if is_committed else 'rolled-back'}\n")


def enqueue_some(chance: random.Random) -> list[tuple[str, str, bool]]:
    """Enqueue some tasks in one transaction. Return for each its token, its task, and whether it was committed."""
    from django.db import transaction

    names = [chance.choice(("once", "again")) for _ in range(chance.randint(1, 6))]
    calls = [(name, uuid.uuid4().hex) for name in names]
    way = chance.choice(("whole", "savepoint")) if chance.random() < _ROLLED_BACK else ""
    is_many = chance.random() < 0.5
    with suppress(RollBack), transaction.atomic():
        if way == "savepoint":
            with suppress(RollBack), transaction.atomic():
                _enqueue(calls, is_many=is_many)
                raise RollBack
        else:
            _enqueue(calls, is_many=is_many)
        if way == "whole":
            raise RollBack
    return [(token, name, not way) for name, token in calls]


def _enqueue(calls: list[tuple[str, str]], *, is_many: bool) -> None:
    from tests.scenarios.chaos import enqueued

    tasks: dict[str, Any] = {"once": enqueued.once, "again": enqueued.again}
    if is_many:
        backend = enqueued.once.get_backend()
        backend.enqueue_many([(tasks[name], [], {"token": token}) for name, token in calls])
        return
    for name, token in calls:
        tasks[name].enqueue(token=token)


if __name__ == "__main__":
    main()
