"""Calendars: list, create, read, change, delete, and what is on them."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import parsing
from scheduler.api.calendars import answers, shapes
from scheduler.api.schema import operation
from scheduler.api.shapes import Nothing
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.models import Calendar
from scheduler.services import calendars
from scheduler.services.calendars import entries
from scheduler.services.queries.representations import instant


class CalendarViews(Resource):
    permissions: ClassVar = {
        "list": ("view_calendar",),
        "create": ("add_calendar",),
        "retrieve": ("view_calendar",),
        "partial_update": ("change_calendar",),
        "destroy": ("delete_calendar",),
        "entries": ("view_calendar",),
        "read_file": ("view_calendar",),
    }

    @operation(answers.Calendars, query=Nothing)
    def list(self, request: Request) -> Response:
        """List the calendars, by name."""
        parsing.query(request, Nothing)
        return Response({"results": [_shown(calendar) for calendar in calendars.all_calendars()]})

    @operation(answers.Calendar, status=201, body=shapes.CalendarCreation, query=Nothing, problems=(409,))
    def create(self, request: Request) -> Response:
        """Create a calendar."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.CalendarCreation)
        made = calendars.create(**body.model_dump(), actor=self.actor(request), via=Via.API)
        return Response(_shown(made), status=201)

    @operation(answers.Calendar, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, name: str) -> Response:
        """Return a calendar."""
        parsing.query(request, Nothing)
        return Response(_shown(calendars.get(name=name)))

    @operation(answers.Calendar, body=shapes.CalendarChange, query=Nothing, problems=(404, 412))
    def partial_update(self, request: Request, name: str) -> Response:
        """Change a calendar. The jobs that use it follow, each with its next fire time."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.CalendarChange)
        given = {field: value for field, value in body.model_dump(exclude={"version"}).items() if value is not None}
        changed = calendars.update(
            calendar=calendars.get(name=name), version=body.version, actor=self.actor(request), via=Via.API, **given
        )
        return Response(_shown(changed))

    @operation(None, status=204, query=Nothing, problems=(404, 409))
    def destroy(self, request: Request, name: str) -> Response:
        """Delete a calendar that triggers do not name."""
        parsing.query(request, Nothing)
        calendars.remove(calendar=calendars.get(name=name), actor=self.actor(request), via=Via.API)
        return Response(status=204)

    @operation(answers.Entries, query=shapes.EntriesQuery, problems=(404,))
    def entries(self, request: Request, name: str) -> Response:
        """List what is on a calendar, at most five years ahead."""
        query = parsing.query(request, shapes.EntriesQuery)
        found = entries.of(calendar=calendars.get(name=name), since=query.since, limit=query.limit)
        return Response({"results": [{**each._asdict(), **_times(each)} for each in found]})

    @operation(answers.CalendarRules, body=shapes.CalendarFile, query=Nothing)
    def read_file(self, request: Request) -> Response:
        """Return the events of an iCalendar file as rules. The file is not stored."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.CalendarFile)
        return Response({"rules": calendars.rules_of_file(file=body.file.encode(errors="replace"))})


def _times(entry: entries.Entry) -> dict[str, Any]:
    return {"begin": instant(entry.begin), "end": instant(entry.end)}


def _shown(calendar: Calendar) -> dict[str, Any]:
    shown = calendars.represent(calendar=calendar)
    return {**shown, "created_at": instant(calendar.created_at), "updated_at": instant(calendar.updated_at)}
