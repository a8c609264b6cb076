from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.models import Node, Run

_MOST_COUNTED = 10_000
_MOST_CHARS = 120


class NewestPaginator(Paginator):
    """Pages through the newest rows only, so that a page never counts the whole ledger."""

    @cached_property
    def count(self) -> int:
        newest: Any = self.object_list[:_MOST_COUNTED]
        count: int = newest.count()
        return count


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("job_name", "state", "kind", "scheduled_at", "started_at", "took", "node_name", "problem")
    list_filter = ("state", "kind")
    # Other orders would read the whole ledger; facets would count it.
    sortable_by = ()
    ordering = ("-id",)
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    paginator = NewestPaginator
    fieldsets = (
        (None, {"fields": ("job_link", "job_key", "task", "shown_args", "shown_kwargs", "state", "reason")}),
        (
            _("When"),
            {"fields": ("scheduled_at", "covers_from", "coalesced", "due_at", "started_at", "finished_at", "took")},
        ),
        (_("What came of it"), {"fields": ("shown_progress", "shown_result", "error", "shown_traceback", "shown_log")}),
        (
            _("How"),
            {
                "classes": ("collapse",),
                "fields": (
                    "kind",
                    "attempt",
                    "previous_attempt",
                    "executor",
                    "priority",
                    "held",
                    "node_name",
                    "timeout",
                    "requested_by",
                    "created_at",
                    "cancel_requested_at",
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        name = Node.objects.filter(pk=OuterRef("node")).values("name")[:1]
        runs = super().get_queryset(request).annotate(node_label=Subquery(name))
        if request.resolver_match and request.resolver_match.url_name == "scheduler_run_changelist":
            return runs.defer("args", "kwargs", "result", "traceback", "log", "progress")
        return runs

    @admin.display(description=_("took"))
    def took(self, run: Run) -> str | None:
        if run.started_at is None or run.finished_at is None:
            return None
        return _in_words((run.finished_at - run.started_at).total_seconds())

    @admin.display(description=_("node"))
    def node_name(self, run: Run) -> str | None:
        """The name of the node; the beginning of its id once its row was cleaned up."""
        label: str | None = getattr(run, "node_label", None)
        return label or (str(run.node)[:8] if run.node else None)

    @admin.display(description=_("problem"))
    def problem(self, run: Run) -> str | None:
        return _first_line(run.error or run.reason)

    @admin.display(description=_("job"))
    def job_link(self, run: Run) -> str:
        if run.job_id is None:
            return run.job_name
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:scheduler_job_change", args=[run.job_id]), run.job_name
        )

    @admin.display(description=_("previous attempt"))
    def previous_attempt(self, run: Run) -> str | None:
        if run.previous_id is None:
            return None
        return format_html(
            '<a href="{}">#{}</a>', reverse("admin:scheduler_run_change", args=[run.previous_id]), run.previous_id
        )

    @admin.display(description=_("positional arguments"))
    def shown_args(self, run: Run) -> str | None:
        return _as_block(run.args)

    @admin.display(description=_("arguments"))
    def shown_kwargs(self, run: Run) -> str | None:
        return _as_block(run.kwargs)

    @admin.display(description=_("result"))
    def shown_result(self, run: Run) -> str | None:
        return _as_block(run.result)

    @admin.display(description=_("progress"))
    def shown_progress(self, run: Run) -> str | None:
        return _as_block(run.progress)

    @admin.display(description=_("traceback"))
    def shown_traceback(self, run: Run) -> str | None:
        return format_html("<pre>{}</pre>", run.traceback) if run.traceback else None

    @admin.display(description=_("log"))
    def shown_log(self, run: Run) -> str | None:
        return format_html("<pre>{}</pre>", run.log) if run.log else None


def _as_block(value: Any) -> str | None:
    if value in (None, [], {}):
        return None
    return format_html("<pre>{}</pre>", json.dumps(value, ensure_ascii=False, indent=2))


def _first_line(text: str | None) -> str | None:
    line = (text or "").strip().partition("\n")[0]
    return f"{line[: _MOST_CHARS - 1]}…" if len(line) > _MOST_CHARS else line or None


def _in_words(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
