"""Secret arguments: how a task marks them, and in which spellings a mark is found."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import pydantic
from pydantic import BaseModel


class Secret:
    """
    Marks an argument whose value stays hidden: ``Annotated[str, Secret]``.

    It is stored sealed, shown as a mask, and masked in the logs, errors and results of its run. A mark anywhere within
    an annotation (``| None``, a list, a model with a ``SecretStr``) makes the whole argument secret.
    """

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "writeOnly": True, "format": "password"}


def is_secret(hint: Any) -> bool:
    """Return whether a value of this type is secret, or holds something that is."""
    return any(_is_mark(part) for part in _parts(hint, seen=set()))


def _is_mark(part: Any) -> bool:
    if part is Secret or isinstance(part, Secret):
        return True
    kind = get_origin(part) or part
    return isinstance(kind, type) and issubclass(kind, pydantic.Secret | pydantic.SecretStr | pydantic.SecretBytes)


def _parts(hint: Any, *, seen: set[int]) -> Iterator[Any]:
    """Return a type and every type and mark within it, each once: models may hold themselves."""
    if id(hint) in seen:
        return
    seen.add(id(hint))
    yield hint
    for part in (
        *getattr(hint, "__metadata__", ()),
        *get_args(hint),
        getattr(hint, "__value__", None),  # type X = …
        getattr(hint, "__supertype__", None),  # NewType
        *_fields(get_origin(hint) or hint),
    ):
        if part is not None:
            yield from _parts(part, seen=seen)


def _fields(kind: Any) -> Iterator[Any]:
    if not isinstance(kind, type):
        return
    if issubclass(kind, BaseModel):
        for field in kind.model_fields.values():
            yield field.annotation
            yield from field.metadata
    elif dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or hasattr(kind, "_fields"):
        yield from get_type_hints(kind, include_extras=True).values()


_PLAIN = (str, int, float, bool, type(None))


def revealed(value: Any) -> Any:
    """Return what Python code gives as an argument with the values of pydantic's secrets, which JSON would mask."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, pydantic.Secret | pydantic.SecretStr | pydantic.SecretBytes):
        plain = value.get_secret_value()
        return plain.decode() if isinstance(plain, bytes) else plain
    if isinstance(value, BaseModel):
        return {name: revealed(getattr(value, name)) for name in type(value).model_fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: revealed(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: revealed(each) for name, each in value.items()}
    return [revealed(each) for each in value] if isinstance(value, list | tuple) else value
