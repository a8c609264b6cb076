"""Dead-man's switches over HTTP."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import parsing
from scheduler.api.alerts import answers, shapes
from scheduler.api.idempotency import once
from scheduler.api.schema import operation
from scheduler.api.shapes import Nothing
from scheduler.api.view import Resource
from scheduler.errors import SwitchNotFound
from scheduler.models import Switch
from scheduler.services.alerts import switches


class SwitchViews(Resource):
    permissions: ClassVar = {
        "list": ("view_switch",),
        "create": ("add_switch",),
        "retrieve": ("view_switch",),
        "partial_update": ("change_switch",),
        "destroy": ("delete_switch",),
    }

    @operation(answers.Switches, query=Nothing)
    def list(self, request: Request) -> Response:
        """List the dead-man's switches, by name."""
        parsing.query(request, Nothing)
        return Response({"results": [switches.represent(switch) for switch in switches.all_switches()]})

    @operation(
        answers.Switch,
        status=201,
        body=shapes.SwitchCreation,
        query=Nothing,
        problems=(409,),
        headers=("Idempotency-Key",),
    )
    def create(self, request: Request) -> Response:
        """Create a dead-man's switch."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.SwitchCreation).model_dump(exclude_unset=True)
        return once(request, lambda: Response(switches.represent(switches.create(**given)), status=201))

    @operation(answers.Switch, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a dead-man's switch, with its address masked."""
        parsing.query(request, Nothing)
        return Response(switches.represent(_switch(id)))

    @operation(answers.Switch, body=shapes.SwitchChange, query=Nothing, problems=(404, 409))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a dead-man's switch."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.SwitchChange).model_dump(exclude_unset=True)
        return Response(switches.represent(switches.update(switch=_switch(id), **given)))

    @operation(None, status=204, query=Nothing, problems=(404,))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a dead-man's switch."""
        parsing.query(request, Nothing)
        switches.remove(switch=_switch(id))
        return Response(status=204)


def _switch(id: str) -> Switch:
    return switches.get(id=parsing.row_id(id, missing=SwitchNotFound))
