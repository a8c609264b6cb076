"""
Alerts: what people and programs ask for, and the sender.

``rules``, ``channels``, ``incidents`` and ``switches`` are what can be read and changed. ``messages`` renders a
notification as it is sent, ``kinds`` are the ways to send it, and ``sender`` is the thread that does. The protocol is
in ``scheduler.store.alerts``.
"""

from scheduler.services.alerts.digests import DigestPart
from scheduler.services.alerts.kinds.kind import ChannelKind, Field
from scheduler.services.alerts.messages import Message

__all__ = ["ChannelKind", "DigestPart", "Field", "Message"]
