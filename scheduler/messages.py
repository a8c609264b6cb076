"""
Messages: English text that is data as well, so that it can be stored, filtered and translated.

A ``Message`` is plain English wherever text is wanted: in answers of the API, in logs, on the command line. It also has
a ``code`` and ``params``. Each reason and each error message is declared once with ``declare``. The reasons are in
``scheduler.core.reasons``. ``encode`` and ``decode`` take a message to JSON and back, ``translate`` renders it with the
catalogue of a language.

Parts of sentences, such as “every 5 minutes”, are phrases: messages without a code.

``makemessages`` finds the texts by the names of the functions below, so that they must be literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self


class Catalogue(Protocol):
    """The texts of a language."""

    def message(self, text: str, *, context: str | None) -> str: ...

    def plural(self, one: str, many: str, *, number: int) -> str: ...

    def value(self, value: Any, *, form: str) -> str:
        """Return a value as this language writes it. ``form`` is the format after the colon in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    text: str
    values: dict[str, Any]
    context: str | None = None
    many: str | None = None
    number: int = 1
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    separator: str
    parts: tuple[str, ...]


class Message(str):
    """English text that knows what it was made from."""

    __slots__ = ("made_from",)

    made_from: _Sentence | _Row

    @classmethod
    def of(cls, made_from: _Sentence | _Row) -> Self:
        if isinstance(made_from, _Row):
            text = made_from.separator.join(made_from.parts)
        else:
            message = made_from.many if made_from.many is not None and made_from.number != 1 else made_from.text
            text = message.format(**made_from.values) if made_from.values else message
        phrase = cls(text)
        phrase.made_from = made_from
        return phrase

    @property
    def code(self) -> str:
        """The code that was declared, or an empty string for a phrase."""
        if isinstance(self.made_from, _Row):
            return SENTENCES if self.made_from.separator == " " else ""
        return self.made_from.code

    @property
    def params(self) -> dict[str, Any]:
        """The values in the text, by name. Some of them are messages."""
        if isinstance(self.made_from, _Row):
            return {"parts": list(self.made_from.parts)}
        return dict(self.made_from.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Message.of, (self.made_from,)


SENTENCES = "sentences"
"""The code of several messages, one after the other."""

DECLARED: dict[str, Declared] = {}
"""Every declared message by its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A message that was declared. Called with its parameters, it makes the message about them."""

    code: str
    text: str
    many: str | None
    params: Mapping[str, type]

    def __call__(self, **values: Any) -> Message:
        if values.keys() != self.params.keys():
            raise TypeError(f"“{self.code}” takes {', '.join(self.params) or 'nothing'}; given: {', '.join(values)}.")
        number = 1
        if self.many is not None:
            number = int(values["number"]) if values["number"] == int(values["number"]) else 2
        return Message.of(_Sentence(text=self.text, values=values, many=self.many, number=number, code=self.code))


def declare(code: str, text: str, /, **params: type) -> Declared:
    """``declare("unknown_zone", "“{text}” is not a time zone.", text=str)``; ``code`` is stored and never changed."""
    return _declared(Declared(code=code, text=text, many=None, params=params))


def declare_counted(code: str, one: str, many: str, /, **params: type) -> Declared:
    """Declare a message that depends on its parameter ``number``."""
    return _declared(Declared(code=code, text=one, many=many, params={"number": int, **params}))


def _declared(new: Declared) -> Declared:
    if new.code in DECLARED:
        raise ValueError(f"The code “{new.code}” is declared twice.")
    DECLARED[new.code] = new
    return new


def encode(text: str | None) -> dict[str, Any] | None:
    """Return a message as JSON: its code and its params. Plain text is the parameter of the code “text”."""
    if not text:
        return None
    if isinstance(text, Message) and text.code:
        return {"code": text.code, "params": {name: _encoded(value) for name, value in text.params.items()}}
    return {"code": TEXT, "params": {"text": _encoded(text)}}


def _encoded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if not isinstance(value, Message):
        return value if isinstance(value, str | int | float | bool | None) else str(value)
    if value.code:
        return encode(value)
    made_from = value.made_from
    if isinstance(made_from, _Row):
        return {"separator": _encoded(made_from.separator), "parts": _encoded(made_from.parts)}
    known = {"text": made_from.text, "context": made_from.context, "many": made_from.many}
    values = {name: _encoded(inner) for name, inner in made_from.values.items()}
    return {**{name: text for name, text in known.items() if text is not None}, "values": values}


def decode(code: str, params: Mapping[str, Any] | None) -> Message | None:
    """Return the message that was encoded, or ``None`` if this release does not know its code or its parameters."""
    values = {name: _decoded(value) for name, value in (params or {}).items()}
    if code == SENTENCES:
        return row(" ", [str(part) if not isinstance(part, str) else part for part in values.get("parts", ())])
    declared = DECLARED.get(code)
    try:
        return declared(**values) if declared is not None else None
    except (TypeError, ValueError, KeyError):
        return None


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "code" in value:
        return decode(value["code"], value.get("params")) or value["code"]
    if "parts" in value:
        return row(_decoded(value["separator"]), _decoded(value["parts"]))
    values = {name: _decoded(inner) for name, inner in value["values"].items()}
    number = values.get("number", 1)
    exact = int(number) if number == int(number) else 2
    text, context, many = value["text"], value.get("context"), value.get("many")
    return Message.of(_Sentence(text=text, values=values, context=context, many=many, number=exact))


def phrase(message: str, /, **values: Any) -> Message:
    """``phrase("every {interval}", interval=…)``"""
    return Message.of(_Sentence(text=message, values=values))


def phrase_in(context: str, message: str, /, **values: Any) -> Message:
    """Return a message that means different things in different places. The context is for translators only."""
    return Message.of(_Sentence(text=message, values=values, context=context))


def phrase_of(one: str, many: str, /, *, number: float, **values: Any) -> Message:
    """Return a message that depends on a number, which is a value of it too. Fractions count as many."""
    exact = int(number) if number == int(number) else 2
    return Message.of(_Sentence(text=one, values={"number": number, **values}, many=many, number=exact))


def row(separator: str, parts: Sequence[str]) -> Message:
    """Messages one after the other. The separator is said as it is, unless it is a phrase."""
    return Message.of(_Row(separator=separator, parts=tuple(parts)))


def with_values(text: str, /, **values: Any) -> str:
    """Return the same message with other values. A plain text stays as it is."""
    made_from = getattr(text, "made_from", None)
    if not isinstance(made_from, _Sentence):
        return text
    known = {name: value for name, value in values.items() if name in made_from.values}
    return Message.of(replace(made_from, values={**made_from.values, **known}))


def message(text: str, /) -> str:
    """Mark a text that becomes a phrase elsewhere."""
    return text


def message_in(context: str, text: str, /) -> tuple[str, str]:
    """Mark a text with its context: what ``phrase_in`` takes first."""
    return context, text


def messages(one: str, many: str, /) -> tuple[str, str]:
    """Mark what ``phrase_of`` takes first."""
    return one, many


TEXT = "text"
declare(TEXT, "{text}", text=str)


def translate(text: str, catalogue: Catalogue) -> str:
    """Render a message in the language of a catalogue. Plain text stays as it is."""
    if not isinstance(text, Message):
        return text
    made_from = text.made_from
    if isinstance(made_from, _Row):
        return translate(made_from.separator, catalogue).join(translate(part, catalogue) for part in made_from.parts)
    if made_from.many is not None:
        said = catalogue.plural(made_from.text, made_from.many, number=made_from.number)
    else:
        said = catalogue.message(made_from.text, context=made_from.context)
    values = {name: _Value(value, catalogue) for name, value in made_from.values.items()}
    return said.format(**values) if values else said


class _Value:
    """A value on its way into a translated message."""

    __slots__ = ("_catalogue", "_value")

    def __init__(self, value: Any, catalogue: Catalogue) -> None:
        self._value = value
        self._catalogue = catalogue

    def __format__(self, form: str) -> str:
        if isinstance(self._value, str):
            return translate(self._value, self._catalogue)
        return self._catalogue.value(self._value, form=form)


def parts_of(text: str, /) -> tuple[str, str | None, dict[str, Any]] | None:
    """
    Return what a sentence was made of: its text, the text for many if it depends on a number, and its values.

    ``None`` for plain text and for a row.
    """
    made_from = getattr(text, "made_from", None)
    return (made_from.text, made_from.many, made_from.values) if isinstance(made_from, _Sentence) else None
