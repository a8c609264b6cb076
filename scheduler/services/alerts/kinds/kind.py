"""The interface of a kind of channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from scheduler import sealing
from scheduler.errors import DeliveryFailed, InvalidChannel
from scheduler.messages import phrase
from scheduler.services.masking import MASK

if TYPE_CHECKING:
    from scheduler.services.alerts.messages import Message

_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a channel has to know."""

    name: str
    label: str
    help: str = ""
    is_required: bool = False
    is_secret: bool = False
    """Sealed in the database, masked for people."""

    is_flag: bool = False
    is_list: bool = False


class ChannelKind:
    """A way to send messages. Subclass it, name it, list its fields, and write ``send``."""

    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]] = ()

    def send(self, *, message: Message, config: Mapping[str, Any]) -> str:
        """
        Send a message and return the answer, in a few words. Called in a thread of its own, outside of transactions.

        ``config`` has the values of ``fields`` with secrets opened. A message may come again with the same ``id``.

        :raises DeliveryFailed: it is tried again later. ``unsure=True``: it may have arrived all the same.
            ``gone=True``: the channel does not exist any more and is switched off
        """
        raise NotImplementedError

    def check(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the configuration as it is kept, with secrets sealed.

        :raises InvalidChannel: naming the field, its value and what is allowed
        """
        known = {field.name: field for field in self.fields}
        unknown = sorted(set(config) - set(known))
        if unknown:
            raise InvalidChannel(
                phrase(
                    "A channel of the kind {kind} has no {names}. There are: {all}.",
                    kind=self.name,
                    names=", ".join(unknown),
                    all=", ".join(known),
                ),
                field=unknown[0],
            )
        return {name: self._checked(field, config.get(name)) for name, field in known.items()}

    def _checked(self, field: Field, value: Any) -> Any:
        if field.is_flag:
            return bool(value)
        if field.is_list:
            items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value or []
            if not isinstance(items, list) or not all(isinstance(item, str) and len(item) < _LONGEST for item in items):
                raise InvalidChannel(phrase("{name} must be a list of texts.", name=field.name), field=field.name)
            return [item for item in items if item]
        if sealing.is_sealed(value):
            return dict(value)
        text = value or ""
        if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable() or text == MASK:
            raise InvalidChannel(
                phrase("{name} must be a text of at most {most:,} characters.", name=field.name, most=_LONGEST),
                field=field.name,
            )
        text = text.strip()
        if field.is_required and not text:
            raise InvalidChannel(phrase("{name} is empty.", name=field.name), field=field.name)
        return sealing.seal(text) if field.is_secret and text else text


def opened(config: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a configuration with its secrets opened.

    :raises DeliveryFailed: a secret cannot be opened
    """
    from scheduler.errors import InvalidArguments

    try:
        return {name: sealing.unseal(value) if sealing.is_sealed(value) else value for name, value in config.items()}
    except InvalidArguments as error:
        raise DeliveryFailed(error.message) from None
