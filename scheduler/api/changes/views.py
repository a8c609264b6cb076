"""The history of jobs, and the way back."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers, pagination, parsing, shapes
from scheduler.api.idempotency import once
from scheduler.api.permissions import lacking, may
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.errors import ChangeNotFound
from scheduler.models import Job
from scheduler.services.jobs import restoring
from scheduler.services.queries import job_history, representations
from scheduler.services.queries.job_history import ChangeFilter


class ChangeViews(Resource):
    permissions: ClassVar = {"list": ("view_job",), "changes": ("view_job",), "restore": ("change_job",)}

    @operation(answers.Changes, query=shapes.ChangesQuery)
    def list(self, request: Request) -> Response:
        """List the changes of all jobs, newest first, including deleted jobs."""
        query = parsing.query(request, shapes.ChangesQuery)
        return self._page(request, query, job=query.job)

    @operation(answers.Changes, query=shapes.ChangesOfJobQuery, problems=(404,))
    def changes(self, request: Request, id: str) -> Response:
        """List the changes of a job, the newest first. A deleted job has a history too."""
        query = parsing.query(request, shapes.ChangesOfJobQuery)
        job_history.check_known(job=id)
        return self._page(request, query, job=id)

    def _page(self, request: Request, query: shapes.ChangesOfJobQuery, *, job: str) -> Response:
        filter = ChangeFilter(
            job=job,
            actor=query.actor,
            actions=tuple(query.action),
            via=tuple(query.via),
            since=query.since,
            until=query.until,
        )
        page = job_history.page(filter=filter, limit=query.limit, cursor=query.cursor)
        return Response({"results": representations.changes(rows=page.rows), **pagination.links(request, page)})

    @operation(
        answers.Job,
        body=shapes.Restoring,
        query=shapes.Nothing,
        problems=(404, 409, 422),
        headers=("Idempotency-Key",),
    )
    def restore(self, request: Request, id: str) -> Response:
        """
        Bring a job back to how it was after one of its changes: an edit, checked like any other.

        A job that was deleted is created again with its id, for which the permission to add jobs is needed too.
        """
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.Restoring)
        change = job_history.get(id=body.change)
        if change.job_key != id:
            raise ChangeNotFound(f"“{id[:64]}” has no change with the id {body.change}.")
        if not may(request, "add_job") and not Job.objects.filter(pk=id).exists():
            self.permission_denied(request, message=lacking(request, "add_job"))

        def do() -> Response:
            job = restoring.restore(change=change, actor=self.actor(request), via=Via.API, reason=body.reason)
            headers = {"ETag": f'"{job.version}"'}
            return Response(representations.jobs(rows=[job])[0], headers=headers)

        return once(request, do)
