from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from openlearn.scraping import services
from openlearn.scraping.models import Document, Page, Source
from scheduler.errors import SchedulerError


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):
    list_display = ("name", "kind", "tier", "url", "last_success_at", "consecutive_failures", "last_error")
    list_filter = ("kind", "tier")
    search_fields = ("name", "url")
    readonly_fields = (
        "last_attempt_at",
        "last_success_at",
        "consecutive_failures",
        "last_error",
        "retry_not_before",
        "created_at",
    )
    actions = ("scrape_now",)

    def save_model(self, request: HttpRequest, obj: Source, form: ModelForm, change: bool) -> None:
        services.save_source(source=obj, actor=request.user.get_username(), origin="admin")

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        services.remove_source(source=obj, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            services.remove_source(source=source, actor=request.user.get_username())

    @admin.action(description=_("Scrape the selected sources now"), permissions=["change"])
    def scrape_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        asked = 0
        for source in queryset:
            try:
                services.scrape_now(source=source, actor=request.user.get_username())
            except SchedulerError as error:
                self.message_user(request, f"{source}: {error}", messages.ERROR)
            else:
                asked += 1
        if asked:
            sentence = ngettext("%d source is scraped now.", "%d sources are scraped now.", asked)
            self.message_user(request, sentence % asked, messages.SUCCESS)


class ReadOnlyAdmin(admin.ModelAdmin):
    """What the tasks write is there to be read."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "source", "language", "published_at", "changed_at")
    list_filter = ("language", "source")
    list_select_related = ("source",)
    search_fields = ("title", "url")
    show_full_result_count = False


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("url", "source", "is_due", "failures", "fetched_at", "extracted_at")
    list_filter = ("is_due", "source")
    list_select_related = ("source",)
    search_fields = ("url",)
    exclude = ("body",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Page]:
        return super().get_queryset(request).defer("body", "hints")
