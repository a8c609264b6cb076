"""Filters of the list of incidents."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.alerts.alert_text import KIND_WORDS, SEVERITIES
from scheduler.core.alerts import RuleKind, Severity
from scheduler.models import Incident
from scheduler.services.alerts import incidents
from scheduler.services.alerts.incidents import IncidentFilter


class StateFilter(admin.SimpleListFilter):
    """Open or closed, in words."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("open")), ("unacknowledged", _("open, not acknowledged")), ("closed", _("closed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        found = incidents.find(filter=IncidentFilter(state=self.value() or ""))
        return queryset.filter(pk__in=found.values("pk")) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.value, KIND_WORDS[kind]) for kind in RuleKind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class SeverityFilter(admin.SimpleListFilter):
    title = gettext_lazy("severity")
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(severity.value, SEVERITIES[severity].word) for severity in Severity]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Incident]) -> QuerySet[Incident]:
        return queryset.filter(severity=self.value()) if self.value() else queryset
