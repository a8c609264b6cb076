"""
Alerts: the rules about what is watched, when people are notified, and how often.

A **rule** watches jobs or the scheduler itself. While its condition holds for one subject there is one open
**incident**. Each **notification** is one message about incidents, sent through one **channel**. The database opens
and closes incidents (``store.alerts``). Everything here is pure: what a rule may say, and when a message is due.
"""

from scheduler.core.alerts.delivery import GIVE_UP_AFTER, delay_before_next_try, delay_before_reminder, quiet_until
from scheduler.core.alerts.kinds import (
    CLOSED_BECAUSE,
    KINDS,
    ClosedBecause,
    Kind,
    MessageKind,
    NotificationState,
    Operator,
    RuleKind,
    Scope,
    Severity,
    check_rule,
)

__all__ = [
    "CLOSED_BECAUSE",
    "GIVE_UP_AFTER",
    "KINDS",
    "ClosedBecause",
    "Kind",
    "MessageKind",
    "NotificationState",
    "Operator",
    "RuleKind",
    "Scope",
    "Severity",
    "check_rule",
    "delay_before_next_try",
    "delay_before_reminder",
    "quiet_until",
]
