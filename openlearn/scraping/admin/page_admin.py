"""The pages of fetched pages: which fail, why, and when they are tried again."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import sentences, services
from openlearn.scraping.admin.failure_kinds import FailureKindFilter
from openlearn.scraping.admin.read_only import FailureFilter, ReadOnlyAdmin, link_out
from openlearn.scraping.models import Page
from scheduler.admin.format import display
from scheduler.admin.format.languages import told


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("addressed", "waits", "trouble", "next_attempt", "fetched", "extracted")
    list_filter = (FailureFilter, FailureKindFilter, "is_due", "source")
    actions = ("try_again",)
    list_select_related = ("source",)
    search_fields = ("url",)
    search_help_text = _("Part of the address.")
    fields = (
        "source",
        "address",
        "guid",
        "document",
        "waits",
        "trouble",
        "failures",
        "asked",
        "next_attempt",
        "final_url",
        "content_type",
        "fetched",
        "extracted",
        "extraction_attempts",
        "marker",
    )
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Page]:
        return super().get_queryset(request).defer("body", "hints")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    @admin.action(description=_("Try the selected pages again"), permissions=["run"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Page]) -> None:
        """Safe to repeat: the next scrape of their source requests them, at the pace of their host."""
        number = services.retry_pages(pages=queryset)
        sentence = ngettext(
            "%s failing page is requested by the next scrape of its source.",
            "%s failing pages are requested by the next scrapes of their sources.",
            number,
        )
        self.message_user(request, sentence % display.number(number))

    @admin.display(description=_("address"))
    def address(self, page: Page) -> SafeString | str:
        return link_out(page.url)

    @admin.display(description=_("problem"), ordering="failures")
    def trouble(self, page: Page) -> SafeString | str:
        """Why it cannot be fetched, or why its text was not taken."""
        data = page.failure if page.failures else page.extraction_problem
        if data:
            return display.first_line(told(sentences.from_data(data)), most=300)
        return display.first_line(page.last_error, most=300) if page.failures else "–"

    @admin.display(description=_("next attempt"), ordering="retry_at")
    def next_attempt(self, page: Page) -> SafeString | str:
        if not page.failures:
            return "–"
        return display.moment(page.retry_at) if page.retry_at else gettext("with the next scrape")

    @admin.display(description=_("last requested"), ordering="asked_at")
    def asked(self, page: Page) -> SafeString | str:
        return display.moment(page.asked_at)

    @admin.display(description=_("address"), ordering="url")
    def addressed(self, page: Page) -> SafeString:
        """Where it is, and under it the source that named it."""
        return format_html(
            '<bdi class="ols-words">{}</bdi> <span class="ols-under"><bdi>{}</bdi></span>',
            display.first_line(page.url),
            display.first_line(page.source.name, most=60),
        )

    @admin.display(description=_("due for fetching"), ordering="is_due")
    def waits(self, page: Page) -> str:
        """A word: the mark that the admin has for “no” is that of an error, and a fetched page is none."""
        return gettext("yes") if page.is_due or page.failures else gettext("no")

    @admin.display(description=_("fetched"), ordering="fetched_at")
    def fetched(self, page: Page) -> SafeString | str:
        return display.moment(page.fetched_at)

    @admin.display(description=_("extracted"), ordering="extracted_at")
    def extracted(self, page: Page) -> SafeString | str:
        return display.moment(page.extracted_at)
