"""Queues in the admin: what waits in each, pausing and resuming, how long runs are kept."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.foundation import register
from scheduler.admin.jobs import pausing
from scheduler.admin.pages import Done, Question
from scheduler.admin.queues import keeping, task_page
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.admin.runs import run_many
from scheduler.conf import get as settings
from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidQueue
from scheduler.models import Queue
from scheduler.services import queues
from scheduler.services.queries import run_queries
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.queues import QueueState
from scheduler.services.sites import reverse

_NEWEST = 20


@register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("task/<path:name>/", wrap(self.task_view), name="scheduler_queue_task"),
            path("<path:name>/pause/", wrap(self.pause_view), name="scheduler_queue_pause"),
            path("<path:name>/resume/", wrap(self.resume_view), name="scheduler_queue_resume"),
            path("<path:name>/keep/", wrap(self.keep_view), name="scheduler_queue_keep"),
            path("<path:name>/page/", wrap(self.page_view), name="scheduler_queue_page"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = [_row(state) for state in queues.states()]
        context = {"title": _("Queues"), "rows": rows, "tasks": _tasks()}
        return pages.show_live(
            request, "scheduler/queues/queues.html", context, region="scheduler/queues/queues_region.html"
        )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return self.page_view(request, object_id or "")

    def page_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show a queue: what waits, whether it is paused, its newest runs."""
        if request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        state = _found(name)
        see_runs = request.user.has_perm("scheduler.view_run")
        newest = run_queries.page(filter=RunFilter(queue=name), limit=_NEWEST).rows if see_runs else []
        kept = (state.keep_successes_days, state.keep_failures_days)
        context = {
            **_row(state),
            "title": display.first_line(state.name),
            "crumbs": [{"address": reverse("admin:scheduler_queue_changelist"), "text": _("Queues")}],
            "runs": [{"run": run, "address": addresses.run(run.pk)} for run in newest],
            "see_runs": see_runs,
            "may_pause": request.user.has_perm("scheduler.pause_queue"),
            "empty": _emptying(request, state),
            "may_keep": request.user.has_perm("scheduler.change_queue"),
            "successes_days": settings().keep_enqueued_successes_days if kept[0] is None else kept[0],
            "failures_days": settings().keep_enqueued_failures_days if kept[1] is None else kept[1],
        }
        return pages.show_live(
            request, "scheduler/queues/queue.html", context, region="scheduler/queues/queue_region.html"
        )

    def task_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show a task: its rate, failures, percentiles and last errors."""
        if not request.user.has_perm("scheduler.view_run"):
            raise PermissionDenied
        return pages.show_live(
            request,
            "scheduler/queues/task.html",
            task_page.context(request, name),
            region="scheduler/queues/task_region.html",
        )

    def pause_view(self, request: HttpRequest, name: str) -> HttpResponse:
        self._check(request)
        state = _found(name)
        asked = pausing.asked(request)

        def act() -> Done:
            queues.pause(name=name, actor=pages.actor(request), reason=asked.reason, until=asked.until)
            return Done(sentence=_("The queue “%s” is paused.") % display.first_line(name), location=_address(name))

        question = Question(
            title=_("Pause the queue “%s”?") % display.first_line(name),
            effects=[
                _("Nodes begin none of its runs, those of jobs included. Runs that have begun continue."),
                _("Runs are still queued: %(number)s wait now.") % {"number": display.number(state.queued)},
            ],
            button=_("Pause the queue"),
            back=_address(name),
            skips_runs=False,
            **asked.asks,
        )
        return pages.confirm(request, question=question, act=act, problem=asked.problem)

    def resume_view(self, request: HttpRequest, name: str) -> HttpResponse:
        self._check(request)
        state = _found(name)

        def act() -> Done:
            queues.resume(name=name, actor=pages.actor(request))
            return Done(sentence=_("The queue “%s” goes on.") % display.first_line(name), location=_address(name))

        question = Question(
            title=_("Resume the queue “%s”?") % display.first_line(name),
            effects=[_("Nodes begin the runs that wait: %(number)s.") % {"number": display.number(state.queued)}],
            button=_("Resume the queue"),
            back=_address(name),
        )
        return pages.confirm(request, question=question, act=act)

    def keep_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask for how long enqueued runs of the queue are kept."""
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.change_queue")):
            raise PermissionDenied
        return keeping.ask(request, _found(name), back=_address(name))

    def _check(self, request: HttpRequest) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.pause_queue")):
            raise PermissionDenied


def _found(name: str) -> QueueState:
    try:
        return queues.state(name=name)
    except InvalidQueue:
        raise Http404(_("There is no queue “%s”.") % display.first_line(name)) from None


def _emptying(request: HttpRequest, state: QueueState) -> str:
    """Return where the question is whether all that waits in the queue is cancelled, if this person may."""
    if not (state.queued and request.user.has_perms(("scheduler.view_run", "scheduler.cancel_run"))):
        return ""
    return run_many.address("cancel", tab=RunState.QUEUED.value, queue=state.name)


def _address(name: str) -> str:
    return reverse("admin:scheduler_queue_page", args=[name])


def _row(state: QueueState) -> dict[str, Any]:
    now = timezone.now()
    return {
        "state": state,
        "address": _address(state.name),
        "oldest": "" if state.oldest_seconds is None else display.took(state.oldest_seconds),
        "pause_ends": "" if state.paused_until is None else display.clock(state.paused_until, now=now),
        "links": {
            "pause": reverse("admin:scheduler_queue_pause", args=[state.name]),
            "resume": reverse("admin:scheduler_queue_resume", args=[state.name]),
            "keep": reverse("admin:scheduler_queue_keep", args=[state.name]),
            "runs": addresses.runs(queue=state.name),
            "queued": addresses.runs(queue=state.name, tab=RunState.QUEUED.value),
        },
    }


def _tasks() -> list[dict[str, str]]:
    return [{"name": task.name, "address": addresses.task(task.name)} for task in registry.all()]
