"""Rules in the admin: checked and saved by the services."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler.admin import pages
from scheduler.admin.alerts import alert_history
from scheduler.admin.alerts.alert_text import KIND_WORDS, SCOPE_WORDS, SEVERITIES
from scheduler.admin.fields.duration_field import DurationField
from scheduler.admin.format import display
from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.format.languages import told
from scheduler.admin.foundation import ModelAdmin, register
from scheduler.core.alerts import KINDS, RuleKind, Scope, Severity, check_rule
from scheduler.errors import InvalidRule
from scheduler.models import Rule
from scheduler.services.alerts import rules
from scheduler.services.sites import reverse

_NUMBERS = ("threshold", "seconds", "factor", "samples")


_OF_KINDS = (*_NUMBERS, "path", "operator", "value")
"""Fields that only some kinds of rules take."""

_LABELS = {
    "threshold": gettext_lazy("Number of times"),
    "factor": gettext_lazy("Times the usual duration"),
    "operator": gettext_lazy("Comparison"),
}


def _help(name: str, text: str) -> str:
    """Return the help of a field, after the kinds that take it."""
    of_result = name in ("path", "operator", "value")
    kinds = [kind for kind, what in KINDS.items() if name in what.parameters or (of_result and kind == RuleKind.RESULT)]
    return _("For: %s.") % ", ".join(str(KIND_WORDS[kind]) for kind in kinds) + (f" {text}" if text else "")


class RuleForm(forms.ModelForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("Opens an incident when a job is"),
        choices=[(kind.value, KIND_WORDS[kind]) for kind in RuleKind],
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Watches"), choices=[(scope.value, SCOPE_WORDS[scope]) for scope in Scope]
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"),
        choices=[(severity.value, SEVERITIES[severity].word) for severity in Severity],
        initial=Severity.WARNING,
        help_text=gettext_lazy("Critical incidents pass quiet hours."),
    )
    seconds = DurationField(
        label=gettext_lazy("Duration"), required=False, help_text=gettext_lazy("Such as 15 min or 2 h.")
    )
    escalate_after = DurationField(
        label=gettext_lazy("Escalate after"),
        required=False,
        help_text=gettext_lazy("Time without an acknowledgement, such as 30 min. Leave empty for never."),
    )
    value = forms.CharField(
        label=gettext_lazy("Compared with"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("A number, a text, true or false."),
    )

    class Meta:
        model = Rule
        fields = tuple(rules.FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "description" not in self.fields:  # somebody who may only look: Django shows the columns
            return
        self.fields["description"].widget.attrs["rows"] = 2
        for name, label in _LABELS.items():
            self.fields[name].label = label
        for name in _OF_KINDS:
            self.fields[name].help_text = _help(name, str(self.fields[name].help_text))
        if self.instance.pk and self.instance.value is not None:
            self.initial["value"] = (
                self.instance.value if isinstance(self.instance.value, str) else json.dumps(self.instance.value)
            )

    def clean_value(self) -> Any:
        """Read a number or a truth value as such, anything else as text."""
        text = self.cleaned_data["value"]
        if not text:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return found if isinstance(found, bool | int | float) else text

    def given(self) -> dict[str, Any]:
        """Return what the services take."""
        data = {name: self.cleaned_data.get(name) for name in rules.FIELDS}
        for name in ("channels", "escalation_channels"):
            data[name] = list(self.cleaned_data.get(name) or ())
        return data

    def clean(self) -> dict[str, Any]:
        try:
            check_rule(self.given())
        except InvalidRule as error:
            self.add_error(error.field if error.field in self.fields else None, told(error))
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The services check and write the row: the columns of another kind are theirs to empty."""


@register(Rule)
class RuleAdmin(InDisplayZone, ModelAdmin):
    form = RuleForm
    list_display = ("name", "shown_kind", "shown_scope", "shown_severity", "shown_channels", "enabled", "shown_open")
    list_filter = ("enabled", "kind", "severity")
    search_fields = ("name", "target")
    filter_horizontal = ("channels", "escalation_channels")
    actions = None
    change_list_template = "scheduler/alerts/list.html"
    change_form_template = "scheduler/alerts/rule_form.html"
    fieldsets = (
        (None, {"fields": ("name", "description", "enabled", "severity")}),
        (gettext_lazy("When"), {"fields": ("kind", *_NUMBERS, "path", "operator", "value")}),
        (gettext_lazy("Which jobs"), {"fields": ("scope", "target")}),
        (gettext_lazy("Recipients"), {"fields": ("channels", "escalate_after", "escalation_channels")}),
    )

    class Media:
        css = {"all": ("scheduler/scheduler.css",)}
        js = ("scheduler/preview.js",)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", view, name="scheduler_rule_preview"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return rules.all_rules()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {**(extra_context or {}), "preview_address": reverse("admin:scheduler_rule_preview")}
        if object_id is not None and request.method == "GET":
            rule = self.get_object(request, object_id)
            if rule is not None:
                extra["preview"] = _previewed(rules.represent(rule))
                extra["history"] = alert_history.rows(rule)
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return response

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what a rule as it is typed would have done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = RuleForm({**request.POST.dict(), "name": request.POST.get("name") or "preview"})
        form.fields["channels"].required = form.fields["escalation_channels"].required = False
        form.full_clean()
        return JsonResponse({"text": _previewed(form.given())})

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        given = form.given()
        if change:
            rules.update(rule=obj, **given, **pages.author(request))
        else:
            obj.pk = rules.create(**given, **pages.author(request)).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The services have written the channels."""

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        rules.remove(rule=obj, **pages.author(request))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None  # changes have a history of their own

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    @admin.display(description=gettext_lazy("when"), ordering="kind")
    def shown_kind(self, rule: Rule) -> str:
        numbers = [display.span(rule.seconds)] if rule.seconds else []
        numbers += [f"{rule.threshold} ×"] if rule.threshold and rule.threshold > 1 else []
        numbers += [f"{rule.path} {rule.operator} {rule.value}"] if rule.path else []
        word = str(KIND_WORDS.get(rule.kind, rule.kind))
        return f"{word} ({', '.join(numbers)})" if numbers else word

    @admin.display(description=gettext_lazy("watches"), ordering="scope")
    def shown_scope(self, rule: Rule) -> str:
        if rule.kind == RuleKind.SYSTEM:
            return "–"
        return f"{SCOPE_WORDS.get(rule.scope, rule.scope)} {display.first_line(rule.target)}".strip()

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def shown_severity(self, rule: Rule) -> SafeString:
        return display.badge(SEVERITIES[rule.severity])

    @admin.display(description=gettext_lazy("channels"))
    def shown_channels(self, rule: Rule) -> str:
        return ", ".join(channel.name for channel in rule.channels.all()) or _("only in the admin")

    @admin.display(description=gettext_lazy("open incidents"), ordering="open_incidents")
    def shown_open(self, rule: Any) -> SafeString | str:
        if not rule.open_incidents:
            return "0"
        address = reverse("admin:scheduler_incident_changelist")
        return format_html('<a href="{}?state=open&amp;rule={}">{}</a>', address, rule.pk, rule.open_incidents)


def preview_sentence(preview: rules.Preview) -> str:
    """Say what a rule watches, and what it would have told."""
    watched = ngettext("It watches %s job now.", "It watches %s jobs now.", preview.jobs)
    watched %= display.number(preview.jobs)
    if preview.incidents is None:
        return f"{watched} {_('How often it would have opened an incident cannot be told from the history.')}"
    would = ngettext(
        "It would have opened %(number)s incident in the last %(days)s days.",
        "It would have opened %(number)s incidents in the last %(days)s days.",
        preview.incidents,
    )
    return f"{watched} {would % {'number': display.number(preview.incidents), 'days': rules.PREVIEW_DAYS}}"


def _previewed(given: dict[str, Any]) -> str:
    """Say what a rule would have done, or why it cannot be one: a newer release may have written it."""
    try:
        return preview_sentence(rules.preview(given=given))
    except InvalidRule as error:
        return told(error)
