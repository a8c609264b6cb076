"""The pages of sources."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Field, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import sentences, services
from openlearn.scraping.admin import source_health, source_lists
from openlearn.scraping.admin.read_only import link_out
from openlearn.scraping.admin.source_form import TEST, SourceForm
from openlearn.scraping.admin.source_list import SourceList
from openlearn.scraping.errors import ScrapingError
from openlearn.scraping.models import Page, Source
from scheduler.admin import addresses
from scheduler.admin.format import display, trigger_text
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin
from scheduler.admin.pages import Done, Question, confirm, selection
from scheduler.errors import SchedulerError
from scheduler.services.sites import reverse

_STATE = (
    "last_attempt",
    "last_success",
    "consecutive_failures",
    "what_is_wrong",
    "notes",
    "moved",
    "pages_known",
    "pages_failing",
    "waits_until",
    "created",
)
_FORM = (
    "name",
    "url",
    "kind",
    "tier",
    "interval_seconds",
    "learns_pace",
    "page_limit",
    "robots_agreement",
    "username",
    "password",
    "headers",
    "forget_access",
)


def _said(source: Source) -> str:
    """Return the problem of the last scrape, in the reader's language."""
    return told(sentences.from_data(source.failure)) if source.failure else source.last_error


@admin.register(Source)
class SourceAdmin(InDisplayZone, ModelAdmin):
    list_display = ("named", "health", "how_often", "next_scrape", "last_success")
    list_filter = ("kind", "tier")
    list_per_page = 50
    search_fields = ("name", "url")
    actions = ("scrape_now", "pause", "try_pages_again", "take_new_address")
    form = SourceForm
    change_form_template = "admin/scraping/source/change_form.html"
    change_list_template = "admin/scraping/source/change_list.html"

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SourceList

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> tuple[str, ...]:
        return ("links",) if obj is None else ("links", *_STATE)

    def get_fields(self, request: HttpRequest, obj: Source | None = None) -> tuple[str, ...]:
        if not self.has_change_permission(request, obj):
            return ("links", *(name for name in _FORM if name not in {"password", "headers", "forget_access"}), *_STATE)
        return ("links", *_FORM) if obj is None else ("links", *_FORM, *_STATE)

    def get_urls(self) -> list[Any]:
        own = [
            path("import/", self.admin_site.admin_view(source_lists.import_page), name="scraping_source_import"),
            path("export/", self.admin_site.admin_view(source_lists.export_page), name="scraping_source_export"),
            path("health/", self.admin_site.admin_view(source_health.health_page), name="scraping_source_health"),
        ]
        return own + super().get_urls()

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """With the button “test” the source is requested and shown again, and its form is not saved."""
        if request.method == "POST" and TEST in request.POST:
            self._test(request, object_id)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def _test(self, request: HttpRequest, object_id: str | None) -> None:
        source = self.get_object(request, object_id) if object_id else None
        form = self.get_form(request, source, change=source is not None)(request.POST, instance=source)
        form.is_valid()
        is_allowed = self.has_change_permission(request, source) if source else self.has_add_permission(request)
        if not is_allowed or set(form.errors) - {"__all__"} or not form.instance.url:
            return
        found = services.examine(form.instance)
        level = messages.SUCCESS if found.is_fine else messages.ERROR
        self.message_user(request, told(found.sentence), level)
        for title, named in ((gettext("feeds"), found.feeds), (gettext("sitemaps"), found.sitemaps)):
            if named:
                self.message_user(request, f"{title}: {', '.join(named)}", messages.INFO)

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "url":
            field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} vLargeTextField"
        return field

    @admin.display(description=_("see"))
    def links(self, source: Source) -> SafeString | str:
        """Where to go from here: the job that scrapes it, what it brought."""
        if source._state.adding:
            return gettext("Saving creates a job that scrapes it.")
        documents = f"{reverse('admin:scraping_document_changelist')}?source__id__exact={source.pk}"
        return format_html(
            '<a href="{}">{}</a> · <a href="{}">{}</a>',
            addresses.job(source.job_id),
            gettext("its job: when, last runs, run now"),
            documents,
            gettext("its documents"),
        ) + format_html(
            ' · <a href="{}?source__id__exact={}&failing=yes">{}</a> · {}',
            reverse("admin:scraping_page_changelist"),
            source.pk,
            gettext("its failing pages"),
            link_out(source.url),
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
        """Return the state of its scrapes, and the problem of the last one."""
        job = source.job
        if job is None:
            missing = _("It has no job. Save it to create one.")
            return format_html('{} <span class="ols-under">{}</span>', display.job_badge("broken"), missing)
        if job.state == "paused":
            badge, reason = display.job_badge("paused"), display.reason(job.state_reason)
        elif source.consecutive_failures:
            badge = format_html("{} ×{}", display.job_badge("failing"), display.number(source.consecutive_failures))
            reason = _said(source)
        else:
            badge, reason = display.job_badge("ok"), self._remark(source)
        return format_html('{} <span class="ols-under">{}</span>', badge, display.first_line(reason))

    def _remark(self, source: Source) -> str:
        """Return a remark for people on a source without problems."""
        if source.pages_failing:
            counts = {"failing": display.number(source.pages_failing), "known": display.number(source.pages_known)}
            return gettext("%(failing)s of %(known)s pages fail") % counts
        return told(sentences.from_data(source.problems[0])) if source.problems else ""

    @admin.display(description=_("last error"))
    def what_is_wrong(self, source: Source) -> str:
        return _said(source) or "–"

    @admin.display(description=_("notes of the last scrape"))
    def notes(self, source: Source) -> SafeString | str:
        said = [(told(sentences.from_data(problem)),) for problem in source.problems]
        return format_html_join(mark_safe("<br>"), "{}", said) or "–"

    @admin.display(description=_("moved permanently to"))
    def moved(self, source: Source) -> SafeString | str:
        return link_out(source.moved_to) if source.moved_to else "–"

    @admin.display(description=_("no scrape before"))
    def waits_until(self, source: Source) -> SafeString | str:
        """The later of what its host and its own pace want."""
        waits = [at for at in (source.retry_not_before, source.rest_until) if at is not None]
        return display.moment(max(waits)) if waits else "–"

    @admin.display(description=_("last attempt at"))
    def last_attempt(self, source: Source) -> SafeString | str:
        return display.moment(source.last_attempt_at)

    @admin.display(description=_("created at"))
    def created(self, source: Source) -> SafeString | str:
        return display.moment(source.created_at)

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
        services.save_source(source=obj, actor=request.user.get_username(), origin="admin", scrape=not change)
        if not change:
            self.message_user(request, gettext("Its first scrape begins as soon as a worker is free."), messages.INFO)

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
                gettext("Each source is scraped once, as soon as a worker is free. The schedule does not change."),
            ],
            button=gettext("Scrape them now"),
            back=request.get_full_path(),
            fields=selection(request),
        )
        return confirm(request, question=question, act=lambda: self._scrape(request, selected))

    @admin.action(description=_("Pause the selected sources"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Pause the jobs of the sources. Each can be resumed on its page."""
        number = services.pause_sources(sources=queryset, actor=request.user.get_username())
        said = ngettext("%s source is paused.", "%s sources are paused.", number) % display.number(number)
        self.message_user(request, said)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler.pause_job")

    @admin.action(description=_("Try their failing pages again"), permissions=["run"])
    def try_pages_again(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        number = services.retry_pages(pages=Page.objects.filter(source__in=queryset))
        sentence = ngettext(
            "%s failing page is requested by the next scrape of its source.",
            "%s failing pages are requested by the next scrapes of their sources.",
            number,
        )
        self.message_user(request, sentence % display.number(number))

    @admin.action(description=_("Use the new address of moved sources"), permissions=["change"])
    def take_new_address(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        number = 0
        for source in queryset.exclude(moved_to=""):
            try:
                services.take_new_address(source=source, actor=request.user.get_username())
            except ScrapingError as error:
                self.message_user(request, f"{source}: {told(error.message)}", messages.ERROR)
            else:
                number += 1
        self.message_user(request, ngettext("%s source moved.", "%s sources moved.", number) % display.number(number))

    def _scrape(self, request: HttpRequest, selected: list[Source]) -> Done:
        asked = 0
        for source in selected:
            try:
                services.scrape_now(source=source, actor=request.user.get_username())
            except SchedulerError as error:
                self.message_user(request, f"{source}: {told(error)}", messages.ERROR)
            else:
                asked += 1
        sentence = (
            ngettext("%s scrape is queued.", "%s scrapes are queued.", asked) % display.number(asked) if asked else ""
        )
        return Done(sentence=sentence, location=request.get_full_path())
