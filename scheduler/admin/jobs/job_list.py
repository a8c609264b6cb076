"""The list of jobs: tabs, filters, columns, and its live part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import smart_split, unescape_string_literal
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.dashboard import charts
from scheduler.admin.format import display, trigger_text
from scheduler.admin.jobs import job_page, pausing
from scheduler.admin.jobs.job_filters import (
    ConditionFilter,
    DriftFilter,
    ExecutorFilter,
    SourceFilter,
    TagFilter,
    TaskFilter,
    ValueFilter,
    criteria,
    labelled,
    survey,
)
from scheduler.admin.jobs.job_rows import BY_NEWEST_RUN, STRIP, JobList
from scheduler.core.states import RunState
from scheduler.models import Job
from scheduler.services.jobs import conditions, long_lists
from scheduler.services.jobs.long_lists import LongList
from scheduler.services.queries import job_queries, overview
from scheduler.services.queries.overview import Recent

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Job]
else:
    _Admin = object

_NOT_NARROWING = ("condition", pages.PART, *IGNORED_PARAMS, PAGE_VAR)
_NOBODY = {
    "broken": gettext_lazy("Every job can run."),
    "stopped": gettext_lazy("No job was paused after failing."),
    "failing": gettext_lazy("No job is failing."),
    "overdue": gettext_lazy("No job is overdue."),
    "stalled": gettext_lazy("No job is stalled."),
    "ok": gettext_lazy("No job is OK."),
    "paused": gettext_lazy("No job is paused."),
    "finished": gettext_lazy("No job is finished."),
    "unknown": gettext_lazy("No job is in a state that this release does not know."),
}


_NOTHING = mark_safe('<span class="ols-wide">–</span>')
"""A cell that narrow pages, which show rows as cards, leave out."""


class ListOfJobs(_Admin):
    """The list part of the admin of jobs."""

    list_display = ("shown_name", "shown_state", "when", "next_run", "last_run", "strip", "usual")
    list_display_links = None
    empty_value_display = "–"
    list_filter = (ConditionFilter, TaskFilter, ExecutorFilter, SourceFilter, TagFilter, DriftFilter)
    list_per_page = 50
    search_fields = ("name", "task", "id")
    show_full_result_count = False
    change_list_template = "scheduler/jobs/jobs.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        jobs = Job.objects.defer("job_state")
        found = conditions.with_condition(jobs=jobs, by=criteria(request))
        return overview.with_last_run(jobs=found).order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The problems first."""
        return ("severity", "name", "pk")

    def get_paginator(
        self, request: HttpRequest, queryset: QuerySet[Job], per_page: int, *options: Any, **named: Any
    ) -> Paginator[Job]:
        """A long list is not counted and sorted anew for each of its pages."""
        pages_of = LongList.of(
            jobs=queryset,
            by=criteria(request),
            counts=survey(request).counts,
            condition=request.GET.get("condition", ""),
            is_narrowed=_is_narrowed(request),
        )
        return super().get_paginator(request, pages_of, per_page, *options, **named)  # type: ignore[arg-type]

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """The newest run of each job is read to sort by it, which takes too long for many jobs."""
        is_long = sum(survey(request).counts.values()) > long_lists.MOST_COUNTED
        return [name for name in self.get_list_display(request) if not (is_long and name in BY_NEWEST_RUN)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Jobs that contain each of the words, or of the texts in quotes."""
        texts = []
        for word in smart_split(search_term):
            is_quoted = len(word) > 1 and word[0] in "'\"" and word[0] == word[-1]
            texts.append(unescape_string_literal(word) if is_quoted else word)
        queryset = queryset.filter(job_queries.search(texts=texts, among=survey(request).tasks))
        return queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        is_part = pages.PART in request.GET
        if is_part:
            # Nothing in the part leads to a part.
            query = request.GET.copy()
            del query[pages.PART]
            request.GET = query  # type: ignore[assignment]
        response = super().changelist_view(request, {"title": _("Jobs"), **(extra_context or {})})
        if not isinstance(response, TemplateResponse) or "cl" not in (response.context_data or {}):
            return response
        assert response.context_data is not None  # noqa: S101 - just looked at
        response.context_data |= _context(request, response.context_data["cl"])
        return (
            pages.part(request, response.context_data, region="scheduler/jobs/jobs_part.html") if is_part else response
        )

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, job: Job) -> SafeString:
        tags = ((addresses.jobs(tag=tag), tag) for tag in job.tags)
        return format_html(
            '<a href="{}"><strong>{}</strong></a><br><span class="ols-small ols-mute">{}</span>{}',
            addresses.job(job.pk),
            display.plain(job.name),
            display.plain(job.task),
            format_html_join("", ' <a class="ols-tag" href="{}">{}</a>', tags),
        )

    @admin.display(description=gettext_lazy("state"), ordering="severity")
    def shown_state(self, job: Any) -> SafeString:
        badge = display.job_badge(job.condition)
        if job.condition in ("paused", "stopped"):
            reason = pausing.sentence(job, now=timezone.now())
        elif job.condition == "stalled":
            reason = job_page.passed(job.recent)
        else:
            reason = display.reason(job.state_reason, most=100)
        if job.condition == "failing":
            badge = format_html("{} ×{}", badge, display.number(job.consecutive_failures))
        if any(run.state == RunState.RUNNING for run in job.recent):
            badge = format_html("{}<br>{}", badge, display.run_badge(RunState.RUNNING))
        if job.taken is not None:
            by = _("%s is on it") % display.first_line(job.taken.by, most=40)
            badge = format_html('{}<br><a class="ols-tag" href="{}">{}</a>', badge, addresses.run(job.taken.run), by)
        return format_html('{}<br><span class="ols-small">{}</span>', badge, reason) if reason else badge

    @admin.display(description=gettext_lazy("when"))
    def when(self, job: Job) -> str:
        return display.plain(trigger_text.describe(job.trigger))

    @admin.display(description=gettext_lazy("next run"), ordering="next_run_time")
    def next_run(self, job: Job) -> SafeString | str:
        return labelled(_("next run"), display.due(job.next_run_time)) if job.next_run_time else _NOTHING

    @admin.display(description=gettext_lazy("last run"), ordering="last_run_at")
    def last_run(self, job: Any) -> SafeString | str:
        recent: list[Recent] = job.recent
        if not recent:
            return _NOTHING
        last = recent[0]
        shown = format_html(
            '<a href="{}">{}</a> {}',
            addresses.run(last.id),
            display.run_badge(last.state),
            display.moment(last.scheduled_at),
        )
        error = next((run.error for run in recent if run.finished_at), "")
        if error:
            shown = format_html('{}<br><span class="ols-error ols-small">{}</span>', shown, display.reason(error))
        return shown

    @admin.display(description=gettext_lazy("last 20"))
    def strip(self, job: Any) -> SafeString:
        return charts.strip(job.recent, size=STRIP)

    @admin.display(description=gettext_lazy("median / p95"), ordering="last_seconds")
    def usual(self, job: Any) -> SafeString | str:
        seconds = [run.seconds for run in job.recent if run.seconds is not None]
        middle, high = overview.percentile(seconds, 0.5), overview.percentile(seconds, 0.95)
        if middle is None or high is None:
            return ""
        return labelled(_("median / p95"), f"{display.took(middle)} / {display.took(high)}")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Each person has a column with the buttons that would not refuse them."""

        @admin.display(description=_("actions"))
        def buttons(job: Job) -> SafeString:
            may = job_page.permissions(request, job)
            offered = (
                ("run", _("Run now…"), "run"),
                ("pause", _("Pause…"), "pause"),
                ("resume", _("Resume…"), "resume"),
            )
            return format_html_join(
                " ",
                '<button class="ols-button ols-slim" form="act" formaction="{}" aria-label="{}: {}">{}</button>',
                (
                    (addresses.job_action(name, job.pk), label.rstrip("…"), display.first_line(job.name), label)
                    for name, label, right in offered
                    if may[right]
                ),
            )

        columns = list(self.list_display)
        if not request.user.has_perm("scheduler.view_run"):
            columns = [column for column in columns if column not in ("last_run", "strip", "usual")]
        may_act = request.user.has_perm("scheduler.run_job") or request.user.has_perm("scheduler.pause_job")
        return [*columns, buttons] if may_act else columns


def _context(request: HttpRequest, cl: JobList) -> dict[str, Any]:
    found = survey(request)
    filters = [
        {"name": spec.parameter_name, "title": spec.title, "values": spec.lookup_choices, "chosen": spec.value() or ""}
        for spec in cl.filter_specs
        if isinstance(spec, ValueFilter)
    ]
    condition = request.GET.get("condition", "")
    is_narrowed = bool(cl.query) or any(item["chosen"] for item in filters)
    return {
        "tabs": list(_tabs(request, found.counts)),
        "is_counted": not is_narrowed,
        "filters": filters,
        "condition": condition,
        "is_narrowed": is_narrowed,
        "is_phone": pages.is_phone(request),
        "total": sum(found.counts.values()),
        "nobody": "" if is_narrowed else _NOBODY.get(condition, ""),
        "live_address": pages.live_address(request),
    }


def _is_narrowed(request: HttpRequest) -> bool:
    """Return whether the list is that of a search or of a filter besides the tabs."""
    return any(value for name, value in request.GET.items() if name == SEARCH_VAR or name not in _NOT_NARROWING)


def _tabs(request: HttpRequest, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    """All, then each state that has jobs or is chosen. Search, filters and order stay when another one is chosen."""
    chosen = request.GET.get("condition", "")
    yield {"text": _("All"), "count": sum(counts.values()), "address": _tab(request, ""), "is_current": not chosen}
    for name, mark in display.JOB_MARKS.items():
        if counts[name] or chosen == name:
            yield {
                "text": mark.word,
                "count": counts[name],
                "address": _tab(request, name),
                "is_current": chosen == name,
            }


def _tab(request: HttpRequest, condition: str) -> str:
    query = request.GET.copy()
    for name in ("condition", PAGE_VAR, pages.PART):
        query.pop(name, None)
    if condition:
        query["condition"] = condition
    return f"{request.path}?{query.urlencode()}" if query else request.path
