"""
The kinds of channels: by mail, by webhook, through Apprise, and what a project adds.

A kind of one's own is a subclass of ``ChannelKind`` with one method, named in ``SCHEDULER["CHANNEL_KINDS"]``.
"""

from __future__ import annotations

import importlib.util

from django.utils.module_loading import import_string

from scheduler import conf
from scheduler.errors import InvalidChannel, Misconfigured
from scheduler.messages import phrase
from scheduler.services.alerts.kinds.apprise import AppriseKind
from scheduler.services.alerts.kinds.kind import ChannelKind
from scheduler.services.alerts.kinds.mail import MailKind
from scheduler.services.alerts.kinds.webhook import WebhookKind


def installed() -> dict[str, ChannelKind]:
    """
    Return the kinds by name.

    :raises Misconfigured: ``SCHEDULER["CHANNEL_KINDS"]`` names what is not a kind
    """
    kinds: list[ChannelKind] = [MailKind(), WebhookKind()]
    if importlib.util.find_spec("apprise") is not None:
        kinds.append(AppriseKind())
    for path in conf.get().channel_kinds:
        try:
            found = import_string(path)
        except ImportError as error:
            raise Misconfigured(
                f"SCHEDULER['CHANNEL_KINDS'] names “{path}”, which cannot be imported: {error}."
            ) from None
        if not (isinstance(found, type) and issubclass(found, ChannelKind) and found.name):
            raise Misconfigured(f"SCHEDULER['CHANNEL_KINDS'] names “{path}”. It must be a ChannelKind with a name.")
        kinds.append(found())
    return {kind.name: kind for kind in kinds}


def get(name: str) -> ChannelKind:
    """:raises InvalidChannel: the kind does not exist"""
    kinds = installed()
    if name not in kinds:
        raise InvalidChannel(
            phrase("kind is “{name}”. It must be {allowed}.", name=f"{name}"[:64], allowed=", ".join(kinds)),
            field="kind",
        )
    return kinds[name]
