"""Health: does the scheduling work? Judged from the database's rows and clock, so also when every node is frozen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import connections
from django.db.utils import Error

from scheduler import conf
from scheduler.core.states import JobState
from scheduler.errors import SchedulerError
from scheduler.loops import spawn
from scheduler.messages import phrase, phrase_of, row
from scheduler.models import Job
from scheduler.services import adoption, installation
from scheduler.store import measures
from scheduler.store.measures import Scheduling

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.5
"""How long a caller waits for the database before it is told that the database does not answer."""

_INSTALLED_SECONDS = 15.0

_NO_ANSWER = phrase("The database did not answer within {seconds:g} seconds.", seconds=PATIENCE_SECONDS)


class Status(StrEnum):
    PASS = "pass"  # noqa: S105 - a word, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question and its answer."""

    name: str
    status: Status
    text: str
    """A sentence: what was found, and what to do if it is not well."""

    value: float | int | None = None

    limit: float | int | None = None
    """What the value may be at most; how many nodes there must be at least."""

    unit: str = ""
    """Of both: ``s``, or nothing for what is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks. What was not looked at, because an earlier one failed, is not in it."""

    checks: tuple[Check, ...]
    connection_valid: bool
    table_exists: bool = False
    job_count: int | None = None
    scheduling: Scheduling | None = field(default=None, repr=False)

    @property
    def status(self) -> Status:
        found = {check.status for check in self.checks}
        return Status.FAIL if Status.FAIL in found else Status.WARN if Status.WARN in found else Status.PASS

    @property
    def is_ready(self) -> bool:
        return self.status is not Status.FAIL

    @property
    def error(self) -> str | None:
        """What the failed checks say, in one text; ``None`` when none failed."""
        return " ".join(check.text for check in self.checks if check.status is Status.FAIL) or None

    def as_dict(self, *, details: bool) -> dict[str, Any]:
        """Return it as JSON. Without ``details`` only status words, for those who did not say who they are."""
        failed = [check.name for check in self.checks if check.status is Status.FAIL]
        brief = f"Failed: {', '.join(failed)}. Details need a login or a token." if failed else None
        now = self.scheduling.now.isoformat().replace("+00:00", "Z") if self.scheduling else None
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
        """Return what is found, or that the database does not answer; after the patience at the latest."""
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
        found = _unreachable(phrase("The health could not be checked; the log of the web says why."))
        try:
            found = self._ask()
        except (Error, SchedulerError) as error:
            logger.warning("scheduler.health.not_checked", extra={"error": str(error)})
            found = _unreachable(
                phrase("The database went away meanwhile: {reason}", reason=" ".join(str(error).split()))
            )
        finally:
            # Whatever happened, whoever waits gets an answer, and the next one asks anew.
            asked.set_result(found)
            connections.close_all()


def check() -> Report:
    """Look at everything. Never raises for what is wrong with the database, never waits long for it."""
    return _probe.report()


def look() -> Report:
    """Look at everything in this thread, waiting for the database as long as it takes."""
    if not _installed.is_known():
        found = installation.check()
        if found.error:
            return _not_installed(found)
        _installed.note()
    try:
        return _working()
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


def _working() -> Report:
    job_count = Job.objects.count()
    now = measures.scheduling()
    return Report(
        checks=(_ANSWERS, _TABLES, _nodes(now), _overdue(now), _recorder(now), _clocks(now), _broken(), _unadopted()),
        connection_valid=True,
        table_exists=True,
        job_count=job_count,
        scheduling=now,
    )


def _unreachable(text: str) -> Report:
    return Report(checks=(Check(name="database", status=Status.FAIL, text=text),), connection_valid=False)


def _nodes(found: Scheduling) -> Check:
    if found.fresh_nodes:
        silent = found.nodes - found.fresh_nodes
        text = phrase_of("{number:,} node is alive.", "{number:,} nodes are alive.", number=found.fresh_nodes)
        if silent:
            more = phrase_of(
                "{number:,} node is silent: their runs are handed on when they are taken for lost.",
                "{number:,} nodes are silent: their runs are handed on when they are taken for lost.",
                number=silent,
            )
            text = row(" ", [text, more])
        status = Status.WARN if silent else Status.PASS
        return Check(name="nodes", status=status, text=text, value=found.fresh_nodes, limit=1)
    if not conf.get().enabled:
        return Check(
            name="nodes",
            status=Status.WARN,
            text=phrase("No node is alive, and ENABLE_SCHEDULER is off here."),
            value=0,
            limit=1,
        )
    heard = (
        phrase("none was ever heard")
        if found.heartbeat_age is None
        else phrase("the last was heard {seconds:.0f} s ago", seconds=found.heartbeat_age)
    )
    return Check(
        name="nodes",
        status=Status.FAIL,
        text=phrase(
            "No node is alive: {heard}. Start one with “manage.py runscheduler”, or see why it does not answer.",
            heard=heard,
        ),
        value=0,
        limit=1,
    )


def _overdue(found: Scheduling) -> Check:
    threshold, value = conf.get().overdue_seconds, found.max_overdue or 0
    if not found.overdue:
        text = phrase("Nothing is overdue.")
        return Check(name="overdue", status=Status.PASS, text=text, value=value, limit=threshold, unit="s")
    text = phrase_of(
        "{number:,} job is overdue, by up to {seconds:.0f} s (the threshold is {threshold:g} s).",
        "{number:,} jobs are overdue, by up to {seconds:.0f} s (the threshold is {threshold:g} s).",
        number=found.overdue,
        seconds=value,
        threshold=threshold,
    )
    return Check(name="overdue", status=Status.FAIL, text=text, value=value, limit=threshold, unit="s")


def _recorder(found: Scheduling) -> Check:
    limit = conf.get().backlog_rows // 2
    if found.backlog is None:
        return Check(name="recorder", status=Status.PASS, text=phrase("No node has reported a backlog."), limit=limit)
    if found.backlog <= limit:
        text = phrase("Outcomes are recorded as they come.")
        return Check(name="recorder", status=Status.PASS, text=text, value=found.backlog, limit=limit)
    text = phrase(
        "A node has {number:,} outcomes that it could not record yet: see what holds up the database.",
        number=found.backlog,
    )
    return Check(name="recorder", status=Status.FAIL, text=text, value=found.backlog, limit=limit)


def _clocks(found: Scheduling) -> Check:
    limit = conf.get().skew_seconds
    if found.skew is None:
        text = phrase("No node has reported its clock.")
        return Check(name="clocks", status=Status.PASS, text=text, limit=limit, unit="s")
    skew = round(found.skew, 3)
    if found.skew <= limit:
        text = phrase("The clocks of the nodes agree with the database's.")
        return Check(name="clocks", status=Status.PASS, text=text, value=skew, limit=limit, unit="s")
    text = phrase(
        "The clock of a node is {seconds:.1f} s away from the database's. Jobs run on time all the same; "
        "set up NTP, so that logs can be compared.",
        seconds=found.skew,
    )
    return Check(name="clocks", status=Status.WARN, text=text, value=skew, limit=limit, unit="s")


def _broken() -> Check:
    count = Job.objects.filter(state=JobState.BROKEN).count()
    if not count:
        return Check(name="broken_jobs", status=Status.PASS, text=phrase("No job is broken."), value=0, limit=0)
    text = phrase_of(
        "{number:,} job is broken: each says why; they heal when the cause is gone.",
        "{number:,} jobs are broken: each says why; they heal when the cause is gone.",
        number=count,
    )
    return Check(name="broken_jobs", status=Status.WARN, text=text, value=count, limit=0)


def _unadopted() -> Check:
    count = adoption.unadopted_count()
    if not count:
        text = phrase("Every stored job is adopted.")
        return Check(name="unadopted_jobs", status=Status.PASS, text=text, value=0, limit=0)
    text = phrase_of(
        "{number:,} row is of django-apscheduler not adopted: “manage.py adopt_jobs” makes jobs of them.",
        "{number:,} rows are of django-apscheduler not adopted: “manage.py adopt_jobs” makes jobs of them.",
        number=count,
    )
    return Check(name="unadopted_jobs", status=Status.WARN, text=text, value=count, limit=0)


_installed = _Installed()
_probe = Probe(look)
