"""
Alerts: the database opens, counts and closes incidents, and messages about them go through an outbox.

1. **Open and close.** A trigger on the table of jobs (``scheduler_judge_job``) opens, counts and closes incidents of
   the kinds ``failing`` and ``broken`` in the statement that records what happened, whoever writes it. The success of a
   healthy job does not touch these tables. The kinds that depend on time are judged by ``judge``, on any node, one at a
   time under an advisory lock, by the database's clock.
2. **Tell** (``tell``). Under another advisory lock, what has opened, changed or closed becomes rows of
   ``scheduler_notification``. The same statement marks the incident as told, so a crash neither loses nor doubles a
   message.
3. **Claim, send, record** (``claim``, ``record_sent``, ``record_unsent``). A sender leases a row with SKIP LOCKED,
   sends it outside of any transaction, and records the answer. A lease that ends without an answer is taken up again,
   under the same id: delivery is at least once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.utils import OperationalError

from scheduler import failpoints
from scheduler.core.alerts import ClosedBecause, RuleKind, delay_before_reminder
from scheduler.core.alerts.checks import CHANNEL_FAILS_SECONDS, failing_checks
from scheduler.store.database import atomic
from scheduler.store.measuring import measures
from scheduler.store.measuring.measures import Execute
from scheduler.store.sessions.connections import Connection, Row, array, texts

_JUDGE_LOCK = 0x5C4ED0A1
_TELL_LOCK = 0x5C4ED0A2
"""Any numbers that other users of advisory locks in the database are unlikely to use."""

NO_BATCH = "00000000-0000-0000-0000-000000000000"
"""The batch of incidents that are opened and closed without a message."""

QUIET_SECONDS = 0.5
"""A message goes out when no further incident of its rule has opened for so long …"""

GATHER_SECONDS = 15.0
"""… or when the first of them has waited for this long."""

PACE_SECONDS = 60.0
"""Between two messages about openings of one rule: what opens meanwhile goes together."""

CHUNK = 2000
"""Most incidents that one transaction marks as told: recording an outcome may wait for it."""

_REMINDERS = tuple(delay_before_reminder(reminders=number).total_seconds() for number in range(6))

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
    measured: float
    run: int | None
    facts: str
    """JSON."""


class Settled(NamedTuple):
    """Ids of incidents."""

    opened: tuple[int, ...]
    closed: tuple[int, ...]


class Leased(NamedTuple):
    """A message that this sender may send. Its fields are the columns of ``claim_notifications``."""

    id: str
    channel_id: int
    kind: str
    batch: str | None
    thread: str | None
    attempts: int
    """This one included."""

    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The messages that were written into the outbox."""

    opened: int = 0
    """Incidents, as below."""

    closed: int = 0
    openings: tuple[str, ...] = ()
    """The batches of those that opened."""

    closings: tuple[str, ...] = ()
    reminded: int = 0
    changed: int = 0
    escalated: int = 0

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.reminded or self.changed or self.escalated)


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
    return [
        Found(rule_id=rule_id, subject=f"job:{job_id}", job_id=job_id, measured=measured, run=run, facts=facts)
        for rule_id, job_id, measured, run, facts in rows
    ]


def _find_unwell(execute: Execute, *, rule: int | None) -> list[Found]:
    rules = [rule_id for (rule_id,) in execute("rules_of_kind", kind=RuleKind.SYSTEM.value)]
    unwell = failing_checks(
        standing=measures.standing(execute=execute),
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
            facts=json.dumps({"check": check.name, "text": check.text}),
        )
        for rule_id in rules
        if rule in (None, rule_id)
        for check in unwell
    ]


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

    ``None``: the history does not tell, or telling takes longer than a page may.
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


def tell(connection: Connection, *, quiet: float = QUIET_SECONDS, pace: float = PACE_SECONDS) -> Told:
    """
    Write the messages that are due into the outbox, in short transactions, unless another sender does so now.
    """
    openings = _tell_openings(connection, quiet=quiet, pace=pace)
    closings = _tell_some(
        connection,
        "tell_closings",
        "alerts.tell_closings.before_commit",
        quiet=quiet,
        most=GATHER_SECONDS,
        pace=pace,
        limit=CHUNK,
    )
    connection.execute("forget_untold_incidents", nobody=NO_BATCH, limit=CHUNK)
    return Told(
        opened=sum(openings.values()),
        closed=sum(row[1] for row in closings),
        openings=tuple(openings),
        closings=tuple(row[2] for row in closings),
        changed=_counted(connection, "tell_changes", "alerts.tell_changes.before_commit"),
        escalated=_counted(connection, "tell_others", "alerts.tell_others.before_commit"),
        reminded=_counted(connection, "tell_again", "alerts.tell_again.before_commit", delays=list(_REMINDERS)),
    )


def _tell_openings(connection: Connection, *, quiet: float, pace: float) -> dict[str, int]:
    """
    Write messages about opened incidents, and return the batches with the number of their incidents.

    Incidents beyond the limit of one transaction join the batch that the first one made.
    """
    told: dict[str, int] = {}
    batches: list[Row] = []
    with connection.transaction() as transaction:
        if transaction.execute("try_lock", lock=_TELL_LOCK)[0][0]:
            batches = transaction.execute(
                "tell_openings",
                quiet=quiet,
                most=GATHER_SECONDS,
                pace=pace,
                limit=CHUNK,
                delays=list(_REMINDERS),
            )
            failpoints.hit("alerts.tell_openings.before_commit")
    for rule_id, batch, incidents, _channels in batches:
        told[batch] = incidents
        added = incidents
        while added >= CHUNK:
            with connection.transaction() as transaction:
                added = len(
                    transaction.execute(
                        "tell_more_openings", rule=rule_id, batch=batch, limit=CHUNK, delays=list(_REMINDERS)
                    )
                )
            told[batch] += added
    return told


def _counted(connection: Connection, statement: str, failpoint: str, **parameters: object) -> int:
    return sum(row[1] for row in _tell_some(connection, statement, failpoint, **parameters))


def _tell_some(connection: Connection, statement: str, failpoint: str, **parameters: object) -> list[Row]:
    """Run a statement that fills the outbox, unless another sender does so now. Its rows have a thread and a number."""
    with connection.transaction() as transaction:
        if not transaction.execute("try_lock", lock=_TELL_LOCK)[0][0]:
            return []
        rows = transaction.execute(statement, **parameters)
        failpoints.hit(failpoint)
    return rows


def claim(
    connection: Connection, *, busy: Collection[int], quiet: Collection[int], lease_seconds: float, limit: int
) -> tuple[Leased, ...]:
    """Lease the oldest due message of each channel, up to ``limit``."""
    with connection.transaction() as transaction:
        rows = transaction.execute(
            "claim_notifications", busy=array(list(busy)), quiet=array(list(quiet)), lease=lease_seconds, limit=limit
        )
        failpoints.hit("alerts.claim.before_commit")
    failpoints.hit("alerts.claim.after_commit")
    return tuple(map(Leased._make, rows))


def record_sent(connection: Connection, *, id: str, channel: int, answer: str, subject: str) -> None:
    """Record that a channel accepted a message."""
    failpoints.hit("alerts.sent.before_record")
    connection.execute("record_sent", id=id, channel=channel, answer=answer, subject=subject)
    failpoints.hit("alerts.sent.after_record")


def record_unsent(
    connection: Connection,
    *,
    id: str,
    channel: int,
    answer: str,
    subject: str,
    delay_seconds: float | None,
    off: bool = False,
    unsure: bool = False,
) -> None:
    """
    Record that a channel did not accept a message.

    ``delay_seconds``: ``None`` gives it up. ``off`` switches the channel off. ``unsure``: it may have arrived.
    """
    connection.execute(
        "record_unsent",
        id=id,
        channel=channel,
        answer=answer,
        subject=subject,
        delay=delay_seconds,
        off=off,
        unsure=unsure,
    )


def release(connection: Connection, *, id: str) -> None:
    """Give a leased message back, unsent."""
    connection.execute("release_notification", id=id)


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
