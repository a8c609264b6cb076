"""Filters of the list of jobs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.format import display
from scheduler.models import Job
from scheduler.services.jobs import conditions
from scheduler.services.jobs.conditions import Criteria
from scheduler.services.queries import job_queries, overview
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.overview import Survey


class ConditionFilter(admin.SimpleListFilter):
    """The tabs above the list."""

    title = gettext_lazy("state")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, mark.word) for name, mark in display.JOB_MARKS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        chosen = self.value() or ""
        if chosen not in conditions.CONDITIONS:
            return queryset
        return conditions.only(jobs=queryset, condition=chosen, by=criteria(request))


class ValueFilter(admin.SimpleListFilter):
    """One of the values that jobs have. A chosen value stays in the list even when its last job is gone."""

    lookup: ClassVar[str]
    among: ClassVar[str]
    """Where the survey has the values."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get(str(self.parameter_name), "")
        values = {*getattr(survey(request), self.among), *([chosen] if chosen else [])}
        return [(value, value) for value in sorted(values)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        chosen = self.value()
        if not chosen:
            return queryset
        # PostgreSQL has no NUL in texts, so no job is like this.
        return queryset.none() if "\x00" in chosen else queryset.filter(**{self.lookup: self.meant(chosen)})

    def meant(self, chosen: str) -> Any:
        return chosen


class TaskFilter(ValueFilter):
    title, parameter_name, lookup, among = gettext_lazy("task"), "task", "task", "tasks"


class ExecutorFilter(ValueFilter):
    title, parameter_name, lookup, among = gettext_lazy("executor"), "executor", "executor", "executors"


class SourceFilter(ValueFilter):
    title, parameter_name, lookup, among = gettext_lazy("source"), "source", "source", "sources"


class TagFilter(ValueFilter):
    title, parameter_name, lookup, among = gettext_lazy("tag"), "tag", "tags__contains", "tags"

    def meant(self, chosen: str) -> Any:
        return [chosen]


class DriftFilter(ValueFilter):
    """Declared jobs and instances of templates that a person changed, and jobs that are no longer declared."""

    title, parameter_name = gettext_lazy("drift"), "drift"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("changed by a person")), ("undeclared", _("paused: no longer declared"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        wanted = {"yes": JobFilter(drift=True), "undeclared": JobFilter(undeclared=True)}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(pk__in=job_queries.jobs(filter=wanted).values("pk"))


def labelled(label: str, value: str) -> SafeString:
    """Say before a value what it is where no head of a column does."""
    return format_html('<span class="ols-narrow">{}: </span>{}', capfirst(label), value)


def survey(request: Any) -> Survey:
    """The values that exist among the jobs, read once a request for the filters and the tabs."""
    known: Survey | None = getattr(request, "scheduler_survey", None)
    if known is None:
        known = request.scheduler_survey = overview.survey(by=criteria(request))
    return known


def criteria(request: Any) -> Criteria:
    """By what the conditions are told, read once a request."""
    known: Criteria | None = getattr(request, "scheduler_criteria", None)
    if known is None:
        known = request.scheduler_criteria = conditions.criteria(now=timezone.now())
    return known
