"""The selection of a bulk action: ids, or a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scheduler import messages
from scheduler.errors import SchedulerError
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.run_queries import RunFilter
from scheduler.store import database


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Either ids, or the filter of the subject."""

    ids: tuple[Any, ...] = ()
    filter: JobFilter | RunFilter | None = None

    def as_json(self) -> dict[str, Any]:
        if self.filter is None:
            return {"ids": sorted(set(self.ids))}
        given = {name: value for name, value in asdict(self.filter).items() if value}
        for name in ("since", "until"):
            if name in given:
                given[name] = given[name].isoformat()
        return {"filter": given}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A row that the action could not change, with the reason."""

    id: Any
    name: str
    error: SchedulerError

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "code": self.error.code,
            "text": str(self.error),
            "message": messages.encode(self.error.message),
        }


def each(rows: Sequence[Any], act: Callable[[Any], object], *, name: Callable[[Any], str]) -> list[Refusal]:
    """Apply the action to each row by itself and return the refusals."""
    refusals = []
    for row in rows:
        try:
            with database.atomic():
                act(row)
        except SchedulerError as error:
            refusals.append(Refusal(id=row.pk, name=name(row), error=error))
    return refusals
