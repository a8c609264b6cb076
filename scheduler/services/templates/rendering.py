"""Instances as the declarations that a version of their template and their values amount to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scheduler import sealing
from scheduler.core import error_messages
from scheduler.core import templates as rules
from scheduler.core.declarations import Declaration
from scheduler.core.templates import Parameter
from scheduler.errors import InvalidParameters
from scheduler.models import TemplateVersion
from scheduler.services import masking, templates


def declaration(
    *,
    version: TemplateVersion,
    key: str,
    values: Mapping[str, Any],
    owner: str,
    stored: Mapping[str, Any] | None = None,
) -> Declaration:
    """
    Return the declaration that an instance amounts to.

    ``stored``: the sealed values that a mask in ``values`` stands for.

    :raises InvalidParameters: naming the parameter
    """
    known = templates.parameters(of=version)
    _check_destination(values, known, stored or {})
    plain = {name: _unmasked(name, value, known, stored or {}) for name, value in values.items()}
    checked = rules.check_values(known, plain)
    return Declaration(
        key=key,
        definition=rules.render(version.body, checked),
        source=version.template.slug,
        origin=f"{version.template.slug} {version.number}",
        owner=owner,
        template_version=version.pk,
        # What was left out follows the default of whatever version comes.
        parameters=_sealed({name: checked[name] for name in plain}, known),
    )


def _check_destination(values: Mapping[str, Any], known: Sequence[Parameter], stored: Mapping[str, Any]) -> None:
    """:raises InvalidParameters: a secret stays masked while another parameter, which may say where it goes, changes"""
    secret = {each.name for each in known if each.is_secret}
    kept = sorted(name for name in secret if values.get(name) == masking.MASK and sealing.is_sealed(stored.get(name)))
    before = {**{each.name: each.default for each in known}, **stored}
    changed = sorted(
        name for name in {*values, *before} - secret if before.get(name) != values.get(name, before.get(name))
    )
    if kept and changed:
        raise InvalidParameters(error_messages.SECRET_NEEDED(secret=kept[0], names=", ".join(changed)))


def _unmasked(name: str, value: Any, known: Iterable[Parameter], stored: Mapping[str, Any]) -> Any:
    is_secret = any(each.name == name and each.is_secret for each in known)
    if not is_secret or value != masking.MASK:
        return value
    if not sealing.is_sealed(stored.get(name)):
        raise InvalidParameters(error_messages.NOTHING_MASKED(name=name))
    return sealing.unseal(stored[name])


def _sealed(values: Mapping[str, Any], known: Iterable[Parameter]) -> dict[str, Any]:
    secret = {each.name for each in known if each.is_secret}
    return {name: sealing.seal(value) if name in secret and value else value for name, value in values.items()}


def opened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored values with their secrets in plain text."""
    return {name: sealing.unseal(value) if sealing.is_sealed(value) else value for name, value in values.items()}
