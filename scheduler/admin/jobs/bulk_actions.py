"""Bulk actions on selected jobs, or on all jobs that match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.fields import tags_field
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.jobs import pausing
from scheduler.admin.jobs.bulk_edit import MOST_PREVIEWED, BulkEdit
from scheduler.admin.jobs.job_actions import as_file
from scheduler.admin.pages import Done, Question
from scheduler.core.states import JobSource, Via
from scheduler.errors import SchedulerError
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.bulk import Selection, begin, edits, work_off
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_queries

if TYPE_CHECKING:
    _Admin = admin.ModelAdmin[Job]
else:
    _Admin = object

AT_ONCE = 50
"""
Most jobs that are changed while the person waits.

Larger numbers are changed in the background, with a progress page.
"""

_MOST_REFUSALS_SHOWN = 5
_MOST_LINKS = 10
_MOST_NAMES = 20


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

        def tell(done: Sequence[Any]) -> str:
            number = len(done)
            if pause.until is None:
                return ngettext("Paused %s job.", "Paused %s jobs.", number) % display.number(number)
            told = ngettext("Paused %(count)s job until %(until)s.", "Paused %(count)s jobs until %(until)s.", number)
            return told % {"count": display.number(number), "until": pause.end}

        return self._bulk(
            request,
            queryset,
            title=_("Pause these jobs?"),
            background=("pause", {"reason": pause.reason, "until": pause.until.isoformat() if pause.until else None}),
            effect=_("They will not run until the pause ends. Queued and running runs continue."),
            button=_("Pause"),
            asks=pause.asks,
            problem=pause.problem,
            act=lambda job: pause.begin(request, job),
            tell=tell,
        )

    @admin.action(description=gettext_lazy("Resume selected jobs"), permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        reason = pages.reason(request)
        return self._bulk(
            request,
            queryset,
            title=_("Resume these jobs?"),
            background=("resume", {"reason": reason}),
            effect=_("Each will run again at its next scheduled time. Runs due during the pause are skipped."),
            button=_("Resume"),
            asks={"asks_reason": True},
            act=lambda job: jobs.resume(job=job, **pages.author(request), reason=reason),
            tell=lambda done: _said(len(done), ngettext("Resumed %s job.", "Resumed %s jobs.", len(done))),
        )

    @admin.action(description=gettext_lazy("Run selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._bulk(
            request,
            queryset,
            title=_("Run these jobs now?"),
            background=("run", {}),
            effect=_("Each runs once. A run waits while the maximum number of runs is active."),
            button=_("Run them now"),
            act=lambda job: jobs.run_now(job=job, actor=pages.actor(request)),
            tell=_queued,
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
            tell=lambda done: _with_tags(len(done)),
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
            tell=lambda done: _without_tags(len(done)),
        )

    @admin.action(description=gettext_lazy("Edit selected jobs"), permissions=["change"])
    def edit_many(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        edit = BulkEdit(request, queryset.order_by("pk")[:MOST_PREVIEWED])
        asks = {"form": edit.form, "preview": edit.preview, "is_previewed": bool(edit.preview)}
        return self._bulk(
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
            tell=lambda done: _said(len(done), ngettext("Edited %s job.", "Edited %s jobs.", len(done))),
        )

    @admin.action(description=gettext_lazy("Clone selected jobs"), permissions=["add"])
    def clone(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._bulk(
            request,
            queryset,
            title=_("Clone these jobs?"),
            background=("clone", {}),
            effect=_("The copies have the same definition, including secrets. They are paused until they are resumed."),
            button=_("Clone"),
            act=lambda job: bulk.clone(
                job=job, **pages.author(request), source=JobSource.ADMIN, id=None, name=None, paused=True
            ),
            tell=lambda done: _said(
                len(done), ngettext("Created %s paused copy.", "Created %s paused copies.", len(done))
            ),
        )

    @admin.action(description=gettext_lazy("Export selected jobs as JSON"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse:
        return as_file(queryset.order_by().values_list("pk", flat=True))

    @admin.action(description=gettext_lazy("Delete selected jobs"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        reason = pages.reason(request)
        return self._bulk(
            request,
            queryset,
            title=_("Delete these jobs?"),
            background=("delete", {"reason": reason}),
            effect=_("Their history is kept. Queued and running runs continue."),
            button=_("Delete"),
            asks={"is_destructive": True, "asks_reason": True},
            act=lambda job: jobs.remove(job=job, **pages.author(request), reason=reason),
            tell=lambda done: _said(len(done), ngettext("Deleted %s job.", "Deleted %s jobs.", len(done))),
        )

    def _retag(
        self, request: HttpRequest, queryset: QuerySet[Job], *, tags: list[str], **what: Any
    ) -> HttpResponse | None:
        is_answer = "confirmed" in request.POST
        return self._bulk(
            request,
            queryset,
            asks={"tag_suggestions": job_queries.tags()},
            problem=_("Name a tag.") if is_answer and not tags else "",
            **what,
        )

    def _bulk(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        *,
        title: str,
        effect: str,
        button: str,
        background: tuple[str, dict[str, Any]],
        act: Callable[[Job], Any],
        tell: Callable[[Sequence[Any]], str],
        asks: dict[str, Any] | None = None,
        problem: str = "",
    ) -> HttpResponse | None:
        """
        Ask for confirmation, then change each job by itself and report the refused ones.

        ``asks`` are further fields of the question. ``background`` is the action and its parameters as
        ``services.bulk`` takes them, for more jobs than a person waits for.
        """
        number = queryset.count()
        if not number:
            return None
        ordered = queryset.order_by("pk")
        question = Question(
            title=title,
            effects=[_counted(list(ordered[:_MOST_NAMES]), number), effect],
            button=button,
            back=request.get_full_path(),
            fields=pages.selection(request),
            **(asks or {}),
        )

        def do() -> Done:
            if number > AT_ONCE:
                return self._in_background(request, ordered, background)
            done = self._each(request, list(ordered), act)
            return Done(sentence=tell(done) if done else "", location=request.get_full_path())

        return pages.confirm(request, question=question, act=do, problem=problem, one_by_one=True)

    def _in_background(self, request: HttpRequest, ordered: QuerySet[Job], what: tuple[str, dict[str, Any]]) -> Done:
        action, parameters = what
        ids = tuple(ordered.values_list("pk", flat=True))
        row = begin(
            subject="jobs",
            action=action,
            selection=Selection(ids=ids),
            parameters=parameters,
            actor=pages.actor(request),
            via=Via.ADMIN,
        )
        work_off(id=row.pk)
        return Done(sentence="", location=bulk_admin.address(row.pk))

    def _each(self, request: HttpRequest, selected: Sequence[Job], act: Callable[[Job], Any]) -> list[Any]:
        done, refused = [], []
        for job in selected:
            try:
                done.append(act(job))
            except SchedulerError as error:
                why = told(error)
                refused.append(why if job.name in why else f"“{display.first_line(job.name)}”: {why}")
        for sentence in refused[:_MOST_REFUSALS_SHOWN]:
            self.message_user(request, sentence, messages.ERROR)
        if len(refused) > _MOST_REFUSALS_SHOWN:
            more = len(refused) - _MOST_REFUSALS_SHOWN
            self.message_user(request, _("%s more jobs were rejected.") % display.number(more), messages.ERROR)
        return done


def _counted(selected: Sequence[Job], number: int) -> str:
    names = ", ".join(display.first_line(job.name, most=60) for job in selected[:_MOST_NAMES])
    more = number - min(len(selected), _MOST_NAMES)
    names += " " + _("and %s more") % display.number(more) if more > 0 else ""
    return ngettext("%(count)s job: %(names)s.", "%(count)s jobs: %(names)s.", number) % {
        "count": display.number(number),
        "names": names,
    }


def _said(number: int, text: str) -> str:
    return text % display.number(number)


def _with_tags(number: int) -> str:
    return _said(number, ngettext("Tagged %s job.", "Tagged %s jobs.", number))


def _without_tags(number: int) -> str:
    return _said(number, ngettext("Removed the tags from %s job.", "Removed the tags from %s jobs.", number))


def _queued(runs: Sequence[Any]) -> str:
    links = format_html_join(
        ", ", '<a href="{}">#{}</a>', ((addresses.run(run.pk), run.pk) for run in runs[:_MOST_LINKS])
    )
    return format_html("{} {}", _said(len(runs), ngettext("Queued %s run:", "Queued %s runs:", len(runs))), links)
