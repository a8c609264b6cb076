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
from scheduler.errors import InvalidArguments, UnknownTask
from scheduler.models import Job
from scheduler.services.jobs import validation

NAME = "kwargs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments as they were typed."""

    html: str
    """The fields."""

    kwargs: dict[str, Any]
    problem: str = ""


def asked(request: HttpRequest, *, job: Job, stored: Mapping[str, Any]) -> Asked:
    """Read the arguments of a form, or offer those that are stored. A mask stands for the stored secret."""
    field = ArgumentsField(required=False)
    widget: Any = field.widget
    widget.task, widget.stored, widget.switches_by_submit = job.task, stored, True
    if pages.SWITCH in request.POST:
        return Asked(html=switched(request.POST, task=job.task), kwargs={})
    if f"{NAME}-mode" not in request.POST:
        return Asked(html=_rendered(widget, field.prepare_value(dict(stored))), kwargs={})
    typed = widget.value_from_datadict(request.POST, {}, NAME)
    typed["task"] = job.task
    kwargs, problem = {}, ""
    try:
        kwargs = field.clean(typed)
        if not isinstance(kwargs, dict):
            raise ValidationError(_("Arguments are a JSON object with a name for each."))
        validation.check_arguments(task=job.task, args=job.args, kwargs=kwargs, job=job)
    except ValidationError as error:
        problem = " ".join(error.messages)
    except InvalidArguments as error:
        widget.problems, problem = problems_by_argument(error), told(error)
    except UnknownTask as error:
        problem = told(error)
    return Asked(html=_rendered(widget, typed), kwargs=kwargs, problem=problem)


def _rendered(widget: ArgumentsWidget, value: Any) -> str:
    return widget.render(NAME, value, attrs={"id": f"id_{NAME}"})
