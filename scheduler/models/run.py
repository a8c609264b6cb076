from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Extract, StrIndex
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext_lazy as _

from scheduler.core.queues import tracks
from scheduler.core.states import ACTIVE_STATES, RunKind, RunState
from scheduler.models.reason import get_reason, reason_code, reason_params, set_reason

if TYPE_CHECKING:
    from scheduler.models.job import Job


PARKED = -32_768
"""The priority in the queue of runs that wait for a limit: behind all others."""

HELD = Q(held=True, finished_at__isnull=True)
HAS_A_REASON = ~Q(reason_code="") | ~Q(reason_text="")
"""The condition of the index of such runs: a query has to ask for it in the same words."""

SECONDS_TAKEN = Extract("finished_at", "epoch") - Extract("started_at", "epoch")
"""The duration of a run. PostgreSQL does not subtract infinite times."""


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> RunQuerySet:
        return self.filter(finished_at__isnull=True)

    def finished(self) -> RunQuerySet:
        return self.filter(finished_at__isnull=False)

    def unsuccessful(self) -> RunQuerySet:
        """Runs that ended with an error: failed, timed out, interrupted."""
        return self.filter(error__isnull=False)

    def without_output(self) -> RunQuerySet:
        """Leave out the columns that may be large, or are confidential, and are not shown in lists."""
        return self.defer("args", "kwargs", "result", "log", "traceback", "progress")


class Run(models.Model):
    """The ledger's row for one fire time of a job, one manual request, one enqueued call, or one further attempt."""

    job = models.ForeignKey(
        "scheduler.Job",
        verbose_name=_("job"),
        null=True,
        on_delete=models.DO_NOTHING,  # the database detaches the runs, those of a large job in the background
        db_constraint=False,
        db_index=False,
        related_name="runs",
        help_text=_("Empty once the job was deleted: its id and name stay below."),
    )
    job_key = models.CharField(_("job id"), max_length=255, help_text=_("The id of the job, kept when it is deleted."))
    job_name = models.CharField(_("job name"), max_length=255)
    task = models.CharField(_("task"), max_length=255)
    args = models.JSONField(_("positional arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("arguments"), default=dict, blank=True)
    scheduled_at = models.DateTimeField(_("scheduled at"), help_text=_("The fire time."))
    due_at = models.DateTimeField(_("due at"), help_text=_("When it may start: the fire time plus jitter or delay."))
    covers_from = models.DateTimeField(
        _("covers from"),
        null=True,
        help_text=_("For a row that stands for several fire times: the first of them."),
    )
    kind = models.CharField(_("kind"), max_length=16, choices=RunKind.pairs(), default=RunKind.SCHEDULED)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    state = models.CharField(_("state"), max_length=16, choices=RunState.pairs(), default=RunState.QUEUED)
    reason_text = models.TextField(
        _("reason"), db_column="reason", blank=True, default="", help_text=_("As earlier releases wrote it.")
    )
    reason_code = reason_code()
    reason_params = reason_params()
    executor = models.CharField(
        _("executor"), max_length=tracks.LONGEST, help_text=_("The track: the executor, and after an @ its queue.")
    )
    priority = models.SmallIntegerField(_("priority"), default=0)
    queue = models.CharField(
        _("queue"), max_length=tracks.LONGEST_NAME, default=tracks.DEFAULT_QUEUE, db_default=tracks.DEFAULT_QUEUE
    )
    public_id = models.UUIDField(
        _("result id"), null=True, help_text=_("Of an enqueued run: the same for all of its attempts.")
    )
    unique_key = models.CharField(  # noqa: DJ001 - the partial index below asks for NULL
        _("unique key"), max_length=255, null=True, help_text=_("One enqueued run of this key waits or runs at a time.")
    )
    expires_at = models.DateTimeField(
        _("expires at"), null=True, help_text=_("An enqueued run that has not begun by then is missed.")
    )
    policies = models.JSONField(
        _("policies"), null=True, help_text=_("Of an enqueued run: its retries, as its task declared them.")
    )
    rings = models.PositiveSmallIntegerField(
        _("rings"), default=0, db_default=0, help_text=_("Messages to the broker of its remote executor.")
    )
    rung_at = models.DateTimeField(
        _("rung at"), null=True, help_text=_("When the last of them was sent. Empty: it wants to be rung.")
    )
    held = models.BooleanField(_("held"), default=False, help_text=_("Waits for another run of its job to end."))
    node = models.UUIDField(_("node"), null=True)
    coalesced = models.PositiveIntegerField(
        _("coalesced"), default=0, help_text=_("Number of earlier fire times folded into this row.")
    )
    previous = models.ForeignKey(
        "self",
        verbose_name=_("previous attempt"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    requested_by = models.CharField(_("requested by"), max_length=150, blank=True, default="")
    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    timeout = models.FloatField(_("timeout"), null=True, help_text=_("Seconds it may take, as its job said."))
    cancel_requested_at = models.DateTimeField(_("cancel requested at"), null=True)
    progress = models.JSONField(_("progress"), null=True, help_text=_("done, total and message, as the task said."))
    log = models.TextField(_("log"), blank=True, default="")
    result = models.JSONField(_("result"), null=True)
    error = models.TextField(_("error"), null=True)  # noqa: DJ001 - the partial index below asks for NULL
    traceback = models.TextField(_("traceback"), blank=True, default="")
    output_dropped_at = models.DateTimeField(
        _("output dropped at"), null=True, help_text=_("When its result, log and traceback were dropped for their age.")
    )

    objects = RunQuerySet.as_manager()

    reason = property(get_reason, set_reason)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        permissions = [
            ("cancel_run", "Can cancel run"),
            ("retry_run", "Can retry run"),
            ("note_run", "Can write notes on runs and take failures on"),
            ("view_run_output", "Can view arguments, result, log and traceback of run"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "scheduled_at", "attempt"], name="scheduler_run_once_per_fire_time"),
            models.UniqueConstraint(
                fields=["public_id", "attempt"],
                condition=Q(public_id__isnull=False),
                name="scheduler_run_enqueued_once_per_attempt",
            ),
            models.UniqueConstraint(
                fields=["unique_key"],
                condition=Q(unique_key__isnull=False, finished_at__isnull=True),
                name="scheduler_run_one_of_a_key",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ACTIVE_STATES, finished_at__isnull=True)
                | (~Q(state__in=ACTIVE_STATES) & Q(finished_at__isnull=False)),
                name="scheduler_run_finished_states_have_a_time",
            ),
        ]
        indexes = [
            # The predicates ask finished_at, not state: starting a run then changes no indexed column.
            models.Index(
                "executor",
                models.F("priority").desc(),
                "due_at",
                "id",
                include=("created_at",),
                condition=Q(node__isnull=True, finished_at__isnull=True, held=False),
                name="scheduler_run_waiting",
            ),
            # The number comes last so that a reader can begin where the active runs do: entries of those that ended
            # stay for as long as any transaction of the server was begun before they did.
            # Runs of remote executors, which are few kinds among many: those that want to be rung, in their order, and
            # those that were and wait for a worker.
            models.Index(
                "executor",
                models.F("priority").desc(),
                "due_at",
                "id",
                condition=Q(GreaterThan(StrIndex("executor", Value(tracks.REMOTE)), 0))
                & Q(node__isnull=True, finished_at__isnull=True, held=False, rung_at__isnull=True),
                name="scheduler_run_to_ring",
            ),
            models.Index(
                fields=["executor", "rung_at"],
                condition=Q(rung_at__isnull=False, node__isnull=True, finished_at__isnull=True),
                name="scheduler_run_rung",
            ),
            models.Index(
                fields=["job", "held", "id"],
                condition=Q(finished_at__isnull=True),
                name="scheduler_run_active_of_job",
            ),
            models.Index(
                fields=["node", "id"],
                condition=Q(finished_at__isnull=True, node__isnull=False),
                name="scheduler_run_owned_by_node",
            ),
            models.Index(
                fields=["node"],
                condition=Q(cancel_requested_at__isnull=False, finished_at__isnull=True),
                name="scheduler_run_to_cancel",
            ),
            models.Index("due_at", include=("executor", "created_at"), condition=HELD, name="scheduler_run_held"),
            # In the order in which they are released: as many are read as the job has room for.
            models.Index(
                "job",
                models.F("priority").desc(),
                "due_at",
                "id",
                condition=HELD,
                name="scheduler_run_held_of_job",
            ),
            models.Index(
                fields=["job", "-scheduled_at"],
                condition=Q(held=True, finished_at__isnull=True, kind=RunKind.SCHEDULED),
                name="scheduler_run_held_fire_time",
            ),
            models.Index(fields=["finished_at"], condition=Q(error__isnull=False), name="scheduler_run_unsuccessful"),
            models.Index(
                fields=["job_key", "scheduled_at"],
                condition=Q(job__isnull=True, attempt__gte=1),
                name="scheduler_run_of_removed_job",
            ),
            # What is missed, skipped or cancelled says why; most other runs do not.
            models.Index(
                models.F("id").desc(),
                condition=Q(finished_at__isnull=False) & HAS_A_REASON,
                name="scheduler_run_reasoned",
            ),
            # Whether a job has any: its newest runs are looked at for fire times that passed only then.
            models.Index(
                fields=["job"],
                condition=Q(finished_at__isnull=False) & HAS_A_REASON,
                name="scheduler_run_reasoned_of_job",
            ),
            models.Index(
                "reason_code", models.F("id").desc(), condition=~Q(reason_code=""), name="scheduler_run_of_reason"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False, node__isnull=True, finished_at__isnull=True),
                name="scheduler_run_to_expire",
            ),
            models.Index(
                "queue",
                models.F("id").desc(),
                condition=~Q(queue=tracks.DEFAULT_QUEUE),
                name="scheduler_run_of_queue",
            ),
            # Few runs are others than scheduled ones, and those are what somebody looks for.
            models.Index(
                "kind", models.F("id").desc(), condition=~Q(kind=RunKind.SCHEDULED), name="scheduler_run_other_kind"
            ),
            # What a stretch of the ledger holds: rows are added in the order of time, and a task or a node that is rare
            # is in few stretches. One index for all three costs a run what the one for the time did.
            BrinIndex(
                fields=["created_at", "task", "node"],
                opclasses=[
                    "timestamptz_minmax_ops",
                    "text_bloom_ops(n_distinct_per_range=100)",
                    "uuid_bloom_ops(n_distinct_per_range=50)",
                ],
                pages_per_range=64,
                autosummarize=True,
                name="scheduler_run_at_task_node",
            ),
            # Which stretches hold a state that is rare among errors, as interrupted runs are. It has only runs with an
            # error, so that a start is not entered, and an index of stretches keeps no update from being HOT.
            BrinIndex(
                fields=["state"],
                opclasses=["text_bloom_ops(n_distinct_per_range=10)"],
                pages_per_range=64,
                autosummarize=True,
                condition=Q(error__isnull=False),
                name="scheduler_run_states_of_errors",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_name} at {self.scheduled_at:%Y-%m-%d %H:%M:%S %Z} ({self.state})"

    @property
    def is_enqueued(self) -> bool:
        """Return whether somebody enqueued its task: it has no job, and its attempts share a result id."""
        return self.public_id is not None

    @property
    def runs_on(self) -> str:
        """The executor, without the queue."""
        return tracks.executor_of(self.executor)

    @property
    def is_remote(self) -> bool:
        """Return whether its body runs outside of nodes, on a worker that a broker wakes."""
        return tracks.is_remote(self.executor)

    @property
    def own_priority(self) -> int:
        """Its priority, also while it waits for a limit behind all others."""
        return self.priority if self.priority != PARKED else (self.reason_params or {}).get("priority", 0)

    @property
    def failure(self) -> str | None:
        """The error, as a message where the scheduler words it, or ``None``."""
        return self.reason if self.error and self.reason_code else self.error

    @classmethod
    def again(cls, run: Run, *, attempt: int, now: datetime, requested_by: str) -> Run:
        """Make an unsaved further attempt of an enqueued run, as it was enqueued."""
        names = ("job_key", "job_name", "task", "args", "kwargs", "executor", "queue", "timeout", "policies")
        copied = {name: getattr(run, name) for name in (*names, "public_id", "unique_key", "scheduled_at")}
        return cls(
            **copied,
            priority=run.own_priority,
            due_at=now,
            created_at=now,
            kind=RunKind.RETRY,
            attempt=attempt,
            previous=run,
            requested_by=requested_by,
        )

    @classmethod
    def of(cls, job: Job, *, scheduled_at: datetime, now: datetime, **values: Any) -> Run:
        """Make an unsaved queued run of a job. ``values`` override those of the job."""
        return cls(
            **{
                "job": job,
                "job_key": job.pk,
                "job_name": job.name,
                "task": job.task,
                "args": job.args,
                "kwargs": job.kwargs,
                "executor": tracks.of_job(executor=job.executor, queue=job.queue),
                "queue": job.queue,
                "priority": job.priority,
                "timeout": job.timeout,
                "scheduled_at": scheduled_at,
                "due_at": scheduled_at,
                "created_at": now,
                **values,
            }
        )
