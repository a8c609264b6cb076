"""Rules, channels and incidents over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import pagination, parsing
from scheduler.api.alerts import answers, shapes
from scheduler.api.idempotency import once
from scheduler.api.permissions import lacking, may
from scheduler.api.schema import operation
from scheduler.api.shapes import Nothing
from scheduler.api.view import Resource
from scheduler.core.states import Via
from scheduler.errors import ChannelNotFound, IncidentNotFound, RuleNotFound
from scheduler.models import Incident
from scheduler.services import jobs
from scheduler.services.alerts import channels, incidents, messages, rules
from scheduler.services.alerts.incidents import IncidentFilter
from scheduler.services.queries.paging import Order, paginate
from scheduler.services.queries.representations import instant

_NEWEST_FIRST = Order(columns=("id",), descending=True)
_ACT = ("view_incident", "acknowledge_incident")


class IncidentViews(Resource):
    permissions: ClassVar = {
        "list": ("view_incident",),
        "retrieve": ("view_incident",),
        "acknowledge": _ACT,
        "snooze": _ACT,
        "close": _ACT,
        "mute": _ACT,
        "unmute": _ACT,
    }

    @operation(answers.Incidents, query=shapes.IncidentsQuery)
    def list(self, request: Request) -> Response:
        """List incidents, the newest first."""
        query = parsing.query(request, shapes.IncidentsQuery)
        wanted = IncidentFilter(
            state=query.state or "",
            job=query.job,
            rule=query.rule,
            kind=query.kind or "",
            severity=query.severity or "",
            since=query.since,
        )
        page = paginate(rows=incidents.find(filter=wanted), order=_NEWEST_FIRST, limit=query.limit, cursor=query.cursor)
        shown = [messages.represent(incident) for incident in page.rows]
        return Response({"results": shown, **pagination.links(request, page)})

    @operation(answers.Incident, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Return an incident."""
        parsing.query(request, Nothing)
        return Response(messages.represent(_incident(id)))

    @operation(answers.Incident, body=shapes.Noted, query=Nothing, problems=(404, 409), headers=("Idempotency-Key",))
    def acknowledge(self, request: Request, id: str) -> Response:
        """Say that somebody takes care of it: no reminders, no escalation."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Noted)
        return self._act(
            request,
            lambda: incidents.acknowledge(incident=_incident(id), actor=self.actor(request), note=body.note),
        )

    @operation(answers.Incident, body=shapes.Snoozing, query=Nothing, problems=(404, 409), headers=("Idempotency-Key",))
    def snooze(self, request: Request, id: str) -> Response:
        """Hold back reminders and escalation until a time."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Snoozing)
        return self._act(
            request,
            lambda: incidents.snooze(
                incident=_incident(id), until=body.until, actor=self.actor(request), note=body.note
            ),
        )

    @operation(answers.Incident, body=shapes.Noted, query=Nothing, problems=(404, 409), headers=("Idempotency-Key",))
    def close(self, request: Request, id: str) -> Response:
        """Close it by hand. If the problem persists, a new incident opens at the next failure or check."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Noted)
        return self._act(
            request, lambda: incidents.close(incident=_incident(id), actor=self.actor(request), note=body.note)
        )

    @operation(answers.Mute, body=shapes.Muting, query=Nothing, problems=(404,))
    def mute(self, request: Request, id: str) -> Response:
        """Mute a job until a time. Its incidents are kept, and told of then if they are still open."""
        parsing.query(request, Nothing)
        body = parsing.body(request, shapes.Muting)
        muted = incidents.mute(job=jobs.get(id=id), until=body.until, actor=self.actor(request), reason=body.reason)
        return Response(
            {
                "job": muted.job_key,
                "until": instant(muted.until),
                "muted_by": muted.muted_by,
                "reason": muted.reason,
            }
        )

    @operation(None, status=204, query=Nothing, problems=(404,))
    def unmute(self, request: Request, id: str) -> Response:
        """Let people be told of a job again. One that is not muted stays as it is."""
        parsing.query(request, Nothing)
        incidents.unmute(job=jobs.get(id=id))
        return Response(status=204)

    def _act(self, request: Request, act: Callable[[], Incident]) -> Response:
        return once(request, lambda: Response(messages.represent(act())))


class RuleViews(Resource):
    permissions: ClassVar = {
        "list": ("view_rule",),
        "create": ("add_rule",),
        "retrieve": ("view_rule",),
        "partial_update": ("change_rule",),
        "destroy": ("delete_rule",),
        "preview": ("view_rule",),
    }

    @operation(answers.Rules, query=Nothing)
    def list(self, request: Request) -> Response:
        """List the rules, by name."""
        parsing.query(request, Nothing)
        return Response({"results": [rules.represent(rule) for rule in rules.all_rules().order_by("name")]})

    @operation(
        answers.Rule, status=201, body=shapes.RuleCreation, query=Nothing, problems=(409,), headers=("Idempotency-Key",)
    )
    def create(self, request: Request) -> Response:
        """Create a rule. Conditions that hold already open incidents at once."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.RuleCreation).model_dump(exclude_unset=True)

        def do() -> Response:
            made = rules.create(**given, actor=self.actor(request), via=Via.API)
            return Response(rules.represent(made), status=201)

        return once(request, do)

    @operation(answers.Rule, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a rule."""
        parsing.query(request, Nothing)
        return Response(rules.represent(rules.get(id=parsing.row_id(id, missing=RuleNotFound))))

    @operation(answers.Rule, body=shapes.RuleChange, query=Nothing, problems=(404, 409))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a rule. Open incidents that do not fit it any more are closed."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.RuleChange).model_dump(exclude_unset=True)
        rule = rules.get(id=parsing.row_id(id, missing=RuleNotFound))
        return Response(rules.represent(rules.update(rule=rule, **given, actor=self.actor(request), via=Via.API)))

    @operation(None, status=204, query=Nothing, problems=(404,))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a rule. Its open incidents are closed."""
        parsing.query(request, Nothing)
        rules.remove(
            rule=rules.get(id=parsing.row_id(id, missing=RuleNotFound)), actor=self.actor(request), via=Via.API
        )
        return Response(status=204)

    @operation(answers.RulePreview, body=shapes.RuleQuestion, query=Nothing)
    def preview(self, request: Request) -> Response:
        """Count the incidents that such a rule would have opened in the last 7 days."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.RuleQuestion).model_dump(exclude_unset=True)
        found = rules.preview(given=given)
        return Response({"incidents": found.incidents, "jobs": found.jobs})


class ChannelViews(Resource):
    permissions: ClassVar = {
        "list": ("view_channel",),
        "create": ("add_channel",),
        "retrieve": ("view_channel",),
        "partial_update": ("change_channel",),
        "destroy": ("delete_channel",),
        "test": ("change_channel",),
    }

    @operation(answers.Channels, query=Nothing)
    def list(self, request: Request) -> Response:
        """List the channels, by name."""
        parsing.query(request, Nothing)
        found = channels.all_channels().order_by("name")
        return Response({"results": [channels.represent(channel) for channel in found]})

    @operation(
        answers.Channel,
        status=201,
        body=shapes.ChannelCreation,
        query=Nothing,
        problems=(409,),
        headers=("Idempotency-Key",),
    )
    def create(self, request: Request) -> Response:
        """Create a channel. Addresses of Apprise need the permission to enter them."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.ChannelCreation).model_dump(exclude_unset=True)
        self._check_apprise(request, given)

        def do() -> Response:
            made = channels.create(**given, actor=self.actor(request), via=Via.API)
            return Response(channels.represent(made), status=201)

        return once(request, do)

    @operation(answers.Channel, query=Nothing, problems=(404,))
    def retrieve(self, request: Request, id: str) -> Response:
        """Return a channel, with its secrets masked."""
        parsing.query(request, Nothing)
        return Response(channels.represent(channels.get(id=parsing.row_id(id, missing=ChannelNotFound))))

    @operation(answers.Channel, body=shapes.ChannelChange, query=Nothing, problems=(404, 409))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a channel."""
        parsing.query(request, Nothing)
        given = parsing.body(request, shapes.ChannelChange).model_dump(exclude_unset=True)
        channel = channels.get(id=parsing.row_id(id, missing=ChannelNotFound))
        self._check_apprise(request, {"kind": channel.kind, **given})
        changed = channels.update(channel=channel, **given, actor=self.actor(request), via=Via.API)
        return Response(channels.represent(changed))

    @operation(None, status=204, query=Nothing, problems=(404,))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a channel, with the messages that wait for it."""
        parsing.query(request, Nothing)
        channel = channels.get(id=parsing.row_id(id, missing=ChannelNotFound))
        channels.remove(channel=channel, actor=self.actor(request), via=Via.API)
        return Response(status=204)

    @operation(answers.ChannelAnswer, query=Nothing, problems=(404, 502))
    def test(self, request: Request, id: str) -> Response:
        """Send a test message at once and return the answer."""
        parsing.query(request, Nothing)
        return Response({"answer": channels.test(channel=channels.get(id=parsing.row_id(id, missing=ChannelNotFound)))})

    def _check_apprise(self, request: Request, given: dict[str, Any]) -> None:
        if given["kind"] == "apprise" and "config" in given and not may(request, "enter_apprise_url"):
            self.permission_denied(request, message=lacking(request, "enter_apprise_url"))


def _incident(id: str) -> Incident:
    return incidents.get(id=parsing.row_id(id, missing=IncidentNotFound))
