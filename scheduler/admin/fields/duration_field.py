"""A duration in a form: stored as seconds, typed as “2 h” or “90 min”."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from scheduler.core import durations
from scheduler.core.definition import FIELDS, Kind

EXAMPLE = "90 s, 15 min, 2 h, 1 h 30 min"


def not_a_duration(text: str, *, label: str = "") -> ValidationError:
    said = _("“%(text)s” is not a duration. Write it as %(example)s.") % {"text": text[:40], "example": EXAMPLE}
    return ValidationError(f"{label}: {said}" if label else said, code="invalid")


class DurationField(forms.Field):
    """Seconds as a number, or ``None``."""

    widget = forms.TextInput

    def __init__(self, *, is_whole: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_whole = is_whole
        self.widget.attrs |= {"placeholder": _("15 min"), "autocomplete": "off", "size": "20"}

    def prepare_value(self, value: Any) -> Any:
        return durations.render(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    def to_python(self, value: Any) -> float | int | None:
        text = str(value if value is not None else "").strip()
        if not text:
            return None
        if isinstance(value, int | float):
            return value
        try:
            # A number alone is left as it is, so that the rule of its field says what is wrong with a negative one.
            seconds = float(text) if text.lstrip("-").replace(".", "", 1).isdecimal() else durations.seconds(text)
        except durations.NotADuration:
            raise not_a_duration(text) from None
        return int(seconds) if self.is_whole else seconds

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != self.to_python(initial))
        except ValidationError:
            return True


def fields_of_policies() -> dict[str, DurationField]:
    """Return a form field for each policy that is a duration."""
    return {
        field.name: DurationField(
            required=not field.may_be_empty,
            is_whole=field.kind is Kind.WHOLE_SECONDS,
            label=capfirst(_(field.form_label or field.label)),
            help_text=_(field.form_help or field.help),
        )
        for field in FIELDS
        if field.is_policy and field.is_duration
    }
