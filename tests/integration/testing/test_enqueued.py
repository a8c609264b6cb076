"""Statements about enqueued tasks, what they say when they do not hold, and the eager mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group

from scheduler.contrib.django_tasks.compat import TaskResultStatus
from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.testing import (
    advance_to,
    assert_enqueued,
    assert_not_enqueued,
    drain,
    eager,
    enqueued,
    run_due,
    run_until,
)
from tests.sample_app import django_tasks as sample

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


class TestAssertEnqueued:
    def test_returns_the_newest_run_that_fits(self) -> None:
        sample.add.enqueue(1, second=2)
        newest = sample.add.using(priority=7).enqueue(first=1)
        sample.add.enqueue(2)

        run = assert_enqueued(sample.add, first=1)

        assert (str(run.public_id), run.priority) == (newest.id, 7)
        assert assert_enqueued(sample.add, first=1, second=2).args == [1]
        assert assert_enqueued(sample.add.module_path, second=1).args == [2]

    def test_lists_what_was_enqueued_instead(self) -> None:
        advance_to(NOON)
        sample.add.enqueue(1, second=2)
        sample.meaning_of_life.using(run_after=NOON + timedelta(hours=1)).enqueue()

        with pytest.raises(AssertionError) as raised:
            assert_enqueued(sample.add, first=2)

        path = "tests.sample_app.django_tasks"
        assert str(raised.value).splitlines() == [
            f"“{path}.add” was not enqueued with first=2. Enqueued:",
            f"  {path}.add(second=2, first=1) in “default”, queued",
            f"  {path}.meaning_of_life() in “default”, due at 2027-03-01T13:00:00+00:00, queued",
        ]

    def test_says_that_nothing_was(self) -> None:
        with pytest.raises(AssertionError, match="No task was enqueued"):
            assert_enqueued(sample.add)

    def test_has_a_contrary(self) -> None:
        assert_not_enqueued(sample.add)
        sample.add.enqueue(1)
        assert_not_enqueued(sample.add, first=2)

        with pytest.raises(AssertionError, match=r"was enqueued with first=1:\n .*add\("):
            assert_not_enqueued(sample.add, first=1)

    def test_counts_with_enqueued(self) -> None:
        sample.add.get_backend().enqueue_many([(sample.add, [number], {}) for number in range(3)])

        assert [run.args for run in enqueued(sample.add)] == [[0], [1], [2]]
        assert len(enqueued()) == 3


class TestEnqueuedTasks:
    def test_run_when_they_are_due(self) -> None:
        advance_to(NOON)
        now = sample.add.enqueue(1)
        later = sample.add.using(run_after=NOON + timedelta(hours=1)).enqueue(2)

        assert [run.result for run in run_due(check=True)] == [2]
        assert [run.result for run in run_until(NOON + timedelta(hours=1))] == [3]
        for result in (now, later):
            result.refresh()
            assert result.status == TaskResultStatus.SUCCESSFUL

    def test_that_fail_have_a_result_as_on_a_node(self) -> None:
        result = sample.fail_with_value_error.enqueue()
        drain()
        result.refresh()

        assert result.status == TaskResultStatus.FAILED
        assert result.errors[0].exception_class is ValueError
        assert Run.objects.get().state == RunState.FAILED


class TestEager:
    def test_returns_results_that_are_finished(self) -> None:
        with eager():
            result = sample.add.enqueue(1, second=2)

        assert result.return_value == 3
        assert_enqueued(sample.add, first=1)

    def test_does_not_raise_for_bodies_that_fail(self) -> None:
        with eager():
            result = sample.fail_with_value_error.enqueue()

        assert result.status == TaskResultStatus.FAILED

    def test_leaves_what_is_due_later(self) -> None:
        advance_to(NOON)
        with eager():
            result = sample.add.using(run_after=NOON + timedelta(hours=1)).enqueue(1)

        assert result.status == TaskResultStatus.READY

    def test_ends_with_its_block(self) -> None:
        with eager():
            pass

        assert sample.add.enqueue(1).status == TaskResultStatus.READY

    def test_is_a_fixture(self, scheduler_eager: None) -> None:
        assert sample.add.enqueue(1).status == TaskResultStatus.SUCCESSFUL
        assert not Group.objects.exists()
