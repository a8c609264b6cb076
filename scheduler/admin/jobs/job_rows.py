"""The rows of the list of jobs: one page of them, with their newest runs, and the orders that they can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from scheduler.models import Job
from scheduler.services.jobs import conditions
from scheduler.services.queries import overview
from scheduler.services.runs import notes

STRIP = 20
"""Newest runs of a job that are drawn."""

_MAY_BE_MISSING = ("next_run_time", "last_run_at", "last_seconds")
BY_NEWEST_RUN = {"last_run": "last_run_at", "usual": "last_seconds"}
"""Columns that are sorted by the newest run of each job."""


class JobList(ChangeList):
    """Jobs of one page with their newest runs."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        is_page = self.multi_page and not (self.show_all and self.can_show_all)
        self.result_list = list(self.result_list if is_page else self.paginator.object_list[: self.result_count])
        see_runs = request.user.has_perm("scheduler.view_run")
        runs = overview.recent(jobs=[job.pk for job in self.result_list], count=STRIP) if see_runs else {}
        troubled = [job.pk for job in self.result_list if job.condition in conditions.TROUBLES]
        taken = notes.of_jobs(jobs=troubled) if see_runs else {}
        for job in self.result_list:
            job.recent, job.taken = runs.get(job.pk, []), taken.get(job.pk)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Job]) -> list[Any]:
        """Empty values come last in both directions. A column that is not sortable here is passed by."""
        unsortable = {column for name, column in BY_NEWEST_RUN.items() if name not in self._sortable()}
        parts = super().get_ordering(request, queryset)
        return [_missing_last(part) for part in parts if str(part).removeprefix("-") not in unsortable]

    def orders(self) -> Iterator[dict[str, Any]]:
        """The orders in the menu above the list. The headers of the columns offer more."""
        chosen = self.params.get(ORDER_VAR, "")
        offered = [
            ("", "", _("problems first")),
            ("shown_name", "", _("name")),
            ("next_run", "", _("next run")),
            ("last_run", "-", _("last run, newest first")),
            ("usual", "-", _("last run, longest first")),
        ]
        values = {
            f"{sign}{list(self.list_display).index(column)}" if column else "": text
            for column, sign, text in offered
            if not column or column in self._sortable()
        }
        if chosen not in values:
            values[chosen] = _("as the columns say")
        for value, text in values.items():
            yield {"value": value, "text": text, "is_chosen": value == chosen}

    def _sortable(self) -> Sequence[Any]:
        return self.list_display if self.sortable_by is None else self.sortable_by


def _missing_last(part: Any) -> Any:
    if isinstance(part, str) and part.removeprefix("-") in _MAY_BE_MISSING:
        column = F(part.removeprefix("-"))
        return column.desc(nulls_last=True) if part.startswith("-") else column.asc(nulls_last=True)
    return part
