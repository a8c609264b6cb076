"""Channels in the admin: a form made of the fields of each kind, and a button that sends a test."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import pages
from scheduler.admin.alerts import alert_history, alert_text
from scheduler.admin.format import display
from scheduler.admin.format.display import Mark
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.errors import ChannelNotFound, DeliveryFailed, InvalidChannel, SchedulerError
from scheduler.models import Channel
from scheduler.services import masking
from scheduler.services.alerts import channels, kinds
from scheduler.services.alerts.kinds.kind import Field
from scheduler.services.sites import reverse

APPRISE_PERMISSION = "scheduler.enter_apprise_url"
_WORKS = Mark(word=gettext_lazy("works"), shape="●", tone="ok")
_FAILS = Mark(word=gettext_lazy("fails"), shape="✕", tone="bad")
_UNTESTED = Mark(word=gettext_lazy("untested"), shape="?", tone="warn")
_OFF = Mark(word=gettext_lazy("off"), shape="■", tone="mute")


class ChannelForm(forms.ModelForm):
    """The form of one kind. A new channel shows the fields of all of them, by kind."""

    user: Any = None

    class Meta:
        model = Channel
        fields = (
            "name",
            "kind",
            "enabled",
            "language",
            "zone",
            "quiet_from",
            "quiet_until",
            "digest",
            "digest_at",
            "per_minute",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = kinds.installed()
        choices = [(name, _(kind.label)) for name, kind in self.kinds.items()]
        self.fields["kind"] = forms.ChoiceField(label=_("Kind"), choices=choices)
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), required=False, choices=[("", _("language of the installation")), *settings.LANGUAGES]
        )
        for name in ("quiet_from", "quiet_until", "digest_at"):
            if name in self.fields:
                self.fields[name].widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        stored = self.instance.config if self.instance.pk else {}
        for kind in self.kinds.values():
            for each in kind.fields:
                self.fields[f"{kind.name}.{each.name}"] = _form_field(each, stored.get(each.name))

    def given(self) -> dict[str, Any]:
        """Return what the services take."""
        data = {name: self.cleaned_data.get(name) for name in self.Meta.fields}
        kind = self.kinds.get(data["kind"] or "")
        if kind is not None:
            data["config"] = {each.name: self.cleaned_data.get(f"{kind.name}.{each.name}") for each in kind.fields}
        return data

    def clean(self) -> dict[str, Any]:
        if self.errors:
            return self.cleaned_data
        given = self.given()
        try:
            if given["kind"] == "apprise" and not self.user.has_perm(APPRISE_PERMISSION):
                raise InvalidChannel(
                    _("Entering addresses of Apprise needs the permission %s.") % APPRISE_PERMISSION, field="kind"
                )
            channels.check(channel=self.instance if self.instance.pk else None, **given)
        except SchedulerError as error:
            name = getattr(error, "field", "")
            known = [each for each in (name, f"{given['kind']}.{name}") if each in self.fields]
            self.add_error(known[-1] if known else None, told(error))
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The services check and write the row."""


def _form_field(field: Field, stored: Any) -> forms.Field:
    help_text = _(field.help) if field.help else ""
    label = _(field.label)
    if field.is_flag:
        return forms.BooleanField(label=label, required=False, help_text=help_text, initial=bool(stored))
    if field.is_list:
        return forms.CharField(label=label, required=False, help_text=help_text, initial=", ".join(stored or ()))
    initial = masking.masked(stored) if stored else ""
    widget = forms.TextInput(attrs={"size": 60, "autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=label, required=False, help_text=help_text, initial=initial, widget=widget)


@register(Channel)
class ChannelAdmin(InDisplayZone, ModelAdmin):
    form = ChannelForm
    list_display = ("name", "shown_kind", "shown_state", "shown_tested", "sent", "waiting", "shown_error")
    list_filter = ("enabled", "kind")
    search_fields = ("name",)
    actions = None
    change_list_template = "scheduler/alerts/list.html"
    change_form_template = "scheduler/alerts/channel_form.html"

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.test_view)
        return [path("<int:channel_id>/test/", view, name="scheduler_channel_test"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return channels.all_channels()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = ChannelForm.Meta.fields
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        made.user = request.user
        return made

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        wanted = kinds.installed()
        if obj is not None:
            wanted = {name: kind for name, kind in wanted.items() if name == obj.kind}
        return [
            (None, {"fields": ("name", "kind", "enabled")}),
            *(
                (_(kind.label), {"fields": [f"{kind.name}.{field.name}" for field in kind.fields]})
                for kind in wanted.values()
                if kind.fields
            ),
            (_("Messages"), {"fields": ("language", "zone", "per_minute")}),
            (_("Quiet hours"), {"fields": ("quiet_from", "quiet_until")}),
            (_("Digest"), {"fields": ("digest", "digest_at")}),
        ]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = dict(extra_context or {})
        if object_id is not None:
            channel = self.get_object(request, object_id)
            if channel is not None:
                extra["test_address"] = (
                    reverse("admin:scheduler_channel_test", args=[channel.pk])
                    if self.has_change_permission(request, channel)
                    else ""
                )
                extra["last_error"] = alert_text.last_error(channel)
                extra["history"] = alert_history.rows(channel)
                extra["deliveries"] = f"{reverse('admin:scheduler_notification_changelist')}?channel={channel.pk}"
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return response

    def test_view(self, request: HttpRequest, channel_id: int) -> HttpResponse:
        """Send a test and show the answer."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:scheduler_channel_change", args=[channel_id]))
        try:
            channel = channels.get(id=channel_id)
        except ChannelNotFound as error:
            raise Http404(told(error)) from None
        try:
            answer = channels.test(channel=channel)
        except DeliveryFailed as error:
            messages.error(request, _("The test was not delivered: %s") % told(error))
        else:
            messages.success(request, _("The test was accepted: %s") % display.first_line(told(answer)))
        return HttpResponseRedirect(reverse("admin:scheduler_channel_change", args=[channel.pk]))

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        given = form.given()
        if change:
            channels.update(channel=obj, **given, **pages.author(request))
        else:
            obj.pk = channels.create(**given, **pages.author(request)).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A channel has no related rows."""

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        channels.remove(channel=obj, **pages.author(request))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None  # changes have a history of their own

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def shown_kind(self, channel: Channel) -> str:
        kind = kinds.installed().get(channel.kind)
        return _(kind.label) if kind else channel.kind

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, channel: Channel) -> SafeString:
        if not channel.enabled:
            return display.badge(_OFF)
        if channel.failing_since is not None:
            return display.badge(_FAILS)
        return display.badge(_WORKS if channel.tested_at or channel.last_sent_at else _UNTESTED)

    @admin.display(description=gettext_lazy("tested at"), ordering="tested_at")
    def shown_tested(self, channel: Channel) -> SafeString | str:
        return display.moment(channel.tested_at)

    @admin.display(description=gettext_lazy("waiting"), ordering="waiting")
    def waiting(self, channel: Any) -> SafeString | str:
        if not channel.waiting:
            return "0"
        address = reverse("admin:scheduler_notification_changelist")
        return format_html('<a href="{}?channel={}&amp;state=pending">{}</a>', address, channel.pk, channel.waiting)

    @admin.display(description=gettext_lazy("last error"))
    def shown_error(self, channel: Channel) -> str:
        return alert_text.last_error(channel) or "–"
