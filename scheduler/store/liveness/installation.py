"""The facts that all nodes of a database share: their environment, and the rules of time zones they compute by."""

from __future__ import annotations

from typing import NamedTuple

from django.db import Error, transaction

from scheduler.core import zone_rules
from scheduler.errors import DatabaseUnavailable, WrongEnvironment
from scheduler.models import Installation
from scheduler.store import database
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.halving import QUICK_SECONDS
from scheduler.untouched import time

_BATCH = 500
_PASS_SECONDS = 0.1
"""The longest time of one call. Claims go on between calls."""


def admit(*, environment: str) -> None:
    """
    Admit nodes of this environment. The first node gives the database its environment.

    :raises WrongEnvironment: the database belongs to another one
    :raises DatabaseUnavailable: the environment cannot be read
    """
    rows = Installation.objects.using(database.sessions_alias())
    try:
        # Nodes that start together all try: that one of them was first is no error, not even in the server's log.
        rows.bulk_create([Installation(environment=environment)], ignore_conflicts=True)
        found = rows.get(pk=Installation.ONLY)
    except Error as error:
        raise DatabaseUnavailable(str(error).strip()) from error
    if found.environment != environment:
        raise WrongEnvironment(
            f"This database belongs to {_named(found.environment)}, and this node to {_named(environment)} "
            "(SCHEDULER_ENVIRONMENT). A copy of a database must not run the jobs of the original: nothing was started. "
            "If the jobs are to run here from now on, start once with “runscheduler --adopt-environment”."
        )


def adopt(*, environment: str) -> str | None:
    """Assign this database to another environment and return the former one, or ``None`` if it is the same."""
    alias = database.sessions_alias()
    with transaction.atomic(using=alias):
        found, is_new = (
            Installation.objects.using(alias)
            .select_for_update()
            .get_or_create(pk=Installation.ONLY, defaults={"environment": environment})
        )
        if is_new or found.environment == environment:
            return None
        former, found.environment, found.environment_set_at = found.environment, environment, database_now()
        found.save(update_fields=["environment", "environment_set_at"])
    return former


class Rescheduled(NamedTuple):
    """Some of the jobs that depend on a time zone."""

    jobs: int
    """Number of jobs whose next fire time is computed anew."""

    after: str
    """The job to continue after. Empty: all are done, and the version is noted."""


def compute_by(connection: Connection, *, tzdata: str, after: str = "") -> Rescheduled | None:
    """
    If next fire times were computed by other time zone data, have those that depend on a zone and have not come yet
    computed anew, some thousand at a time. ``None``: the data is the same as before, or older than that of another
    node.

    The version is noted when all are done, so that a node that ends meanwhile leaves the rest to the next one.
    """
    recorded = connection.execute("recorded_tzdata")
    if not recorded or recorded[0][0] == tzdata:
        return None
    ((former,),) = recorded
    if zone_rules.is_older(tzdata, than=former):
        ((is_used,),) = connection.execute("has_node_with_tzdata", tzdata=former)
        if is_used:
            return None
    jobs, ends_at = 0, time.monotonic() + _PASS_SECONDS
    while former and time.monotonic() < ends_at:
        with connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
            ((last, flagged),) = transaction.execute("reschedule_by_zone", after=after, limit=_BATCH)
        jobs += flagged
        if last is None:
            former = ""
        else:
            after = last
    if former:
        return Rescheduled(jobs=jobs, after=after)
    connection.execute("record_tzdata", tzdata=tzdata)
    return Rescheduled(jobs=jobs, after="")


def _named(environment: str) -> str:
    return f"the environment “{environment}”" if environment else "no named environment"
