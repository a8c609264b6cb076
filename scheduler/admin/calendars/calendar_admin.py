"""Calendars in the admin: one page each, with its form, its next entries, its jobs and its history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.calendars.calendar_forms import CalendarForm
from scheduler.admin.fields.tags_field import written as tags_text
from scheduler.admin.format import display
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.errors import SchedulerError
from scheduler.models import Calendar
from scheduler.services import calendars
from scheduler.services.calendars import entries

_ENTRIES = 20
_MOST_JOBS = 50
_MOST_CHANGES = 20
_ACTIONS = {
    "created": pgettext_lazy("change of a calendar", "created"),
    "edited": pgettext_lazy("change of a calendar", "changed"),
}


@register(Calendar)
class CalendarAdmin(ModelAdmin):
    list_display = ("name", "title", "rule_count", "window")
    search_fields = ("name", "title")
    actions = None

    @admin.display(description=gettext_lazy("rules"))
    def rule_count(self, calendar: Calendar) -> int:
        return len(calendar.rules)

    @admin.display(description=gettext_lazy("maintenance window for"))
    def window(self, calendar: Calendar) -> str:
        return tags_text(calendar.tags) or "–"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """One that jobs use stays: its page names them."""
        may: bool = super().has_delete_permission(request, obj)
        return may and not (isinstance(obj, Calendar) and calendars.users(calendar=obj).exists())

    def delete_model(self, request: HttpRequest, obj: Calendar) -> None:
        calendars.remove(calendar=obj, **pages.author(request))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CalendarForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                made = calendars.create(**form.given(), **pages.author(request))
            except SchedulerError as error:
                form.refuse(error)
            else:
                messages.success(request, _("The calendar “%s” was created.") % made.name)
                return HttpResponseRedirect(self._address("change", made))
        return self._page(request, form, title=_("New calendar"), button=_("Create"), may_save=True)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        calendar = Calendar.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        if calendar is None:
            raise Http404
        if not self.has_view_permission(request, calendar):
            raise PermissionDenied
        may_save = self.has_change_permission(request, calendar)
        form = CalendarForm(request.POST or None, request.FILES or None, initial=_initial(calendar))
        if request.method == "POST":
            if not may_save:
                raise PermissionDenied
            if form.is_valid():
                try:
                    calendars.update(
                        calendar=calendar,
                        version=form.cleaned_data["version"],
                        **form.given(),
                        **pages.author(request),
                    )
                except SchedulerError as error:
                    form.refuse(error)
                else:
                    messages.success(
                        request, _("The calendar “%s” was saved. Jobs that use it are updated.") % calendar.name
                    )
                    return HttpResponseRedirect(self._address("change", calendar))
        facts = {
            "entries": [_entry(each) for each in entries.of(calendar=calendar, limit=_ENTRIES)],
            "jobs": _jobs(calendar),
            "changes": _changes(calendar),
            "delete": self._address("delete", calendar) if self.has_delete_permission(request, calendar) else "",
            "holidays": len(calendar.holidays),
            "last_holiday": calendar.holidays[-1][0] if calendar.holidays else "",
        }
        title = calendar.title or calendar.name
        return self._page(request, form, title=title, button=_("Save"), may_save=may_save, calendar=calendar, **facts)

    def _page(self, request: HttpRequest, form: CalendarForm, *, title: str, **context: Any) -> HttpResponse:
        back = reverse("admin:scheduler_calendar_changelist", current_app=self.admin_site.name)
        facts = {"title": title, "form": form, "back": back, "crumbs": [{"address": back, "text": _("Calendars")}]}
        return pages.show(request, "scheduler/calendars/calendar.html", {**facts, **context})

    def _address(self, name: str, calendar: Calendar) -> str:
        return reverse(f"admin:scheduler_calendar_{name}", args=[calendar.pk], current_app=self.admin_site.name)


def _initial(calendar: Calendar) -> dict[str, Any]:
    return {
        **calendars.written(calendar=calendar),
        "rules": "\n".join(calendar.rules),
        "version": calendar.version,
    }


def _changes(calendar: Calendar) -> list[dict[str, Any]]:
    found = calendars.changes_of(name=calendar.name, limit=_MOST_CHANGES)
    return [
        {
            "change": each,
            "action": _ACTIONS.get(each.action, each.action),
            "fields": list(map(_label, each.changes if each.action == "edited" else ())),
        }
        for each in found
    ]


def _label(name: str) -> str:
    labels = {field.name: str(field.verbose_name) for field in Calendar._meta.fields}
    return capfirst(labels.get(name, name))


def _entry(entry: entries.Entry) -> dict[str, str]:
    """Return when an entry is, as days or as times."""
    if not entry.is_whole_days:
        begin, end = (f"{display.day(at, 'D j M Y')} {at:%H:%M}" for at in (entry.begin, entry.end))
        return {"when": f"{begin} – {end}", "title": entry.title}
    days = (entry.end.date() - entry.begin.date()).days
    first, last = display.day(entry.begin, "D j M Y"), display.day(entry.end - calendars.MOMENT, "D j M Y")
    return {"when": first if days == 1 else f"{first} – {last}", "title": entry.title}


def _jobs(calendar: Calendar) -> list[dict[str, str]]:
    found = calendars.users(calendar=calendar).values_list("pk", "name")[:_MOST_JOBS]
    return [{"name": name, "address": addresses.job(pk)} for pk, name in found]
