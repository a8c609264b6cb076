"""The scheduler as a whole: status, metrics, nodes, tasks, triggers."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, ClassVar
from uuid import UUID

from django.urls import reverse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler import conf
from scheduler.api import answers, openapi, parsing, problems, shapes
from scheduler.api.jobs.views import preview_of
from scheduler.api.overview.answers import Index, Metrics, ProblemType, TaskDescription, Tasks
from scheduler.api.pagination import DEFAULT_LIMIT
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.jobs import policies
from scheduler.core.tasks.limits import Limit
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.models import Node
from scheduler.services import nodes
from scheduler.services.queries import job_queries, metrics, paging, representations
from scheduler.services.queries.job_queries import JobFilter
from scheduler.services.queries.paging import Order
from scheduler.services.queries.status import status

_KEPT_SECONDS = 5.0
_MOST_KEPT = 64


class _Kept:
    """
    Answers about a window, given again for a few seconds: adding up a month of roll-ups takes a moment.

    They are made one after the other, so that many who ask at once cost what one does.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[str, tuple[float, Any]] = {}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            made_at, answer = self._answers.get(key, (0.0, None))
            if answer is None or time.monotonic() - made_at >= _KEPT_SECONDS:
                answer = make()
                if len(self._answers) >= _MOST_KEPT:
                    self._answers.clear()
                self._answers[key] = (time.monotonic(), answer)
        return answer

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


kept_windows = _Kept()


class StatusViews(Resource):
    permissions: ClassVar = {"status": ("view_job",), "metrics": ("view_job",)}

    @operation(answers.SchedulerStatus, query=shapes.Nothing)
    def status(self, request: Request) -> Response:
        """Say how the scheduler is doing, with the first page of its jobs."""
        parsing.query(request, shapes.Nothing)
        found = job_queries.jobs(filter=JobFilter())
        page = paging.paginate(rows=found, order=Order(columns=("pk",)), limit=DEFAULT_LIMIT)
        more = None
        if page.next is not None:
            more = request.build_absolute_uri(f"{reverse('scheduler-api:jobs')}?cursor={page.next}")
        return Response(
            {
                **representations.status(found=status()),
                "jobs": representations.jobs(rows=page.rows),
                "jobs_next": more,
            },
            headers={"Cache-Control": "no-store"},
        )

    @operation(Metrics, query=shapes.MetricsQuery)
    def metrics(self, request: Request) -> Response:
        """Say what became of the runs: in all, and in a window by job and, if asked for, by hour or day."""
        query = parsing.query(request, shapes.MetricsQuery)
        answer = kept_windows.get(query.model_dump_json(), lambda: _metrics(query))
        return Response(answer, headers={"Cache-Control": "no-store"})


def _metrics(query: shapes.MetricsQuery) -> dict[str, Any]:
    found = metrics.window(
        since=query.since, until=query.until, bucket=query.bucket or "", job=query.job, most_jobs=query.limit
    )
    window = {
        "since": representations.instant(found.since),
        "until": representations.instant(found.until),
        "totals": found.total.as_dict(),
        "jobs": [
            {"job": id, "name": name, **tally.as_dict(), "last_finished_at": representations.instant(last)}
            for id, name, tally, last in found.jobs
        ],
        "jobs_cut": found.is_cut,
        "series": [{"start": representations.instant(start), **tally.as_dict()} for start, tally in found.series]
        if query.bucket
        else None,
    }
    totals = representations.totals(metrics.totals(), uptime=metrics.uptime_seconds(), last=metrics.last_execution_at())
    return {**totals, "window": window}


class NodeViews(Resource):
    permissions: ClassVar = {
        "list": ("view_node",),
        "retrieve": ("view_node",),
        "drain": ("view_node", "drain_node"),
        "undrain": ("view_node", "drain_node"),
    }

    @operation(answers.Nodes, query=shapes.NodesQuery)
    def list(self, request: Request) -> Response:
        """List nodes, those that started last first."""
        query = parsing.query(request, shapes.NodesQuery)
        found = Node.objects.all()
        if query.state:
            found = found.filter(state__in=query.state)
        return Response({"results": [representations.node(row=row) for row in found[: query.limit]]})

    @operation(answers.Node, query=shapes.Nothing, problems=(404,))
    def retrieve(self, request: Request, id: UUID) -> Response:
        """Read a node."""
        parsing.query(request, shapes.Nothing)
        return Response(representations.node(row=_node(id)))

    @operation(answers.Node, query=shapes.Nothing, problems=(404, 409))
    def drain(self, request: Request, id: UUID) -> Response:
        """Let a node take no more runs. Those that it has begun go on."""
        parsing.query(request, shapes.Nothing)
        return Response(representations.node(row=nodes.drain(node=_node(id), actor=self.actor(request))))

    @operation(answers.Node, query=shapes.Nothing, problems=(404, 409))
    def undrain(self, request: Request, id: UUID) -> Response:
        """Let a drained node take runs again."""
        parsing.query(request, shapes.Nothing)
        return Response(representations.node(row=nodes.undrain(node=_node(id), actor=self.actor(request))))


def _node(id: UUID) -> Node:
    """:raises NotFound: there is no such node"""
    row = Node.objects.filter(pk=id).first()
    if row is None:
        raise NotFound("There is no node with this id.")
    return row


class TaskViews(Resource):
    permissions: ClassVar = {"list": ("view_job",), "retrieve": ("view_job",)}

    @operation(Tasks, query=shapes.Nothing)
    def list(self, request: Request) -> Response:
        """List the tasks that jobs may run, with the JSON Schema of their arguments."""
        parsing.query(request, shapes.Nothing)
        return Response({"results": [_task(task) for task in registry.all()]})

    @operation(TaskDescription, query=shapes.Nothing, problems=(404,))
    def retrieve(self, request: Request, name: str) -> Response:
        """Read a task."""
        parsing.query(request, shapes.Nothing)
        found = next((task for task in registry.all() if task.name == name), None)
        if found is None:
            raise NotFound(f"No task is registered as “{name[:100]}”.")
        return Response(_task(found))


def _task(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "description": task.description,
        "documentation": task.documentation,
        "executor": task.executor,
        "timeout_seconds": None if task.timeout is None else task.timeout.total_seconds(),
        "idempotent": task.idempotent,
        "rate": _declared(task.limits.rate) if task.limits else None,
        "concurrency": _declared(task.limits.concurrency) if task.limits else None,
        "arguments": task.schema,
        "defaults": policies.defaults(task=task, settings=conf.get()),
    }


def _declared(limit: Limit | None) -> str | None:
    return None if limit is None else f"{limit.key} {limit.amount}"


class TriggerViews(Resource):
    permissions: ClassVar = {"describe": ("view_job",)}

    @operation(answers.Preview, body=shapes.TriggerQuestion, query=shapes.Nothing)
    def describe(self, request: Request) -> Response:
        """Say a trigger in words, as it would be stored, and when it fires next."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.TriggerQuestion)
        return Response(preview_of(trigger=body.trigger, count=body.count, after=body.after))


class IndexViews(Resource):
    """The entry point of the API. It is public, because it reveals no facts about the installation."""

    authentication_classes = ()
    permission_classes = ()

    @operation(Index, query=shapes.Nothing, problems=(400, 429), open=True)
    def index(self, request: Request) -> Response:
        """Name the resources of the API and where its schema is."""
        parsing.query(request, shapes.Nothing)

        def address(name: str) -> str:
            return request.build_absolute_uri(reverse(f"scheduler-api:{name}"))

        return Response(
            {
                "version": openapi.SETTINGS["VERSION"],
                "resources": [{"name": name, "href": address(name)} for name in _RESOURCES],
                "schema": address("schema"),
            }
        )


_RESOURCES = ("status", "metrics", "health", "jobs", "runs", "changes", "nodes", "tasks", "tokens")


class ProblemViews(Resource):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    @operation(ProblemType, query=shapes.Nothing, problems=(400, 404), open=True)
    def retrieve(self, request: Request, code: str) -> Response:
        """Say what a type of problem means."""
        parsing.query(request, shapes.Nothing)
        title = problems.title_of(code.replace("-", "_"))
        if not title:
            raise NotFound("There is no such type of problem.")
        return Response({"code": code.replace("-", "_"), "title": title})


class NowhereViews(Resource):
    """Addresses that lead nowhere, so that they too are answered with a problem document."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None

    def nowhere(self, request: Request, **kwargs: Any) -> Response:
        raise NotFound("This address does not exist.")
