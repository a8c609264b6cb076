"""
Signals for a project's own code.

Both are sent by the process that sends alerts, after the commit, once for each incident, with ``incident=`` (a
``scheduler.models.Incident``). A crash of that process can lose one: what must not be lost goes through a channel.
"""

from django.dispatch import Signal

incident_opened = Signal()
incident_closed = Signal()
