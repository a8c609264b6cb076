"""A transaction of a node's own session."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scheduler.errors import DatabaseUnavailable
from scheduler.store import statements
from scheduler.telemetry import events

if TYPE_CHECKING:
    from scheduler.store.sessions.connections import Connection, Row

logger = logging.getLogger(__name__)


class Transaction:
    """Statements that are committed together."""

    def __init__(self, connection: Connection, *, lock_seconds: float | None = None, is_lasting: bool = True) -> None:
        self._connection = connection
        self._lock_seconds = lock_seconds
        self._is_lasting = is_lasting
        self._is_open = False

    def execute(self, statement: str, **parameters: Any) -> list[Row]:
        """Run ``sql/<statement>.sql``. The first statement opens the transaction in the same round trip."""
        sql = statements.load(statement)
        if not self._is_open:
            sql = self._connection.limits(lock_seconds=self._lock_seconds, is_lasting=self._is_lasting) + sql
            self._is_open = True
        return self._connection._run(sql, parameters)

    def commit(self) -> None:
        if self._is_open:
            self._connection._run("COMMIT", {})
            self._is_open = False

    def roll_back(self) -> None:
        if self._is_open:
            self._is_open = False
            if self._connection.is_open:
                try:
                    self._connection._run("ROLLBACK", {})
                except DatabaseUnavailable:
                    logger.debug(events.DATABASE_ROLLBACK_FAILED, exc_info=True)
