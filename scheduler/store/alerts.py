"""
Alerts: the database opens, counts and closes incidents, and messages about them go through an outbox.

1. **Open and close.** A trigger on the table of jobs (``scheduler_judge_job``) opens, counts and closes incidents of
   the kinds ``failing`` and ``broken`` in the statement that records what happened, whoever writes it. The success of a
   healthy job does not touch these tables. The kinds that depend on time are judged by ``judge``, on any node, one at a
   time under an advisory lock, by the database's clock.
2. **Announce** (``store.outbox.fill``). Under another advisory lock, what has opened, changed or closed becomes rows of
   ``scheduler_notification``. The same statement marks the incident as announced, so a crash neither loses nor doubles
   a message.
3. **Claim, send, record** (``store.outbox``). A sender leases a row with SKIP LOCKED,
   sends it outside of any transaction, and records the answer. A lease that ends without an answer is taken up again,
   under the same id: delivery is at least once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.utils import OperationalError

from scheduler import failpoints, messages
from scheduler.core.alerts import ClosedBecause, RuleKind
from scheduler.core.alerts.checks import CHANNEL_FAILS_SECONDS, FailingCheck, failing_checks
from scheduler.store.database import atomic
from scheduler.store.measuring import measures
from scheduler.store.measuring.measures import Execute
from scheduler.store.sessions.connections import Connection, array, texts
from scheduler.untouched import json

_JUDGE_LOCK = 0x5C4ED0A1
"""Any number that other users of advisory locks in the database are unlikely to use."""

_STATEMENTS: dict[RuleKind, str] = {
    RuleKind.LATE: "settle_late_jobs",
    RuleKind.DEADLINE: "settle_jobs_past_deadline",
    RuleKind.SILENT: "settle_silent_jobs",
    RuleKind.SLOW: "settle_slow_jobs",
    RuleKind.DROPPED: "settle_jobs_with_dropped_times",
    RuleKind.RESULT: "settle_jobs_with_a_result",
    RuleKind.FAILING: "settle_failing_jobs",
    RuleKind.BROKEN: "settle_broken_jobs",
}
"""What holds for jobs stays in the database: after an outage it may hold for a million of them."""

_WITHOUT_A_PREVIEW = frozenset({RuleKind.RESULT, RuleKind.SYSTEM})

JUDGED_BY_TIME = (
    RuleKind.LATE,
    RuleKind.DEADLINE,
    RuleKind.SILENT,
    RuleKind.SLOW,
    RuleKind.DROPPED,
    RuleKind.RESULT,
    RuleKind.SYSTEM,
)


class Settled(NamedTuple):
    """Numbers of incidents. Its fields are the columns of the statements that settle."""

    opened: int
    closed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMeasures:
    """The figures of alerts, for metrics and health."""

    open: dict[tuple[str, str], int] = field(default_factory=dict)
    """Open incidents by kind and severity."""

    messages: dict[tuple[str, str], int] = field(default_factory=dict)
    """Messages by channel and outcome: sent, or failed for each attempt."""

    oldest: dict[str, float] = field(default_factory=dict)
    """Age of the oldest message that was not sent, by channel, in seconds."""


def judge(
    connection: Connection,
    *,
    kind: RuleKind,
    rule: int | None = None,
    because: ClosedBecause = ClosedBecause.RECOVERED,
    by: str = "",
    now: datetime | None = None,
) -> Settled | None:
    """
    Open and close the incidents of a kind, or of one rule of that kind, as things are now, in one transaction.

    ``None``: another node is doing it right now.
    """
    with connection.transaction() as transaction:
        if not transaction.execute("try_lock", lock=_JUDGE_LOCK)[0][0]:
            return None
        transaction.execute("allow_long_statements")
        settled = _settle(transaction.execute, kind=kind, rule=rule, because=because, by=by, now=now)
        failpoints.hit("alerts.judge.before_commit")
    return settled


def _settle(
    execute: Execute, *, kind: RuleKind, rule: int | None, because: ClosedBecause, by: str, now: datetime | None
) -> Settled:
    how = {"kind": kind.value, "rule": rule, "because": because.value, "by": by, "now": now}
    rules = [rule_id for (rule_id,) in execute("rules_of_kind", kind=kind.value)]
    if rules and kind is not RuleKind.SYSTEM:
        (row,) = execute(_STATEMENTS[kind], **how)
    else:
        unwell = _unwell(execute) if rules else []
        found = [(rule_id, check) for rule_id in rules if rule in (None, rule_id) for check in unwell]
        (row,) = execute(
            "settle_incidents",
            **how,
            rules=array([rule_id for rule_id, _ in found]),
            subjects=texts([f"system:{check.name}" for _, check in found]),
            measures=array([check.measured for _, check in found]),
            facts=texts([_unwell_facts(check) for _, check in found]),
        )
    return Settled._make(row)


def _unwell(execute: Execute) -> list[FailingCheck]:
    return failing_checks(
        standing=measures.standing(execute=execute),
        sending=dict(execute("find_failing_channels", failing=CHANNEL_FAILS_SECONDS)),
        limits=measures.limits(),
    )


def _unwell_facts(check: FailingCheck) -> str:
    """Keep a finding as data, so that each reader gets it in a language of their own."""
    said = messages.encode(check.text)
    reason = {} if said is None else {"reason_code": said["code"], "reason_params": said["params"]}
    return json.dumps({"check": check.name, "text": check.text, **reason})


def judge_here(*, kind: RuleKind, rule: int, because: ClosedBecause, by: str) -> Settled:
    """As ``judge``, for one rule, in the transaction of this thread's connection: an edit shows its effect at once."""
    return _settle(measures.execute, kind=kind, rule=rule, because=because, by=by, now=None)


def preview(*, columns: Mapping[str, Any], days: int) -> int | None:
    """
    Count what a rule with these columns would have opened in the last days.

    ``None``: the history is too short, or reading it takes longer than a page may.
    """
    kind = RuleKind(columns["kind"])
    if kind in _WITHOUT_A_PREVIEW or (kind is RuleKind.SLOW and columns["seconds"] is None):
        return None
    names = ("scope", "target", "threshold", "seconds")
    parameters = {name: columns[name] for name in names if columns[name] is not None}
    try:
        with atomic():
            measures.execute("limit_preview")
            return int(measures.execute(f"preview_{kind.value}", **parameters, days=days)[0][0])
    except OperationalError:
        return None


def settle_interrupted(connection: Connection, *, now: datetime | None = None) -> Settled | None:
    """
    Count interrupted runs as the failures that they are, and close what a node died over.

    ``None``: another node is doing it right now.
    """
    with connection.transaction() as transaction:
        if not transaction.execute("try_lock", lock=_JUDGE_LOCK)[0][0]:
            return None
        transaction.execute("allow_long_statements")
        (row,) = transaction.execute("settle_interrupted", now=now)
    return Settled._make(row)


def close_orphans(connection: Connection, *, now: datetime | None = None) -> int:
    """Close incidents whose rule was deleted or disabled, and return their number."""
    ((closed,),) = connection.execute("close_orphaned_incidents", now=now)
    return int(closed)


def measure(*, execute: Execute = measures.execute) -> AlertMeasures:
    """Count the open incidents and the messages."""
    found = AlertMeasures()
    for what, name, word, number in execute("measure_alerts"):
        if what == "open":
            found.open[name, word] = int(number)
        elif what == "sent":
            found.messages[name, word] = int(number)
        else:
            found.oldest[name] = float(number)
    return found
