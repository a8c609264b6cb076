"""The page of a node: how it is, what runs there, what it can run, and how to end it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from scheduler import conf
from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.pages import Done, Question
from scheduler.core.states import NodeKind, NodeState
from scheduler.models import Node, Run
from scheduler.services import nodes
from scheduler.services.sites import reverse

_MOST_RUNS = 50


def context(request: HttpRequest, node: Node) -> dict[str, Any]:
    now = timezone.now()
    see_runs = request.user.has_perm("scheduler.view_run")
    active = Run.objects.active().without_output().filter(node=node.pk).order_by("started_at", "pk")
    runs = list(active[: _MOST_RUNS + 1]) if see_runs else []
    measure: Any = getattr(node, "measure", None)
    busy = measure.busy if measure is not None and isinstance(measure.busy, dict) else {}
    sizes = node.executors if isinstance(node.executors, dict) else {}
    return {
        "title": display.first_line(node.name),
        "crumbs": [{"address": reverse("admin:scheduler_node_changelist"), "text": _("Nodes")}],
        "node": node,
        "mark": display.NODE_MARKS[nodes.state_of(node, now=now)],
        "reason": display.reason(node.reason),
        "drain": drain_buttons(request, node),
        "kind": display.NODE_KINDS.get(node.kind, node.kind),
        "queues": ", ".join(map(str, node.queues)) if isinstance(node.queues, list) else "",
        "refusals": _refusals(measure),
        "pools": [
            {"name": display.first_line(str(name)), "size": size, "busy": busy.get(name, 0)}
            for name, size in sorted(sizes.items())
        ],
        "measure": measure,
        "processors": _processors(measure.processors) if measure is not None else "",
        "runs": [{"run": run, "address": addresses.run(run.pk)} for run in runs[:_MOST_RUNS]],
        "more_runs": len(runs) > _MOST_RUNS,
        "see_runs": see_runs,
        "all_runs": addresses.runs(node=str(node.pk)) if see_runs else "",
        "tasks": sorted(display.first_line(str(name)) for name in node.tasks or ()),
        "is_running": node.state == NodeState.RUNNING,
        "is_empty": not Run.objects.active().filter(node=node.pk).exists(),
        "grace": display.exactly(conf.get().grace_seconds),
        "kill": f"kill -TERM {node.pid}",
    }


def drain_buttons(request: HttpRequest, node: Node) -> dict[str, str]:
    """Return where the questions are that this person may answer about this node now."""
    is_node = node.state == NodeState.RUNNING and node.kind == NodeKind.NODE
    if not is_node or not request.user.has_perm("scheduler.drain_node"):
        return {}
    name = "drain" if node.drained_at is None else "undrain"
    return {name: reverse(f"admin:scheduler_node_{name}", args=[node.pk])}


def ask(request: HttpRequest, node: Node, *, drains: bool) -> HttpResponse:
    """Ask whether the node takes no more runs, or takes them again."""
    name, location = display.first_line(node.name), reverse("admin:scheduler_node_change", args=[node.pk])

    def act() -> Done:
        if drains:
            nodes.drain(node=node, actor=pages.actor(request))
            return Done(sentence=_("“%s” takes no more runs.") % name, location=location)
        nodes.undrain(node=node, actor=pages.actor(request))
        return Done(sentence=_("“%s” takes runs again.") % name, location=location)

    seconds = display.exactly(conf.get().heartbeat_seconds)
    effects = [
        _("Within %s it takes no more runs. What it has not begun goes to other nodes.") % seconds,
        _("Runs that it has begun go on, however long they take. Then it can be ended without interrupting any."),
        _("It stays alive, and drained, until its process ends or somebody lets it take runs again."),
    ]
    question = Question(
        title=(_("Drain the node “%s”?") if drains else _("Let the node “%s” take runs again?")) % name,
        effects=effects if drains else [_("Within %s it takes runs again.") % seconds],
        button=_("Drain it") if drains else _("Let it take runs"),
        back=location,
    )
    return pages.confirm(request, question=question, act=act)


def _refusals(measure: Any) -> list[str]:
    """Return the brokers that refused the last messages of the node, each with the error."""
    brokers = measure.brokers if measure is not None and isinstance(measure.brokers, dict) else {}
    return [
        display.first_line(f"{name}: {found.get('error', '')}")
        for name, found in sorted(brokers.items())
        if isinstance(found, dict)
    ]


def _processors(busy: float | None) -> str:
    """Say what share of one processor the node used, which is more than 100 % where it keeps several busy."""
    return "" if busy is None else _("%s %% of one processor") % number_format(100 * busy, decimal_pos=0, use_l10n=True)
