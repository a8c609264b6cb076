"""The history of jobs in the admin: who changed what, and the way back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.changes import change_text
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.pages import Done, Question
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.core import error_messages
from scheduler.core.states import ChangeAction, JobState, Via
from scheduler.errors import ChangeNotFound, InvalidFilter
from scheduler.models import Change
from scheduler.services.jobs import restoring
from scheduler.services.jobs.restoring import Restoration
from scheduler.services.queries import job_history
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.services.queries.paging import Page

PAGE_SIZE = 50

_FILTERS = ("job", "actor", "action", "via")


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Users who may view jobs may view their history."""
        return request.user.has_perm("scheduler.view_job")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.restore_view)
        return [path("<int:change_id>/restore/", view, name="scheduler_change_restore"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return HttpResponseNotAllowed(["GET"])
        return pages.show_live(
            request, "scheduler/changes/changes.html", _context(request), region="scheduler/changes/changes_region.html"
        )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """A change has no page: it is shown among those of its job."""
        if object_id is None or request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(addresses.changes(job=_found(object_id).job_key))

    def restore_view(self, request: HttpRequest, change_id: int) -> HttpResponse:
        if not self.has_view_permission(request) or not change_text.may_restore(request, job_exists=True):
            raise PermissionDenied
        change = _found(change_id)
        plan = restoring.preview(change=change)
        if not change_text.may_restore(request, job_exists=plan.job is not None):
            raise PermissionDenied
        if request.method == "POST" and plan.job is not None and not plan.differences:
            # Also for a reload after it was done.
            restored = _("Restored version %(version)d of “%(name)s”.")
            self.message_user(request, restored % {"name": plan.job.name, "version": change.version})
            return HttpResponseRedirect(addresses.job(plan.job.pk))

        def act() -> Done:
            job = restoring.restore(change=change, **pages.author(request), reason=pages.reason(request))
            facts = {"name": job.name, "version": change.version}
            sentence = _("Restored version %(version)d of “%(name)s”.") % facts
            return Done(sentence=sentence, location=addresses.job(job.pk))

        facts = {"version": change.version, "name": display.first_line(change.job_name)}
        question = Question(
            title=_("Restore version %(version)d of “%(name)s”?") % facts,
            effects=_effects(change, plan),
            button=_("Restore"),
            back=addresses.changes(job=change.job_key),
            asks_reason=True,
        )
        return pages.confirm(request, question=question, act=act)


def _effects(change: Change, plan: Restoration) -> list[str]:
    now = timezone.now()
    if plan.job is None:
        paused = change.definition.get("state") == JobState.PAUSED
        return [
            _("The job was deleted. It is created again with the id %s.") % change.job_key,
            _("It stays paused.") if paused else _("It runs next at its next scheduled time."),
            _("Its past runs belong to it again."),
        ]
    shown = [change_text.difference(each, now=now) for each in plan.differences]
    return [
        *(_("%(label)s: %(old)s → %(new)s") % each for each in shown),
        _("A pause stays as it is. Restoring does not start a run."),
    ]


def _found(change_id: str | int) -> Change:
    try:
        return job_history.get(id=int(change_id))
    except (ChangeNotFound, ValueError) as error:
        raise Http404(told(error)) from None


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    given = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    found, problem = _slice(request, given)
    links = {"everything": request.path}
    if "cursor" in request.GET:
        links["newest"] = _address(request)
    if found.previous:
        links["newer"] = _address(request, cursor=found.previous)
    if found.next:
        links["older"] = _address(request, cursor=found.next)
    is_newest = not (given["actor"] or given["action"] or given["via"] or found.previous)
    rows = change_text.rows(request, found.rows, now=now, is_newest=is_newest)
    return {
        "title": _("Changes of “%s”") % display.first_line(found.rows[0].job_name if found.rows else given["job"])
        if given["job"]
        else _("Changes of jobs"),
        "crumbs": [{"address": addresses.jobs(), "text": _("Jobs")}],
        "given": given,
        "problem": problem,
        "is_filtered": any(given.values()),
        "names_jobs": not given["job"],
        "job_address": rows[0]["job_address"] if given["job"] and rows else None,
        "actions": _choices(change_text.ACTIONS, given["action"]),
        "ways": _choices(change_text.VIA, given["via"]),
        "rows": rows,
        "links": links,
    }


def _slice(request: HttpRequest, given: dict[str, str]) -> tuple[Page[Change], str]:
    """Read the page that the address asks for, or else the newest changes and what is wrong with it."""
    try:
        return job_history.page(filter=_filter(given), limit=PAGE_SIZE, cursor=request.GET.get("cursor", "")), ""
    except InvalidFilter as error:
        return job_history.page(filter=ChangeFilter(), limit=PAGE_SIZE), told(error)


def _filter(given: dict[str, str]) -> ChangeFilter:
    """:raises InvalidFilter: naming the value"""
    for name, text in given.items():
        if "\x00" in text:
            raise InvalidFilter(error_messages.FILTER_HOLDS_NUL(), parameter=name)
    if given["action"] and given["action"] not in set(ChangeAction):
        raise InvalidFilter(error_messages.NOT_AN_ACTION(text=given["action"][:64]), parameter="action")
    if given["via"] and given["via"] not in set(Via):
        raise InvalidFilter(error_messages.NOT_A_WAY(text=given["via"][:64]), parameter="via")
    return ChangeFilter(
        job=given["job"],
        actor=given["actor"],
        actions=(given["action"],) if given["action"] else (),
        via=(given["via"],) if given["via"] else (),
    )


def _choices(known: dict[Any, Any], chosen: str) -> list[dict[str, Any]]:
    return [{"value": value.value, "text": text, "is_chosen": value == chosen} for value, text in known.items()]


def _address(request: HttpRequest, **places: str) -> str:
    """The address of this list from another place on."""
    query = request.GET.copy()
    for name in ("cursor", pages.PART):
        query.pop(name, None)
    query.update(places)
    text = query.urlencode()
    return f"{request.path}?{text}" if text else request.path
