"""Actions on many jobs or runs at once, and backfills, which go on in the background."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import parsing, shapes
from scheduler.api.bulk import answers
from scheduler.api.bulk.shapes import BackfillWindow, BulkRuns
from scheduler.api.idempotency import once
from scheduler.api.jobs.selecting import selected_by
from scheduler.api.jobs.views import BULK_PERMISSIONS
from scheduler.api.permissions import lacking, may
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.errors import BulkActionNotFound, InvalidRequest
from scheduler.models import BulkAction
from scheduler.services import bulk
from scheduler.services.bulk import Selection
from scheduler.services.queries.representations import instant
from scheduler.services.queries.run_queries import RunFilter

PERMISSIONS = {"cancel": "cancel_run", "retry": "retry_run", "delete": "delete_run"}


class BulkViews(Resource):
    permissions: ClassVar = {
        "runs": ("view_run",),
        "jobs": ("view_job",),
        "backfill": ("view_job", "run_job"),
        # The subject of the action decides.
        "retrieve": (),
        "stop": (),
    }

    @operation(
        answers.BulkProgress,
        status=202,
        body=BulkRuns,
        query=shapes.Nothing,
        problems=(422,),
        headers=("Idempotency-Key",),
    )
    def runs(self, request: Request) -> Response:
        """
        Cancel, retry or delete many runs: by ids, or those that a filter finds.

        It goes on in the background. The answer says where its progress is. A search in arguments or logs is carried
        out at once, in the newest 10,000 runs that match the other criteria.
        """
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, BulkRuns)
        selection = _selection(body)
        is_search = isinstance(selection.filter, RunFilter) and bool(selection.filter.texts)
        if message := lacking(request, PERMISSIONS[body.action], *(["view_run_output"] if is_search else [])):
            self.permission_denied(request, message=message)
        return self._begin(request, subject="runs", action=body.action, selection=selection)

    @operation(
        answers.BulkProgress,
        status=202,
        body=shapes.BulkJobs,
        query=shapes.Nothing,
        problems=(422,),
        headers=("Idempotency-Key",),
    )
    def jobs(self, request: Request) -> Response:
        """
        Pause, resume, run, tag, clone, edit or delete any number of jobs: by ids, or those that a filter finds.

        It goes on in the background. The answer says where its progress is.
        """
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.BulkJobs)
        if message := lacking(request, BULK_PERMISSIONS[body.action]):
            self.permission_denied(request, message=message)
        filter = selected_by(body)
        if (body.changes is not None) != (body.action == "edit"):
            raise InvalidRequest("Give changes with the action edit, and with no other.")
        changes = {} if body.changes is None else body.changes.model_dump(exclude_none=True, exclude_defaults=True)
        return self._begin(
            request,
            subject="jobs",
            action=body.action,
            selection=Selection(ids=tuple(body.ids)) if body.ids else Selection(filter=filter),
            parameters={
                "reason": body.reason,
                "until": body.until.isoformat() if body.until else None,
                "tags": body.tags,
                "changes": changes,
            },
        )

    @operation(
        answers.BulkProgress,
        status=202,
        body=BackfillWindow,
        query=shapes.Nothing,
        problems=(404, 422),
        headers=("Idempotency-Key",),
    )
    def backfill(self, request: Request, id: str) -> Response:
        """
        Queue the past fire times of a window that have no run, oldest first, at low priority.

        It goes on in the background. Cancelling the queued runs with the reason code “backfill” undoes it.
        """
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, BackfillWindow)
        return self._begin(
            request,
            subject="backfill",
            action="queue",
            selection=Selection(ids=(id,)),
            parameters={"since": body.since.isoformat(), "until": body.until.isoformat()},
        )

    def _begin(self, request: Request, **what: Any) -> Response:
        def do() -> Response:
            row = bulk.begin(**what, actor=self.actor(request), via=Via.API)
            bulk.work_off(id=row.pk)
            headers = {"Location": reverse("scheduler-api:bulk-action", args=[row.pk])}
            return Response(_progress(row), status=202, headers=headers)

        return once(request, do)

    @operation(answers.BulkProgress, query=shapes.Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Say how far an action on many is."""
        parsing.query(request, shapes.Nothing)
        return Response(_progress(bulk.go_on(row=self._get(request, id))), headers={"Cache-Control": "no-store"})

    @operation(answers.BulkProgress, query=shapes.Nothing, problems=(404,))
    def stop(self, request: Request, id: str) -> Response:
        """Stop one's own action after the rows at hand. With the right to delete jobs, anybody's."""
        parsing.query(request, shapes.Nothing)
        row = self._get(request, id)
        if row.requested_by != self.actor(request) and not may(request, "delete_job"):
            self.permission_denied(request, message=lacking(request, "delete_job"))
        return Response(_progress(bulk.stop(id=row.pk)))

    def _get(self, request: Request, id: str) -> BulkAction:
        if not any(may(request, codename) for codename in bulk.VIEWED_WITH.values()):
            self.permission_denied(request, message=lacking(request, "view_run"))
        row = _get(id)
        if message := lacking(request, bulk.VIEWED_WITH[row.subject]):
            self.permission_denied(request, message=message)
        return row


def _selection(body: BulkRuns) -> Selection:
    given: dict[str, Any] = {} if body.filter is None else body.filter.model_dump()
    named = {name: value for name, value in given.items() if value}
    if bool(body.ids) == bool(named):
        raise InvalidRequest("Give ids, or a filter that names something.")
    if body.ids:
        return Selection(ids=tuple(body.ids))
    states, kinds = tuple(named.pop("state", ())), tuple(named.pop("kind", ()))
    return Selection(filter=RunFilter(states=states, kinds=kinds, **named))


def _get(id: str) -> BulkAction:
    if int(id) > shapes.LARGEST_ID:
        raise BulkActionNotFound(f"There is no bulk action with the id {id[:30]}.")
    return bulk.get(id=int(id))


def _progress(row: BulkAction) -> dict[str, Any]:
    return {
        "id": row.pk,
        "subject": row.subject,
        "action": row.action,
        "total": row.total,
        "done": row.done,
        "refused": row.refused,
        "refusals": bulk.refusals(row=row),
        "requested_by": row.requested_by,
        "created_at": instant(row.created_at),
        "stop_requested_at": instant(row.stop_requested_at),
        "finished_at": instant(row.finished_at),
    }
