from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Field, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import services
from openlearn.scraping.models import Document, Page, Source
from scheduler.admin import addresses
from scheduler.admin.format import display, trigger_text
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin
from scheduler.admin.pages import Done, Question, confirm, selection
from scheduler.errors import SchedulerError
from scheduler.models import Job

_STATE = (
    "last_attempt_at",
    "last_success_at",
    "consecutive_failures",
    "last_error",
    "retry_not_before",
    "created_at",
)


class SourceList(ChangeList):
    """Sources of one page with the jobs that scrape them, in one query more."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        ids = [source.job_id for source in self.result_list]
        found = {job.pk: job for job in Job.objects.defer("job_state").filter(pk__in=ids)}
        for source in self.result_list:
            source.job = found.get(source.job_id)


@admin.register(Source)
class SourceAdmin(InDisplayZone, ModelAdmin):
    list_display = ("named", "health", "how_often", "next_scrape", "last_success")
    list_filter = ("kind", "tier")
    list_per_page = 50
    search_fields = ("name", "url")
    actions = ("scrape_now",)

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SourceList

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> tuple[str, ...]:
        return ("links",) if obj is None else ("links", *_STATE)

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "url":
            field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} vLargeTextField"
        return field

    @admin.display(description=_("see"))
    def links(self, source: Source) -> SafeString | str:
        """Where to go from here: the job that scrapes it, what it brought."""
        if source._state.adding:
            return gettext("Saving makes a job that scrapes it.")
        documents = f"{reverse('admin:scraping_document_changelist')}?source__id__exact={source.pk}"
        return format_html(
            '<a href="{}">{}</a> · <a href="{}">{}</a>',
            addresses.job(source.job_id),
            gettext("its job: when, last runs, run now"),
            documents,
            gettext("its documents"),
        )

    @admin.display(description=_("source"), ordering="name")
    def named(self, source: Source) -> SafeString:
        """Its name, and under it what and where it is."""
        return format_html(
            '<bdi>{}</bdi> <span class="ols-under">{} · <bdi>{}</bdi></span>',
            source.name,
            source.get_kind_display(),
            display.first_line(source.url, most=80),
        )

    @admin.display(description=_("how often"))
    def how_often(self, source: Any) -> str:
        """As its job has it, which somebody may have changed since."""
        return trigger_text.describe(source.job.trigger) if source.job else "–"

    @admin.display(description=_("health"), ordering="consecutive_failures")
    def health(self, source: Any) -> SafeString:
        """How its scrapes go, and what was wrong with the last one."""
        job = source.job
        if job is None:
            missing = _("It has no job; save it to make it anew.")
            return format_html('{} <span class="ols-under">{}</span>', display.job_badge("broken"), missing)
        if job.state == "paused":
            badge, reason = display.job_badge("paused"), display.reason(job.state_reason)
        elif source.consecutive_failures:
            badge = format_html("{} ×{}", display.job_badge("failing"), source.consecutive_failures)
            reason = source.last_error
        else:
            badge, reason = display.job_badge("ok"), ""
        return format_html('{} <span class="ols-under">{}</span>', badge, display.first_line(reason))

    @admin.display(description=_("next scrape"))
    def next_scrape(self, source: Any) -> SafeString | str:
        """When, with a link to the job for all the rest."""
        if source.job is None:
            return "–"
        return format_html('<a href="{}">{}</a>', addresses.job(source.job.pk), display.due(source.job.next_run_time))

    @admin.display(description=_("last success"), ordering="last_success_at")
    def last_success(self, source: Source) -> SafeString | str:
        return display.moment(source.last_success_at)

    def save_model(self, request: HttpRequest, obj: Source, form: ModelForm, change: bool) -> None:
        services.save_source(source=obj, actor=request.user.get_username(), origin="admin")

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        services.remove_source(source=obj, actor=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            services.remove_source(source=source, actor=request.user.get_username())

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.run_job")

    @admin.action(description=_("Scrape the selected sources now"), permissions=["run"])
    def scrape_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> HttpResponse | None:
        selected = list(queryset.order_by("name"))
        if not selected:
            return None
        question = Question(
            title=gettext("Scrape these sources now?"),
            effects=[
                ", ".join(display.first_line(source.name, most=60) for source in selected[:20])
                + (f" … ({len(selected)})" if len(selected) > 20 else ""),
                gettext("Each is scraped once, as soon as a node has room. When it is due does not change."),
            ],
            button=gettext("Scrape them now"),
            back=request.get_full_path(),
            fields=selection(request),
        )
        return confirm(request, question=question, act=lambda: self._scrape(request, selected))

    def _scrape(self, request: HttpRequest, selected: list[Source]) -> Done:
        asked = 0
        for source in selected:
            try:
                services.scrape_now(source=source, actor=request.user.get_username())
            except SchedulerError as error:
                self.message_user(request, f"{source}: {told(error)}", messages.ERROR)
            else:
                asked += 1
        sentence = ngettext("%d source is scraped now.", "%d sources are scraped now.", asked) % asked if asked else ""
        return Done(sentence=sentence, location=request.get_full_path())


class ReadOnlyAdmin(InDisplayZone, ModelAdmin):
    """What the tasks write is there to be read."""

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    list_display = ("titled", "language", "published", "changed")
    list_filter = ("source", "language")
    list_select_related = ("source",)
    search_fields = ("title", "url", "summary")
    search_help_text = _("Part of the title, the address or the summary.")
    show_full_result_count = False
    fields = (
        "source",
        "url",
        "title",
        "shown_authors",
        "summary",
        "text",
        "language",
        "published",
        "content_hash",
        "first_seen",
        "changed",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).defer("text")

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


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("addressed", "waits", "failures", "fetched", "extracted")
    list_filter = ("is_due", "source")
    list_select_related = ("source",)
    search_fields = ("url",)
    search_help_text = _("Part of the address.")
    exclude = ("body",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Page]:
        return super().get_queryset(request).defer("body", "hints")

    @admin.display(description=_("address"), ordering="url")
    def addressed(self, page: Page) -> SafeString:
        """Where it is, and under it the source that named it."""
        return format_html(
            '<bdi class="ols-words">{}</bdi> <span class="ols-under"><bdi>{}</bdi></span>',
            display.first_line(page.url),
            display.first_line(page.source.name, most=60),
        )

    @admin.display(description=_("to be fetched"), ordering="is_due")
    def waits(self, page: Page) -> str:
        """A word: the mark that the admin has for “no” is that of an error, and a fetched page is none."""
        return gettext("yes") if page.is_due else gettext("no")

    @admin.display(description=_("fetched"), ordering="fetched_at")
    def fetched(self, page: Page) -> SafeString | str:
        return display.moment(page.fetched_at)

    @admin.display(description=_("extracted"), ordering="extracted_at")
    def extracted(self, page: Page) -> SafeString | str:
        return display.moment(page.extracted_at)
