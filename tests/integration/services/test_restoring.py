from __future__ import annotations

from typing import Any

import pytest

from scheduler.errors import (
    ChangeNotFound,
    InvalidArguments,
    NeverFires,
    NothingToRestore,
    SchedulerError,
    UnknownExecutor,
    UnknownTask,
)
from scheduler.models import Change, Job
from scheduler.services import jobs
from scheduler.services.jobs import restoring
from scheduler.services.queries import job_history
from tests.integration.services.nightly import NOW, at, daily, make

pytestmark = pytest.mark.django_db


def version(number: int) -> Change:
    return Change.objects.get(job_key="nightly", version=number)


def restore(change: Change, **more: Any) -> Job:
    return restoring.restore(change=change, actor="anna", via="admin", now=NOW, **more)


class TestRestore:
    def test_is_an_edit_to_what_was_then(self) -> None:
        job = make(tags=["a"], description="First.")
        jobs.update(job=job, trigger=daily(5), tags=["b"], name="Other", priority=3, max_retries=2, now=NOW)

        restored = restore(version(1), reason="Ben was wrong.")

        assert (restored.trigger, restored.tags, restored.name) == (daily(1), ["a"], "nightly")
        assert (restored.priority, restored.max_retries, restored.version) == (0, 0, 3)
        assert restored.next_run_time == at(1, day=24)
        change = version(3)
        assert (change.action, change.restored_version, change.actor, change.via) == ("restored", 1, "anna", "admin")
        assert (change.reason, change.changes["tags"]) == ("Ben was wrong.", [["b"], ["a"]])

    def test_says_before_what_it_would_change(self) -> None:
        job = make()
        jobs.update(job=job, trigger=daily(5), now=NOW)

        found = restoring.preview(change=version(1))

        assert found.job == job
        assert [(each.name, *each.texts) for each in found.differences] == [
            ("trigger", "cron 0 5 * * *", "cron 0 1 * * *")
        ]
        assert restoring.preview(change=version(2)).differences == ()

    def test_refuses_what_would_change_nothing(self) -> None:
        make()

        with pytest.raises(NothingToRestore, match="as it was in version 1"):
            restore(version(1))

        assert Change.objects.count() == 1

    def test_leaves_a_paused_job_paused(self) -> None:
        job = make()
        jobs.update(job=job, priority=3)
        jobs.pause(job=job)

        assert restore(version(1)).state == "paused"

    def test_brings_back_the_secret_of_then_without_showing_it(self) -> None:
        job = make(task="governed.use_secret", kwargs={"token": "s3cr3t-value"})
        sealed = job.kwargs
        jobs.update(job=job, kwargs={"token": "an0ther-value"})
        assert "$sealed" not in str(restoring.preview(change=version(1)).differences)

        assert restore(version(1)).kwargs == sealed

    @pytest.mark.parametrize(
        ("columns", "error"),
        [
            ({"task": "gone.task"}, UnknownTask),
            ({"kwargs": {"surplus": 1}}, InvalidArguments),
            ({"executor": "nobody"}, UnknownExecutor),
            ({"trigger": {"type": "date", "run_at": "2020-01-01T00:00:00Z"}}, NeverFires),
        ],
    )
    def test_is_checked_like_any_edit(self, columns: dict[str, Any], error: type[SchedulerError]) -> None:
        job = make()
        Job.objects.filter(pk=job.pk).update(**columns, version=2)
        Job.objects.filter(pk=job.pk).update(
            **{name: getattr(job, name) for name in columns}, version=3, needs_inspection=False
        )
        before = Change.objects.count()

        with pytest.raises(error):
            restore(version(2))

        assert (Job.objects.get().version, Change.objects.count()) == (3, before)

    def test_makes_a_deleted_job_again(self) -> None:
        job = make(source="admin", task="governed.use_secret", kwargs={"token": "s3cr3t-value"}, paused=True)
        jobs.remove(job=job)
        last = Change.objects.get(action="deleted")
        assert restoring.preview(change=last).job is None

        made = restore(last)

        assert (made.pk, made.kwargs, made.source, made.state) == ("nightly", job.kwargs, "admin", "paused")
        newest = job_history.changes(filter=job_history.ChangeFilter(job="nightly"))[0]
        assert (newest.action, newest.restored_version) == ("restored", 1)

    def test_does_not_make_a_deleted_job_that_could_never_fire(self) -> None:
        job = make(trigger={"type": "date", "run_at": at(16).isoformat()})
        jobs.remove(job=job)

        with pytest.raises(NeverFires):
            restoring.restore(change=Change.objects.get(action="deleted"), actor="", now=at(18))

        assert not Job.objects.exists()


class TestGet:
    @pytest.mark.parametrize("id", [0, -1, 10**6, 2**70])
    def test_refuses_what_is_not_there(self, id: int) -> None:
        with pytest.raises(ChangeNotFound):
            job_history.get(id=id)


class TestTheSecondOfTwo:
    def test_hears_nothing_of_a_deleted_job_of_the_same_id(self) -> None:
        job = make()
        for number in range(1, 4):
            job = jobs.update(job=job, priority=number)
        jobs.remove(job=job)
        job = make()
        jobs.update(job=job, actor="ben", name="Other")

        assert [change.actor for change in job_history.since(job=job, version=1)] == ["ben"]

    def test_learns_who_changed_what(self) -> None:
        job = make()
        jobs.update(job=job, actor="ben", trigger=daily(3))

        with pytest.raises(SchedulerError) as raised:
            jobs.update(job=job, actor="anna", priority=3, version=1)

        assert "was changed by ben in the meantime (version 2, yours was 1)" in str(raised.value)
        assert "cron 0 1 * * * → cron 0 3 * * *" in str(raised.value)
