"""The form of a calendar, with an iCalendar file to read rules from."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from scheduler.admin.fields.tags_field import TagsField
from scheduler.admin.format.languages import told
from scheduler.core.triggers.calendars.named import During
from scheduler.errors import InvalidCalendar
from scheduler.services import calendars

_DURING = [
    (During.SKIP.value, gettext_lazy("Skip them")),
    (During.ONCE_AFTERWARDS.value, gettext_lazy("Skip them, and run once afterwards")),
]


class CalendarForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=64,
        help_text=gettext_lazy("Triggers use this name: lower-case letters, digits and hyphens."),
    )
    title = forms.CharField(label=gettext_lazy("Title"), max_length=200, required=False)
    rules = forms.CharField(
        label=gettext_lazy("Rules, one per line"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "cols": 70, "spellcheck": "false", "class": "ols-code"}),
        help_text=gettext_lazy(
            "sat-sun Weekend · 2026-12-24..2027-01-01 Holidays · 12-24 Christmas Eve · sun 02:00-04:00 Backup · "
            "2026-12-01 20:00..2026-12-02 04:00 Migration · holidays DE-BY"
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("iCalendar file"),
        required=False,
        help_text=gettext_lazy("Its events are added to the rules, from last year to ten years ahead."),
    )
    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("Leave empty to use the time zone of the trigger."),
    )
    tags = TagsField(
        label=gettext_lazy("Maintenance window for the tags"),
        help_text=gettext_lazy("Jobs with one of these tags do not run on its days. Separate tags with commas."),
    )
    during = forms.ChoiceField(label=gettext_lazy("Runs during the window"), choices=_DURING, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if file := cleaned.get("file"):
            try:
                added = calendars.rules_of_file(file=file.read(files_limit()))
            except InvalidCalendar as error:
                self.add_error("file", told(error))
            else:
                cleaned["rules"] = "\n".join([cleaned.get("rules", ""), *added])
        return cleaned

    def given(self) -> dict[str, Any]:
        """Return the fields for the services."""
        return {name: self.cleaned_data[name] for name in calendars.FIELDS}

    def refuse(self, error: Exception) -> None:
        field = getattr(error, "field", "")
        self.add_error(field if field in self.fields else None, told(error))


def files_limit() -> int:
    """Return how much of a file is read: a byte more than is accepted, so that more is refused."""
    return calendars.MOST_FILE_BYTES + 1
