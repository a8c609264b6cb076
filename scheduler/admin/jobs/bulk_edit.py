"""The same edit of many jobs: its form, and what it would change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.fields.duration_field import DurationField
from scheduler.admin.fields.tags_field import TagsField
from scheduler.admin.format import display, policy_text, trigger_text
from scheduler.admin.format.languages import told
from scheduler.errors import SchedulerError
from scheduler.models import Job
from scheduler.services.bulk import edits

MOST_PREVIEWED = 20


class BulkEditForm(forms.Form):
    """Empty fields change nothing."""

    timezone = forms.CharField(
        label=gettext_lazy("Time zone"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("A region such as Europe/Berlin."),
    )
    interval_seconds = DurationField(
        label=gettext_lazy("Interval"), required=False, help_text=gettext_lazy("Of jobs that run every so often.")
    )
    timeout = DurationField(label=gettext_lazy("Time limit"), required=False)
    executor = forms.CharField(label=gettext_lazy("Executor"), required=False, max_length=64)
    add_tags = TagsField(label=gettext_lazy("Add tags"))
    remove_tags = TagsField(label=gettext_lazy("Remove tags"))

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [])}


class BulkEdit:
    """The input, its problem, and its preview."""

    def __init__(self, request: HttpRequest, jobs: Iterable[Job]) -> None:
        is_answer = "interval_seconds" in request.POST
        self.form = BulkEditForm(request.POST if is_answer else None)
        self.changes: dict[str, Any] = {}
        self.problem = ""
        self.preview: list[dict[str, str]] = []
        if not is_answer:
            return
        if not self.form.is_valid():
            self.problem = _("Correct the fields.")
            return
        self.changes = self.form.changes()
        try:
            effects = edits.preview(jobs=jobs, changes=self.changes)
        except SchedulerError as error:
            self.problem = told(error) if self.changes else _("Enter a change.")
            return
        self.preview = [{"name": display.first_line(each.job.name), "text": _said(each)} for each in effects]


def _said(effect: edits.Effect) -> str:
    if effect.refusal is not None:
        return told(effect.refusal)
    if not effect.changes:
        return _("no change")
    return "; ".join(_difference(effect.job, name, new) for name, new in effect.changes.items())


def _difference(job: Job, name: str, new: Any) -> str:
    old = getattr(job, name)
    label = policy_text.label(name)
    if name == "trigger":
        return f"{label}: {trigger_text.describe(old)} → {trigger_text.describe(new)}"
    if name == "timeout":
        old, new = (_("time limit of the task") if value is None else display.exactly(value) for value in (old, new))
    if name == "tags":
        old, new = (", ".join(value) or "–" for value in (old, new))
    return f"{label}: {old} → {new}"
