"""The page of a bulk action: how far it is, what was refused, and a way to stop it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.foundation import register
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.core import reasons
from scheduler.errors import BulkActionNotFound
from scheduler.models import BulkAction
from scheduler.services import bulk
from scheduler.services.sites import reverse

TITLES = {
    ("runs", "cancel"): gettext_lazy("Cancel runs"),
    ("runs", "retry"): gettext_lazy("Retry runs"),
    ("runs", "delete"): gettext_lazy("Delete runs"),
    ("jobs", "pause"): gettext_lazy("Pause jobs"),
    ("jobs", "resume"): gettext_lazy("Resume jobs"),
    ("jobs", "run"): gettext_lazy("Run jobs now"),
    ("jobs", "add_tags"): gettext_lazy("Add tags to jobs"),
    ("jobs", "remove_tags"): gettext_lazy("Remove tags from jobs"),
    ("jobs", "clone"): gettext_lazy("Clone jobs"),
    ("jobs", "edit"): gettext_lazy("Edit jobs"),
    ("jobs", "delete"): gettext_lazy("Delete jobs"),
    ("backfill", "queue"): gettext_lazy("Backfill"),
    ("template", "upgrade"): gettext_lazy("Upgrade instances"),
}


def address(pk: int) -> str:
    return reverse("admin:scheduler_bulkaction_change", args=[pk])


@register(BulkAction)
class BulkActionAdmin(ReadOnlyAdmin):
    list_display = ("shown_action", "requested_by", "created_at", "total", "done", "refused", "finished_at")
    list_display_links = ("shown_action",)

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_urls(self) -> list[Any]:
        stop = path("<int:pk>/stop/", self.admin_site.admin_view(self.stop_view), name="scheduler_bulkaction_stop")
        return [stop, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        subjects = _visible(request)
        return bool(subjects) if obj is None else obj.subject in subjects

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAction]:
        return super().get_queryset(request).filter(subject__in=_visible(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def shown_action(self, row: BulkAction) -> str:
        return str(TITLES.get((row.subject, row.action), row.action))

    shown_action.short_description = gettext_lazy("action")  # type: ignore[attr-defined]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        row = _found(object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        row = bulk.go_on(row=row)
        return pages.show_live(
            request, "scheduler/bulk/bulk.html", _context(request, row), region="scheduler/bulk/bulk_region.html"
        )

    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stop an action of one's own, or, with the right to delete jobs, anybody's."""
        row = _found(pk)
        if request.method != "POST":
            return HttpResponseRedirect(address(row.pk))
        if not self.has_view_permission(request, row) or not _may_stop(request, row):
            raise PermissionDenied
        bulk.stop(id=row.pk)
        messages.success(request, _("Stopping. Changes that were made are kept."))
        return HttpResponseRedirect(address(row.pk))


def _visible(request: HttpRequest) -> list[str]:
    """The subjects whose actions this person may see."""
    return [subject for subject, word in bulk.VIEWED_WITH.items() if request.user.has_perm(f"scheduler.{word}")]


def _may_stop(request: HttpRequest, row: BulkAction) -> bool:
    return row.requested_by == pages.actor(request) or request.user.has_perm("scheduler.delete_job")


def _found(pk: str | int) -> BulkAction:
    try:
        return bulk.get(id=int(pk))
    except (BulkActionNotFound, ValueError):
        raise Http404(_("There is no bulk action #%s.") % pk) from None


def _context(request: HttpRequest, row: BulkAction) -> dict[str, Any]:
    finished = row.finished_at is not None
    left = row.total - row.done - row.refused
    return {
        "title": TITLES.get((row.subject, row.action), row.action),
        "row": row,
        "sentence": _sentence(row),
        "tone": "warn" if row.refused else "ok" if finished else "info",
        "is_finished": finished,
        "handled": row.done + row.refused,
        "refusals": [
            {
                "name": display.first_line(str(each["name"])),
                "address": addresses.run(each["id"]) if row.subject == "runs" else addresses.job(each["id"]),
                "text": display.plain(str(each["text"])),
            }
            for each in row.refusals
        ],
        "more_refusals": row.refused - len(row.refusals),
        "stop_address": reverse("admin:scheduler_bulkaction_stop", args=[row.pk])
        if not finished and _may_stop(request, row)
        else "",
        "left": left,
        "undo_address": _undo(request, row),
        "back": _back(row),
    }


def _back(row: BulkAction) -> str:
    if row.subject == "template":
        return reverse("admin:scheduler_template_change", args=row.selection["ids"])
    return addresses.jobs() if row.subject == "jobs" else addresses.runs()


def _undo(request: HttpRequest, row: BulkAction) -> str:
    """Where the runs of a backfill that have not started are cancelled. Empty: this cannot be undone."""
    if row.subject != "backfill" or not request.user.has_perm("scheduler.cancel_run"):
        return ""
    own = {"job": row.selection["ids"][0], "reason_code": reasons.BACKFILL.code, "since": row.created_at.isoformat()}
    return addresses.runs_many(action="cancel", select_across="1", tab="queued", **own)


def _sentence(row: BulkAction) -> str:
    facts = {"done": display.number(row.done), "total": display.number(row.total)}
    if row.finished_at is None:
        said = _("%(done)s of %(total)s done. The work continues if you leave this page.") % facts
    elif row.stop_requested_at is not None and row.done + row.refused < row.total:
        said = _("Stopped: %(done)s of %(total)s done.") % facts
    else:
        said = _("Finished: %(done)s of %(total)s done.") % facts
    if row.refused:
        refused = {"number": display.number(row.refused)}
        said += " " + ngettext("%(number)s was rejected.", "%(number)s were rejected.", row.refused) % refused
    return said
