"""Incidents in the admin: the list, the page, and what people do about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses, pages
from scheduler.admin.alerts import alert_text
from scheduler.admin.alerts.alert_text import MESSAGE_MARKS, MESSAGE_WORDS, SEVERITIES
from scheduler.admin.alerts.incident_filters import KindFilter, SeverityFilter, StateFilter
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import register
from scheduler.admin.jobs import pausing
from scheduler.admin.pages import Done, Question
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.errors import IncidentNotFound, InvalidPause
from scheduler.models import Incident, Job
from scheduler.services.alerts import incidents, links, sentences
from scheduler.services.sites import reverse

_PERMISSION = "scheduler.acknowledge_incident"


@register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = ("shown_subject", "shown_state", "shown_severity", "since", "count", "rule_name", "ended")
    list_filter = (StateFilter, KindFilter, SeverityFilter)
    search_fields = ("job_name", "job_key", "rule_name")
    show_full_result_count = False
    actions = None
    change_list_template = "scheduler/alerts/list.html"

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        views = {"acknowledge": self.acknowledge_view, "snooze": self.snooze_view, "close": self.close_view}
        own = [
            path(f"<int:incident_id>/{name}/", wrap(view), name=f"scheduler_incident_{name}")
            for name, view in views.items()
        ]
        return [
            path("mute/<str:job_key>/", wrap(self.mute_view), name="scheduler_incident_mute"),
            path("link/<str:token>/", wrap(self.link_view), name="scheduler_incident_link"),
            *own,
            *super().get_urls(),
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in ("rule", "job_key") or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if object_id is None or request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        incident = _found(object_id)
        return pages.show_live(request, "scheduler/alerts/incident.html", _context(request, incident), region=_REGION)

    def link_view(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the incidents of a message, to whoever followed its link and is logged in."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        thread = links.read(token)
        if thread is None:
            raise Http404(_("The link is more than 30 days old, or incomplete."))
        found = list(incidents.of_thread(thread=thread)[:100])
        context = {
            "title": _("Incidents of a message"),
            "crumbs": [_crumb()],
            "rows": [{**alert_text.row(incident), "do": _actions(request, incident)} for incident in found],
        }
        return pages.show(request, "scheduler/alerts/link.html", context)

    def acknowledge_view(self, request: HttpRequest, incident_id: int) -> HttpResponse:
        incident = self._open(request, incident_id)

        def act() -> Done:
            incidents.acknowledge(incident=incident, actor=pages.actor(request), note=pages.reason(request))
            return Done(sentence=_("The incident is acknowledged."), location=alert_text.incident_address(incident.pk))

        question = Question(
            title=_("Acknowledge “%s”?") % _title(incident),
            effects=[_("Reminders and escalation stop. The recovery is reported as usual.")],
            button=_("Acknowledge"),
            back=alert_text.incident_address(incident.pk),
            asks_reason=True,
        )
        return pages.confirm(request, question=question, act=act)

    def snooze_view(self, request: HttpRequest, incident_id: int) -> HttpResponse:
        incident = self._open(request, incident_id)
        back = alert_text.incident_address(incident.pk)

        def act(until: datetime) -> Done:
            incidents.snooze(incident=incident, until=until, actor=pages.actor(request), note=pages.reason(request))
            return Done(sentence=_("The incident is snoozed."), location=back)

        question = Question(
            title=_("Snooze “%s”?") % _title(incident),
            effects=[_("Reminders and escalation wait until then. The recovery is reported as usual.")],
            button=_("Snooze"),
            back=back,
            asks_reason=True,
            asks_until=True,
            must_end=True,
        )
        return _until(request, question, act)

    def close_view(self, request: HttpRequest, incident_id: int) -> HttpResponse:
        incident = self._open(request, incident_id)
        back = alert_text.incident_address(incident.pk)

        def act() -> Done:
            incidents.close(incident=incident, actor=pages.actor(request), note=pages.reason(request))
            return Done(sentence=_("The incident is closed."), location=back)

        question = Question(
            title=_("Close “%s”?") % _title(incident),
            effects=[_("If the problem persists, a new incident opens at the next failure or check.")],
            button=_("Close"),
            back=back,
            asks_reason=True,
        )
        return pages.confirm(request, question=question, act=act)

    def mute_view(self, request: HttpRequest, job_key: str) -> HttpResponse:
        """Ask for the end of muting a job."""
        if not request.user.has_perm(_PERMISSION):
            raise PermissionDenied
        job = Job.objects.filter(pk=unquote(job_key)).first()
        if job is None:
            raise Http404(_("The job does not exist."))
        back = addresses.job(job.pk)

        def act(until: datetime) -> Done:
            incidents.mute(job=job, until=until, actor=pages.actor(request), reason=pages.reason(request))
            return Done(sentence=_("“%s” is muted.") % job.name, location=back)

        if incidents.mute_of(job=job) is not None:

            def unmute() -> Done:
                incidents.unmute(job=job)
                return Done(sentence=_("“%s” is no longer muted.") % job.name, location=back)

            question = Question(
                title=_("Unmute “%s”?") % display.first_line(job.name),
                effects=[_("Its open incidents are reported at once.")],
                button=_("Unmute"),
                back=back,
            )
            return pages.confirm(request, question=question, act=unmute)
        question = Question(
            title=_("Mute “%s”?") % display.first_line(job.name),
            effects=[
                _("No messages about the job are sent until then. Its incidents are still recorded."),
                _("Incidents that are still open at that time are reported."),
            ],
            button=_("Mute"),
            back=back,
            asks_reason=True,
            asks_until=True,
            must_end=True,
        )
        return _until(request, question, act)

    def _open(self, request: HttpRequest, incident_id: int) -> Incident:
        if not (self.has_view_permission(request) and request.user.has_perm(_PERMISSION)):
            raise PermissionDenied
        return _found(incident_id)

    @admin.display(description=gettext_lazy("what"), ordering="job_name")
    def shown_subject(self, incident: Incident) -> SafeString:
        return format_html(
            '<bdi>{}</bdi><span class="ols-under">{}</span>', sentences.subject(incident), sentences.what(incident)
        )

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, incident: Incident) -> SafeString:
        return display.badge(alert_text.state_of(incident))

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def shown_severity(self, incident: Incident) -> SafeString:
        return display.badge(SEVERITIES[incident.severity])

    @admin.display(description=gettext_lazy("since"), ordering="opened_at")
    def since(self, incident: Incident) -> SafeString | str:
        return display.moment(incident.opened_at)

    @admin.display(description=gettext_lazy("closed at"), ordering="closed_at")
    def ended(self, incident: Incident) -> SafeString | str:
        return display.moment(incident.closed_at)


_REGION = "scheduler/alerts/incident_region.html"


def _found(incident_id: str | int) -> Incident:
    try:
        return incidents.get(id=int(incident_id))
    except (IncidentNotFound, ValueError, OverflowError) as error:
        raise Http404(told(error)) from None


def _until(request: HttpRequest, question: Question, act: Callable[[datetime], Done]) -> HttpResponse:
    """Ask until when, and do it."""
    problem, until = "", None
    if request.method == "POST":
        try:
            until = pausing.until_of(request)
        except InvalidPause as error:
            problem = told(error)
        if until is None and not problem and request.POST.get("confirmed"):
            problem = _("Enter an end time.")
    return pages.confirm(request, question=question, act=lambda: act(until or timezone.now()), problem=problem)


def _title(incident: Incident) -> str:
    return f"{sentences.subject(incident)}: {sentences.what(incident)}"


def _crumb() -> dict[str, str]:
    return {"address": reverse("admin:scheduler_incident_changelist"), "text": _("Incidents")}


def _actions(request: HttpRequest, incident: Incident) -> list[dict[str, str]]:
    """Return what this person may do about an incident."""
    if incident.closed_at is not None or not request.user.has_perm(_PERMISSION):
        return []
    names = {"acknowledge": _("Acknowledge…"), "snooze": _("Snooze…"), "close": _("Close…")}
    if incident.acknowledged_at is not None:
        names.pop("acknowledge")
    found = [
        {"address": reverse(f"admin:scheduler_incident_{name}", args=[incident.pk]), "text": text, "id": name}
        for name, text in names.items()
    ]
    if incident.job_id:
        address = alert_text.mute_address(incident.job_key)
        found.append({"address": address, "text": _("Mute the job…"), "id": "mute"})
    return found


def _context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    exists = bool(incident.job_id) and Job.objects.filter(pk=incident.job_id).exists()
    told_of = incidents.messages_about(incident=incident)
    return {
        "title": _title(incident),
        "crumbs": [_crumb()],
        **alert_text.row(incident),
        "ended": sentences.ended(incident),
        "job_address": addresses.job(incident.job_id) if exists else "",
        "task_address": addresses.task(incident.task) if incident.task else "",
        "run_address": addresses.run(incident.run) if incident.run else "",
        "rule_address": reverse("admin:scheduler_rule_change", args=[incident.rule_id])
        if incident.rule_id and request.user.has_perm("scheduler.view_rule")
        else "",
        "do": _actions(request, incident),
        "messages_about": [
            {
                "message": message,
                "word": MESSAGE_WORDS.get(message.kind, message.kind),
                "mark": MESSAGE_MARKS[message.state],
                "answer": alert_text.answer(message),
                "address": reverse("admin:scheduler_notification_change", args=[message.pk]),
            }
            for message in told_of
        ],
    }
