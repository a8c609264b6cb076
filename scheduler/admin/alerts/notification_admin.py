"""Notifications and switches in the admin: what was sent, to whom, and what was answered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.alerts import alert_text
from scheduler.admin.alerts.alert_text import MESSAGE_MARKS, MESSAGE_WORDS
from scheduler.admin.fields.duration_field import DurationField
from scheduler.admin.format import display
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.errors import InvalidSwitch, NameTaken
from scheduler.models import Notification, Switch
from scheduler.services import masking
from scheduler.services.alerts import channels, switches
from scheduler.services.sites import reverse


class StateFilter(admin.SimpleListFilter):
    """The states of messages, in words."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(state, mark.word) for state, mark in MESSAGE_MARKS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notification]) -> QuerySet[Notification]:
        return queryset.filter(state=self.value()) if self.value() else queryset


@register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = (
        "shown_subject",
        "shown_state",
        "channel",
        "shown_created",
        "shown_sent",
        "attempts",
        "shown_answer",
    )
    list_filter = (StateFilter, "channel")
    list_select_related = ("channel",)
    show_full_result_count = False
    actions = None
    change_list_template = "scheduler/alerts/list.html"
    fields = (
        "id",
        "shown_kind",
        "shown_subject",
        "channel",
        "rule_name",
        "shown_state",
        "shown_created",
        "attempts",
        "shown_tried",
        "shown_due",
        "shown_sent",
        "shown_answer",
        "may_have_arrived",
    )
    change_form_template = "scheduler/alerts/notification.html"

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.again_view)
        return [path("<uuid:notification_id>/again/", view, name="scheduler_notification_again"), *super().get_urls()]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        found = self.get_object(request, object_id) if object_id else None
        if found is not None and found.state in ("pending", "failed") and request.user.has_perm(_CHANGE):
            extra["again_address"] = reverse("admin:scheduler_notification_again", args=[found.pk])
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return response

    def again_view(self, request: HttpRequest, notification_id: Any) -> HttpResponse:
        """Let a message that waits, or was given up, go at once."""
        if not request.user.has_perm(_CHANGE):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:scheduler_notification_change", args=[notification_id]))
        found = Notification.objects.filter(pk=notification_id).first()
        if found is None:
            raise Http404(_("The message does not exist."))
        channels.send_again(notification=found)
        messages.success(request, _("It will be sent as soon as a sender is free."))
        return HttpResponseRedirect(reverse("admin:scheduler_notification_change", args=[found.pk]))

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def shown_kind(self, notification: Notification) -> str:
        return str(MESSAGE_WORDS.get(notification.kind, notification.kind))

    @admin.display(description=gettext_lazy("subject"))
    def shown_subject(self, notification: Notification) -> str:
        kind = self.shown_kind(notification)
        return display.first_line(notification.subject or f"{kind}: {notification.rule_name}".rstrip(": "))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, notification: Notification) -> SafeString:
        return display.badge(MESSAGE_MARKS[notification.state])

    @admin.display(description=gettext_lazy("created at"), ordering="created_at")
    def shown_created(self, notification: Notification) -> SafeString | str:
        return display.moment(notification.created_at)

    @admin.display(description=gettext_lazy("last attempt at"))
    def shown_tried(self, notification: Notification) -> SafeString | str:
        return display.moment(notification.tried_at)

    @admin.display(description=gettext_lazy("next attempt at"))
    def shown_due(self, notification: Notification) -> SafeString | str:
        return display.moment(notification.due_at) if notification.state == "pending" else "–"

    @admin.display(description=gettext_lazy("sent at"), ordering="sent_at")
    def shown_sent(self, notification: Notification) -> SafeString | str:
        return display.moment(notification.sent_at)

    @admin.display(description=gettext_lazy("answer"))
    def shown_answer(self, notification: Notification) -> str:
        return alert_text.answer(notification) or "–"


_CHANGE = "scheduler.change_channel"


class SwitchForm(forms.ModelForm):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=1000,
        widget=forms.TextInput(attrs={"size": 60, "autocomplete": "off"}),
        help_text=gettext_lazy(
            "Address of a service that alerts when requests stop. It is stored encrypted and shown masked."
        ),
    )

    every_seconds = DurationField(label=gettext_lazy("Every"), initial=60)

    class Meta:
        model = Switch
        fields = ("name", "job_key", "every_seconds", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["address"].initial = masking.MASK

    def given(self) -> dict[str, Any]:
        """Return what the services take."""
        names = {"url": "address", "job": "job_key"}
        return {name: self.cleaned_data.get(names.get(name, name)) for name in switches.FIELDS}

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                switches.check(switch=self.instance if self.instance.pk else None, **self.given())
            except InvalidSwitch as error:
                field = {"url": "address", "job": "job_key"}.get(error.field, error.field)
                self.add_error(field if field in self.fields else None, told(error))
            except NameTaken as error:
                self.add_error("name", told(error))
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The services check and write the row."""


@register(Switch)
class SwitchAdmin(InDisplayZone, ModelAdmin):
    form = SwitchForm
    list_display = ("name", "job_key", "enabled", "shown_every", "shown_requested", "shown_answer")

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    fields = ("name", "job_key", "address", "every_seconds", "enabled")
    actions = None
    change_list_template = "scheduler/alerts/list.html"

    def save_model(self, request: HttpRequest, obj: Switch, form: Any, change: bool) -> None:
        if change:
            switches.update(switch=obj, **form.given())
        else:
            obj.pk = switches.create(**form.given()).pk

    def delete_model(self, request: HttpRequest, obj: Switch) -> None:
        switches.remove(switch=obj)

    @admin.display(description=gettext_lazy("every"), ordering="every_seconds")
    def shown_every(self, switch: Switch) -> str:
        return display.exactly(switch.every_seconds)

    @admin.display(description=gettext_lazy("requested at"), ordering="requested_at")
    def shown_requested(self, switch: Switch) -> SafeString | str:
        return display.moment(switch.requested_at)

    @admin.display(description=gettext_lazy("answer"))
    def shown_answer(self, switch: Switch) -> str:
        return alert_text.answer(switch) or "–"
