"""JSON as people type it, checked for what the database can hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

_DEEPEST = 50


class StorableJSONField(forms.JSONField):
    """JSON that PostgreSQL can hold as well: no NUL, no lone surrogates, no NaN, and not endlessly nested."""

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except ValidationError:
            raise
        except (ValueError, RecursionError):
            raise ValidationError(_("Enter valid JSON."), code="invalid") from None
        problem = _why_not_storable(found)
        if problem:
            raise ValidationError(problem, code="not_storable")
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show again what was typed, as it was typed: a lone surrogate could not even be sent."""
        try:
            found = super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return InvalidJSONInput(data)
        return found if _why_not_storable(found) is None else InvalidJSONInput(data)


def _why_not_storable(value: Any) -> StrPromise | None:
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            return _("The value is nested too deeply.")
        if isinstance(item, str) and ("\x00" in item or any("\ud800" <= letter <= "\udfff" for letter in item)):
            return _("The value contains a character that cannot be stored: NUL, or half of a surrogate pair.")
        if isinstance(item, float) and not math.isfinite(item):
            return _("NaN and infinities are not JSON.")
        if isinstance(item, dict):
            waiting += [(part, depth + 1) for pair in item.items() for part in pair]
        elif isinstance(item, list):
            waiting += [(part, depth + 1) for part in item]
    return None
