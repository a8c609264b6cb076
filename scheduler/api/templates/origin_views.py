"""Where a job comes from: its declaration or template, what a person changed since, and the ways out of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers as all_answers
from scheduler.api import parsing
from scheduler.api.schema import operation
from scheduler.api.shapes import Nothing
from scheduler.api.templates import answers, shapes
from scheduler.api.view import Resource
from scheduler.core.declarations import REMOVED
from scheduler.core.states import Via
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidRequest, JobNotFound
from scheduler.models import Declaration, Job
from scheduler.services import declarations, jobs, masking
from scheduler.services.queries import representations
from scheduler.services.queries.representations import instant
from scheduler.services.templates import from_jobs, instances


class OriginViews(Resource):
    permissions: ClassVar = {
        "declaration": ("view_job",),
        "take": ("change_job",),
        "keep": ("change_job",),
        "template": ("view_job", "view_template"),
        "detach": ("change_job",),
    }

    @operation(answers.DeclarationOfJob, query=Nothing, problems=(404,))
    def declaration(self, request: Request, id: str) -> Response:
        """Say where a job is declared, and what a person changed since the last synchronisation."""
        parsing.query(request, Nothing)
        job = jobs.get(id=id)
        return Response(_declaration(job))

    @operation(all_answers.Job, body=shapes.DriftChoice, query=Nothing, problems=(404, 409))
    def take(self, request: Request, id: str) -> Response:
        """Bring fields that a person changed back to their declared values."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.DriftChoice)
        job = jobs.get(id=id)
        _check_fields(_of(job), body.fields)
        taken = declarations.take(job=job, fields=body.fields, actor=self.actor(request), via=Via.API)
        return Response(representations.jobs(rows=[taken])[0])

    @operation(answers.DeclarationOfJob, body=shapes.DriftChoice, query=Nothing, problems=(404,))
    def keep(self, request: Request, id: str) -> Response:
        """Keep what a person changed: it is no drift until the source changes the field."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.DriftChoice)
        job = jobs.get(id=id)
        _check_fields(_of(job), body.fields)
        declarations.keep(job=job, fields=body.fields)
        return Response(_declaration(job))

    @operation(answers.TemplateProposal, query=Nothing, problems=(404,))
    def template(self, request: Request, id: str) -> Response:
        """Return the template that the job amounts to, for POST templates. It is not created."""
        parsing.query(request, Nothing)
        found = from_jobs.proposed(job=jobs.get(id=id))
        return Response(
            {
                "slug": found.slug,
                "title": found.title,
                "description": found.description,
                "parameters": list(found.parameters),
                "body": dict(found.body),
            }
        )

    @operation(None, status=204, query=Nothing, problems=(404,))
    def detach(self, request: Request, id: str) -> Response:
        """Let an instance be an ordinary job, which its template no longer changes."""
        parsing.query(request, Nothing)
        instances.detach(job=jobs.get(id=id), actor=self.actor(request), via=Via.API)
        return Response(status=204)


def _of(job: Job) -> Declaration:
    """:raises JobNotFound: the job is not declared"""
    row = declarations.of_job(id=job.pk)
    if row is None:
        raise JobNotFound(f"“{job.name}” is neither declared nor an instance of a template.")
    return row


def _check_fields(row: Declaration, fields: Iterable[str]) -> None:
    """:raises InvalidRequest: a field is not declared"""
    unknown = [field for field in fields if field not in row.declared]
    if unknown:
        detail = f"“{unknown[0][:64]}” is not a declared field. There are: {', '.join(row.declared)}."
        raise InvalidRequest(detail, problems=({"pointer": "/fields", "code": "unknown_field", "detail": detail},))


def _declaration(job: Job) -> dict[str, Any]:
    row = _of(job)
    version = row.template_version
    secrets = registry.get(job.task).secrets if job.task in registry.names() else frozenset()

    def shown(field: str, value: Any) -> Any:
        is_secret = field.startswith("kwargs.") and field.removeprefix("kwargs.") in secrets
        return None if value is REMOVED else masking.MASK if is_secret else masking.masked(value)

    drift = [(each.field, each.declared, each.stored) for each in declarations.drift(job=job)]
    return {
        "key": row.key,
        "source": row.source,
        "origin": row.origin,
        "release": row.release,
        "is_declared": row.is_declared,
        "synced_at": instant(row.synced_at),
        "template": version.template.slug if version else None,
        "version": version.number if version else None,
        "parameters": instances.stored_masked(row) if version else None,
        "kept": row.kept,
        "drift": [
            {"field": field, "declared": shown(field, declared), "stored": shown(field, stored)}
            for field, declared, stored in drift
        ],
    }
