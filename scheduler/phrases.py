"""
Sentences that remember how they were made, for code that knows no languages.

A ``Phrase`` is plain English text wherever text is wanted: in answers of the API, logs, tables. Whoever shows it to a
person may say it in another language with ``put``, which looks up the message it was made from and fills in the values
again. So the core stays pure, and its words can still be translated.

The names of the functions are what ``makemessages`` looks for; their messages are literals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self


class Catalogue(Protocol):
    """What a language offers."""

    def message(self, text: str, *, context: str | None) -> str: ...

    def plural(self, one: str, many: str, *, number: int) -> str: ...

    def value(self, value: Any, *, form: str) -> str:
        """A value as this language writes it; ``form`` is what stands after the colon in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    text: str
    values: dict[str, Any]
    context: str | None = None
    many: str | None = None
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    separator: str
    parts: tuple[str, ...]


class Phrase(str):
    """English text that knows what it was made from."""

    __slots__ = ("made_from",)

    made_from: _Message | _Row

    @classmethod
    def of(cls, made_from: _Message | _Row) -> Self:
        if isinstance(made_from, _Row):
            text = made_from.separator.join(made_from.parts)
        else:
            message = made_from.many if made_from.many is not None and made_from.number != 1 else made_from.text
            text = message.format(**made_from.values) if made_from.values else message
        phrase = cls(text)
        phrase.made_from = made_from
        return phrase

    def __reduce__(self) -> tuple[Any, ...]:
        return Phrase.of, (self.made_from,)


def phrase(message: str, /, **values: Any) -> Phrase:
    """``phrase("“{text}” is not a time zone.", text=…)``"""
    return Phrase.of(_Message(text=message, values=values))


def phrase_in(context: str, message: str, /, **values: Any) -> Phrase:
    """A message that means different things in different places; the context is for translators only."""
    return Phrase.of(_Message(text=message, values=values, context=context))


def phrase_of(one: str, many: str, /, *, number: float, **values: Any) -> Phrase:
    """A message that depends on a number, which is a value of it too. What is no whole number counts as many."""
    exact = int(number) if number == int(number) else 2
    return Phrase.of(_Message(text=one, values={"number": number, **values}, many=many, number=exact))


def row(separator: str, parts: Sequence[str]) -> Phrase:
    """Phrases one after the other. The separator is said as it is, unless it is a phrase."""
    return Phrase.of(_Row(separator=separator, parts=tuple(parts)))


def with_values(text: str, /, **values: Any) -> str:
    """The same message about other values; a text that was made from no message stays as it is."""
    made_from = getattr(text, "made_from", None)
    if not isinstance(made_from, _Message):
        return text
    known = {name: value for name, value in values.items() if name in made_from.values}
    return Phrase.of(replace(made_from, values={**made_from.values, **known}))


def message(text: str, /) -> str:
    """Mark a text that becomes a phrase elsewhere."""
    return text


def message_in(context: str, text: str, /) -> tuple[str, str]:
    """Mark a text with its context: what ``phrase_in`` takes first."""
    return context, text


def messages(one: str, many: str, /) -> tuple[str, str]:
    """Mark what ``phrase_of`` takes first."""
    return one, many


def put(text: str, catalogue: Catalogue) -> str:
    """Say a text in the language of a catalogue; what is no phrase stays as it is."""
    if not isinstance(text, Phrase):
        return text
    made_from = text.made_from
    if isinstance(made_from, _Row):
        return put(made_from.separator, catalogue).join(put(part, catalogue) for part in made_from.parts)
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
            return put(self._value, self._catalogue)
        return self._catalogue.value(self._value, form=form)


def parts_of(text: str, /) -> tuple[str, str | None, dict[str, Any]] | None:
    """
    What a sentence was made of: its message, the message for many if it depends on a number, and its values.

    ``None`` for a text that was made of no message, and for a row.
    """
    made_from = getattr(text, "made_from", None)
    return (made_from.text, made_from.many, made_from.values) if isinstance(made_from, _Message) else None
