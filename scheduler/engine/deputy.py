"""Speaking with the database and the log in the place of a node that cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from scheduler.core import reasons
from scheduler.execution.vital_signs import Reading
from scheduler.messages import Message
from scheduler.store.liveness import deputies
from scheduler.store.sessions.connections import Connection, Watchdog
from scheduler.telemetry import events

logger = logging.getLogger(__name__)


class DatabaseDeputy:
    """Speaks with the database in the place of a node."""

    def __init__(self) -> None:
        self._connection = Connection(purpose="pacemaker")
        self._reason: Message | None = None
        self._watchdog = Watchdog()
        self._watchdog.start()

    def step_in(self, reading: Reading, *, runs: Sequence[int]) -> None:
        """Log what keeps the interpreter, beat, and give back what has not begun."""
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._reason = reasons.INTERPRETER_KEPT(runs=", ".join(map(str, runs)) or "?", since=since)
        logger.error(events.NODE_INTERPRETER_KEPT, extra={"node": reading.node, "runs": list(runs)})
        self.beat(reading)  # first: some of the time until others take the node for dead has passed
        begun = [body.run for body in reading.bodies]
        self._try(lambda: deputies.give_back_unbegun(self._connection, node=reading.node, begun=begun))

    def beat(self, reading: Reading) -> None:
        self._try(lambda: deputies.beat(self._connection, node=reading.node, reason=self._reason))

    def step_back(self, reading: Reading) -> None:
        """The node beats by itself again."""
        logger.warning(events.NODE_INTERPRETER_FREE, extra={"node": reading.node})
        self._try(lambda: deputies.beat(self._connection, node=reading.node, reason=None))

    def give_up(self, reading: Reading, *, seconds: float) -> None:
        logger.error(events.NODE_GIVEN_UP, extra={"node": reading.node, "seconds": round(seconds)})

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # noqa: BLE001 - it must go on watching, whatever it was
            logger.warning(events.PACEMAKER_CANNOT_BEAT, extra={"error": str(error)[:500]})
