"""Health Judged from the database's rows and clock, so also when every node is frozen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.utils import Error

from scheduler.core.health import Check, Standing, Status, checks, worst
from scheduler.core.health.standing import NotStarted
from scheduler.errors import SchedulerError
from scheduler.loops import spawn
from scheduler.messages import phrase
from scheduler.services import installation
from scheduler.store.measuring import measures
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.5
"""The time that a caller waits for the database."""

_INSTALLED_SECONDS = 15.0

_NO_ANSWER = phrase("The database did not answer within {seconds:g} seconds.", seconds=PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks, except for those after a failed precondition."""

    checks: tuple[Check, ...]
    connection_valid: bool
    table_exists: bool = False
    job_count: int | None = None
    standing: Standing | None = field(default=None, repr=False)

    @property
    def status(self) -> Status:
        return worst(check.status for check in self.checks)

    @property
    def problems(self) -> tuple[Check, ...]:
        """Return the checks that are not passed, failures first."""
        failed = [check for check in self.checks if check.status is Status.FAIL]
        return (*failed, *(check for check in self.checks if check.status is Status.WARN))

    @property
    def is_ready(self) -> bool:
        return self.status is not Status.FAIL

    @property
    def error(self) -> str | None:
        """The texts of the failed checks, or ``None``."""
        return " ".join(check.text for check in self.checks if check.status is Status.FAIL) or None

    def as_dict(self, *, details: bool) -> dict[str, Any]:
        """Return it as JSON. Without ``details`` only status words, for those who did not say who they are."""
        failed = [check.name for check in self.checks if check.status is Status.FAIL]
        brief = f"Failed: {', '.join(failed)}. Details need a login or a token." if failed else None
        now = self.standing.scheduling.now.isoformat().replace("+00:00", "Z") if self.standing else None
        return {
            "status": self.status.value,
            "connection_valid": self.connection_valid,
            "table_exists": self.table_exists,
            "job_count": self.job_count if details else None,
            "error": self.error if details else brief,
            "checked_at": now,
            "checks": [
                {
                    "name": check.name,
                    "status": check.status.value,
                    "text": check.text if details else None,
                    "value": check.value if details else None,
                    "limit": check.limit if details else None,
                    "unit": check.unit,
                }
                for check in self.checks
            ],
        }


_ANSWERS = Check(name="database", status=Status.PASS, text=phrase("The database answers."))
_TABLES = Check(name="tables", status=Status.PASS, text=phrase("The tables are there and up to date."))


class Probe:
    """
    Asks in a thread of its own, because a server that is frozen cannot be made to answer.

    There is one such thread at most, however many callers wait: when the database hangs, they hang on that one, each
    for ``patience_seconds``, and what asks is there again when the database is.
    """

    def __init__(self, ask: Callable[[], Report], *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._ask = ask
        self._patience = patience_seconds
        self._lock = threading.Lock()
        self._asked: Future[Report] | None = None
        self._asked_at = 0.0

    def report(self) -> Report:
        """Return the report, or a failure to reach the database, within the patience."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked, self._asked_at = Future(), time.monotonic()
                spawn(self._answer, args=(self._asked,), name="health-probe")
            asked = self._asked
            left = max(0.0, self._asked_at + self._patience - time.monotonic())
        try:
            return asked.result(timeout=left)
        except FutureTimeout:
            return _unreachable(_NO_ANSWER)

    def _answer(self, asked: Future[Report]) -> None:
        found = _unreachable(phrase("The health could not be checked. The log of the web has the reason."))
        try:
            found = self._ask()
        except (Error, SchedulerError) as error:
            logger.warning(events.HEALTH_NOT_CHECKED, extra={"error": str(error)})
            found = _unreachable(
                phrase("The database went away in the meantime: {reason}", reason=" ".join(str(error).split()))
            )
        finally:
            # Whatever happened, whoever waits gets an answer, and the next one asks anew.
            asked.set_result(found)
            connections.close_all()


def check() -> Report:
    """Look at everything. Never raises for what is wrong with the database, never waits long for it."""
    return _probe.report()


def check_now() -> Report:
    """Look at everything in this thread, waiting for the database as long as it takes."""
    if not _installed.is_known():
        found = installation.check()
        if found.error:
            return _not_installed(found)
        _installed.note()
    try:
        return judged()
    except Error:
        # What was known to be there may be gone: look again from the ground.
        _installed.forget()
        found = installation.check()
        if found.error:
            return _not_installed(found)
        raise


class _Installed:
    """Remembers for a while that the tables are as they should be: finding out takes longer than all other checks."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_known(self) -> bool:
        return time.monotonic() < self._until

    def note(self) -> None:
        self._until = time.monotonic() + _INSTALLED_SECONDS

    def forget(self) -> None:
        self._until = 0.0


def _not_installed(found: installation.Health) -> Report:
    if not found.connection_valid:
        return _unreachable(found.error or phrase("The database cannot be used."))
    tables = Check(name="tables", status=Status.FAIL, text=found.error or phrase("The tables cannot be used."))
    return Report(
        checks=(_ANSWERS, tables), connection_valid=True, table_exists=found.table_exists, job_count=found.job_count
    )


def judged(*, not_started: Sequence[NotStarted] | None = None) -> Report:
    """
    Measure and judge in this thread, where the tables are known to be there.

    ``not_started``: what ``measures.not_started`` found, if it was called already.
    """
    standing = measures.standing(found=not_started)
    return Report(
        checks=(_ANSWERS, _TABLES, *checks(standing, limits=measures.limits())),
        connection_valid=True,
        table_exists=True,
        job_count=sum(standing.jobs.values()),
        standing=standing,
    )


def _unreachable(text: str) -> Report:
    return Report(checks=(Check(name="database", status=Status.FAIL, text=text),), connection_valid=False)


_installed = _Installed()
_probe = Probe(check_now)
