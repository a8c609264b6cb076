"""The kinds of failure of pages, in words."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from openlearn.scraping.models import Page
from openlearn.scraping.services.health import NO_KIND

KINDS: dict[str, Promise] = {
    "not_found": _("Not found (404)"),
    "gone": _("Gone for good (410)"),
    "unexpected_status": _("Unexpected status"),
    "forbidden_by_robots": _("Not allowed by robots.txt"),
    "robots_unavailable": _("robots.txt cannot be read"),
    "not_for_indexing": _("Not to be collected (noindex)"),
    "wrong_content_type": _("No text for people"),
    "unreachable": _("Server cannot be reached"),
    "answer_too_slow": _("Answer too slow"),
    "answer_too_large": _("Answer too large"),
    "answer_unreadable": _("Answer cannot be read"),
    "too_many_redirects": _("Too many redirects"),
    "destination_refused": _("Destination not allowed"),
}


def kind_title(code: str) -> Promise | str:
    """Return a kind of failure in words; one of another release as its code."""
    return KINDS.get(code, code or NO_KIND)


class FailureKindFilter(admin.SimpleListFilter):
    """The kinds of failure that pages have at present."""

    title = _("kind of failure")
    parameter_name = "failure_code"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        codes = Page.objects.failing().order_by("failure_code").values_list("failure_code", flat=True).distinct()
        return [(code or NO_KIND, str(kind_title(code))) for code in codes[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Page]) -> QuerySet[Page]:
        chosen = self.value()
        if chosen is None:
            return queryset
        return queryset.filter(failures__gt=0, failure_code="" if chosen == NO_KIND else chosen)
