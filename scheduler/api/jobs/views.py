from __future__ import annotations

import re
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers, pagination, parsing, shapes
from scheduler.api.bulk.answers import BulkAnswer
from scheduler.api.idempotency import once
from scheduler.api.jobs.selecting import filter_of, order, selected_by
from scheduler.api.permissions import lacking
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.states import JobSource, Via
from scheduler.errors import InvalidRequest
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.jobs import bulk, validation
from scheduler.services.queries import job_queries, paging, representations
from scheduler.services.queries.job_queries import JobFilter

BULK_PERMISSIONS = {
    "pause": "pause_job",
    "resume": "pause_job",
    "run": "run_job",
    "delete": "delete_job",
    "add_tags": "change_job",
    "remove_tags": "change_job",
    "clone": "add_job",
    "edit": "change_job",
}

_VERSION = re.compile(r'\s*(?:W/)?"(\d{1,9})(?:-[0-9a-f]{1,64})?"\s*')


class JobViews(Resource):
    permissions: ClassVar = {
        "list": ("view_job",),
        "create": ("add_job",),
        "retrieve": ("view_job",),
        "partial_update": ("change_job",),
        "destroy": ("delete_job",),
        "pause": ("pause_job",),
        "resume": ("pause_job",),
        "run": ("run_job",),
        "clone": ("add_job",),
        "next": ("view_job",),
        "preview": ("view_job",),
        "bulk": ("view_job",),
    }

    def _author(self, request: Request) -> dict[str, Any]:
        """The author of a change, as keywords of the services."""
        return {"actor": self.actor(request), "via": Via.API}

    @operation(answers.Jobs, query=shapes.JobsQuery)
    def list(self, request: Request) -> Response:
        """List jobs."""
        query = parsing.query(request, shapes.JobsQuery)
        found = job_queries.jobs(filter=filter_of(query))
        page = paging.paginate(
            rows=_ready(found, query.order), order=order(query.order), limit=query.limit, cursor=query.cursor
        )
        return Response({"results": representations.jobs(rows=page.rows), **pagination.links(request, page)})

    @operation(
        answers.Job,
        status=201,
        body=shapes.JobCreation,
        query=shapes.Nothing,
        problems=(409, 422),
        headers=("Idempotency-Key",),
    )
    def create(self, request: Request) -> Response:
        """Create a job that becomes due at the first fire time of its trigger."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.JobCreation)

        def do() -> Response:
            given = body.model_dump(exclude_unset=True)
            created = bulk.create(**self._author(request), source=JobSource.API, **given)
            return _answer(created, status=201, location=True)

        return once(request, do)

    @operation(answers.Job, query=shapes.Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a job. Its ETag begins with the version of the definition, which is what If-Match compares."""
        parsing.query(request, shapes.Nothing)
        return _answer(jobs.get(id=id))

    @operation(
        answers.Job, body=shapes.JobChange, query=shapes.Nothing, problems=(404, 409, 412), headers=("If-Match",)
    )
    def partial_update(self, request: Request, id: str) -> Response:
        """Change what is given of a job. An edit never fires at once."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.JobChange)
        job = jobs.get(id=id)
        given = body.model_dump(exclude_unset=True)
        changed = bulk.update(job=job, **self._author(request), version=_expected(request), **given)
        return _answer(changed)

    @operation(None, status=204, query=shapes.Deletion, problems=(404, 412), headers=("If-Match",))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a job. Its history is kept. Queued and running runs continue."""
        query = parsing.query(request, shapes.Deletion)
        author = self._author(request)
        bulk.remove(job=jobs.get(id=id), **author, version=_expected(request), reason=query.reason)
        return Response(status=204)

    @operation(answers.Job, body=shapes.Pausing, query=shapes.Nothing, problems=(404,))
    def pause(self, request: Request, id: str) -> Response:
        """Pause a job, until it is resumed or until an instant. One that is paused until then stays as it is."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.Pausing)
        author = self._author(request)
        return _answer(bulk.pause(job=jobs.get(id=id), **author, reason=body.reason, until=body.until))

    @operation(answers.Job, body=shapes.Reasoned, query=shapes.Nothing, problems=(404, 409))
    def resume(self, request: Request, id: str) -> Response:
        """Resume a job at its first fire time after now. One that is active stays as it is."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.Reasoned)
        return _answer(bulk.resume(job=jobs.get(id=id), **self._author(request), reason=body.reason))

    @operation(
        answers.Run,
        status=202,
        body=shapes.RunRequest,
        query=shapes.Nothing,
        problems=(404, 409, 422),
        headers=("Idempotency-Key",),
    )
    def run(self, request: Request, id: str) -> Response:
        """Queue one run. The schedule does not change."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.RunRequest)
        if body.kwargs is not None and (sentence := lacking(request, "change_job")):
            # Other arguments are another definition, if only for once.
            raise PermissionDenied(sentence)

        def do() -> Response:
            run = bulk.run_now(job=jobs.get(id=id), actor=self.actor(request), kwargs=body.kwargs)
            return Response(
                representations.run(row=run, nodes={}),
                status=202,
                headers={"Location": reverse("scheduler-api:run", args=[run.pk])},
            )

        return once(request, do)

    @operation(
        answers.Job,
        status=201,
        body=shapes.Cloning,
        query=shapes.Nothing,
        problems=(404, 409, 422),
        headers=("Idempotency-Key",),
    )
    def clone(self, request: Request, id: str) -> Response:
        """Copy a job, its secrets included."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.Cloning)

        def do() -> Response:
            author = self._author(request)
            copy = bulk.clone(job=jobs.get(id=id), **author, source=JobSource.API, **body.model_dump())
            return _answer(copy, status=201, location=True)

        return once(request, do)

    @operation(answers.Preview, query=shapes.NextQuery, problems=(404,))
    def next(self, request: Request, id: str) -> Response:
        """Say when the job's trigger fires next, in words and as instants."""
        query = parsing.query(request, shapes.NextQuery)
        return Response(preview_of(trigger=jobs.get(id=id).trigger, count=query.count))

    @operation(answers.Preview, body=shapes.TriggerQuestion, query=shapes.Nothing)
    def preview(self, request: Request) -> Response:
        """Say when a trigger would fire that is not saved."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.TriggerQuestion)
        return Response(preview_of(trigger=body.trigger, count=body.count, after=body.after))

    @operation(BulkAnswer, body=shapes.Bulk, query=shapes.Nothing, problems=(422,), headers=("Idempotency-Key",))
    def bulk(self, request: Request) -> Response:
        """
        Pause, resume, run, tag or delete many jobs: by ids, or those that a filter finds.

        Each is answered for by itself.
        """
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, shapes.Bulk)
        if message := lacking(request, BULK_PERMISSIONS[body.action]):
            self.permission_denied(request, message=message)
        filter = selected_by(body)
        return once(request, lambda: self._bulk(request, body, filter))

    def _bulk(self, request: Request, body: shapes.Bulk, filter: JobFilter) -> Response:
        done = bulk.change_many(
            action=body.action,
            which=tuple(body.ids) or filter,
            **self._author(request),
            reason=body.reason,
            until=body.until,
            tags=tuple(body.tags),
            dry_run=body.dry_run,
        )
        results = [
            {
                "id": change.id,
                "ok": change.error is None,
                "code": change.error.code if change.error else None,
                "detail": str(change.error) if change.error else None,
            }
            for change in done.results
        ]
        return Response(
            {
                "action": body.action,
                "dry_run": body.dry_run,
                "matched": len(results),
                "done": 0 if body.dry_run else sum(bool(result["ok"]) for result in results),
                "is_cut": done.is_cut,
                "results": results,
            }
        )


def preview_of(*, trigger: Any, count: int, after: Any = None) -> dict[str, Any]:
    """Describe a trigger: the form that is stored, in words, and its next fire times."""
    found = validation.preview(trigger=trigger, count=count, after=after)
    return {
        "trigger": found.trigger,
        "when": found.sentence,
        "remarks": [str(remark) for remark in found.remarks],
        "fire_times": [representations.instant(moment) for moment in found.fire_times],
    }


def _ready(found: QuerySet[Job], name: str) -> QuerySet[Job]:
    return job_queries.with_last_run_at(jobs=found) if name.removeprefix("-") == "last_run" else found


def _answer(job: Job, *, status: int = 200, location: bool = False) -> Response:
    headers = {"ETag": f'"{job.version}"'}
    if location:
        headers["Location"] = reverse("scheduler-api:job", args=[job.pk])
    return Response(representations.jobs(rows=[job])[0], status=status, headers=headers)


def _expected(request: Request) -> int | None:
    """Return the version of If-Match, or ``None`` for any."""
    text = request.headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        raise InvalidRequest('If-Match is not one ETag of this API, such as "3".')
    return int(match[1])
