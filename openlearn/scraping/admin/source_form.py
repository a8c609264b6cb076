"""The form of a source: durations as people write them, access data that is never shown again, and a test."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy

from openlearn.scraping.admin import tiers
from openlearn.scraping.fetching import access
from openlearn.scraping.models import Source
from scheduler import outgoing
from scheduler.admin.format import typed_durations
from scheduler.errors import DestinationRefused

TEST = "_test"
"""The button that tests a source without saving it."""

_SHORTEST_SECONDS = 60
_LONGEST_SECONDS = 366 * 86400


class SpanField(forms.Field):
    """A number of seconds, written as “45 min”, “2 h” or “1 d”."""

    widget = forms.TextInput(attrs={"class": "vTextField", "size": 12})

    def prepare_value(self, value: Any) -> Any:
        return typed_durations.render(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        try:
            seconds = int(typed_durations.seconds(str(value)))
        except ValueError:
            raise ValidationError(gettext("Write a duration such as “45 min”, “2 h” or “1 d”.")) from None
        if not 1 <= seconds <= _LONGEST_SECONDS:
            raise ValidationError(gettext("A duration from 1 s to a year is possible."))
        return seconds


class SourceForm(forms.ModelForm):
    """A source, and its access data beside it."""

    interval_seconds = SpanField(required=False)
    password = forms.CharField(
        label=gettext_lazy("password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text=gettext_lazy("Stored encrypted, never shown. Leave empty to keep the current value."),
    )
    headers = forms.CharField(
        label=gettext_lazy("headers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text=gettext_lazy(
            "One per line, as Name: value. Sent to the site of the source only. Stored encrypted, never shown. "
            "Leave empty to keep the current values."
        ),
    )
    forget_access = forms.BooleanField(label=gettext_lazy("forget password and headers"), required=False, initial=False)

    class Meta:
        model = Source
        fields = (
            "name", "url", "kind", "tier", "interval_seconds", "learns_pace", "page_limit", "username",
            "robots_agreement",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = Source._meta.get_field("interval_seconds")
        if "interval_seconds" in self.fields:
            self.fields["interval_seconds"].label = field.verbose_name
            self.fields["interval_seconds"].help_text = field.help_text
        for shown in self.fields.values():
            shown.label = capfirst(shown.label)

        if isinstance(tier := self.fields.get("tier"), forms.ChoiceField):
            tier.choices = tiers.choices()

    def clean_url(self) -> str:
        """Reject what no scrape could request, before the first one."""
        url = str(self.cleaned_data["url"])
        try:
            outgoing.check(url=url)
        except DestinationRefused as error:
            raise ValidationError(str(error)) from None
        return url

    def clean_headers(self) -> dict[str, str]:
        try:
            return access.read_headers(self.cleaned_data["headers"])
        except ValueError as error:
            raise ValidationError(
                gettext("“%(line)s” cannot be sent as a header. Write “Name: value”, in ASCII."),
                params={"line": str(error)},
            ) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        seconds, url = cleaned.get("interval_seconds"), cleaned.get("url")
        if seconds is not None and url and seconds < _SHORTEST_SECONDS and not outgoing.is_allowed_by_name(url=url):
            self.add_error(
                "interval_seconds",
                gettext("Sites of other people are requested at most once every 60 s. Choose a longer interval."),
            )
        return cleaned

    def _post_clean(self) -> None:
        """Seal the access data, so that a test uses it too."""
        super()._post_clean()  # type: ignore[misc]
        if self.cleaned_data.get("forget_access"):
            self.instance.access = {}
        if self.cleaned_data.get("password"):
            access.set_password(self.instance, self.cleaned_data["password"])
        if self.cleaned_data.get("headers"):
            access.set_headers(self.instance, self.cleaned_data["headers"])
        if TEST in self.data and not self.errors:
            self.add_error(None, gettext("This was a test. The source has not been saved yet."))
