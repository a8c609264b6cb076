"""Templates, their instances, and the synchronisation of declared jobs over HTTP."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers as all_answers
from scheduler.api import parsing
from scheduler.api.idempotency import once
from scheduler.api.schema import operation
from scheduler.api.shapes import Nothing
from scheduler.api.templates import answers, shapes
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.models import Template, TemplateVersion
from scheduler.services import declarations, templates
from scheduler.services.declarations import Options, representing
from scheduler.services.queries import representations
from scheduler.services.queries.representations import instant
from scheduler.services.templates import instances, upgrades

_UPGRADE = ("view_template", "change_job")
_SYNC = ("view_template", "add_job", "change_job")


class TemplateViews(Resource):
    permissions: ClassVar = {
        "list": ("view_template",),
        "create": ("add_template",),
        "retrieve": ("view_template",),
        "add_version": ("change_template",),
        "plan_version": ("view_template", "view_job"),
        "destroy": ("delete_template",),
        "instantiate": ("view_template", "add_job"),
        "upgrade": _UPGRADE,
        "sync": _SYNC,
    }

    @operation(answers.Templates, query=Nothing)
    def list(self, request: Request) -> Response:
        """List the templates, by slug."""
        parsing.query(request, Nothing)
        return Response({"results": [_shown(template) for template in templates.all_templates()]})

    @operation(answers.Template, status=201, body=shapes.TemplateCreation, query=Nothing, headers=("Idempotency-Key",))
    def create(self, request: Request) -> Response:
        """Create a template with its first version."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.TemplateCreation)
        given = body.model_dump(exclude={"note"})

        def do() -> Response:
            version = templates.create(**given, actor=self.actor(request))
            return Response(_shown(version.template), status=201)

        return once(request, do)

    @operation(answers.Template, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, slug: str) -> Response:
        """Return a template with its newest version."""
        parsing.query(request, Nothing)
        return Response(_shown(templates.get(slug=slug)))

    @operation(
        answers.Template,
        body=shapes.TemplateVersionCreation,
        query=Nothing,
        problems=(404,),
        headers=("Idempotency-Key",),
    )
    def add_version(self, request: Request, slug: str) -> Response:
        """Add a version. The instances stay as they are until they are upgraded."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.TemplateVersionCreation)

        def do() -> Response:
            template = templates.get(slug=slug)
            templates.add_version(template=template, **body.model_dump(), actor=self.actor(request))
            return Response(_shown(template))

        return once(request, do)

    @operation(answers.Plan, body=shapes.VersionPlan, query=Nothing, problems=(404,))
    def plan_version(self, request: Request, slug: str) -> Response:
        """Return what a version would change in each instance, with the next fire times. It is not added."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.VersionPlan)
        draft = upgrades.draft(template=templates.get(slug=slug), body=body.body, parameters=body.parameters)
        return Response(representing.document(upgrades.plan(version=draft, overwrite=body.overwrite)))

    @operation(None, status=204, query=Nothing, problems=(404,))
    def destroy(self, request: Request, slug: str) -> Response:
        """Delete a template without instances."""
        parsing.query(request, Nothing)
        templates.remove(template=templates.get(slug=slug))
        return Response(status=204)

    @operation(
        all_answers.Job,
        status=201,
        body=shapes.InstanceCreation,
        query=Nothing,
        problems=(404,),
        headers=("Idempotency-Key",),
    )
    def instantiate(self, request: Request, slug: str) -> Response:
        """Create one instance: a job."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.InstanceCreation)

        def do() -> Response:
            job = instances.create(
                version=templates.current(slug=slug),
                key=body.key,
                values=body.parameters,
                actor=self.actor(request),
                via=Via.API,
            )
            return Response(representations.jobs(rows=[job])[0], status=201, headers={"ETag": f'"{job.version}"'})

        return once(request, do)

    @operation(answers.Plan, body=shapes.Upgrade, query=Nothing, problems=(404,), headers=("Idempotency-Key",))
    def upgrade(self, request: Request, slug: str) -> Response:
        """Bring all instances to a version. Fields that a person changed stay, unless they are overwritten."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Upgrade)
        version = templates.version(template=templates.get(slug=slug), number=body.version)

        def do() -> Response:
            if body.dry_run:
                plan = upgrades.plan(version=version, overwrite=body.overwrite)
                return Response(representing.document(plan))
            done = upgrades.apply(version=version, overwrite=body.overwrite, actor=self.actor(request), via=Via.API)
            return Response(representing.document(done))

        return once(request, do)

    @operation(answers.Plan, body=shapes.RowsSync, query=Nothing, problems=(404,), headers=("Idempotency-Key",))
    def sync(self, request: Request, slug: str) -> Response:
        """Bring the instances of one set of rows to what the rows say: create, change, and pause what vanished."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.RowsSync)
        given: dict[str, Any] = {
            "version": templates.current(slug=slug),
            "rows": body.name,
            "given": [(row.key, row.parameters) for row in body.rows],
        }

        def do() -> Response:
            if body.dry_run:
                return Response(representing.document(instances.rows_plan(**given)))
            done = instances.rows_apply(**given, actor=self.actor(request), via=Via.API)
            return Response(representing.document(done))

        return once(request, do)


_OF_OBJECTS = {
    "calendar": ("add_calendar", "change_calendar"),
    "template": ("add_template", "change_template"),
    "alert_rule": ("add_rule", "change_rule"),
}
"""Permissions that applying a kind of declared objects needs besides."""


class DeclarationViews(Resource):
    permissions: ClassVar = {"synchronise": ("view_job", "add_job", "change_job", "pause_job")}

    @operation(answers.Plan, body=shapes.Synchronise, query=Nothing, headers=("Idempotency-Key",))
    def synchronise(self, request: Request) -> Response:
        """Bring the jobs to what this web process's code and files declare, or plan it with dry_run."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Synchronise)
        options = Options(**body.model_dump(exclude={"dry_run"}))
        collected = declarations.collect()
        kinds = {each.kind for each in collected.objects}
        needed = [f"scheduler.{name}" for kind in sorted(kinds) for name in _OF_OBJECTS[kind]]
        if not request.user.has_perms(needed):
            raise PermissionDenied

        def do() -> Response:
            if body.dry_run:
                return Response(representing.document(declarations.plan(options=options, collected=collected)))
            done = declarations.apply(options=options, collected=collected, actor=self.actor(request), via=Via.API)
            return Response(representing.document(done))

        return once(request, do)


def _shown(template: Template) -> dict[str, Any]:
    return {
        "slug": template.slug,
        "title": template.title,
        "description": template.description,
        "instances": instances.of(template=template).count(),
        "newest": _version(templates.version(template=template)),
    }


def _version(version: TemplateVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "parameters": version.parameters,
        "body": version.body,
        "note": version.note,
        "created_at": instant(version.created_at),
        "created_by": version.created_by,
    }
