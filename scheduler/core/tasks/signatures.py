"""The arguments of a function according to its annotations, also where some of them cannot be used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model


def hints_of(function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the annotations of the arguments that can be resolved, and why the others cannot."""
    try:
        found = get_type_hints(function, include_extras=True)
        return {name: hint for name, hint in found.items() if name != "return"}, {}
    except Exception:  # noqa: BLE001 - an annotation may be any expression, and raise what it likes
        return _one_by_one(function)


def _one_by_one(function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, str]]:
    hints, odd = {}, {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if name == "return":
            continue
        holder = type("Holder", (), {"__annotations__": {name: annotation}})
        try:
            namespace = getattr(function, "__globals__", {})
            hints[name] = get_type_hints(holder, globalns=namespace, include_extras=True)[name]
        except Exception as error:  # noqa: BLE001 - as above
            odd[name] = f"its annotation cannot be resolved ({error})"
    return hints, odd


def odd_hints(hints: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments whose values JSON cannot hold, and why, as pydantic sees them."""
    found = {}
    for name, hint in hints.items():
        try:
            # A model that has such a field: a type adapter would take no configuration for some types.
            create_model("Any", __config__=_CONFIG, value=(hint, ...)).model_json_schema()
        except Exception as error:  # noqa: BLE001 - a type brings code of its own
            found[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return found


_CONFIG = ConfigDict(arbitrary_types_allowed=True)


def model_of(
    *, name: str, signature: inspect.Signature, hints: Mapping[str, Any], odd: Mapping[str, str]
) -> type[BaseModel]:
    """Make the pydantic model of named arguments. Arguments that are odd take no value at all."""
    fields: dict[str, Any] = {}
    extra: Any = "forbid"
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            hint = _refused(odd[parameter.name]) if parameter.name in odd else hints.get(parameter.name, Any)
            fields[field_name(parameter.name)] = (hint, Field(default, alias=parameter.name))
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True)
    return create_model(f"{name}_arguments", __config__=config, **fields)


def field_name(name: str) -> str:
    """Keep clear of the names that pydantic has or refuses: ``json``, ``model_config``, ``_private``."""
    return f"argument_{name}"


def _refused(reason: str) -> Any:
    def refuse(_value: Any) -> Any:
        raise ValueError(f"a job cannot give it: {reason}")

    return Annotated[Any, BeforeValidator(refuse), WithJsonSchema({"not": {}, "description": "A job cannot give it."})]
