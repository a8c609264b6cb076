"""The arguments of a task as fields of their types, made from its JSON Schema; or as one JSON box."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from scheduler.admin.fields.json_field import StorableJSONField
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core.registry import Task, registry
from scheduler.errors import InvalidArguments, UnknownTask
from scheduler.services import masking

_SIMPLE = {"integer": "integer", "number": "number", "boolean": "boolean"}
_FORMATS = {"date": "date", "date-time": "datetime", "password": "secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    name: str
    kind: str
    """``text integer number boolean choice date datetime secret lines json``"""

    is_required: bool
    default: str
    """What holds when nothing is said, for people; empty if there is none."""

    hint: str
    choices: tuple[tuple[str, str], ...] = ()
    """Values as JSON, and their texts."""


def arguments_of(task: Task) -> list[Argument]:
    schema = task.schema
    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return [
        _argument(name, _resolved(part, definitions), is_required=name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def _resolved(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references, and see through “or null”: an empty field says that."""
    found = dict(part)
    if "$ref" in found:
        found |= definitions.get(found["$ref"].rsplit("/", 1)[-1], {})
    if "anyOf" in found:
        others = [option for option in found["anyOf"] if option.get("type") != "null"]
        # A Decimal is a number or a text that looks like one.
        if len(others) == 2 and {option.get("type") for option in others} == {"number", "string"}:
            others = [{"type": "string"}]
        found = found | _resolved(others[0], definitions) if len(others) == 1 else {**found, "type": "any"}
    if "items" in found:
        found["items"] = _resolved(found["items"], definitions)
    return found


def _argument(name: str, part: Mapping[str, Any], *, is_required: bool) -> Argument:
    kind = part.get("type")
    values = part.get("enum") or ([part["const"]] if "const" in part else None)
    if part.get("writeOnly"):
        shown = "secret"
    elif values:
        shown = "choice"
    elif kind == "string":
        shown = _FORMATS.get(part.get("format", ""), "text")
    elif kind == "array" and part.get("items", {}).get("type") == "string":
        shown = "lines"
    else:
        shown = _SIMPLE.get(str(kind), "json")
    default = part.get("default")
    return Argument(
        name=name,
        kind=shown,
        is_required=is_required,
        default="" if default is None else _text("json" if not isinstance(default, str) else "text", default),
        hint=str(part.get("description", "")),
        choices=tuple((json.dumps(value), str(value)) for value in values or ()),
    )


def _text(kind: str, value: Any) -> str:
    """A value as it stands in its field."""
    if value is None or kind == "secret":
        return ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(map(str, value))
    if kind in ("choice", "boolean", "json"):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(argument: Argument, text: str) -> Any:
    """What a field's text means. What means nothing stays text, for the task's own types to refuse with a sentence."""
    if argument.kind == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if argument.kind == "secret":
        return _secret(text)
    if argument.kind in ("integer", "number", "boolean", "choice", "json"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            if argument.kind == "json":
                raise ValidationError(
                    _("%s: this is not JSON.") % argument.name, code="invalid", params={"argument": argument.name}
                ) from None
    return text


def _secret(text: str) -> Any:
    """A secret is a text, or an object or a list as JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class TypedArguments(dict[str, Any]):
    """What was typed: ``mode`` (``fields`` or ``json``), ``task``, ``json``, and ``fields`` by the argument's name."""


class ArgumentsWidget(forms.Widget):
    template_name = "scheduler/fields/arguments_widget.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """With the project's template engine, which finds the templates of apps whatever FORM_RENDERER is."""
        return super().render(name, value, attrs, TemplatesSetting())

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
        )

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}-mode" not in data

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        task = _known(value["task"] if isinstance(value, TypedArguments) else self.task)
        offered = arguments_of(task) if task else []
        if isinstance(value, TypedArguments):
            mode, text, fields = value["mode"], value["json"], value["fields"]
        else:
            text, fields, mode = self._stored_parts(value, offered, task)
        context["widget"] |= {
            "mode": mode if task else "json",
            "json": text,
            "task": task,
            "rows": [
                {
                    "argument": argument,
                    "text": fields.get(argument.name, ""),
                    "id": f"id_{name}_{argument.name}",
                    "is_kept": argument.kind == "secret" and argument.name in self.stored,
                    "problem": self.problems.get(argument.name, ""),
                }
                for argument in offered
            ],
        }
        return context

    def _stored_parts(self, value: Any, offered: list[Argument], task: Task | None) -> tuple[str, dict[str, str], str]:
        stored = json.loads(value) if isinstance(value, str) and value else value or {}
        masked = display.masked(stored)
        text = json.dumps(masked, ensure_ascii=False, indent=2)
        names = {argument.name for argument in offered}
        if task is None or not isinstance(stored, dict) or not set(stored) <= names:
            return text, {}, "json"
        fields = {
            argument.name: _text(argument.kind, stored[argument.name])
            for argument in offered
            if argument.name in stored
        }
        return text, fields, "fields"

    def id_for_label(self, id_: str) -> str:
        return ""

    def use_required_attribute(self, initial: Any) -> bool:
        return False


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
        typed = value if isinstance(value, TypedArguments) else TypedArguments(mode="json", json=value or "")
        stored: Mapping[str, Any] = self.widget.stored if isinstance(self.widget, ArgumentsWidget) else {}
        if typed["mode"] == "fields" and (task := _known(typed["task"])):
            return _from_fields(task, typed["fields"], stored)
        given = StorableJSONField(required=False).clean(typed["json"])
        if isinstance(given, dict):
            given = unmasked(given, stored)
        return {} if given is None else given


def _from_fields(task: Task, fields: Mapping[str, str], stored: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for argument in arguments_of(task):
        text = fields.get(argument.name, "")
        if argument.kind == "secret" and not text and argument.name in stored:
            found[argument.name] = stored[argument.name]
        elif text.strip():
            found[argument.name] = _value(argument, text.replace("\r\n", "\n"))
    return dict(StorableJSONField(required=False).clean(json.dumps(found)) or {})


def unmasked(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """
    Put the values that are kept where their masks were left.

    :raises ValidationError: there is a mask and nothing is kept, or something sealed that nobody can have seen
    """
    try:
        found = dict(masking.unmasked(given=given, stored=stored))
    except InvalidArguments as error:
        raise ValidationError(told(error), code="invalid") from None
    for name, value in found.items():
        if value == display.MASK:
            raise ValidationError(_("%s: enter the secret again.") % name, code="required")
    return found


def switched(data: Any) -> str:
    """Render the widget for what stands in a form, in the mode that ``want`` names. Secrets are typed again."""
    field = ArgumentsField(required=False)
    widget = ArgumentsWidget()
    typed = widget.value_from_datadict(data, {}, "kwargs")
    try:
        given = field.clean(typed)
    except ValidationError:
        given = None
    wants_fields = data.get("want") == "fields"
    task = _known(typed["task"])
    offered = {argument.name: argument for argument in arguments_of(task)} if task else {}
    if not isinstance(given, dict):
        given = {} if wants_fields else None
    if given is not None:
        if wants_fields:
            typed["fields"] = {
                name: _text(offered[name].kind, value) for name, value in given.items() if name in offered
            }
        typed["json"] = json.dumps(given, ensure_ascii=False, indent=2)
    typed["mode"] = "fields" if wants_fields else "json"
    return widget.render("kwargs", typed, attrs={"id": "id_kwargs"})


def _known(name: str) -> Task | None:
    try:
        return registry.get(name) if name else None
    except UnknownTask:
        return None
