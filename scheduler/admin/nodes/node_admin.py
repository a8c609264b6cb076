"""Nodes, and the health of the whole: the checks that the API answers with, for people."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.format.display import Mark
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import register
from scheduler.admin.nodes import node_page
from scheduler.admin.nodes.node_rows import node_rows
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.admin.runs import run_many
from scheduler.core.health import Check, Status
from scheduler.core.states import NodeState
from scheduler.models import Node
from scheduler.services import nodes
from scheduler.services.queries import health
from scheduler.services.queries.health import Report
from scheduler.services.sites import reverse

_CHECKS = {
    "database": gettext_lazy("database"),
    "tables": gettext_lazy("tables"),
    "nodes": gettext_lazy("nodes"),
    "overdue": gettext_lazy("overdue"),
    "recorder": gettext_lazy("results"),
    "clocks": gettext_lazy("clocks"),
    "time_zones": gettext_lazy("time zone rules"),
    "queue": gettext_lazy("queue"),
    "brokers": gettext_lazy("brokers"),
    "limits": gettext_lazy("limits"),
    "stalled_jobs": gettext_lazy("overdue jobs"),
    "stuck_runs": gettext_lazy("endless runs"),
    "broken_jobs": gettext_lazy("jobs that cannot run"),
    "stopped_jobs": gettext_lazy("jobs paused after failing"),
    "failing_jobs": gettext_lazy("failing jobs"),
    "transactions": gettext_lazy("open transactions"),
    "unadopted_jobs": gettext_lazy("jobs left from django-apscheduler"),
    "clean_up": gettext_lazy("clean-up"),
}
_MARKS = {
    Status.PASS: Mark(word=gettext_lazy("OK"), shape="●", tone="ok"),
    Status.WARN: Mark(word=gettext_lazy("warning"), shape="!", tone="warn"),
    Status.FAIL: Mark(word=gettext_lazy("failed"), shape="✕", tone="bad"),
}


class StateFilter(admin.SimpleListFilter):
    """The states of nodes, in words."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(state.value, display.NODE_MARKS[state.value].word) for state in NodeState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """Nodes, and the workers of each kind of remote executor."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(display.NODE_KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Node]) -> QuerySet[Node]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "shown_kind",
        "shown_state",
        "host",
        "pid",
        "version",
        "tzdata",
        "began",
        "last_heard",
        "ended",
    )
    list_filter = (StateFilter, KindFilter)
    show_full_result_count = False
    change_list_template = "scheduler/nodes/nodes.html"

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("health/", wrap(self.health_view), name="scheduler_health"),
            path("<uuid:id>/drain/", wrap(self.drain_view), {"drains": True}, name="scheduler_node_drain"),
            path("<uuid:id>/undrain/", wrap(self.drain_view), {"drains": False}, name="scheduler_node_undrain"),
        ]
        return [*own, *super().get_urls()]

    def drain_view(self, request: HttpRequest, id: uuid.UUID, *, drains: bool) -> HttpResponse:
        if not (self.has_view_permission(request) and request.user.has_perm("scheduler.drain_node")):
            raise PermissionDenied
        node = self.get_object(request, str(id))
        if node is None:
            raise Http404(_("This node was cleaned up."))
        return node_page.ask(request, node, drains=drains)

    def health_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return pages.show_live(
            request,
            "scheduler/nodes/health.html",
            _health(request, health.check_now()),
            region="scheduler/nodes/health_region.html",
        )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        node = self.get_object(request, object_id)
        if node is None:
            raise Http404(_("This node was cleaned up."))
        return pages.show_live(
            request,
            "scheduler/nodes/node.html",
            node_page.context(request, node),
            region="scheduler/nodes/node_region.html",
        )

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def shown_kind(self, node: Node) -> str:
        return str(display.NODE_KINDS.get(node.kind, node.kind))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, node: Node) -> SafeString:
        return display.badge(display.NODE_MARKS[nodes.state_of(node, now=timezone.now())])

    @admin.display(description=gettext_lazy("started at"), ordering="started_at")
    def began(self, node: Node) -> SafeString | str:
        return display.moment(node.started_at)

    @admin.display(description=gettext_lazy("stopped at"), ordering="stopped_at")
    def ended(self, node: Node) -> SafeString | str:
        return display.moment(node.stopped_at)

    @admin.display(description=gettext_lazy("last heard"), ordering="heartbeat_at")
    def last_heard(self, node: Node) -> SafeString | str:
        return (
            display.heard(node.heartbeat_at) if node.state == NodeState.RUNNING else display.moment(node.heartbeat_at)
        )


def _health(request: HttpRequest, report: Report) -> dict[str, Any]:
    rows = [
        {
            "name": _CHECKS.get(check.name, check.name),
            "text": told(check.text),
            "mark": _MARKS[check.status],
            "value": _number(check.value, check.unit),
            "limit": _limit(check),
        }
        for check in report.checks
    ]
    wrong = [check for check in report.checks if check.status is not Status.PASS]
    sentences = {
        Status.PASS: _("All is well."),
        Status.WARN: _("Working, with warnings."),
        Status.FAIL: _("Not healthy."),
    }
    said = " ".join(told(check.text) for check in wrong)
    text = "\n".join(f"{check.status.value.upper():4} {check.name}: {told(check.text)}" for check in report.checks)
    return {
        "title": _("Health"),
        "crumbs": [{"address": reverse("admin:scheduler_node_changelist"), "text": _("Nodes")}],
        "sentence": f"{sentences[report.status]} {said}".strip(),
        "tone": _MARKS[report.status].tone,
        "rows": rows,
        "text": text,
        "nodes": node_rows(nodes.seen(now=timezone.now())),
        "queues": _queues(request, report) if request.user.has_perm("scheduler.view_run") else [],
    }


def _queues(request: HttpRequest, report: Report) -> list[dict[str, Any]]:
    """The queue of each executor, and where it can be emptied."""
    may_empty = request.user.has_perm("scheduler.cancel_run")
    return [
        {
            "executor": display.first_line(queue.executor),
            "address": addresses.runs(tab="queued", executor=queue.executor),
            "queued": display.number(queue.queued),
            "held": display.number(queue.held),
            "running": display.number(queue.running),
            "oldest": display.span(queue.longest) if queue.longest is not None else "",
            "empty": run_many.address("cancel", tab="queued", executor=queue.executor)
            if may_empty and queue.queued + queue.held
            else "",
        }
        for queue in (report.standing.queues if report.standing is not None else ())
    ]


def _limit(check: Check) -> str:
    """At most, except for nodes."""
    number = _number(check.limit, check.unit)
    if not check.limit:
        return number
    return f"{'≥' if check.name == 'nodes' else '≤'} {number}"


def _number(value: float | int | None, unit: str) -> str:
    if value is None:
        return ""
    rounded = float(f"{value:.3g}") if isinstance(value, float) else value
    rounded = int(rounded) if rounded == int(rounded) else rounded
    return f"{display.number(rounded)} {unit}".strip()
