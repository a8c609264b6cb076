"""
The outbox: messages about incidents, from the row that says the incident to the answer of the channel.

See ``store.alerts`` for the protocol. The statements that fill the outbox mark the incidents as announced, under one
advisory lock. Messages are leased, and sent outside of any transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from scheduler import failpoints
from scheduler.core.alerts import answers, delay_before_reminder
from scheduler.store.sessions.connections import Connection, Row, array

_FILL_LOCK = 0x5C4ED0A2
"""Any number that other users of advisory locks in the database are unlikely to use."""

NO_BATCH = "00000000-0000-0000-0000-000000000000"
"""The batch of incidents that are opened and closed without a message."""

QUIET_SECONDS = 0.5
"""A message about one incident goes out when no further one of its rule has opened for so long …"""

BURST_SECONDS = 3.0
"""… one about several when none has opened for so long: a host that is down takes its jobs down by and by …"""

GATHER_SECONDS = 30.0
"""… or when the first of them has waited for this long."""

PACE_SECONDS = 60.0
"""Between two messages about openings of one rule: what opens meanwhile goes together."""

CHUNK = 2000
"""Most incidents that one transaction marks as announced: recording an outcome may wait for it."""

_REMINDERS = tuple(delay_before_reminder(reminders=number).total_seconds() for number in range(6))


class Waiting(NamedTuple):
    """Whether there is anything to do. Its fields are the columns of ``find_waiting_alerts``."""

    openings: bool
    closings: bool
    changes: bool
    reminders: bool
    escalations: bool
    messages: bool
    """One is due, before any of the others is announced."""


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
class Filled:
    """The incidents that were put into the outbox."""

    opened: int = 0
    """Incidents, as below."""

    closed: int = 0
    openings: tuple[str, ...] = ()
    """The batches of those that opened."""

    closings: tuple[str, ...] = ()
    reminded: int = 0
    changed: int = 0
    escalated: int = 0
    has_messages: bool = False
    """One is due to be sent."""

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed or self.reminded or self.changed or self.escalated)


def fill(
    connection: Connection,
    *,
    quiet: float = QUIET_SECONDS,
    burst: float = BURST_SECONDS,
    pace: float = PACE_SECONDS,
) -> Filled:
    """
    Put messages about incidents into the outbox, in short transactions.

    It returns at once while another sender does it.
    """
    waiting = Waiting._make(connection.execute("find_waiting_alerts")[0])
    if not any(waiting):
        return Filled()
    gathering = {"quiet": quiet, "burst": burst, "most": GATHER_SECONDS, "pace": pace, "limit": CHUNK}
    openings: dict[str, int] = {}
    if waiting.openings:
        openings = _announce_openings(connection, gathering)
        connection.execute("forget_unannounced_incidents", nobody=NO_BATCH, limit=CHUNK)

    def some(is_waiting: bool, statement: str, **parameters: object) -> list[Row]:
        return _fill(connection, statement, f"alerts.{statement}.before_commit", **parameters) if is_waiting else []

    closings = some(waiting.closings, "announce_closings", **gathering)
    filled = Filled(
        opened=sum(openings.values()),
        closed=sum(row[1] for row in closings),
        openings=tuple(openings),
        closings=tuple(row[2] for row in closings),
        changed=sum(row[1] for row in some(waiting.changes, "announce_changes")),
        escalated=sum(row[1] for row in some(waiting.escalations, "escalate_incidents")),
        reminded=sum(row[1] for row in some(waiting.reminders, "remind_of_incidents", delays=list(_REMINDERS))),
    )
    return replace(filled, has_messages=waiting.messages or bool(filled))


def _announce_openings(connection: Connection, gathering: Mapping[str, float]) -> dict[str, int]:
    """
    Announce what opened and return the batches with the number of their incidents.

    Incidents beyond one transaction join the batch that the first one made.
    """
    announced: dict[str, int] = {}
    batches: list[Row] = []
    with connection.transaction() as transaction:
        if transaction.execute("try_lock", lock=_FILL_LOCK)[0][0]:
            batches = transaction.execute("announce_openings", **gathering, delays=list(_REMINDERS))
            failpoints.hit("alerts.announce_openings.before_commit")
    for rule_id, batch, incidents, _channels in batches:
        announced[batch] = incidents
        added = incidents
        while added >= CHUNK:
            with connection.transaction() as transaction:
                added = len(
                    transaction.execute(
                        "announce_more_openings", rule=rule_id, batch=batch, limit=CHUNK, delays=list(_REMINDERS)
                    )
                )
            announced[batch] += added
    return announced


def _fill(connection: Connection, statement: str, failpoint: str, **parameters: object) -> list[Row]:
    """Run a statement that fills the outbox, unless another sender does it; its rows have a thread and a number."""
    with connection.transaction() as transaction:
        if not transaction.execute("try_lock", lock=_FILL_LOCK)[0][0]:
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
    connection.execute("record_sent", id=id, channel=channel, subject=subject, **_answered(answer))
    failpoints.hit("alerts.sent.after_record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The effects of a message that a channel did not accept."""

    delay_seconds: float | None
    """Until the next try; ``None`` gives the message up."""

    off: bool = False
    """The channel is switched off."""

    unsure: bool = False
    """The message may have arrived."""


def record_unsent(
    connection: Connection, *, id: str, channel: int, answer: str, subject: str, refusal: Refusal
) -> None:
    """Record that a channel did not accept a message."""
    connection.execute(
        "record_unsent",
        id=id,
        channel=channel,
        subject=subject,
        **_answered(answer),
        delay=refusal.delay_seconds,
        off=refusal.off,
        unsure=refusal.unsure,
    )


def _answered(answer: str) -> dict[str, str | None]:
    return {"answer": str(answer)[: answers.LONGEST], "answer_message": answers.data_json(answer)}


def release(connection: Connection, *, id: str) -> None:
    """Give a leased message back, unsent."""
    connection.execute("release_notification", id=id)
