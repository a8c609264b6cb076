"""One run with other arguments: the typed fields of the task, filled with those of the job or of an earlier run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from scheduler.admin import pages
from scheduler.admin.fields.arguments_field import (
    ArgumentsField,
    ArgumentsWidget,
    problems_by_argument,
    switched,
)
from scheduler.admin.format.languages import told
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidArguments, UnknownTask
from scheduler.models import Job, Run
from scheduler.services.jobs import validation

NAME = "kwargs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments as they were typed."""

    html: str
    """The fields."""

    kwargs: dict[str, Any]
    problem: str = ""


def can_be_given(run: Run) -> bool:
    """Return whether an enqueued run can be enqueued again with other arguments: none of them is a secret."""
    try:
        return run.is_enqueued and not registry.get(run.task).secrets
    except UnknownTask:
        return False


def has_secrets(run: Run) -> bool:
    """Return whether the task of an enqueued run takes secrets, which are sealed for that run."""
    try:
        return run.is_enqueued and bool(registry.get(run.task).secrets)
    except UnknownTask:
        return False


def asked(request: HttpRequest, *, subject: Job | Run, stored: Mapping[str, Any]) -> Asked:
    """
    Read the arguments of a form, or offer those that are stored. A mask stands for the stored secret of a job.

    ``subject``: the job, or an enqueued run whose task has no secret argument.
    """
    field = ArgumentsField(required=False)
    job = subject if isinstance(subject, Job) else None
    widget: Any = field.widget
    widget.task, widget.stored, widget.switches_by_submit = subject.task, stored, True
    if pages.SWITCH in request.POST:
        return Asked(html=switched(request.POST, task=subject.task), kwargs={})
    if f"{NAME}-mode" not in request.POST:
        return Asked(html=_rendered(widget, field.prepare_value(dict(stored))), kwargs={})
    typed = widget.value_from_datadict(request.POST, {}, NAME)
    typed["task"] = subject.task
    kwargs, problem = {}, ""
    try:
        kwargs = field.clean(typed)
        if not isinstance(kwargs, dict):
            raise ValidationError(_("Arguments are a JSON object with a name for each."))
        validation.check_arguments(task=subject.task, args=subject.args, kwargs=kwargs, job=job)
    except ValidationError as error:
        problem = " ".join(error.messages)
    except InvalidArguments as error:
        widget.problems, problem = problems_by_argument(error), told(error)
    except UnknownTask as error:
        problem = told(error)
    return Asked(html=_rendered(widget, typed), kwargs=kwargs, problem=problem)


def _rendered(widget: ArgumentsWidget, value: Any) -> str:
    return widget.render(NAME, value, attrs={"id": f"id_{NAME}"})
