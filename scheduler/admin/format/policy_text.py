"""The policies of a job as sentences, for its page, its form and its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import fields_for_model
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler import conf
from scheduler.admin.fields.duration_field import fields_of_policies
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core.definition import BY_NAME, FIELDS, POLICIES, Source
from scheduler.core.jobs import policies
from scheduler.core.states import Overlap
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.errors import InvalidPolicy, UnknownTask
from scheduler.messages import with_values
from scheduler.models import Job

LEFT_TO_THE_TASK = tuple(field.name for field in FIELDS if field.default_from is Source.TASK)
"""Policies that a new job takes from its task by default."""

OVERLAPS = {
    Overlap.SKIP.value: gettext_lazy("skip this run"),
    Overlap.QUEUE.value: gettext_lazy("queue one run"),
}
RERUNS = (
    ("unknown", gettext_lazy("set by the task")),
    ("true", gettext_lazy("yes")),
    ("false", gettext_lazy("no")),
)


def of(job: Job) -> list[str]:
    """The rules of a job, a sentence each."""
    return sentences({name: getattr(job, name) for name in POLICIES}, task=_task(job.task))


def of_typed(data: Mapping[str, Any]) -> dict[str, str]:
    """
    The rules of the form in one paragraph, or the problem of one. Empty if the form has no rules.

    Rules left to the task are those of the chosen task.
    """
    if "max_instances" not in data:
        return {}
    try:
        rules = _read(data)
    except ValidationError as error:
        return {"rules_problem": " ".join(error.messages)}
    given = {name: value for name, value in rules.items() if not _is_left(name, value)}
    if problems := [said for name, value in given.items() if (said := problem(name, value))]:
        return {"rules_problem": " ".join(problems)}
    task = _task(str(data.get("task") or ""))
    declared = policies.defaults(task=task, settings=conf.get()) if task else {}
    left = {name: declared[name] for name in declared if _is_left(name, rules[name])}
    return {"rules": " ".join(sentences({**rules, **left}, task=task))}


def label(name: str) -> str:
    """The label of a policy."""
    field = BY_NAME[name]
    return capfirst(_(field.form_label or field.label))


def problem(name: str, value: Any) -> str:
    """The problem of a policy under its label in the form, or an empty text."""
    try:
        policies.check({name: value})
    except InvalidPolicy as error:
        return told(with_values(error.message, name=label(name)))
    return ""


def sentences(rules: Mapping[str, Any], *, task: Task | None) -> list[str]:
    """Describe each rule. ``rules`` has every policy, empty where a task decides that is not chosen yet."""
    return [
        *_while_running(rules),
        _after_downtime(rules),
        _retries(rules),
        _timeout(rules, task),
        *(
            [_("Paused after %s failures in a row.") % display.number(n)]
            if (n := rules["pause_after_failures"])
            else []
        ),
        _if_interrupted(rules["rerun_if_interrupted"]),
        _("Executor: “%(name)s”; priority %(priority)d.")
        % {"name": display.first_line(rules["executor"]), "priority": rules["priority"]}
        if rules["executor"]
        else _("Executor: set by the task; priority %d.") % rules["priority"],
    ]


def _while_running(rules: Mapping[str, Any]) -> list[str]:
    number = rules["max_instances"]
    waits = rules["overlap"] == Overlap.QUEUE
    if number == 1:
        return [_("If a run is still active: queue one more.") if waits else _("If a run is still active: skip.")]
    text = (
        _("Up to %(number)s runs at once. Beyond that: queue one more.")
        if waits
        else _("Up to %(number)s runs at once. Beyond that: skip.")
    )
    return [text % {"number": display.number(number)}]


def _after_downtime(rules: Mapping[str, Any]) -> str:
    late = rules["misfire_grace_time"]
    limit = _("however late") if late is None else _("unless more than %s late") % display.exactly(late)
    text = _("After downtime: run once, %s.") if rules["coalesce"] else _("After downtime: run each one, %s.")
    return text % limit


def _retries(rules: Mapping[str, Any]) -> str:
    number = rules["max_retries"]
    if not number:
        return _("No retries.")
    text = ngettext(
        "%(count)s retry after %(first)s.",
        "%(count)s retries, the first after %(first)s, up to %(cap)s apart.",
        number,
    )
    first, cap = display.exactly(rules["retry_delay"]), display.exactly(rules["retry_delay_cap"])
    return text % {"count": display.number(number), "first": first, "cap": cap}


def _timeout(rules: Mapping[str, Any], task: Task | None) -> str:
    if rules["timeout"]:
        return _("Time limit: %s.") % display.exactly(rules["timeout"])
    if task is None:
        return _("Time limit: set by the task.")
    if task.timeout is None:
        return _("No time limit.")
    return _("Time limit: %s, set by the task.") % display.exactly(task.timeout)


def _if_interrupted(rerun: bool | None) -> str:
    if rerun is None:
        return _("If the node crashes: set by the task.")
    return _("If the node crashes: run again.") if rerun else _("If the node crashes: do not run again.")


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    """:raises ValidationError: naming the field"""
    rules: dict[str, Any] = {}
    fields = {**fields_for_model(Job, POLICIES), **fields_of_policies()}
    fields["queue"].required = False
    fields["queue"].empty_value = fields["queue"].initial
    for name, field in fields.items():
        if "seen_version" not in data and _is_left(name, data.get(name)):
            rules[name] = None
            continue
        try:
            rules[name] = field.clean(field.widget.value_from_datadict(data, {}, name))
        except ValidationError as error:
            raise ValidationError([f"{label(name)}: {text}" for text in error.messages]) from None
    return rules


def _is_left(name: str, value: Any) -> bool:
    return name in LEFT_TO_THE_TASK and value in (None, "", "unknown")


def _task(name: str) -> Task | None:
    try:
        return registry.get(name)
    except UnknownTask:
        return None
