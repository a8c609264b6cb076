"""
The arguments of a task as typed fields from its JSON Schema, or as one JSON text.

Both show the same value: what one of them cannot show without changing it is shown by the other. A stored secret is
never shown: an empty field, or a mask in the JSON, stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
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
from scheduler.core.tasks.registry import Task, registry
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
    """The default value as text, or an empty text."""

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


def _fits(argument: Argument, value: Any) -> bool:
    """Whether the field of an argument gives this value back as it is."""
    if argument.kind == "secret":
        return isinstance(value, str)
    text = _text(argument.kind, value)
    if not text.strip() or (argument.kind not in ("lines", "json") and any(mark in text for mark in "\r\n")):
        return False  # an empty field leaves the argument out, and a field of one line joins the lines
    try:
        again = _value(argument, text.replace("\r\n", "\n"))
    except ValidationError:
        return False
    return json.dumps(again) == json.dumps(value)


def _as_fields(offered: list[Argument], values: Any) -> dict[str, str] | None:
    """Return the texts of the fields, by argument. ``None``: a value has no field that can show it."""
    known = {argument.name: argument for argument in offered}
    if not isinstance(values, Mapping) or not all(
        name in known and _fits(known[name], value) for name, value in values.items()
    ):
        return None
    return {
        name: ("" if value == display.MASK else value)
        if known[name].kind == "secret"
        else _text(known[name].kind, value)
        for name, value in values.items()
    }


def _value(argument: Argument, text: str) -> Any:
    """The value of a field's text. Invalid text stays text, and the types of the task reject it."""
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
    """
    The input: ``mode`` (``fields`` or ``json``), ``task``, ``json``, ``fields`` by the argument's name, and ``kept``,
    the secrets for which an empty field stands.
    """


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
            "json": text,
            "task": task,
            "kept": " ".join(sorted(kept)),
            "rows": [
                {
                    "argument": argument,
                    "text": fields.get(argument.name, ""),
                    "id": f"id_{name}_{argument.name}",
                    "is_kept": argument.kind == "secret" and argument.name in kept,
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
        fields = None if task is None else _as_fields(offered, masked)
        return (text, {}, "json") if fields is None else (text, fields, "fields")

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
        typed = (
            value if isinstance(value, TypedArguments) else TypedArguments(mode="json", json=value or "", kept=set())
        )
        stored: Mapping[str, Any] = self.widget.stored if isinstance(self.widget, ArgumentsWidget) else {}
        if typed["mode"] == "fields" and (task := _known(typed["task"])):
            given = _from_fields(task, typed["fields"], typed["kept"])
        else:
            given = StorableJSONField(required=False).clean(typed["json"])
        if isinstance(given, dict):
            given = unmasked(given, stored)
        return {} if given is None else given


def _from_fields(task: Task, fields: Mapping[str, str], kept: Collection[str]) -> dict[str, Any]:
    """Return what was typed, with a mask for each secret that stays as it is."""
    found: dict[str, Any] = {}
    for argument in arguments_of(task):
        text = fields.get(argument.name, "")
        if argument.kind == "secret" and not text and argument.name in kept:
            found[argument.name] = display.MASK
        elif text.strip():
            found[argument.name] = _value(argument, text.replace("\r\n", "\n"))
    return dict(StorableJSONField(required=False).clean(json.dumps(found)) or {})


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


def switched(data: Any) -> str:
    """Render the widget for what stands in a form, in the mode that ``want`` names, or as JSON where no fields fit."""
    widget = ArgumentsWidget()
    typed = widget.value_from_datadict(data, {}, "kwargs")
    task = _known(typed["task"])
    offered = arguments_of(task) if task else []
    given = _given(typed, task)
    wants_fields = data.get("want") == "fields"
    fields = _as_fields(offered, {} if given is None else given) if wants_fields and task else None
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
