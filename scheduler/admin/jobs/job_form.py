"""The form of a job: checked by the rules that the engine has, saved by the services."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from scheduler import conf
from scheduler.admin.changes import change_text
from scheduler.admin.fields import task_field
from scheduler.admin.fields.arguments_field import ArgumentsField, problems_by_argument
from scheduler.admin.fields.days_parts import InPart
from scheduler.admin.fields.duration_field import fields_of_policies
from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.admin.fields.tags_field import TagsField
from scheduler.admin.fields.task_field import TaskSelect
from scheduler.admin.fields.trigger_field import TriggerField
from scheduler.admin.format import display, policy_text
from scheduler.admin.format.languages import told
from scheduler.admin.format.policy_text import LEFT_TO_THE_TASK, OVERLAPS, RERUNS
from scheduler.core.definition import FIELDS, NAMES, POLICIES
from scheduler.core.states import JobState
from scheduler.errors import InvalidArguments, InvalidTrigger, UnknownExecutor, UnknownTask
from scheduler.models import Job
from scheduler.services import masking
from scheduler.services.jobs import validation
from scheduler.services.queries import job_history, job_queries


class JobForm(forms.ModelForm):
    new_id = forms.CharField(
        label=_("Id"),
        required=False,
        max_length=255,
        help_text=_("Cannot be changed later. Leave empty to generate one."),
    )
    task = forms.ChoiceField(
        label=_("Task"),
        widget=TaskSelect,
        error_messages={
            "required": _("Choose the task that the job runs."),
            "invalid_choice": _("Unknown task “%(value)s”."),
        },
    )
    args = StorableJSONField(
        label=_("Positional arguments"),
        required=False,
        initial=list,
        help_text=_("A JSON list."),
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
    )
    kwargs = ArgumentsField(label=_("Arguments"), required=False, initial=dict)
    tags = TagsField()
    trigger = TriggerField(label=_("When"))
    seen_version = forms.IntegerField(label=_("version"), widget=forms.HiddenInput)
    change_reason = forms.CharField(
        label=_("Reason for the change"), required=False, max_length=500, help_text=_("For the history of the job.")
    )

    class Meta:
        model = Job
        fields = ("name", "description", "tags", *POLICIES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, duration in fields_of_policies().items():
            duration.initial = self.fields[name].initial
            self.fields[name] = duration
        self.is_new = self.instance._state.adding
        self.fields["description"].help_text = _(
            "Shown whenever the job fails: what it does, what to try, who to call."
        )
        self.fields["description"].widget.attrs["rows"] = 3
        self.fields["executor"].widget.attrs["list"] = "executors"
        arguments: Any = self.fields["kwargs"].widget
        arguments.task = "" if self.is_new else self.instance.task
        arguments.stored = {} if self.is_new or not isinstance(self.instance.kwargs, dict) else self.instance.kwargs
        overlap: Any = self.fields["overlap"]
        overlap.choices = list(OVERLAPS.items())
        for field in FIELDS:
            if field.form_label:
                self.fields[field.name].label = _(field.form_label)
            if field.form_help:
                self.fields[field.name].help_text = _(field.form_help)
        tasks: Any = self.fields["task"]
        tasks.choices = task_field.choices(None if self.is_new else self.instance.task)
        self.fields["queue"].required = False
        if self.is_new:
            self._prepare_for_a_new_job()
        else:
            self.fields.pop("new_id", None)
            for name in ("task", "args", "kwargs", "trigger"):
                self.initial[name] = getattr(self.instance, name)
            self.initial["args"] = masking.masked(self.instance.args)
            self.initial["seen_version"] = self.instance.version

    def _prepare_for_a_new_job(self) -> None:
        settings = conf.get()
        grace = settings.misfire_grace_seconds
        self.initial.setdefault("coalesce", settings.coalesce)
        self.initial.setdefault("max_instances", settings.max_instances)
        self.initial.setdefault("misfire_grace_time", None if grace is None else int(grace))
        self.fields.pop("seen_version", None)
        self.fields["name"].required = False
        self.fields["name"].help_text = _("Leave empty to use the id or, without one, the task name.")
        self.initial["executor"] = ""
        self.fields["executor"].required = False
        self.fields["executor"].help_text = _("Leave empty for the executor of the task.")
        rerun = self.fields["rerun_if_interrupted"]
        self.initial["rerun_if_interrupted"] = None
        self.fields["rerun_if_interrupted"] = forms.NullBooleanField(label=rerun.label, help_text=rerun.help_text)
        choice: Any = self.fields["rerun_if_interrupted"].widget
        choice.choices = RERUNS

    def full_clean(self) -> None:
        super().full_clean()
        trigger: Any = self.fields["trigger"].widget
        if found := self.errors.as_data().get("trigger"):
            typed = trigger.value_from_datadict(self.data, {}, self.add_prefix("trigger"))
            trigger.mark(found[0], kind=typed.said("kind"))

    def _get_validation_exclusions(self) -> set[str]:
        """The model does not validate policies left to the task. The services fill them in."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return {*exclusions, *(LEFT_TO_THE_TASK if self.is_new else ())}

    def clean_name(self) -> str:
        return _printable(self.cleaned_data["name"])

    def clean_new_id(self) -> str | None:
        new_id = _printable(self.cleaned_data["new_id"])
        if new_id and DjangoJob.objects.filter(pk=new_id).exists():
            raise ValidationError(_("A job with this id exists already."), code="job_exists")
        return new_id or None

    def clean_args(self) -> list[Any]:
        given = self.cleaned_data["args"] if self.cleaned_data["args"] is not None else []
        try:
            return masking.unmasked(given=given, stored=None if self.is_new else self.instance.args, pointer="/args")
        except InvalidArguments as error:
            raise ValidationError(told(error), code="invalid") from None

    def clean_kwargs(self) -> dict[str, Any]:
        return self.cleaned_data["kwargs"] if self.cleaned_data["kwargs"] is not None else {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_doubtful = self.is_new or self.instance.state == JobState.BROKEN
        if {"task", "args", "kwargs"} <= cleaned.keys() and (
            is_doubtful or not {"task", "args", "kwargs"}.isdisjoint(self.changed_data)
        ):
            self._check_arguments(cleaned)
        if "trigger" in cleaned and (is_doubtful or "trigger" in self.changed_data):
            self._check_trigger(cleaned["trigger"])
        self._check_policies(cleaned)
        if not self.is_new and "seen_version" in cleaned:
            self._check_version(cleaned)
        return cleaned

    def _check_version(self, cleaned: dict[str, Any]) -> None:
        """Tell the second of two people what the first one did. Their text stays, and can be saved after a look."""
        stored = Job.objects.defer("job_state").filter(pk=self.instance.pk).first()
        if stored is None or stored.version == cleaned["seen_version"]:
            return
        seen_since = job_history.since(job=stored, version=cleaned["seen_version"])
        what = change_text.told(seen_since[:3])
        other = [name for name in NAMES if name in cleaned and getattr(stored, name) != cleaned[name]]
        labels = ", ".join(str(self.fields[name].label) for name in other) or "–"
        seen: Any = self.data.copy()  # type: ignore[attr-defined]
        seen["seen_version"] = str(stored.version)
        self.data = seen
        self.add_error(
            None,
            ValidationError(
                _(
                    "%(who)s changed this job %(when)s%(what)s. Your version is below and differs in: %(labels)s. "
                    "Review it and save again."
                ),
                code="stale_version",
                params={
                    "who": (seen_since[0].actor if seen_since else stored.updated_by) or _("Somebody"),
                    "when": display.clock(stored.updated_at, now=timezone.now()),
                    "what": f" ({what})" if what else "",
                    "labels": labels,
                },
            ),
        )

    def policies(self) -> dict[str, Any]:
        """The policies given in the form, without defaults of tasks and settings."""
        return {
            name: self.cleaned_data[name]
            for name in POLICIES
            if name in self.cleaned_data
            and not (self.is_new and name in LEFT_TO_THE_TASK and self.cleaned_data[name] in ("", None))
        }

    def clean_queue(self) -> str:
        """Left empty, or missing in a form of the release before: what it is now."""
        return self.cleaned_data["queue"] or self.instance.queue

    def _check_policies(self, cleaned: dict[str, Any]) -> None:
        for name, value in self.policies().items():
            if problem := policy_text.problem(name, value):
                self.add_error(name, problem)
        if cleaned.get("executor") and (self.is_new or "executor" in self.changed_data):
            try:
                job_queries.check_executor(executor=cleaned["executor"])
            except UnknownExecutor as error:
                self.add_error("executor", told(error))

    def _check_arguments(self, cleaned: dict[str, Any]) -> None:
        try:
            validation.check_arguments(
                task=cleaned["task"],
                args=cleaned["args"],
                kwargs=cleaned["kwargs"],
                job=None if self.is_new else self.instance,
            )
        except UnknownTask as error:
            self.add_error("task", told(error))
        except InvalidArguments as error:
            arguments: Any = self.fields["kwargs"].widget
            arguments.problems = problems_by_argument(error)
            is_positional = any(problem["pointer"].startswith("/args") for problem in error.problems)
            self.add_error("args" if is_positional or not isinstance(cleaned["args"], list) else "kwargs", told(error))

    def _check_trigger(self, trigger: Any) -> None:
        must_fire = "trigger" in self.changed_data or self.is_new
        try:
            validation.preview(trigger=trigger, count=0, must_fire=must_fire)
        except InvalidTrigger as error:
            # Where it is needs saying only for what lies inside a list of triggers.
            where = f"{error.pointer}: " if error.pointer.count("/") > 1 else ""
            self.add_error("trigger", InPart(f"{where}{told(error)}", part=error.pointer.rpartition("/")[2]))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValidationError(_("The value contains a character that cannot be printed."), code="not_printable")
    return text


def plain(value: Any) -> str:
    """JSON on one line, for what has no words."""
    return json.dumps(value, ensure_ascii=False, default=str)
