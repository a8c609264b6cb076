from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from scheduler.core.states import JobState, NodeState, RunState
from scheduler.models import Job, Node, Run
from scheduler.services import reason_conversion
from tests.ledger import add_job, add_run

pytestmark = pytest.mark.django_db

SKIPPED = "2 runs of this job still active; max_instances is 2."


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows as the release before wrote them."""
    monkeypatch.setattr(reason_conversion, "_BATCH", 2)
    now = timezone.now()
    job = add_job("nightly")
    for number in range(5):
        run = add_run(job, scheduled_at=now - timedelta(minutes=number), state=RunState.SKIPPED, finished_at=now)
        Run.objects.filter(pk=run.pk).update(reason_text=SKIPPED, reason_code="")
    Job.objects.update(state=JobState.FINISHED, reason_text="It has no further fire time.")
    Node.objects.create(
        name="web-2", host="h", pid=1, version="1", state=NodeState.STOPPED, started_at=now, heartbeat_at=now,
        reason_text="Stopped while 3 runs went on.",
    )  # fmt: skip


@pytest.mark.usefixtures("rows")
class TestConverting:
    def test_gives_rows_their_codes_in_batches_and_nothing_twice(self) -> None:
        converted = reason_conversion.convert()

        assert (converted.runs, converted.jobs, converted.nodes) == (5, 1, 1)
        assert set(Run.objects.values_list("reason_code", "reason_text")) == {("still_active", "")}
        assert {run.reason for run in Run.objects.all()} == {"2 runs of this job are still active; max_instances is 2."}
        assert Node.objects.get().reason_params == {"number": 3}
        again = reason_conversion.convert()
        assert (again.runs, again.jobs, again.nodes) == (0, 0, 0)

    def test_leaves_what_a_person_typed(self) -> None:
        Job.objects.update(state=JobState.PAUSED, state_changed_by="ada", reason_text="Backfill.")
        Run.objects.update(reason_text="By hand.")

        converted = reason_conversion.convert()

        assert (converted.runs, converted.jobs) == (0, 0)
        assert Job.objects.get().state_reason == "Backfill."

    def test_is_a_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("convert_reasons")

        assert capsys.readouterr().out == "Converted the reasons of 5 runs, 1 jobs and 1 nodes.\n"
