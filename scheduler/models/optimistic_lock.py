"""Saving a job through the ORM: an edit that somebody else made since the row was read is never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models, router, transaction

from scheduler.core import error_messages
from scheduler.errors import StaleVersion

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


class OptimisticLock(models.Model):
    """
    A row with a version that grows with every change of the definition.

    ``save`` raises ``StaleVersion`` if the stored version is another one than was read, and writes nothing then.
    """

    version: int

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """
        Write the row. Afterwards it has the version that the database gave it.

        :raises StaleVersion: somebody changed the row since it was read. No column was written
        """
        as_read = self.__dict__.get("_as_read", {}).get("version")
        if as_read is None or as_read != self.version:
            super().save(*args, **options)  # new, or by the services, which have locked the row
            self._note_as_read()
            return
        alias = options.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=alias):  # a savepoint, so that the caller's transaction goes on without it
            super().save(*args, **options)
            self._note_as_read()
            self.refresh_from_db(using=alias, fields=("version", "needs_inspection", "needs_rescheduling"))

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Any:
        row = super().from_db(*args, **options)
        row._note_as_read()
        return row

    def refresh_from_db(self, using: str | None = None, fields: Iterable[str] | None = None, **options: Any) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, **options)
        self._note_as_read(names)

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
        if base_qs.model is type(self) and "version" in as_read:
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
