"""The addresses of the API. Each is answered with and without a slash at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, re_path, register_converter
from django.urls.converters import StringConverter
from drf_spectacular.views import SpectacularAPIView

from scheduler.api import openapi
from scheduler.api.alerts.switch_views import SwitchViews
from scheduler.api.alerts.views import ChannelViews, IncidentViews, RuleViews
from scheduler.api.bulk.views import BulkViews
from scheduler.api.calendars.views import CalendarViews
from scheduler.api.changes.views import ChangeViews
from scheduler.api.health.views import HealthViews
from scheduler.api.jobs.views import JobViews
from scheduler.api.overview import docs_views
from scheduler.api.overview.views import (
    IndexViews,
    NodeViews,
    NowhereViews,
    ProblemViews,
    StatusViews,
    TaskViews,
    TriggerViews,
)
from scheduler.api.queues.views import QueueViews
from scheduler.api.runs.note_views import NoteViews
from scheduler.api.runs.views import RunViews
from scheduler.api.templates.origin_views import OriginViews
from scheduler.api.templates.views import DeclarationViews, TemplateViews
from scheduler.api.throttling import PerMinute
from scheduler.api.tokens.views import TokenViews


class JobIdConverter(StringConverter):
    """The id of a job, which may hold slashes, but not at its ends."""

    regex = r"[^/](?:.{0,253}[^/])?"


class NumberConverter(StringConverter):
    """The number of a run. The view checks its range."""

    regex = r"[0-9]{1,30}"


class WordConverter(StringConverter):
    regex = r"[A-Za-z0-9_.:\-]{1,255}"


register_converter(JobIdConverter, "job_id")
register_converter(NumberConverter, "run_id")
register_converter(WordConverter, "word")

app_name = "scheduler-api"

View = Callable[..., Any]

_VERBS = ("get", "post", "put", "patch", "delete", "trace")

_ROUTES: tuple[tuple[str, View, str], ...] = (
    ("status", StatusViews.as_view({"get": "status"}), "status"),
    ("metrics", StatusViews.as_view({"get": "metrics"}), "metrics"),
    ("health/live", HealthViews.as_view({"get": "live"}), "live"),
    ("health/ready", HealthViews.as_view({"get": "ready"}), "ready"),
    ("health", HealthViews.as_view({"get": "health"}), "health"),
    ("jobs", JobViews.as_view({"get": "list", "post": "create"}), "jobs"),
    ("jobs/preview", JobViews.as_view({"post": "preview"}), "preview"),
    ("jobs/bulk", JobViews.as_view({"post": "bulk"}), "bulk"),
    ("jobs/bulk/background", BulkViews.as_view({"post": "jobs"}), "bulk-jobs"),
    ("jobs/<job_id:id>/backfill", BulkViews.as_view({"post": "backfill"}), "backfill"),
    ("jobs/<job_id:id>/pause", JobViews.as_view({"post": "pause"}), "pause"),
    ("jobs/<job_id:id>/resume", JobViews.as_view({"post": "resume"}), "resume"),
    ("jobs/<job_id:id>/run", JobViews.as_view({"post": "run"}), "run-now"),
    ("jobs/<job_id:id>/clone", JobViews.as_view({"post": "clone"}), "clone"),
    ("jobs/<job_id:id>/next", JobViews.as_view({"get": "next"}), "next"),
    ("jobs/<job_id:id>/changes", ChangeViews.as_view({"get": "changes"}), "changes-of-job"),
    ("jobs/<job_id:id>/restore", ChangeViews.as_view({"post": "restore"}), "restore"),
    ("jobs/<job_id:id>/mute", IncidentViews.as_view({"post": "mute", "delete": "unmute"}), "mute"),
    ("jobs/<job_id:id>/template", OriginViews.as_view({"get": "template", "delete": "detach"}), "template-of-job"),
    ("jobs/<job_id:id>/declaration", OriginViews.as_view({"get": "declaration"}), "declaration"),
    ("jobs/<job_id:id>/declaration/take", OriginViews.as_view({"post": "take"}), "take-declared"),
    ("jobs/<job_id:id>/declaration/keep", OriginViews.as_view({"post": "keep"}), "keep-stored"),
    ("jobs/<job_id:id>/runs", RunViews.as_view({"get": "of_job"}), "runs-of-job"),
    (
        "jobs/<job_id:id>",
        JobViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "job",
    ),
    ("changes", ChangeViews.as_view({"get": "list"}), "changes"),
    ("runs", RunViews.as_view({"get": "list"}), "runs"),
    ("runs/bulk", BulkViews.as_view({"post": "runs"}), "bulk-runs"),
    ("bulk/<run_id:id>", BulkViews.as_view({"get": "retrieve"}), "bulk-action"),
    ("bulk/<run_id:id>/stop", BulkViews.as_view({"post": "stop"}), "stop-bulk-action"),
    ("runs/<run_id:id>", RunViews.as_view({"get": "retrieve"}), "run"),
    ("runs/<run_id:id>/log", RunViews.as_view({"get": "log"}), "log"),
    ("runs/<run_id:id>/traceback", RunViews.as_view({"get": "traceback"}), "traceback"),
    ("runs/<run_id:id>/notes", NoteViews.as_view({"get": "notes", "post": "add_note"}), "notes"),
    ("runs/<run_id:id>/take", NoteViews.as_view({"post": "take"}), "take-run"),
    ("runs/<run_id:id>/release", NoteViews.as_view({"post": "release"}), "release-run"),
    ("runs/<run_id:id>/cancel", RunViews.as_view({"post": "cancel"}), "cancel"),
    ("runs/<run_id:id>/retry", RunViews.as_view({"post": "retry"}), "retry"),
    ("incidents", IncidentViews.as_view({"get": "list"}), "incidents"),
    ("incidents/<run_id:id>/acknowledge", IncidentViews.as_view({"post": "acknowledge"}), "acknowledge"),
    ("incidents/<run_id:id>/snooze", IncidentViews.as_view({"post": "snooze"}), "snooze"),
    ("incidents/<run_id:id>/close", IncidentViews.as_view({"post": "close"}), "close"),
    ("incidents/<run_id:id>", IncidentViews.as_view({"get": "retrieve"}), "incident"),
    ("rules", RuleViews.as_view({"get": "list", "post": "create"}), "rules"),
    ("rules/preview", RuleViews.as_view({"post": "preview"}), "preview-rule"),
    (
        "rules/<run_id:id>",
        RuleViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "rule",
    ),
    ("channels", ChannelViews.as_view({"get": "list", "post": "create"}), "channels"),
    ("channels/<run_id:id>/test", ChannelViews.as_view({"post": "test"}), "test-channel"),
    (
        "channels/<run_id:id>",
        ChannelViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "channel",
    ),
    ("switches", SwitchViews.as_view({"get": "list", "post": "create"}), "switches"),
    (
        "switches/<run_id:id>",
        SwitchViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "switch",
    ),
    ("declarations", DeclarationViews.as_view({"post": "synchronise"}), "declarations"),
    ("calendars", CalendarViews.as_view({"get": "list", "post": "create"}), "calendars"),
    ("calendars/file", CalendarViews.as_view({"post": "read_file"}), "calendar-file"),
    ("calendars/<word:name>/entries", CalendarViews.as_view({"get": "entries"}), "calendar-entries"),
    (
        "calendars/<word:name>",
        CalendarViews.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        "calendar",
    ),
    ("templates", TemplateViews.as_view({"get": "list", "post": "create"}), "templates"),
    ("templates/<word:slug>/versions", TemplateViews.as_view({"post": "add_version"}), "template-versions"),
    ("templates/<word:slug>/versions/plan", TemplateViews.as_view({"post": "plan_version"}), "template-version-plan"),
    ("templates/<word:slug>/instances", TemplateViews.as_view({"post": "instantiate"}), "template-instances"),
    ("templates/<word:slug>/upgrade", TemplateViews.as_view({"post": "upgrade"}), "template-upgrade"),
    ("templates/<word:slug>/sync", TemplateViews.as_view({"post": "sync"}), "template-sync"),
    ("templates/<word:slug>", TemplateViews.as_view({"get": "retrieve", "delete": "destroy"}), "template"),
    ("nodes", NodeViews.as_view({"get": "list"}), "nodes"),
    ("nodes/<uuid:id>/drain", NodeViews.as_view({"post": "drain"}), "drain-node"),
    ("nodes/<uuid:id>/undrain", NodeViews.as_view({"post": "undrain"}), "undrain-node"),
    ("nodes/<uuid:id>", NodeViews.as_view({"get": "retrieve"}), "node"),
    ("queues", QueueViews.as_view({"get": "list"}), "queues"),
    ("queues/<str:name>/pause", QueueViews.as_view({"post": "pause"}), "pause-queue"),
    ("queues/<str:name>/resume", QueueViews.as_view({"post": "resume"}), "resume-queue"),
    ("queues/<str:name>/retention", QueueViews.as_view({"put": "keep"}), "keep-queue"),
    ("queues/<str:name>", QueueViews.as_view({"get": "retrieve"}), "queue"),
    ("tasks", TaskViews.as_view({"get": "list"}), "tasks"),
    ("tasks/<word:name>/enqueue", QueueViews.as_view({"post": "enqueue"}), "enqueue"),
    ("tasks/<word:name>", TaskViews.as_view({"get": "retrieve"}), "task"),
    ("triggers/describe", TriggerViews.as_view({"post": "describe"}), "describe"),
    ("tokens", TokenViews.as_view({"get": "list", "post": "create"}), "tokens"),
    ("tokens/<word:id>", TokenViews.as_view({"delete": "destroy"}), "token"),
    ("problems/<word:code>", ProblemViews.as_view({"get": "retrieve"}), "problem"),
)

_INDEX = IndexViews.as_view({"get": "index"})

_SCHEMA = SpectacularAPIView.as_view(
    authentication_classes=[],
    permission_classes=[],
    throttle_classes=[PerMinute],  # strangers may ask, and each answer costs a tenth of a second
    schema=None,
    custom_settings=openapi.SETTINGS,
)
_DOCS = (
    docs_views.DocsView.as_view()
    if docs_views.is_installed()
    else docs_views.MissingDocsViews.as_view(dict.fromkeys(_VERBS, "nowhere"))
)

urlpatterns: list[URLPattern] = [
    path("schema", _SCHEMA, name="schema"),
    path("schema/", _SCHEMA),
    path("docs", _DOCS, name="docs"),
    path("docs/", _DOCS),
    path("", _INDEX, name="index"),
    *(path(route, view, name=name) for route, view, name in _ROUTES),
    *(path(f"{route}/", view) for route, view, _ in _ROUTES),
    re_path(r"^[\s\S]*$", NowhereViews.as_view(dict.fromkeys(_VERBS, "nowhere"))),
]
