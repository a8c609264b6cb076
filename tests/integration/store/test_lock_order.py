"""Who locks several rows does so in one order, so that nobody waits for each other in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.core.states import RunState
from scheduler.models import Job, Run
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.integration.store.conftest import Open
from tests.ledger import NOON, SECOND, add_job, add_node, add_run
from tests.waiting import PATIENCE_SECONDS, is_a_lock_awaited, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def beside(other: Connection, *, first: str, then: str, parameters: tuple[Any, ...], do: Callable[[], object]) -> None:
    """Let ``other`` lock something, wait until ``do`` waits for it in a thread, and let it lock more."""
    raised: list[BaseException] = []

    def try_it() -> None:
        try:
            do()
        except BaseException as error:  # noqa: BLE001 - the test shows it
            raised.append(error)

    held = other.raw()
    held.autocommit = False
    with held.cursor() as cursor:
        cursor.execute(first, parameters)
        thread = threading.Thread(target=try_it)
        thread.start()
        wait_until(is_a_lock_awaited)
        cursor.execute(then, parameters)
    held.commit()
    thread.join(120)
    assert raised == []


class TestRecording:
    def test_goes_through_runs_by_id(
        self, session: Connection, open_session: Open, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patience = dict.fromkeys(("LOCK_TIMEOUT_SECONDS", "STATEMENT_TIMEOUT_SECONDS"), PATIENCE_SECONDS)
        settings.SCHEDULER = {**settings.SCHEDULER, **patience}
        monkeypatch.setattr(finishing, "_QUICK_SECONDS", PATIENCE_SECONDS)
        node, job = add_node(), add_job()
        ids = [add_run(job, scheduled_at=NOON + n * SECOND, state=RunState.RUNNING, node=node).pk for n in range(60)]
        outcomes = [Outcome(run_id=id, state=RunState.SUCCEEDED, started=0, finished=1) for id in reversed(ids)]

        beside(
            open_session(),
            first="SELECT FROM scheduler_run WHERE id = %s FOR UPDATE",
            then="SELECT FROM scheduler_run WHERE id > %s FOR UPDATE",
            parameters=(ids[0],),
            do=lambda: finishing.finish(session, outcomes=outcomes, node=node, clock=1),
        )

        assert set(Run.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}


class TestTheEndOfFailuresInARow:
    @pytest.mark.parametrize("table", ["django_apscheduler_djangojob WHERE id", "scheduler_job WHERE djangojob_ptr_id"])
    def test_waits_for_nobody_who_has_a_job_and_says_whose(
        self, session: Connection, open_session: Open, table: str
    ) -> None:
        mine, theirs = (
            add_run(add_job(id, consecutive_failures=2), state=RunState.SUCCEEDED).pk for id in ("mine", "theirs")
        )
        with open_session().transaction() as other:
            other._connection._run(f"BEGIN; SELECT FROM {table} = 'theirs' FOR NO KEY UPDATE", {})

            left = finishing.reset_failures(session, runs=[mine, theirs])
            other._connection._run("ROLLBACK", {})

        assert left == {theirs}
        assert dict(Job.objects.values_list("pk", "consecutive_failures")) == {"mine": 0, "theirs": 2}
        assert finishing.reset_failures(session, runs=left) == set()
        assert set(Job.objects.values_list("consecutive_failures", flat=True)) == {0}
