"""Kinds of declared objects beside jobs: calendars, templates and alert rules, as fields that are merged one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from scheduler.core import reasons
from scheduler.core.alerts import check_rule
from scheduler.errors import InvalidRule
from scheduler.messages import phrase
from scheduler.models import Channel, Rule, Template
from scheduler.services import calendars, templates
from scheduler.services.alerts import rules
from scheduler.store.jobs.authorship import Author

Fields = Mapping[str, Any]


class Kind(Protocol):
    """Checks, reads and writes one kind of object. Every call is inside the caller's transaction."""

    def checked(self, *, key: str, definition: Fields) -> dict[str, Any]:
        """Return every field of the definition, defaults included."""

    def stored(self, *, key: str) -> dict[str, Any] | None: ...

    def create(self, *, key: str, fields: Fields, author: Author) -> None: ...

    def change(self, *, key: str, changes: Fields, author: Author) -> None: ...

    def retire(self, *, key: str, author: Author) -> dict[str, Any]:
        """Put an object that is no longer declared out of action. Return the fields that this changed."""


class _Templates:
    """Parameters and body are one field: they are used together. A retired template stays as it is."""

    def checked(self, *, key: str, definition: Fields) -> dict[str, Any]:
        parameters, body = templates.check(parameters=definition.get("parameters", []), body=definition.get("body"))
        title = definition.get("title") or key
        templates.check_words(slug=key, title=title)
        return {
            "title": title,
            "description": definition.get("description", ""),
            "definition": {"parameters": parameters, "body": body},
        }

    def stored(self, *, key: str) -> dict[str, Any] | None:
        template = Template.objects.filter(slug=key).first()
        if template is None:
            return None
        newest = templates.version(template=template)
        definition = {"parameters": newest.parameters, "body": newest.body}
        return {"title": template.title, "description": template.description, "definition": definition}

    def create(self, *, key: str, fields: Fields, author: Author) -> None:
        words = {name: fields[name] for name in ("title", "description")}
        templates.create(slug=key, **words, **fields["definition"], actor=author.actor)

    def change(self, *, key: str, changes: Fields, author: Author) -> None:
        template = Template.objects.get(slug=key)
        words = {name: changes[name] for name in ("title", "description") if name in changes}
        if words:
            Template.objects.filter(pk=template.pk).update(**words)
        if "definition" in changes:
            note = reasons.text_of(author.reason)
            templates.add_version(template=template, **changes["definition"], note=note, actor=author.actor)

    def retire(self, *, key: str, author: Author) -> dict[str, Any]:
        return {}


class _AlertRules:
    """Channels are named. A retired rule is switched off."""

    _CHANNELS = ("channels", "escalation_channels")

    def checked(self, *, key: str, definition: Fields) -> dict[str, Any]:
        unknown = sorted(set(definition) - set(rules.FIELDS) | ({"name"} & set(definition)))
        if unknown:
            raise InvalidRule(phrase("A rule has no {names}.", names=", ".join(unknown)), field=unknown[0])
        found = {
            "description": "",
            "enabled": True,
            **{name: [] for name in self._CHANNELS},
            **definition,
            **{name: _plain(value) for name, value in check_rule(definition).items()},
        }
        self._ids(found)
        return {**found, **{name: sorted(found[name]) for name in self._CHANNELS}}

    def _ids(self, fields: Fields) -> dict[str, list[int]]:
        """:raises InvalidRule: naming a channel that does not exist"""
        keys = dict(Channel.objects.values_list("name", "pk"))
        given = {name: fields[name] for name in self._CHANNELS if name in fields}
        for field, names in given.items():
            missing = [name for name in names if name not in keys]
            if missing:
                raise InvalidRule(phrase("There is no channel “{name}”.", name=f"{missing[0]}"[:100]), field=field)
        return {field: [keys[name] for name in names] for field, names in given.items()}

    def stored(self, *, key: str) -> dict[str, Any] | None:
        rule = Rule.objects.filter(name=key).first()
        if rule is None:
            return None
        names = dict(Channel.objects.values_list("pk", "name"))
        found = {name: _plain(value) for name, value in rules.represent(rule).items() if name not in ("id", "name")}
        return {**found, **{name: sorted(names[pk] for pk in found[name]) for name in self._CHANNELS}}

    def create(self, *, key: str, fields: Fields, author: Author) -> None:
        rules.create(name=key, **{**fields, **self._ids(fields)}, actor=author.actor, via=author.via)

    def change(self, *, key: str, changes: Fields, author: Author) -> None:
        rule = Rule.objects.get(name=key)
        rules.update(rule=rule, **{**changes, **self._ids(changes)}, actor=author.actor, via=author.via)

    def retire(self, *, key: str, author: Author) -> dict[str, Any]:
        rule = Rule.objects.filter(name=key, enabled=True).first()
        if rule is None:
            return {}
        rules.update(rule=rule, enabled=False, actor=author.actor, via=author.via)
        return {"enabled": False}


class _Calendars:
    """The jobs that use a calendar follow. A retired one stays as it is: triggers name it."""

    def checked(self, *, key: str, definition: Fields) -> dict[str, Any]:
        return calendars.checked(given={**definition, "name": key})

    def stored(self, *, key: str) -> dict[str, Any] | None:
        found = calendars.all_calendars().filter(name=key).first()
        if found is None:
            return None
        return {name: value for name, value in calendars.written(calendar=found).items() if name != "name"}

    def create(self, *, key: str, fields: Fields, author: Author) -> None:
        calendars.create(name=key, **fields, actor=author.actor, via=author.via)

    def change(self, *, key: str, changes: Fields, author: Author) -> None:
        calendars.update(calendar=calendars.get(name=key), **changes, actor=author.actor, via=author.via)

    def retire(self, *, key: str, author: Author) -> dict[str, Any]:
        return {}


def _plain(value: Any) -> Any:
    """Return a member of an enumeration as its value."""
    return getattr(value, "value", value)


KINDS: Mapping[str, Kind] = {
    "calendar": _Calendars(),
    "template": _Templates(),
    "alert_rule": _AlertRules(),
}
"""In the order in which they are synchronised."""
