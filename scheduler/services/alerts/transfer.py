"""Rules, channels and switches as a document: to keep beside the code, or to bring to another installation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler import sealing
from scheduler.core.states import Via
from scheduler.errors import InvalidImport
from scheduler.messages import phrase
from scheduler.models import Channel, Rule, Switch
from scheduler.services import masking, transactions
from scheduler.services.alerts import channels, kinds, rules, switches

_MOST = 1000
_MODELS: dict[str, Any] = {"channels": Channel, "rules": Rule, "switches": Switch}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The result of an import."""

    channels: int
    rules: int
    switches: int
    without_secrets: tuple[str, ...]
    """Names of channels and switches that are switched off: the document has no secrets."""


def export() -> dict[str, Any]:
    """Return all rules, channels and switches. Secrets are masked, and channels are named instead of numbered."""
    names = dict(Channel.objects.values_list("pk", "name"))
    found_channels = [
        {name: value for name, value in channels.represent(channel).items() if name in channels.FIELDS}
        for channel in channels.all_channels().order_by("name")
    ]
    found_rules = []
    for rule in rules.all_rules().order_by("name"):
        document = {name: value for name, value in rules.represent(rule).items() if name != "id"}
        for field in ("channels", "escalation_channels"):
            document[field] = [names[key] for key in document[field]]
        found_rules.append(document)
    found_switches = [
        {name: value for name, value in switches.represent(switch).items() if name in switches.FIELDS}
        for switch in switches.all_switches()
    ]
    return {"channels": found_channels, "rules": found_rules, "switches": found_switches}


@transactions.atomic()
def load(*, document: Any, actor: str = "", via: Via | str = Via.CODE, update: bool = True) -> Loaded:
    """
    Create or update the rules, channels and switches of a document, by name. Others stay as they are.

    A new channel or switch whose secrets are masked is switched off until somebody enters them. ``update``: those that
    exist get the definition of the document. Otherwise they are skipped.

    :raises InvalidImport, InvalidRule, InvalidChannel, InvalidSwitch: no change was made
    """
    parts = _parts(document)
    if not update:
        parts = {name: _missing(name, given) for name, given in parts.items()}
    author = {"actor": actor, "via": via}
    without = [_load_channel(given, author) for given in parts["channels"]]
    _load_rules(parts["rules"], author)
    without += [_load_switch(given) for given in parts["switches"]]
    return Loaded(
        **{name: len(given) for name, given in parts.items()},
        without_secrets=tuple(name for name in without if name),
    )


def _missing(name: str, given: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    stored = set(_MODELS[name].objects.values_list("name", flat=True))
    return [each for each in given if each["name"] not in stored]


def _load_rules(given_rules: list[Mapping[str, Any]], author: dict[str, Any]) -> None:
    keys = dict(Channel.objects.values_list("name", "pk"))
    for given in given_rules:
        values = {name: value for name, value in given.items() if name in rules.FIELDS}
        for field in ("channels", "escalation_channels"):
            missing = [name for name in values.get(field) or () if name not in keys]
            if missing:
                raise InvalidImport(phrase("There is no channel “{name}”.", name=f"{missing[0]}"[:100]))
            values[field] = [keys[name] for name in values.get(field) or ()]
        stored = Rule.objects.filter(name=values.get("name")).first()
        if stored is None:
            rules.create(**values, **author)
        else:
            rules.update(rule=stored, **values, **author)


def _parts(document: Any) -> dict[str, list[Mapping[str, Any]]]:
    if not isinstance(document, Mapping):
        raise InvalidImport(phrase("The document must be an object with channels, rules and switches."))
    parts = {}
    for name in _MODELS:
        part = document.get(name, [])
        if not isinstance(part, list) or len(part) > _MOST or not all(isinstance(each, Mapping) for each in part):
            raise InvalidImport(phrase("{name} must be a list of at most {most} objects.", name=name, most=_MOST))
        if not all(isinstance(each.get("name"), str) for each in part):
            raise InvalidImport(phrase("Each of the {name} must have a name.", name=name))
        parts[name] = part
    return parts


def _load_channel(given: Mapping[str, Any], author: dict[str, Any]) -> str:
    """Create or update a channel. Return its name if its secrets are missing."""
    values = {name: value for name, value in given.items() if name in channels.FIELDS}
    stored = Channel.objects.filter(name=values["name"]).first()
    if stored is not None:
        channels.update(channel=stored, **values, **author)
        return ""
    config = values.get("config")
    masked = [name for name, value in config.items() if value == masking.MASK] if isinstance(config, Mapping) else []
    if not masked:
        channels.create(**values, **author)
        return ""
    kind = kinds.get(str(values.get("kind")))
    secret = {field.name for field in kind.fields if field.is_secret}
    if not set(masked) <= secret:
        raise InvalidImport(phrase("A mask stands for what is not a secret: {names}.", names=", ".join(masked)))
    # Sealed emptiness: it is complete, and cannot be sent to before somebody enters the secrets.
    empty = {name: sealing.seal("") for name in masked}
    channels.create(**{**values, "config": {**dict(config or {}), **empty}, "enabled": False}, **author)
    return str(values["name"])


def _load_switch(given: Mapping[str, Any]) -> str:
    """Create or update a switch. Return its name if its address is missing."""
    values = {name: value for name, value in given.items() if name in switches.FIELDS}
    stored = Switch.objects.filter(name=values["name"]).first()
    if stored is not None:
        switches.update(switch=stored, **values)
        return ""
    if values.get("url") != masking.MASK:
        switches.create(**{"url": "", **values})
        return ""
    return switches.create(**{**values, "url": None, "enabled": False}).name
