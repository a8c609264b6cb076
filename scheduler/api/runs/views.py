from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any, ClassVar

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers, pagination, parsing, shapes
from scheduler.api.idempotency import once
from scheduler.api.permissions import lacking, may
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.errors import RunNotFound
from scheduler.models import Run
from scheduler.services import runs
from scheduler.services.queries import representations, run_queries
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.runs import waiting

_waits = BoundedSemaphore(4)
"""Requests of this process that wait for a run: half of the threads that gunicorn has here."""


class RunViews(Resource):
    permissions: ClassVar = {
        "list": ("view_run",),
        "of_job": ("view_run",),
        "retrieve": ("view_run",),
        "log": ("view_run", "view_run_output"),
        "traceback": ("view_run", "view_run_output"),
        "cancel": ("cancel_run",),
        "retry": ("retry_run",),
    }

    @operation(answers.Runs, query=shapes.RunsQuery)
    def list(self, request: Request) -> Response:
        """
        List runs, newest first. Failures alone are ordered by their end.

        Arguments and logs are searched in at most 10,000 runs at a time: a page may have fewer runs than the limit, and
        “next” continues the search.
        """
        query = parsing.query(request, shapes.RunsQuery)
        own = {name: getattr(query, name) for name in ("job", "name", "task", "queue", "executor", "tag")}
        return self._page(request, query, RunFilter(**own, node=str(query.node or ""), **_part(query)))

    @operation(answers.Runs, query=shapes.RunsOfJobQuery, problems=(404,))
    def of_job(self, request: Request, id: str) -> Response:
        """List the runs of a job, newest fire time first."""
        query = parsing.query(request, shapes.RunsOfJobQuery)
        return self._page(request, query, RunFilter(job=id, **_part(query)))

    def _page(self, request: Request, query: shapes.RunsOfJobQuery, filter: RunFilter) -> Response:
        if filter.texts and (message := lacking(request, "view_run_output")):
            self.permission_denied(request, message=message)
        page = run_queries.page(filter=filter, limit=query.limit, cursor=query.cursor)
        return Response({"results": representations.runs(rows=page.rows), **pagination.links(request, page)})

    @operation(answers.RunDetail, query=shapes.RunQuery, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """
        Read a run. Its arguments and its result are for those who may view the output of runs.

        With “wait” the answer comes when the run has ended, or when the time is over. A web process keeps few requests
        waiting, so that there is room for others: the rest is answered at once.
        """
        query = parsing.query(request, shapes.RunQuery)
        run = get_run(id)
        if query.wait and run.finished_at is None and _waits.acquire(blocking=False):
            try:
                run = waiting.until_finished(id=run.pk, seconds=query.wait)
            finally:
                _waits.release()
        shown = representations.runs(rows=[run])[0]
        output = representations.output(row=run)
        if not may(request, "view_run_output"):
            output = dict.fromkeys(output)
        return Response({**shown, **output})

    @operation(answers.RunText, query=shapes.TextQuery, problems=(404,))
    def log(self, request: Request, id: str) -> Response:
        """Read what a run has logged so far."""
        return self._text(request, id, "log")

    @operation(answers.RunText, query=shapes.TextQuery, problems=(404,))
    def traceback(self, request: Request, id: str) -> Response:
        """Read the traceback of a failed run, empty for others."""
        return self._text(request, id, "traceback")

    def _text(self, request: Request, id: str, column: str) -> Response:
        query = parsing.query(request, shapes.TextQuery)
        run = get_run(id)
        text = getattr(run, column)
        lines = text.splitlines(keepends=True)
        return Response(
            {
                "run": run.pk,
                "text": text if query.tail is None else "".join(lines[-query.tail :]),
                "lines": len(lines),
                "is_complete": run.finished_at is not None,
            }
        )

    @operation(answers.Run, status=202, query=shapes.Nothing, problems=(404, 409))
    def cancel(self, request: Request, id: str) -> Response:
        """Cancel a run: at once if it is queued, else as soon as it obeys."""
        parsing.query(request, shapes.Nothing)
        run = runs.cancel(run=get_run(id), actor=self.actor(request))
        return Response(representations.runs(rows=[run])[0], status=202)

    @operation(answers.Run, status=202, query=shapes.Nothing, problems=(404, 409, 422), headers=("Idempotency-Key",))
    def retry(self, request: Request, id: str) -> Response:
        """Queue another attempt of a finished run, with the arguments that it had."""
        parsing.query(request, shapes.Nothing)

        def do() -> Response:
            run = runs.retry(run=get_run(id), actor=self.actor(request))
            return Response(
                representations.run(row=run, nodes={}),
                status=202,
                headers={"Location": reverse("scheduler-api:run", args=[run.pk])},
            )

        return once(request, do)


def get_run(id: str) -> Run:
    """:raises RunNotFound: a run with this id does not exist"""
    if int(id) > shapes.LARGEST_ID:
        raise RunNotFound(f"There is no run with the id {id[:30]}.")
    return runs.get(id=int(id))


def _part(query: shapes.RunsOfJobQuery) -> dict[str, Any]:
    return {
        "states": tuple(query.state),
        "kinds": tuple(query.kind),
        "reasons": run_queries.known_reasons(query.reason_code),
        **{name: getattr(query, name) for name in ("error", "argument", "log")},
        "since": query.since,
        "until": query.until,
    }
