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

from collections.abc import Mapping, Sequence
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
from scheduler.store.sessions.connections import Connection, Row, array, texts
from scheduler.untouched import json

_JUDGE_LOCK = 0x5C4ED0A1
"""Any number that other users of advisory locks in the database are unlikely to use."""

_FINDERS: dict[RuleKind, str] = {
    RuleKind.LATE: "find_late_jobs",
    RuleKind.DEADLINE: "find_jobs_past_deadline",
    RuleKind.SILENT: "find_silent_jobs",
    RuleKind.SLOW: "find_slow_jobs",
    RuleKind.DROPPED: "find_jobs_with_dropped_times",
    RuleKind.RESULT: "find_jobs_with_a_result",
    RuleKind.FAILING: "find_failing_jobs",
    RuleKind.BROKEN: "find_broken_jobs",
}
_WITHOUT_A_CLOCK = frozenset({RuleKind.RESULT, RuleKind.FAILING, RuleKind.BROKEN})

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


class Found(NamedTuple):
    """A subject that the condition of a rule holds for."""

    rule_id: int
    subject: str
    job_id: str | None
    """With a slash before it, an enqueued task."""

    measured: float
    run: int | None
    facts: str
    """JSON."""


class Settled(NamedTuple):
    """Ids of incidents."""

    opened: tuple[int, ...]
    closed: tuple[int, ...]


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
        found = _find(transaction.execute, kind=kind, rule=rule, now=now)
        settled = _settle(transaction.execute, kind=kind, rule=rule, found=found, because=because, by=by, now=now)
        failpoints.hit("alerts.judge.before_commit")
    return settled


def _find(execute: Execute, *, kind: RuleKind, rule: int | None, now: datetime | None) -> list[Found]:
    if not execute("rules_of_kind", kind=kind.value):
        return []
    if kind is RuleKind.SYSTEM:
        return _find_unwell(execute, rule=rule)
    parameters = {"rule": rule} if kind in _WITHOUT_A_CLOCK else {"rule": rule, "now": now}
    rows = execute(_FINDERS[kind], **parameters)
    found = [
        Found(rule_id=rule_id, subject=f"job:{job_id}", job_id=job_id, measured=measured, run=run, facts=facts)
        for rule_id, job_id, measured, run, facts in rows
    ]
    if kind is RuleKind.FAILING:
        found += map(Found._make, execute("find_failing_tasks", rule=rule))
    return found


def _find_unwell(execute: Execute, *, rule: int | None) -> list[Found]:
    rules = [rule_id for (rule_id,) in execute("rules_of_kind", kind=RuleKind.SYSTEM.value)]
    unwell = failing_checks(
        standing=measures.standing(stalled_only=True, execute=execute),
        sending=dict(execute("find_failing_channels", failing=CHANNEL_FAILS_SECONDS)),
        limits=measures.limits(),
    )
    return [
        Found(
            rule_id=rule_id,
            subject=f"system:{check.name}",
            job_id=None,
            measured=check.measured,
            run=None,
            facts=_unwell_facts(check),
        )
        for rule_id in rules
        if rule in (None, rule_id)
        for check in unwell
    ]


def _unwell_facts(check: FailingCheck) -> str:
    """Keep a finding as data, so that each reader gets it in a language of their own."""
    said = messages.encode(check.text)
    reason = {} if said is None else {"reason_code": said["code"], "reason_params": said["params"]}
    return json.dumps({"check": check.name, "text": check.text, **reason})


def _settle(
    execute: Execute,
    *,
    kind: RuleKind,
    rule: int | None,
    found: Sequence[Found],
    because: ClosedBecause,
    by: str,
    now: datetime | None,
) -> Settled:
    rows = execute(
        "settle_incidents",
        kind=kind.value,
        rule=rule,
        because=because.value,
        by=by,
        now=now,
        rules=array([each.rule_id for each in found]),
        subjects=texts([each.subject for each in found]),
        jobs=texts([each.job_id for each in found]),
        measures=array([each.measured for each in found]),
        runs=array([each.run for each in found]),
        facts=texts([each.facts for each in found]),
    )
    return _sorted(rows)


def _sorted(rows: Sequence[Row]) -> Settled:
    return Settled(
        opened=tuple(incident for incident, is_opened in rows if is_opened),
        closed=tuple(incident for incident, is_opened in rows if not is_opened),
    )


def judge_here(*, kind: RuleKind, rule: int, because: ClosedBecause, by: str) -> Settled:
    """As ``judge``, for one rule, in the transaction of this thread's connection: an edit shows its effect at once."""
    return _settle(
        measures.execute,
        kind=kind,
        rule=rule,
        found=_find(measures.execute, kind=kind, rule=rule, now=None),
        because=because,
        by=by,
        now=None,
    )


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
        rows = transaction.execute("settle_interrupted", now=now)
    return _sorted(rows)


def close_orphans(connection: Connection, *, now: datetime | None = None) -> int:
    """Close incidents whose rule was deleted or disabled, and return their number."""
    return len(connection.execute("close_orphaned_incidents", now=now))


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
