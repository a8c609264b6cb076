"""Bulk actions on selected jobs, or on all jobs that match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.bulk.bulk_change import BulkChange
from scheduler.admin.fields import tags_field
from scheduler.admin.format import display
from scheduler.admin.jobs import pausing
from scheduler.admin.jobs.bulk_edit import MOST_PREVIEWED, BulkEdit
from scheduler.admin.jobs.job_actions import as_file
from scheduler.core.states import JobSource
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.bulk import edits
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_queries

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Job]
else:
    _Admin = object

_MOST_LINKS = 10


class BulkActions(_Admin):
    """The actions of the list."""

    actions = (
        "pause",
        "resume",
        "run_now",
        "add_tags",
        "remove_tags",
        "edit_many",
        "clone",
        "export",
        "delete_selected",
    )

    @admin.action(description=gettext_lazy("Pause selected jobs"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        pause = pausing.asked(request)

        def report(done: Sequence[Any]) -> str:
            number = len(done)
            if pause.until is None:
                return ngettext("Paused %s job.", "Paused %s jobs.", number) % display.number(number)
            told = ngettext("Paused %(count)s job until %(until)s.", "Paused %(count)s jobs until %(until)s.", number)
            return told % {"count": display.number(number), "until": pause.end}

        return self._ask(
            request,
            queryset,
            title=_("Pause these jobs?"),
            background=("pause", {"reason": pause.reason, "until": pause.until.isoformat() if pause.until else None}),
            effect=_("They will not run until the pause ends. Queued and running runs continue."),
            button=_("Pause"),
            asks=pause.asks,
            problem=pause.problem,
            act=lambda job: pause.begin(request, job),
            report=report,
        )

    @admin.action(description=gettext_lazy("Resume selected jobs"), permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        reason = pages.reason(request)
        return self._ask(
            request,
            queryset,
            title=_("Resume these jobs?"),
            background=("resume", {"reason": reason}),
            effect=_("Each will run again at its next scheduled time. Runs due during the pause are skipped."),
            button=_("Resume"),
            asks={"asks_reason": True},
            act=lambda job: jobs.resume(job=job, **pages.author(request), reason=reason),
            report=lambda done: _counted(len(done), ngettext("Resumed %s job.", "Resumed %s jobs.", len(done))),
        )

    @admin.action(description=gettext_lazy("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._ask(
            request,
            queryset,
            title=_("Run these jobs now?"),
            background=("run", {}),
            effect=_("Each runs once. A run waits while the maximum number of runs is active."),
            button=_("Run them now"),
            act=lambda job: jobs.run_now(job=job, actor=pages.actor(request)),
            report=_queued,
        )

    @admin.action(description=gettext_lazy("Add tags to selected jobs"), permissions=["change"])
    def add_tags(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        tags = tags_field.read(request.POST.get("tags", ""))
        return self._retag(
            request,
            queryset,
            tags=tags,
            title=_("Add tags to these jobs?"),
            background=("add_tags", {"tags": tags}),
            effect=_("Existing tags are kept."),
            button=_("Add the tags"),
            act=lambda job: bulk.retag(job=job, **pages.author(request), add=tags),
            report=lambda done: _with_tags(len(done)),
        )

    @admin.action(description=gettext_lazy("Remove tags from selected jobs"), permissions=["change"])
    def remove_tags(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        tags = tags_field.read(request.POST.get("tags", ""))
        return self._retag(
            request,
            queryset,
            tags=tags,
            title=_("Remove tags from these jobs?"),
            background=("remove_tags", {"tags": tags}),
            effect=_("Other tags are kept."),
            button=_("Remove the tags"),
            act=lambda job: bulk.retag(job=job, **pages.author(request), remove=tags),
            report=lambda done: _without_tags(len(done)),
        )

    @admin.action(description=gettext_lazy("Edit selected jobs"), permissions=["change"])
    def edit_many(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        edit = BulkEdit(request, queryset.order_by("pk")[:MOST_PREVIEWED])
        asks = {"form": edit.form, "preview": edit.preview, "is_previewed": bool(edit.preview)}
        return self._ask(
            request,
            queryset,
            title=_("Edit these jobs?"),
            background=("edit", {"changes": edit.changes}),
            effect=_("Empty fields change nothing. The preview shows the first %s jobs.")
            % display.number(MOST_PREVIEWED),
            button=_("Change them"),
            asks=asks,
            problem=edit.problem,
            act=lambda job: edits.apply(job=job, **pages.author(request), changes=edit.changes),
            report=lambda done: _counted(len(done), ngettext("Edited %s job.", "Edited %s jobs.", len(done))),
        )

    @admin.action(description=gettext_lazy("Clone selected jobs"), permissions=["add"])
    def clone(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._ask(
            request,
            queryset,
            title=_("Clone these jobs?"),
            background=("clone", {}),
            effect=_("The copies have the same definition, including secrets. They are paused until they are resumed."),
            button=_("Clone"),
            act=lambda job: bulk.clone(
                job=job, **pages.author(request), source=JobSource.ADMIN, id=None, name=None, paused=True
            ),
            report=lambda done: _counted(
                len(done), ngettext("Created %s paused copy.", "Created %s paused copies.", len(done))
            ),
        )

    @admin.action(description=gettext_lazy("Export selected jobs as JSON"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        return as_file(queryset.order_by().values_list("pk", flat=True))

    @admin.action(description=gettext_lazy("Delete selected jobs"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        reason = pages.reason(request)
        return self._ask(
            request,
            queryset,
            title=_("Delete these jobs?"),
            background=("delete", {"reason": reason}),
            effect=_("Their history is kept. Queued and running runs continue."),
            button=_("Delete"),
            asks={"is_destructive": True, "asks_reason": True},
            act=lambda job: jobs.remove(job=job, **pages.author(request), reason=reason),
            report=lambda done: _counted(len(done), ngettext("Deleted %s job.", "Deleted %s jobs.", len(done))),
        )

    def _retag(
        self, request: HttpRequest, queryset: QuerySet[Job], *, tags: list[str], **change: Any
    ) -> HttpResponse | None:
        is_answer = "confirmed" in request.POST
        return self._ask(
            request,
            queryset,
            asks={"tag_suggestions": job_queries.tags()},
            problem=_("Name a tag.") if is_answer and not tags else "",
            **change,
        )

    def _ask(self, request: HttpRequest, queryset: QuerySet[Job], **change: Any) -> HttpResponse | None:
        return BulkChange(**change).ask(self, request, queryset)


def _counted(number: int, text: str) -> str:
    return text % display.number(number)


def _with_tags(number: int) -> str:
    return _counted(number, ngettext("Tagged %s job.", "Tagged %s jobs.", number))


def _without_tags(number: int) -> str:
    return _counted(number, ngettext("Removed the tags from %s job.", "Removed the tags from %s jobs.", number))


def _queued(runs: Sequence[Any]) -> str:
    links = format_html_join(
        ", ", '<a href="{}">#{}</a>', ((addresses.run(run.pk), run.pk) for run in runs[:_MOST_LINKS])
    )
    return format_html("{} {}", _counted(len(runs), ngettext("Queued %s run:", "Queued %s runs:", len(runs))), links)
