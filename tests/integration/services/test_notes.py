"""Notes on runs, and who works on a failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.core.states import RunState
from scheduler.errors import InvalidNote, NoteAlreadyHolds, RunNotFound
from scheduler.models import Run, RunNote
from scheduler.services.runs import notes
from scheduler.store.cleaning import retention
from scheduler.store.clock import database_now
from tests.ledger import HOUR, MINUTE, NOON, add_job, add_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed() -> Run:
    return add_run(add_job(), state=RunState.FAILED, error="E")


class TestANote:
    def test_is_kept_with_its_author_and_way(self, failed: Run) -> None:
        notes.add(run=failed, text="  The disk is full.\n", actor="anna", via="admin")
        notes.add(run=failed.pk, text="Freed.", actor="ben")

        assert [(note.author, note.text, note.via) for note in notes.of(run=failed).notes] == [
            ("ben", "Freed.", "code"),
            ("anna", "The disk is full.", "admin"),
        ]
        assert notes.of_runs(runs=[failed.pk])[failed.pk].notes == 2

    @pytest.mark.parametrize("text", ["", " \n", "x" * 2001])
    def test_has_a_text_of_a_bounded_length(self, failed: Run, text: str) -> None:
        with pytest.raises(InvalidNote):
            notes.add(run=failed, text=text, actor="anna")

        assert not RunNote.objects.exists()

    def test_needs_a_run(self) -> None:
        with pytest.raises(RunNotFound):
            notes.add(run=7, text="x", actor="anna")

    def test_goes_with_its_run(self, failed: Run) -> None:
        other = add_run(add_job("other"), state=RunState.FAILED, error="E")
        for run in (failed, other):
            notes.add(run=run, text="x", actor="anna")

        assert retention.delete_runs(runs=[failed.pk]) == 1
        assert list(RunNote.objects.values_list("run_id", flat=True)) == [other.pk]
        other.delete()
        assert not RunNote.objects.exists()


class TestTakingAFailureOn:
    def test_is_seen_until_it_is_released(self, failed: Run) -> None:
        notes.take(run=failed, actor="anna")
        taken = notes.of_runs(runs=[failed.pk])[failed.pk].taken
        assert taken is not None
        assert (taken.by, taken.run) == ("anna", failed.pk)
        assert notes.of_jobs(jobs=["job", "other"]) == {"job": taken}

        notes.release(run=failed, actor="ben", text="She went home.")

        assert notes.of_jobs(jobs=["job"]) == {}
        assert notes.of_runs(runs=[failed.pk])[failed.pk].taken is None
        assert [note.kind for note in notes.of(run=failed).notes] == ["released", "taken"]

    def test_passes_to_somebody_else(self, failed: Run) -> None:
        notes.take(run=failed, actor="anna")
        notes.take(run=failed, actor="ben")

        assert notes.of_jobs(jobs=["job"])["job"].by == "ben"

    def test_is_said_once(self, failed: Run) -> None:
        notes.take(run=failed, actor="anna")

        with pytest.raises(NoteAlreadyHolds, match="anna works on run"):
            notes.take(run=failed, actor="anna")
        notes.release(run=failed, actor="anna")
        with pytest.raises(NoteAlreadyHolds, match="is not taken on"):
            notes.release(run=failed, actor="anna")

    def test_holds_for_later_failures_and_ends_with_a_success(self, failed: Run) -> None:
        notes.take(run=failed, actor="anna")
        job = failed.job
        assert job is not None
        add_run(job, scheduled_at=NOON + MINUTE, state=RunState.FAILED, error="E")
        assert notes.of_jobs(jobs=["job"])["job"].by == "anna"

        add_run(job, scheduled_at=NOON + HOUR, state=RunState.SUCCEEDED)

        assert notes.of_jobs(jobs=["job"]) == {}

    def test_is_not_ended_by_a_success_before(self, failed: Run) -> None:
        job = failed.job
        assert job is not None
        add_run(job, scheduled_at=NOON - HOUR, state=RunState.SUCCEEDED)
        notes.take(run=failed, actor="anna")

        assert "job" in notes.of_jobs(jobs=["job"])

    def test_of_a_run_without_a_job_is_about_that_run_alone(self, failed: Run) -> None:
        other = add_run(add_job("other"), state=RunState.FAILED, error="E")
        Run.objects.update(job=None, job_key="")
        notes.take(run=failed.pk, actor="anna")

        assert notes.of(run=Run.objects.get(pk=other.pk)).of_job is None
        assert notes.of(run=Run.objects.get(pk=failed.pk)).here is not None

    def test_of_long_ago_is_forgotten(self, failed: Run) -> None:
        notes.take(run=failed, actor="anna")
        RunNote.objects.update(created_at=database_now() - timedelta(days=31))

        assert notes.of_jobs(jobs=["job"]) == {}

    def test_is_looked_up_for_many_in_one_query(self, failed: Run, django_assert_num_queries: object) -> None:
        for number in range(5):
            notes.take(run=add_run(add_job(f"job-{number}"), state=RunState.FAILED, error="E"), actor="anna")

        with django_assert_num_queries(1):  # type: ignore[operator]
            assert len(notes.of_jobs(jobs=[f"job-{number}" for number in range(5)])) == 5
