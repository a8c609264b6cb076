"""
The sender: a thread that judges what depends on time, fills the outbox and empties it.

It alone talks to the database. Each message is sent in a thread of its own, one at a time for each channel, so that a
channel that hangs holds up no other. The answer comes back through a queue and is recorded here.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from django.db import close_old_connections, connections
from django.db.models import Exists, OuterRef, Q
from django.db.utils import Error as DatabaseError

from scheduler import failpoints
from scheduler.core.alerts import GIVE_UP_AFTER, delay_before_next_try, quiet_until
from scheduler.errors import DatabaseUnavailable, DeliveryFailed, SchedulerError
from scheduler.loops import Loop, spawn
from scheduler.models import Channel, Notification
from scheduler.services.alerts import digests, incidents, kinds, messages, switches
from scheduler.services.alerts.judge import Judge
from scheduler.services.alerts.kinds.kind import ChannelKind, opened
from scheduler.services.alerts.messages import Message
from scheduler.services.alerts.switches import Ping
from scheduler.signals import incident_closed, incident_opened
from scheduler.store import outbox
from scheduler.store.clock import database_now
from scheduler.store.outbox import Leased, Refusal
from scheduler.store.sessions.connections import Connection
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

PASS_SECONDS = 0.5
"""Between two looks: with the moment that openings are gathered, a message leaves about a second after its cause."""

LEASE_SECONDS = 120.0
"""Longer than any kind of channel may take. A message whose sender died is taken up again after it."""

_AT_ONCE = 8
"""Channels that are sent to at the same time."""

_PLANS_SECONDS = 5.0
"""Between two looks at what is planned by the clock: digests and dead-man's switches."""

_LAST_SECONDS = 4.0
"""The time that a stopping sender waits for responses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The outcome of a message."""

    leased: Leased
    subject: str
    text: str
    is_sent: bool
    unsure: bool = False
    gone: bool = False


class Sender(Loop):
    """Sends alerts until it is stopped. Any number of them may run, in nodes and by themselves."""

    longest_backoff_seconds = 10.0

    def __init__(self) -> None:
        super().__init__(name="scheduler-alerts", fault=events.ALERTS_FAILED)
        self._connection = Connection(purpose="alerts", answer_seconds=130.0)
        self._answers: SimpleQueue[_Answer | tuple[Ping, str]] = SimpleQueue()
        self._busy: set[int] = set()
        self._pinging = 0
        self._judge = Judge(connection=self._connection)
        self._plans_at = 0.0

    def turn(self) -> float:
        """:raises DatabaseUnavailable: what was begun is taken up again later"""
        close_old_connections()
        ends_at = time.monotonic() + PASS_SECONDS
        try:
            self.pass_once()
            self._send_one_after_the_other(ends_at)
        except DatabaseError as error:
            connections.close_all()
            raise DatabaseUnavailable(str(error).strip()) from error
        return max(0.0, ends_at - time.monotonic())

    def close(self) -> None:
        """
        Wait a moment for messages that are being sent, and record them.

        Another sender repeats those that take longer.
        """
        deadline = time.monotonic() + _LAST_SECONDS
        try:
            while self._busy and time.monotonic() < deadline:
                time.sleep(0.05)
                self._record_answers()
        except (DatabaseUnavailable, DatabaseError) as error:
            logger.warning(events.ALERTS_FAILED, extra={"error": str(error), "pause": None})
        self._connection.close()
        connections.close_all()

    def run_until_empty(self, *, timeout: float) -> bool:
        """Send what is due now, in the caller's thread. False: something was left when the time was up."""
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                self.pass_once(gather=False)
                self._stopping.wait(0.05)
                if not self._busy and not self._has_due():
                    return True
            return False
        finally:
            self._record_answers()
            self._connection.close()

    def pass_once(self, *, gather: bool = True) -> None:
        """
        Look once at everything.

        :raises DatabaseUnavailable, DatabaseError: what was begun is taken up again later
        """
        self._record_answers()
        self._judge.turn()
        self._follow_plans()
        if self._fill_outbox(gather=gather):
            self._send_due()

    def _fill_outbox(self, *, gather: bool) -> bool:
        """Fill the outbox and return whether something in it is due."""
        filled = (
            outbox.fill(self._connection) if gather else outbox.fill(self._connection, quiet=0.0, burst=0.0, pace=0.0)
        )
        if filled.opened:
            logger.info(events.ALERTS_OPENED, extra={"incidents": filled.opened})
        if filled.closed:
            logger.info(events.ALERTS_CLOSED, extra={"incidents": filled.closed})
        incidents.announce(incident_opened, opened_in=filled.openings)
        incidents.announce(incident_closed, closed_in=filled.closings)
        return filled.has_messages

    def _has_due(self) -> bool:
        """Return whether a message could go now. One that waits for another one, or for the morning, could not."""
        now = database_now()
        pending = Notification.objects.filter(state="pending")
        first = pending.filter(thread=OuterRef("thread"), channel=OuterRef("channel"), kind__in=("opened", "escalated"))
        follows = Q(kind__in=("changed", "reminder", "recovered")) & Exists(first)
        is_kept = Q(channel__in=self._quiet_channels()) & ~Q(severity="critical") & ~Q(kind="test")
        due = pending.filter(due_at__lte=now, channel__enabled=True).exclude(leased_until__gt=now)
        return due.exclude(follows).exclude(is_kept).exists()

    def _quiet_channels(self) -> list[int]:
        now = database_now()
        with_quiet_hours = Channel.objects.filter(quiet_from__isnull=False, quiet_until__isnull=False)
        return [
            channel.pk
            for channel in with_quiet_hours
            if quiet_until(now=now, begins=channel.quiet_from, ends=channel.quiet_until, zone=channel.zone)
        ]

    def _send_due(self) -> None:
        free = _AT_ONCE - len(self._busy)
        if free <= 0:
            return
        claimed = outbox.claim(
            self._connection,
            busy=self._busy,
            quiet=self._quiet_channels(),
            lease_seconds=LEASE_SECONDS,
            limit=free,
        )
        for leased in claimed:
            self._begin(leased)

    def _send_one_after_the_other(self, ends_at: float) -> None:
        """Take up a channel's next message as soon as the one before is over, until the next pass."""
        while self._busy and not self._stopping.is_set() and (left := ends_at - time.monotonic()) > 0:
            try:
                answer = self._answers.get(timeout=left)
            except Empty:
                return
            self._answers.put(answer)
            self._record_answers()
            self._send_due()

    def _begin(self, leased: Leased) -> None:
        """Render a message and send it in a thread of its own."""
        try:
            notification = Notification.objects.select_related("channel").get(pk=leased.id)
            message = messages.render(notification=notification)
            kind = kinds.get(notification.channel.kind)
            config = opened(notification.channel.config)
        except (DatabaseUnavailable, DatabaseError):
            raise
        except SchedulerError as error:
            self._record(_Answer(leased=leased, subject="", text=error.message, is_sent=False))
            return
        except Notification.DoesNotExist:
            return  # its channel was deleted meanwhile
        except Exception as error:  # one message that cannot be rendered must not stop the others
            logger.exception(events.ALERTS_NOT_RENDERED, extra={"notification": leased.id})
            self._record(_Answer(leased=leased, subject="", text=f"{type(error).__name__}: {error}", is_sent=False))
            return
        self._busy.add(leased.channel_id)
        arguments = (self._answers, leased, message, kind, config)
        spawn(_send, args=arguments, name="scheduler-alert")

    def _record_answers(self) -> None:
        pings: list[tuple[Ping, str]] = []
        while True:
            try:
                answer = self._answers.get_nowait()
            except Empty:
                break
            if isinstance(answer, _Answer):
                self._busy.discard(answer.leased.channel_id)
                self._record(answer)
            else:
                self._pinging -= 1
                pings.append(answer)
        switches.record(answered=pings)

    def _record(self, answer: _Answer) -> None:
        leased = answer.leased
        about = {"id": leased.id, "channel": leased.channel_id, "answer": answer.text, "subject": answer.subject}
        facts = {
            "notification": leased.id,
            "channel": leased.channel_id,
            "kind": leased.kind,
            "attempt": leased.attempts,
        }
        if answer.is_sent:
            outbox.record_sent(self._connection, **about)  # type: ignore[arg-type]
            logger.info(events.ALERTS_SENT, extra=facts)
            return
        chance = random.random()  # noqa: S311 - it spreads load and keeps no secret
        is_last = leased.attempts >= GIVE_UP_AFTER or answer.gone
        delay = None if is_last else delay_before_next_try(attempts=leased.attempts, chance=chance)
        seconds = None if delay is None else delay.total_seconds()
        refusal = Refusal(delay_seconds=seconds, off=answer.gone, unsure=answer.unsure)
        outbox.record_unsent(self._connection, **about, refusal=refusal)  # type: ignore[arg-type]
        logger.warning(events.ALERTS_NOT_SENT, extra={**facts, "error": answer.text, "given_up": is_last})

    def _follow_plans(self) -> None:
        """Put the digests that are due into the outbox, and request the switches that are."""
        now = time.monotonic()
        if now < self._plans_at or self._pinging:
            return
        self._plans_at = now + _PLANS_SECONDS
        digests.write_due(now=database_now())
        for ping in switches.take_due():
            self._pinging += 1
            spawn(_request, args=(self._answers, ping), name="scheduler-switch")


def _send(
    answers: SimpleQueue[Any], leased: Leased, message: Message, kind: ChannelKind, config: Mapping[str, Any]
) -> None:
    try:
        failpoints.hit("alerts.send.before")
        text = kind.send(message=message, config=config)
        failpoints.hit("alerts.send.after")
    except DeliveryFailed as error:
        answer = _Answer(
            leased=leased,
            subject=message.subject,
            text=error.message,
            is_sent=False,
            unsure=error.unsure,
            gone=error.gone,
        )
    except Exception as error:  # a kind of channel may be anybody's code
        logger.exception(events.ALERTS_CHANNEL_FAILED, extra={"channel": leased.channel_id})
        text = f"{type(error).__name__}: {error}"
        answer = _Answer(leased=leased, subject=message.subject, text=text, is_sent=False, unsure=True)
    else:
        answer = _Answer(leased=leased, subject=message.subject, text=text or "", is_sent=True)
    answers.put(answer)


def _request(answers: SimpleQueue[Any], ping: Ping) -> None:
    try:
        answer = switches.send(ping)
    except Exception as error:  # whatever it was, the next request is planned already
        logger.exception(events.ALERTS_SWITCH_FAILED)
        answer = f"{type(error).__name__}: {error}"
    answers.put((ping, answer))
