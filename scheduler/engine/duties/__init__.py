"""
The duties of a node, repeated for as long as it runs, one file for each subject.

A new duty is a subclass of ``Duty`` in the file of its subject and an entry in ``DUTIES``, at its place in the order of
a pass. ``every_seconds``, ``wakes_on`` and ``merge_seconds`` decide when it is called. Its means are in ``self.work``,
and ``self.agenda.duty(Take)`` finds another duty.
"""

from __future__ import annotations

from scheduler.engine.duties.account import Account
from scheduler.engine.duties.announce import Announce
from scheduler.engine.duties.cancel import Cancel
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duties.inspection import Inspect
from scheduler.engine.duties.limits import Grant
from scheduler.engine.duties.look_ahead import LookAhead
from scheduler.engine.duties.reconcile import Reconcile
from scheduler.engine.duties.release import Release
from scheduler.engine.duties.resume import Resume
from scheduler.engine.duties.ring import Ring
from scheduler.engine.duties.rule_changes import Calendars, Zones
from scheduler.engine.duties.start import MarkStarted, Start
from scheduler.engine.duties.sweep import Sweep
from scheduler.engine.duties.take import Drain, Expire, Take
from scheduler.engine.duty import Agenda, Duty, Work

DUTIES: tuple[type[Duty], ...] = (
    Reconcile,
    Drain,
    Cancel,
    MarkStarted,
    Resume,
    Zones,
    Calendars,
    Inspect,
    Account,
    Sweep,
    Grant,
    Expire,
    Take,
    Claim,
    Start,
    Announce,
    LookAhead,
    Release,
    Ring,
)
"""In the order of a pass. Duties that a body waits for come first."""

__all__ = ["DUTIES", "Agenda", "Claim", "Duty", "Grant", "LookAhead", "Reconcile", "Take", "Work"]
