"""The parts that the pages of documents and of fetched pages share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scheduler.admin.format import display
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.foundation import ModelAdmin


class ReadOnlyAdmin(InDisplayZone, ModelAdmin):
    """Rows that tasks write, for reading."""

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


def link_out(url: str) -> SafeString | str:
    """Return an address of the web as a link. Other schemes than http and https stay text."""
    shown = display.first_line(url, most=200)
    if not url.startswith(("http://", "https://")):
        return shown
    return format_html('<a href="{}" rel="noreferrer noopener nofollow"><bdi>{}</bdi></a>', url, shown)


class FailureFilter(admin.SimpleListFilter):
    """Pages that cannot be fetched, all or of one kind of failure."""

    title = _("failures")
    parameter_name = "failing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("yes", gettext("cannot be fetched")),
            ("unread", gettext("text could not be extracted")),
            ("no", gettext("none")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.filter(failures__gt=0)
        if self.value() == "unread":
            return queryset.exclude(extraction_problem={})
        return queryset.filter(failures=0, extraction_problem={}) if self.value() == "no" else queryset


class CopyFilter(admin.SimpleListFilter):
    """Originals and copies."""

    title = _("copies")
    parameter_name = "copies"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", gettext("without copies")), ("yes", gettext("only copies"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"yes", "no"}:
            return queryset.filter(duplicate_of__isnull=self.value() == "no")
        return queryset


class LanguageFilter(admin.AllValuesFieldListFilter):
    """The languages that documents have. An unknown one has a name as well."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or gettext("none")}
