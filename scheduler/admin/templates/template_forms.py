"""Forms of templates: the template itself, one instance made from its parameters, and a table of instances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.admin.format.languages import told
from scheduler.core.templates import Parameter
from scheduler.errors import InvalidTemplate
from scheduler.services import templates


class JSONArea(forms.Textarea):
    def __init__(self, *, rows: int) -> None:
        super().__init__(attrs={"rows": rows, "cols": 80, "spellcheck": "false", "class": "ols-code"})


class TemplateForm(forms.Form):
    """A new template, or a new version of one."""

    slug = forms.SlugField(
        label=gettext_lazy("Slug"), max_length=100, help_text=gettext_lazy("Used in addresses and commands.")
    )
    title = forms.CharField(label=gettext_lazy("Title"), max_length=200)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea(attrs={"rows": 2, "cols": 80})
    )
    parameters = StorableJSONField(
        label=gettext_lazy("Parameters"),
        required=False,
        widget=JSONArea(rows=6),
        help_text=gettext_lazy(
            'A list of objects: [{"name": "days", "type": "integer", "default": 7}]. Types: text, integer, number, '
            "boolean, date, url, list, secret."
        ),
    )
    body = StorableJSONField(
        label=gettext_lazy("Job definition"),
        widget=JSONArea(rows=12),
        help_text=gettext_lazy("An object with task, trigger, kwargs and policies. {name} stands for a parameter."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("The change and its reason."),
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("note",) if is_new else ("slug", "title", "description"):
            del self.fields[name]

    def clean_parameters(self) -> Any:
        return self.cleaned_data["parameters"] or []

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"parameters", "body"} <= cleaned.keys():
            try:
                templates.check(parameters=cleaned["parameters"], body=cleaned["body"])
            except InvalidTemplate as error:
                raise ValidationError(told(error), code=error.code) from None
        return cleaned


class InstanceForm(forms.Form):
    """One instance: the id of the job, and a field for each parameter. An empty field means the default."""

    key = forms.CharField(
        label=gettext_lazy("Job id"),
        max_length=255,
        help_text=gettext_lazy("Identifies the job. Cannot be changed later."),
    )

    def __init__(
        self, *args: Any, parameters: Sequence[Parameter], stored: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = parameters
        self.stored = stored or {}
        if stored is not None:
            del self.fields["key"]
        for each in parameters:
            self.fields[f"p-{each.name}"] = _field(each, self.stored)

    def values(self) -> dict[str, Any]:
        """Return the values that were given, by the parameter's name."""
        found: dict[str, Any] = {}
        for each in self.parameters:
            given = self.cleaned_data.get(f"p-{each.name}")
            if each.type == "list" and given:
                given = [line.strip() for line in given.splitlines() if line.strip()]
            if given not in (None, ""):
                found[each.name] = json.loads(given) if each.choices or each.type == "boolean" else given
        return found


def _field(parameter: Parameter, stored: Mapping[str, Any]) -> forms.Field:
    present = stored.get(parameter.name, None)
    facts: dict[str, Any] = {
        "label": parameter.title or parameter.name,
        "help_text": parameter.description,
        "required": parameter.is_required and not (parameter.is_secret and present is not None),
        "initial": "\n".join(map(str, present)) if isinstance(present, list) else present,
    }
    default = "" if parameter.is_required or parameter.default is None else json.dumps(parameter.default)
    if parameter.choices or parameter.type == "boolean":
        options = parameter.choices or (True, False)
        empty = _("default: %s") % _word(parameter.default) if default else "–"
        choices = [("", empty), *((json.dumps(each), _word(each)) for each in options)]
        initial = None if present is None else json.dumps(present)
        return forms.ChoiceField(**{**facts, "initial": initial}, choices=choices)
    if parameter.is_secret:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(**{**facts, "initial": None}, widget=widget)
    attrs = {"placeholder": default.strip('"')}
    if parameter.type in ("integer", "number"):
        facts["widget"] = forms.NumberInput(attrs=attrs)
    if parameter.type == "integer":
        return forms.IntegerField(**facts, min_value=_whole(parameter.minimum), max_value=_whole(parameter.maximum))
    if parameter.type == "number":
        return forms.FloatField(**facts, min_value=parameter.minimum, max_value=parameter.maximum)
    if parameter.type == "list":
        return forms.CharField(**facts, widget=forms.Textarea(attrs={**attrs, "rows": 3, "cols": 60}))
    kinds = {"date": "date", "url": "url"}
    return forms.CharField(**facts, widget=forms.TextInput(attrs={**attrs, "type": kinds.get(parameter.type, "text")}))


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _word(value: Any) -> str:
    return _("yes") if value is True else _("no") if value is False else str(value)


class TableForm(forms.Form):
    """Many instances from a pasted table, or from a provider that code registers."""

    provider = forms.ChoiceField(
        label=gettext_lazy("Rows from code"),
        required=False,
        help_text=gettext_lazy("A function that code registers with @rows. Then the table stays empty."),
    )
    table = forms.CharField(
        label=gettext_lazy("Table"),
        required=False,
        widget=JSONArea(rows=12),
        help_text=gettext_lazy(
            "With a heading: a column “key” with the id of the job, and a column for each parameter. Columns are "
            "separated by commas, semicolons or tabs, as a spreadsheet copies them."
        ),
    )

    def __init__(self, *args: Any, providers: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        provider = self.fields["provider"]
        if providers and isinstance(provider, forms.ChoiceField):
            provider.choices = [("", "–"), *((name, name) for name in providers)]
        else:
            del self.fields["provider"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and bool(cleaned.get("provider")) == bool(cleaned.get("table", "").strip()):
            self.add_error("table", _("Paste a table, or choose rows from code."))
        return cleaned
