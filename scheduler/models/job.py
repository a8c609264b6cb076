from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models, router, transaction
from django.db.models import Q, Value
from django.db.models.base import ModelState
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from scheduler.core import error_messages
from scheduler.core.definition import BY_NAME
from scheduler.core.states import JobSource, JobState, Overlap
from scheduler.errors import StaleVersion
from scheduler.models.reason import get_reason, reason_code, reason_params, set_reason


def column(name: str) -> dict[str, Any]:
    """Return the options of a column from ``core/definition.py``."""
    field = BY_NAME[name]
    options = {
        "verbose_name": _(field.label),
        "help_text": _(field.help) if field.help else "",
        "max_length": field.max_length,
        "choices": [(choice, choice) for choice in field.choices] or None,
    }
    if field.default not in (None, ""):
        options["default"] = field.default
    return {option: value for option, value in options.items() if value is not None}


def policy(name: str) -> dict[str, Any]:
    """The same for a policy, whose default the database knows too."""
    default = BY_NAME[name].default
    return column(name) | ({} if default is None else {"db_default": default})


OF_NEWER_WORDS = ~Q(state__in=list(JobState)) | ~Q(overlap__in=list(Overlap))
"""The condition of the index of jobs that a newer release has written: a query has to ask for it in the same words."""

KEPT_BY_NODES = (
    "next_run_time",
    "consecutive_failures",
    "state",
    "reason_text",
    "reason_code",
    "reason_params",
    "paused_until",
    "state_changed_at",
    "state_changed_by",
    "needs_inspection",
    "needs_rescheduling",
    "interrupted_at",
)
"""Columns that nodes write without a new version. A save writes those alone that its caller has changed."""


class OptimisticLock:
    """
    A row with a version that grows with every change of the definition.

    ``save`` raises ``StaleVersion`` if the stored version is another one than was read, and writes no column then.
    """

    version: int
    _meta: Any

    def save(self, *args: Any, **options: Any) -> None:
        """
        Write the row. Afterwards it has the version that the database gave it.

        :raises StaleVersion: somebody changed the row since it was read. No column was written
        """
        as_read = self.__dict__.get("_as_read", {}).get("version")
        if as_read is None or as_read != self.version:
            self._write(args, options)  # new, or by the services, which have locked the row
            return
        alias = options.get("using") or router.db_for_write(self._meta.model, instance=self)
        with transaction.atomic(using=alias):  # a savepoint, so that the caller's transaction goes on without it
            self._write(args, options)
            self.refresh_from_db(using=alias, fields=("version", "needs_inspection", "needs_rescheduling"))

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Any:
        row = super().from_db(*args, **options)  # type: ignore[misc]
        row._note_as_read()
        return row

    def refresh_from_db(self, using: str | None = None, fields: Iterable[str] | None = None, **options: Any) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, **options)  # type: ignore[misc]
        self._note_as_read(names)

    def _write(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        super().save(*args, **options)  # type: ignore[misc]
        self._note_as_read()

    def _note_as_read(self, names: Iterable[str] | None = None) -> None:
        loaded = self.__dict__
        among = ("version", *KEPT_BY_NODES) if names is None else names
        noted = {name: loaded[name] for name in among if name in loaded}
        loaded["_as_read"] = noted if names is None else {**loaded.get("_as_read", {}), **noted}

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *options: Any) -> Any:
        """Django's hook for the UPDATE of one of the tables, with what ``save`` was called with."""
        as_read = self.__dict__.get("_as_read", {})
        values = [each for each in values if not _is_untouched(each, as_read)]
        rows = base_qs
        if base_qs.model is self._meta.concrete_model and "version" in as_read:
            rows = base_qs.filter(version=as_read["version"])
        updated = super()._do_update(rows, using, pk_val, values, *options)  # type: ignore[misc]
        if not updated and rows is not base_qs:
            stored = base_qs.filter(pk=pk_val).values_list("version", flat=True).first()
            if stored is not None:
                raise StaleVersion(
                    error_messages.CHANGED_SINCE_READ(id=f"{pk_val}", version=stored, yours=as_read["version"])
                )
        return updated


def _is_untouched(value: tuple[Any, Any, Any], as_read: dict[str, Any]) -> bool:
    field, _, new = value
    return field.attname in KEPT_BY_NODES and field.attname in as_read and as_read[field.attname] == new


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> JobQuerySet:
        return self.filter(state=JobState.ACTIVE)

    def paused(self) -> JobQuerySet:
        return self.filter(state=JobState.PAUSED)

    def broken(self) -> JobQuerySet:
        return self.filter(state=JobState.BROKEN)


class Job(OptimisticLock, DjangoJob):
    """
    A task, its arguments, a trigger and the policies for running it.

    The columns here are the truth. The inherited ``job_state`` is derived from them for readers of the stock job store.
    The inherited ``next_run_time`` alone says when the job is due (``NULL``: paused, finished or broken).
    Change jobs with ``scheduler.services.jobs``. ``save`` of a copy that is out of date raises ``StaleVersion``.
    """

    name = models.CharField(**column("name"))
    tags = ArrayField(
        models.CharField(max_length=50),
        db_default=Value([], ArrayField(models.CharField(max_length=50))),
        blank=True,
        **column("tags"),
    )
    description = models.TextField(**column("description"), blank=True, default="", db_default="")
    task = models.CharField(**column("task"))
    args = models.JSONField(**column("args"), db_default=Value([], models.JSONField()), blank=True)
    kwargs = models.JSONField(**column("kwargs"), db_default=Value({}, models.JSONField()), blank=True)
    trigger = models.JSONField(**column("trigger"))
    executor = models.CharField(**policy("executor"))
    priority = models.SmallIntegerField(**policy("priority"))
    queue = models.CharField(**policy("queue"))
    coalesce = models.BooleanField(**policy("coalesce"))
    max_instances = models.PositiveIntegerField(**policy("max_instances"))
    misfire_grace_time = models.PositiveIntegerField(**policy("misfire_grace_time"), null=True, blank=True)
    rerun_if_interrupted = models.BooleanField(**policy("rerun_if_interrupted"))
    overlap = models.CharField(**policy("overlap"))
    timeout = models.FloatField(**policy("timeout"), null=True, blank=True)
    max_retries = models.PositiveSmallIntegerField(**policy("max_retries"))
    retry_delay = models.FloatField(**policy("retry_delay"))
    retry_backoff = models.FloatField(**policy("retry_backoff"))
    retry_delay_cap = models.FloatField(**policy("retry_delay_cap"))
    retry_jitter = models.FloatField(**policy("retry_jitter"))
    pause_after_failures = models.PositiveIntegerField(**policy("pause_after_failures"), null=True, blank=True)
    consecutive_failures = models.PositiveIntegerField(_("consecutive failures"), default=0, db_default=0)
    state = models.CharField(
        _("state"), max_length=16, choices=JobState.pairs(), default=JobState.ACTIVE, db_default=JobState.ACTIVE
    )
    reason_text = models.TextField(_("reason"), db_column="state_reason", blank=True, default="", db_default="")
    reason_code = reason_code()
    reason_params = reason_params()
    paused_until = models.DateTimeField(
        _("paused until"),
        null=True,
        blank=True,
        help_text=_("When a paused job resumes by itself. Empty: when somebody resumes it."),
    )
    state_changed_at = models.DateTimeField(_("state changed at"), null=True, blank=True)
    state_changed_by = models.CharField(_("state changed by"), max_length=150, blank=True, default="", db_default="")
    source = models.CharField(
        _("source"), max_length=16, choices=JobSource.pairs(), default=JobSource.CODE, db_default=JobSource.CODE
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="", db_default="")
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())
    updated_by = models.CharField(_("updated by"), max_length=150, blank=True, default="", db_default="")
    needs_inspection = models.BooleanField(
        _("needs inspection"),
        default=True,
        db_default=True,
        help_text=_("Written past the services: a node checks the definition and computes when it is due."),
    )
    needs_rescheduling = models.BooleanField(
        _("needs rescheduling"),
        default=False,
        db_default=False,
        help_text=_("Its trigger was changed past the services: when it is due is computed anew."),
    )
    interrupted_at = models.DateTimeField(
        _("interrupted at"),
        null=True,
        blank=True,
        help_text=_("The fire time that was next when the job broke: from here on it is accounted for again."),
    )
    version = models.PositiveIntegerField(
        _("version"), default=1, db_default=1, help_text=_("Grows with every change of the definition.")
    )

    objects = JobQuerySet.as_manager()

    state_reason = property(get_reason, set_reason)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("djangojob_ptr_id",)
        permissions = [
            ("pause_job", "Can pause and resume job"),
            ("run_job", "Can run job now"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(max_instances__gte=1), name="scheduler_job_has_an_instance"),
            models.CheckConstraint(
                condition=Q(timeout__isnull=True) | Q(timeout__gt=0), name="scheduler_job_timeout_is_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], name="scheduler_job_state"),
            models.Index(
                fields=["djangojob_ptr"],
                condition=Q(trigger__has_any_keys=["calendars", "windows"]),
                name="scheduler_job_with_calendars",
            ),
            models.Index(fields=["task"], name="scheduler_job_task"),
            models.Index(fields=["name", "djangojob_ptr"], name="scheduler_job_name"),
            models.Index(fields=["state", "name", "djangojob_ptr"], name="scheduler_job_state_name"),
            models.Index(
                models.F("state_changed_at").desc(nulls_last=True),
                "djangojob_ptr",
                condition=Q(state=JobState.PAUSED),
                name="scheduler_job_last_paused",
            ),
            models.Index(fields=["executor"], condition=~Q(executor="default"), name="scheduler_job_other_executor"),
            models.Index(fields=["djangojob_ptr"], condition=OF_NEWER_WORDS, name="scheduler_job_of_newer_words"),
            GinIndex(fields=["tags"], name="scheduler_job_tags"),
            models.Index(fields=["needs_inspection"], condition=Q(needs_inspection=True), name="scheduler_job_inspect"),
            models.Index(
                fields=["paused_until"], condition=Q(paused_until__isnull=False), name="scheduler_job_paused_until"
            ),
            models.Index(
                fields=["consecutive_failures"],
                condition=Q(consecutive_failures__gt=0),
                name="scheduler_job_failing",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def like(self, **columns: Any) -> Job:
        """
        Return a new row with these columns, and with the others of this one, which is not written either.

        The constructor takes twenty times as long. Values that are not given are shared, not copied.
        """
        job = Job.__new__(Job)
        job.__dict__ = {**self.__dict__, **columns, "_state": ModelState()}
        return job
