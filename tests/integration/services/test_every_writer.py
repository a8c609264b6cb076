"""Every function that writes jobs leaves a row in their history: the list of them is checked too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from apscheduler.job import Job as ApschedulerJob
from apscheduler.triggers.date import DateTrigger
from django.utils import timezone

from scheduler.compat import adoption
from scheduler.core.declarations import Declaration
from scheduler.core.states import JobSource, JobState
from scheduler.models import Change, Job
from scheduler.services import declarations, jobs, retention
from scheduler.services.declarations.collecting import Collected
from scheduler.services.jobs import bulk, creation, entries, restoring, transfer
from scheduler.store.cleaning import retention as stored_retention
from scheduler.store.jobs import batches, rows
from scheduler.store.jobstore import PostgresJobStore
from tests.contract import tasks
from tests.integration.services.nightly import NOW, at, daily, make, newest
from tests.integration.services.stock_rows import write as store_row


def scheduled() -> ApschedulerJob:
    """A job as APScheduler hands it to its store."""
    trigger = DateTrigger(at(16, day=24).replace(year=2990), timezone=UTC)
    job = ApschedulerJob(
        SimpleNamespace(timezone=UTC),
        id="declared",
        func=tasks.first,
        trigger=trigger,
        args=(),
        kwargs={},
        executor="default",
        misfire_grace_time=60,
        coalesce=True,
        max_instances=1,
    )
    job.next_run_time = trigger.get_next_fire_time(None, NOW)
    return job


def document() -> dict[str, Any]:
    entry = {"id": "nightly", "task": "contract.first", "trigger": daily(5)}
    return {"format": transfer.FORMAT, "version": transfer.VERSION, "jobs": [entry]}


def everything(action: str, **more: Any) -> Any:
    return bulk.change_many(action=action, which=("nightly",), actor="anna", **more)


def ended() -> None:
    long_ago = timezone.now() - timedelta(days=100)
    Job.objects.update(state=JobState.FINISHED, state_changed_at=long_ago)


def redeclared() -> None:
    for priority in (1, 2):
        definition = {"task": "contract.first", "trigger": daily(2), "priority": priority}
        declared = Declaration(key="declared", definition=definition, source="code", origin="here")
        declarations.apply(collected=Collected(declarations=(declared,), errors=()))


def update_by_store(store: PostgresJobStore) -> None:
    job = store.lookup_job("nightly")
    assert job is not None
    job.name = "Renamed"
    store.update_job(job)


WRITERS: dict[tuple[ModuleType | type, str], tuple[Callable[..., Any], str]] = {
    (jobs, "create"): (lambda _: jobs.create(task="contract.first", trigger=daily(2)), "created"),
    (jobs, "update"): (lambda _: jobs.update(job=jobs.get(id="nightly"), priority=3), "edited"),
    (jobs, "pause"): (lambda _: jobs.pause(job=jobs.get(id="nightly")), "paused"),
    (jobs, "resume"): (
        lambda _: (jobs.pause(job=jobs.get(id="nightly")), jobs.resume(job=jobs.get(id="nightly"))),
        "resumed",
    ),
    (jobs, "remove"): (lambda _: jobs.remove(job=jobs.get(id="nightly")), "deleted"),
    (bulk, "create"): (
        lambda _: bulk.create(actor="", source=JobSource.API, task="contract.first", trigger=daily(2)),
        "created",
    ),
    (bulk, "update"): (
        lambda _: bulk.update(job=jobs.get(id="nightly"), actor="", version=None, tags=["a"]),
        "edited",
    ),
    (bulk, "remove"): (lambda _: bulk.remove(job=jobs.get(id="nightly"), actor="", version=None), "deleted"),
    (bulk, "clone"): (
        lambda _: bulk.clone(
            job=jobs.get(id="nightly"), actor="", source=JobSource.API, id="c", name=None, paused=True
        ),
        "created",
    ),
    (bulk, "pause"): (lambda _: bulk.pause(job=jobs.get(id="nightly"), actor=""), "paused"),
    (bulk, "resume"): (
        lambda _: (jobs.pause(job=jobs.get(id="nightly")), bulk.resume(job=jobs.get(id="nightly"), actor="")),
        "resumed",
    ),
    (bulk, "retag"): (lambda _: bulk.retag(job=jobs.get(id="nightly"), actor="", add=["a"]), "edited"),
    (bulk, "change_many"): (lambda _: everything("add_tags", tags=("a",)), "edited"),
    (transfer, "import_jobs"): (
        lambda _: transfer.import_jobs(document=document(), actor="", update=True),
        "edited",
    ),
    (transfer, "imported"): (
        lambda _: list(transfer.imported(document=document(), actor="", update=True)),
        "edited",
    ),
    (entries, "import_all"): (
        lambda _: transfer.import_jobs(document=document(), actor="", update=True),
        "edited",
    ),
    (adoption, "adopt"): (lambda _: (store_row("stock"), adoption.adopt()), "adopted"),
    (restoring, "restore"): (
        lambda _: (
            jobs.update(job=jobs.get(id="nightly"), name="Other"),
            restoring.restore(change=Change.objects.order_by("id")[0], actor=""),
        ),
        "restored",
    ),
    (creation, "create_many"): (
        lambda _: creation.create_many(definitions={"many": {"task": "contract.first", "trigger": daily(2)}}),
        "created",
    ),
    (creation, "insert"): (
        lambda _: creation.create_many(definitions={"many": {"task": "contract.first", "trigger": daily(2)}}),
        "created",
    ),
    (retention, "clean_up"): (lambda _: (ended(), retention.clean_up()), "deleted"),
    (retention, "schedule_clean_up"): (lambda _: retention.schedule_clean_up(), "created"),
    (rows, "insert"): (lambda store: store.add_job(scheduled()), "created"),
    (batches, "insert_many"): (
        lambda _: creation.create_many(definitions={"many": {"task": "contract.first", "trigger": daily(2)}}),
        "created",
    ),
    (batches, "save_many"): (lambda _: redeclared(), "edited"),
    (rows, "adopt"): (lambda _: (store_row("stock"), adoption.adopt()), "adopted"),
    (rows, "take_over"): (
        lambda store: (store_row("declared"), store.update_job(scheduled())),
        "adopted",
    ),
    (rows, "save"): (lambda store: update_by_store(store), "edited"),
    (rows, "delete"): (lambda store: store.remove_job("nightly"), "deleted"),
    (rows, "delete_many"): (lambda store: store.remove_all_jobs(), "deleted"),
    (stored_retention, "delete_ended_jobs"): (lambda _: (ended(), retention.clean_up()), "deleted"),
    (PostgresJobStore, "add_job"): (lambda store: store.add_job(scheduled()), "created"),
    (PostgresJobStore, "update_job"): (lambda store: update_by_store(store), "edited"),
    (PostgresJobStore, "finish_job"): (lambda store: store.finish_job("nightly"), "finished"),
    (PostgresJobStore, "remove_job"): (lambda store: store.remove_job("nightly"), "deleted"),
    (PostgresJobStore, "remove_all_jobs"): (lambda store: store.remove_all_jobs(), "deleted"),
}
READERS = {
    jobs: {"get", "run_now"},
    bulk: {"run_now"},
    entries: {"exported"},
    transfer: {"export", "members", "import_alerts"},  # alerts have a history of their own
    adoption: {"unadopted_count"},
    restoring: {"preview"},
    creation: set(),
    retention: {"check", "policy"},
    rows: {
        *("lock", "lock_many", "is_unadopted", "check_arguments"),
        *("set_columns", "due", "pause", "schedule", "reschedule", "heal", "is_same_trigger"),
    },
    batches: {"locked"},
    stored_retention: {
        *("find_old_runs", "delete_runs", "find_ended_jobs", "find_old_changes", "delete_changes", "find_gone_nodes"),
        *("delete_nodes", "find_stock_history", "delete_stock_history", "delete_rollups"),
        *("fold_counters", "fold_queue_counters"),
        *("delete_idempotency_keys", "delete_incidents", "delete_notifications", "find_old_enqueued_runs"),
    },
    PostgresJobStore: {
        *("start", "shutdown", "lookup_job", "get_due_jobs", "get_next_run_time", "get_all_jobs"),
    },
}


@pytest.mark.django_db
class TestEveryWriter:
    @pytest.mark.parametrize(("owner", "name"), WRITERS, ids=lambda part: getattr(part, "__name__", part))
    def test_leaves_a_row(self, owner: Any, name: str, store: PostgresJobStore) -> None:
        write, action = WRITERS[owner, name]
        make()
        last = newest().pk

        write(store)

        found = list(Change.objects.filter(pk__gt=last).order_by("id"))
        assert [change.action for change in found].count(action) == 1
        assert newest().action == action

    @pytest.mark.parametrize("owner", READERS, ids=lambda owner: owner.__name__)
    def test_is_known_to_this_test(self, owner: Any) -> None:
        """A function that is added to these modules is put into one of the two lists above."""
        if isinstance(owner, ModuleType):
            public = {
                name
                for name, function in vars(owner).items()
                if inspect.isfunction(function)
                and function.__module__ == owner.__name__
                and not name.startswith("_")
                # An asynchronous counterpart does what it wraps.
                and not inspect.iscoroutinefunction(function)
            }
        else:
            public = {name for name in vars(owner) if not name.startswith("_")}

        assert public == READERS[owner] | {name for module, name in WRITERS if module is owner}
