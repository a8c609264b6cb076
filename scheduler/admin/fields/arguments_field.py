"""
The arguments of a task as typed fields from its JSON Schema, or as one JSON text.

Both show the same value: what one of them cannot show without changing it is shown by the other. A stored secret is
never shown: an empty field, or a mask in the JSON, stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from scheduler.admin.fields.argument_kinds import LONG_KINDS, Argument, arguments_of, as_fields, value_of
from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.errors import InvalidArguments, UnknownTask
from scheduler.services import masking


class TypedArguments(dict[str, Any]):
    """
    The input: ``mode`` (``fields`` or ``json``), ``task``, ``json``, ``fields`` by the argument's name, and ``kept``,
    the secrets for which an empty field stands.
    """


class ArgumentsWidget(forms.Widget):
    template_name = "scheduler/fields/arguments_widget.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """With the project's template engine, which finds the templates of apps whatever FORM_RENDERER is."""
        return super().render(name, value, attrs, TemplatesSetting())

    switches_by_submit: bool = False
    """Whether the button between fields and JSON sends the form, as on pages without the script of the form."""

    task: str = ""
    stored: Mapping[str, Any] = {}
    problems: Mapping[str, str] = {}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> TypedArguments:
        prefix = f"{name}-value-"
        return TypedArguments(
            mode="fields" if data.get(f"{name}-mode") == "fields" else "json",
            task=data.get("task", ""),
            json=data.get(name, ""),
            fields={key.removeprefix(prefix): data.get(key, "") for key in data if key.startswith(prefix)},
            kept=set(data.get(f"{name}-kept", " ".join(self._secrets)).split()),
        )

    @property
    def _secrets(self) -> list[str]:
        return [name for name, value in self.stored.items() if display.masked(value) == display.MASK]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-mode" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        task = _known(value["task"] if isinstance(value, TypedArguments) else self.task)
        offered = arguments_of(task) if task else []
        if isinstance(value, TypedArguments):
            mode, text, fields = value["mode"], value["json"], value["fields"]
            kept = value["kept"]
        else:
            kept = {argument.name for argument in offered if argument.kind == "secret" and argument.name in self.stored}
            text, fields, mode = self._stored_parts(value, offered, task)
        context["widget"] |= {
            "mode": mode if task else "json",
            "switches_by_submit": self.switches_by_submit,
            "json": text,
            "task": task,
            "kept": " ".join(sorted(kept)),
            "says": _says(f"id_{name}_error", is_invalid=True) if self.problems else "",
            "rows": [
                self._row(name, argument, text=fields.get(argument.name, ""), is_kept=argument.name in kept)
                for argument in offered
            ],
        }
        return context

    def _row(self, name: str, argument: Argument, *, text: str, is_kept: bool) -> dict[str, Any]:
        id = f"id_{name}_{argument.name}"
        problem = self.problems.get(argument.name, "")
        return {
            "argument": argument,
            "text": text,
            "id": id,
            "is_kept": argument.kind == "secret" and is_kept,
            "problem": problem,
            "is_long": argument.kind in LONG_KINDS or "\n" in text,
            "says": _says(f"{id}_problem {id}_hint", is_invalid=True) if problem else _says(f"{id}_hint"),
        }

    def _stored_parts(self, value: Any, offered: list[Argument], task: Task | None) -> tuple[str, dict[str, str], str]:
        stored = json.loads(value) if isinstance(value, str) and value else value or {}
        masked = display.masked(stored)
        text = json.dumps(masked, ensure_ascii=False, indent=2)
        fields = None if task is None else as_fields(offered, masked)
        return (text, {}, "json") if fields is None else (text, fields, "fields")

    def id_for_label(self, id_: str) -> str:
        return ""

    def use_required_attribute(self, initial: Any) -> bool:
        return False


def _says(described_by: str, *, is_invalid: bool = False) -> SafeString:
    """The attributes that tell assistive technology about a field."""
    invalid = mark_safe(' aria-invalid="true"') if is_invalid else ""
    return format_html('{} aria-describedby="{}"', invalid, described_by)


class ArgumentsField(forms.Field):
    widget = ArgumentsWidget

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, TypedArguments | str) or value is None else json.dumps(display.masked(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != (initial or {}))
        except ValidationError:
            return True

    def clean(self, value: Any) -> Any:
        """Return the arguments, with the sealed values that were left as they are."""
        typed = (
            value if isinstance(value, TypedArguments) else TypedArguments(mode="json", json=value or "", kept=set())
        )
        stored: Mapping[str, Any] = self.widget.stored if isinstance(self.widget, ArgumentsWidget) else {}
        if typed["mode"] == "fields" and (task := _known(typed["task"])):
            given = self._checked_fields(task, typed)
        else:
            given = StorableJSONField(required=False).clean(typed["json"])
        if isinstance(given, dict):
            given = unmasked(given, stored)
        return {} if given is None else given

    def _checked_fields(self, task: Task, typed: TypedArguments) -> dict[str, Any]:
        """
        Return what was typed.

        :raises ValidationError: naming every argument that does not fit, those of the task's own checks among them
        """
        given, problems = _read(task, typed["fields"], typed["kept"])
        if not problems:
            return given
        problems |= {name: text for name, text in _misfits(task, given).items() if name not in problems}
        widget: Any = self.widget
        widget.problems = problems
        raise ValidationError([ValidationError(text, code="invalid") for text in problems.values()])


def _misfits(task: Task, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the problem of each argument, by its name."""
    # Masks stand for stored secrets, which fit.
    known = {name: value for name, value in given.items() if value != display.MASK}
    try:
        task.bind(args=(), kwargs=known)
    except InvalidArguments as error:
        masked = given.keys() - known.keys()
        return {name: text for name, text in problems_by_argument(error).items() if name not in masked}
    return {}


def problems_by_argument(error: InvalidArguments) -> dict[str, str]:
    """Return the problem of each named argument, in the reader's language."""
    return {
        problem["pointer"].removeprefix("/kwargs/").partition("/")[0]: told(problem["detail"])
        for problem in error.problems
        if problem["pointer"].startswith("/kwargs/")
    }


def _read(task: Task, fields: Mapping[str, str], kept: Collection[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was typed, with a mask for each secret that stays as it is, and the problem of each other field."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for argument in arguments_of(task):
        text = fields.get(argument.name, "")
        try:
            if argument.kind == "secret" and not text and argument.name in kept:
                found[argument.name] = display.MASK
            elif text.strip():
                value = value_of(argument, text.replace("\r\n", "\n"))
                found[argument.name] = StorableJSONField().clean(json.dumps(value)) if value else value
        except ValidationError as error:
            problems[argument.name] = " ".join(error.messages)
    return found, problems


def _from_fields(task: Task, fields: Mapping[str, str], kept: Collection[str]) -> dict[str, Any]:
    """
    Return what was typed, with a mask for each secret that stays as it is.

    :raises ValidationError: a field does not fit
    """
    found, problems = _read(task, fields, kept)
    if problems:
        raise ValidationError(list(problems.values()))
    return found


def unmasked(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """
    Replace masks by the stored values.

    :raises ValidationError: a mask has no stored value, or an encrypted value was given
    """
    try:
        found = dict(masking.unmasked(given=given, stored=stored))
    except InvalidArguments as error:
        raise ValidationError(told(error), code="invalid") from None
    for name, value in found.items():
        if value == display.MASK:
            raise ValidationError(_("%s: enter the secret again.") % name, code="required")
    return found


def switched(data: Any, *, task: str = "") -> str:
    """
    Render the widget for what stands in a form, in the mode that ``want`` names, or as JSON where no fields fit.

    ``task``: the one of a page on which it cannot be chosen.
    """
    widget = ArgumentsWidget()
    widget.switches_by_submit = bool(task)
    typed = widget.value_from_datadict(data, {}, "kwargs")
    typed["task"] = task or typed["task"]
    known = _known(typed["task"])
    offered = arguments_of(known) if known else []
    given = _given(typed, known)
    wants_fields = data.get("want") == "fields"
    fields = as_fields(offered, {} if given is None else given) if wants_fields and known else None
    if given is not None:
        typed["kept"] &= {name for name, value in given.items() if value == display.MASK}
        typed["json"] = json.dumps(given, ensure_ascii=False, indent=2)
    if fields is not None:
        typed["fields"] = fields
    typed["mode"] = "json" if fields is None else "fields"
    return widget.render("kwargs", typed, attrs={"id": "id_kwargs"})


def _given(typed: TypedArguments, task: Task | None) -> dict[str, Any] | None:
    """Return the arguments as they stand in the form, with masks. ``None``: they are not an object."""
    try:
        if typed["mode"] == "fields" and task:
            return _from_fields(task, typed["fields"], typed["kept"])
        found = StorableJSONField(required=False).clean(typed["json"])
    except ValidationError:
        return None
    return found if isinstance(found, dict) else {} if found is None else None


def _known(name: str) -> Task | None:
    try:
        return registry.get(name) if name else None
    except UnknownTask:
        return None
