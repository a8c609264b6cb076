"""The outcomes of one job that are recorded in one batch count as they would one after the other."""

from __future__ import annotations

from itertools import product

import pytest

from scheduler.core.states import RunState
from scheduler.models import Job
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.ledger import NOON, SECOND, add_job, add_node, add_run

pytestmark = pytest.mark.django_db(transaction=True)

SEQUENCES = ["".join(ends) for length in (1, 2, 3, 4) for ends in product("SF", repeat=length)]


def in_a_row(ends: str, *, before: int) -> int:
    """Count them one after the other."""
    for end in ends:
        before = before + 1 if end == "F" else 0
    return before


@pytest.mark.parametrize("before", [0, 2])
def test_count_in_the_order_in_which_they_ended(before: int, session: Connection) -> None:
    node = add_node()
    outcomes = []
    for ends in SEQUENCES:
        job = add_job(ends, consecutive_failures=before)
        for number, end in enumerate(ends):
            run = add_run(job, scheduled_at=NOON + number * SECOND, state=RunState.RUNNING, node=node)
            state = RunState.SUCCEEDED if end == "S" else RunState.FAILED
            outcomes.append(Outcome(run_id=run.pk, state=state, started=number, finished=number + 1))

    recorded = finishing.finish(session, outcomes=outcomes[::-1], node=node, clock=9)
    finishing.reset_failures(session, runs=recorded.runs - recorded.followed)

    assert len(recorded.runs) == len(outcomes)
    counted = dict(Job.objects.values_list("pk", "consecutive_failures"))
    assert counted == {ends: in_a_row(ends, before=before) for ends in SEQUENCES}
