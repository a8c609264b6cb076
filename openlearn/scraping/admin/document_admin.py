"""The pages of documents."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from openlearn.scraping.admin.read_only import CopyFilter, LanguageFilter, ReadOnlyAdmin, link_out
from openlearn.scraping.models import Document
from scheduler.admin.format import display
from scheduler.services.sites import reverse


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("titled", "language", "published", "changed")
    list_filter = (CopyFilter, "source", ("language", LanguageFilter))
    list_select_related = ("source",)
    search_fields = ("title", "url", "summary")
    search_help_text = _("Part of the title, the address or the summary.")
    show_full_result_count = False
    fields = (
        "source",
        "address",
        "title",
        "shown_authors",
        "summary",
        "text",
        "language",
        "published",
        "content_hash",
        "first_seen",
        "changed",
        "withdrawn",
        "original",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).defer("text")

    @admin.display(description=_("address"))
    def address(self, document: Document) -> SafeString | str:
        return link_out(document.url)

    @admin.display(description=_("withdrawn at"))
    def withdrawn(self, document: Document) -> SafeString | str:
        return display.moment(document.withdrawn_at)

    @admin.display(description=_("copy of"))
    def original(self, document: Document) -> SafeString | str:
        if document.duplicate_of_id is None:
            return "–"
        place = reverse("admin:scraping_document_change", args=[document.duplicate_of_id])
        return format_html('<a href="{}"><bdi>{}</bdi></a>', place, display.first_line(str(document.duplicate_of)))

    @admin.display(description=_("document"), ordering="title")
    def titled(self, document: Document) -> SafeString:
        """Its title, and under it where it comes from."""
        return format_html(
            '<bdi>{}</bdi> <span class="ols-under"><bdi>{}</bdi> · <bdi>{}</bdi></span>',
            display.first_line(str(document)),
            display.first_line(document.source.name if document.source else gettext("source deleted"), most=60),
            display.first_line(document.url, most=80),
        )

    @admin.display(description=_("authors"))
    def shown_authors(self, document: Document) -> str:
        names = document.authors if isinstance(document.authors, list) else []
        return ", ".join(display.first_line(str(name)) for name in names) or "–"

    @admin.display(description=_("first seen at"))
    def first_seen(self, document: Document) -> SafeString | str:
        return display.moment(document.first_seen_at)

    @admin.display(description=_("published"), ordering="published_at")
    def published(self, document: Document) -> SafeString | str:
        return display.moment(document.published_at)

    @admin.display(description=_("changed"), ordering="changed_at")
    def changed(self, document: Document) -> SafeString | str:
        return display.moment(document.changed_at)
