"""Running what is due in a test, without a node."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max, Min, Q

from scheduler.core.states import JobState, RunState
from scheduler.models import Job, Run
from scheduler.store.clock import aware
from scheduler.testing import clock
from scheduler.testing.inline import InlineNode

_MOST_ROUNDS = 1_000
_MOST_INSTANTS = 100_000


def run_due(*, check: bool = False) -> list[Run]:
    """
    Run what is due now, each run once, and return the rows of the ledger that ended, oldest first.

    Missed and skipped fire times are among them. Runs that the bodies enqueue, retries and runs that waited for another
    one stay for the next call. ``check`` raises for runs that did not succeed.

    :raises AssertionError: with ``check``, naming each run that failed, with its traceback
    """
    clock.agree()
    ledger = _Ledger()
    with InlineNode() as node:
        node.run_due()
    return ledger.ended(check=check)


def drain(*, check: bool = False) -> list[Run]:
    """
    Run what is due now, and what follows from it, until nothing is due at this instant. Otherwise as ``run_due``.

    Retries with a delay wait until the clock is moved: ``run_until`` does both.

    :raises AssertionError: with ``check``, naming each run that failed; or runs enqueue each other without an end
    """
    clock.agree()
    ledger = _Ledger()
    with InlineNode() as node:
        for _ in range(_MOST_ROUNDS):
            if not node.run_due():
                return ledger.ended(check=check)
    raise AssertionError(f"More runs were due after {_MOST_ROUNDS} rounds. Do tasks enqueue each other without an end?")


def run_until(instant: datetime, *, check: bool = False) -> list[Run]:
    """
    Move the clocks from one due instant to the next, run what is due at each, and stop at ``instant``.

    The ledger then has what a node would have written that ran all the time. ``advance_to`` and ``drain`` have what a
    node writes that starts at that instant. Needs time-machine.

    :raises AssertionError: as ``drain``
    """
    until = aware(instant)
    ended = drain(check=check)
    for _ in range(_MOST_INSTANTS):
        following = _next_instant(after=clock.now())
        if following is None or following >= until:
            break
        clock.advance_to(following)
        ended += drain(check=check)
    else:
        raise AssertionError(f"{_MOST_INSTANTS} instants have passed before {until}. Is a shorter time enough?")
    clock.advance_to(until)
    return ended + drain(check=check)


def _next_instant(*, after: datetime) -> datetime | None:
    """Return when a job is due, a run may start, or a pause ends next."""
    jobs = Job.objects.filter(next_run_time__gt=after, state=JobState.ACTIVE).aggregate(at=Min("next_run_time"))
    runs = Run.objects.active().filter(due_at__gt=after, state=RunState.QUEUED).aggregate(at=Min("due_at"))
    pauses = Job.objects.filter(paused_until__gt=after, state=JobState.PAUSED).aggregate(at=Min("paused_until"))
    return min((found["at"] for found in (jobs, runs, pauses) if found["at"] is not None), default=None)


class _Ledger:
    """The state before, to tell which runs ended."""

    def __init__(self) -> None:
        self._newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
        self._unfinished = list(Run.objects.active().values_list("pk", flat=True))

    def ended(self, *, check: bool) -> list[Run]:
        new_or_unfinished = Q(pk__gt=self._newest) | Q(pk__in=self._unfinished)
        ended = list(Run.objects.finished().filter(new_or_unfinished).order_by("pk"))
        if check:
            _check(ended)
        return ended


def _check(ended: list[Run]) -> None:
    failed = [run for run in ended if run.error is not None]
    if failed:
        told = "\n\n".join(f"{_name(run)}: {run.failure}\n{run.traceback}".rstrip() for run in failed)
        raise AssertionError(f"{len(failed)} of {len(ended)} runs failed.\n\n{told}")


def _name(run: Run) -> str:
    return f"Run {run.pk} of {run.task} ({run.state})"
