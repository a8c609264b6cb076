"""Tags as people type them: in one line, with a comma between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from scheduler.admin.format.languages import told
from scheduler.errors import InvalidName
from scheduler.services.jobs import validation
from scheduler.services.queries import job_queries

_BETWEEN = re.compile(r"[,\n]")


def read(text: str) -> list[str]:
    """Return the tags in a text, each once: commas or line breaks are between them."""
    return sorted({tag.strip() for tag in _BETWEEN.split(text) if tag.strip()})


def written(tags: Iterable[str]) -> str:
    return ", ".join(tags)


def suggestions(*, typed: Sequence[str] = ()) -> list[str]:
    """Return what the field may be completed to: the tags it has, and one more of those that jobs have."""
    return [written([*typed, tag]) for tag in job_queries.tags() if tag not in typed]


class TagsInput(forms.TextInput):
    template_name = "scheduler/fields/tags_widget.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """With the project's template engine, which finds the templates of apps whatever FORM_RENDERER is."""
        return super().render(name, value, attrs, TemplatesSetting())

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, {**(attrs or {}), "list": f"{name}-known"})
        return {**context, "suggestions": suggestions(typed=read(value or "")), "list": f"{name}-known"}


class TagsField(forms.CharField):
    widget = TagsInput

    def __init__(self, **options: Any) -> None:
        options = {
            "label": _("Tags"),
            "required": False,
            "help_text": _("Separate tags with commas."),
            **options,
        }
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        try:
            return validation.check_tags(tags=read(super().to_python(value) or ""))
        except InvalidName as error:
            raise ValidationError(told(error), code="invalid_tag") from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return read(data or "") != sorted(initial or [])
