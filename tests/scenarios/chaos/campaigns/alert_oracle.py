"""The judge of alerts: what people should have heard, computed from the ledger alone by nothing of the product."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.receivers import MailServer, WebhookReceiver
from tests.scenarios.chaos.campaigns import Report, percentiles
from tests.scenarios.chaos.oracle import Verdict
from tests.scenarios.chaos.world import World

THRESHOLDS = (1, 3)
"""Failures in a row that the rules of the campaign watch for."""

_FAILURES = ("failed", "timed_out", "interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a job's first failure after a success to its next success, as the ledger has it."""

    job: str
    failures: int
    """That a node recorded."""

    interrupted: int


def _periods(world: World) -> list[Period]:
    """Read from the ledger alone, by nothing of the product, when each job failed."""
    rows = world.query(
        "SELECT run.job_key, run.state FROM scheduler_run AS run"
        " WHERE run.state IN ('succeeded', 'failed', 'timed_out', 'interrupted')"
        "   AND NOT EXISTS (SELECT 1 FROM scheduler_run AS later WHERE later.job_key = run.job_key"
        "                      AND later.scheduled_at = run.scheduled_at AND later.attempt > run.attempt)"
        " ORDER BY run.job_key, run.finished_at, run.id"
    )
    periods: list[Period] = []
    counts: Counter[str] = Counter()
    former = ""

    def end() -> None:
        if counts:
            interrupted = counts["interrupted"]
            periods.append(Period(job=former, failures=counts.total() - interrupted, interrupted=interrupted))
            counts.clear()

    for job, state in rows:
        if job != former or state == "succeeded":
            end()
        former = job
        if state in _FAILURES:
            counts[state] += 1
    end()
    return periods


def judge(world: World, receiver: WebhookReceiver, mail: MailServer, *, done: dict[str, Any]) -> Report:
    periods = _periods(world)
    lost, false = _compare(world, periods)
    messages = _messages(world, receiver, mail)
    failures = []
    if lost or false:
        failures.append(f"{lost} incidents were lost, {false} opened falsely")
    failures += messages.pop("failures")
    incidents = world.query("SELECT count(*) FROM scheduler_incident")[0][0]
    verdict = Verdict(fire_times=world.query("SELECT count(*) FROM scheduler_run")[0][0])
    return Report(
        done=done,
        figures={"periods": len(periods), "incidents": incidents, "lost": lost, "false": false, **messages},
        verdict=verdict,
        failures=failures,
    )


def _compare(world: World, periods: list[Period]) -> tuple[int, int]:
    """Count the incidents that are missing, and those that nothing in the ledger explains."""
    found = Counter(
        world.query(
            "SELECT incident.job_key, rule.threshold FROM scheduler_incident AS incident"
            " JOIN scheduler_rule AS rule ON rule.id = incident.rule_id"
        )
    )
    least: Counter[tuple[str, int]] = Counter()
    most: Counter[tuple[str, int]] = Counter()
    for period in periods:
        for threshold in THRESHOLDS[:1] if period.job.startswith("alone-") else THRESHOLDS:
            least[period.job, threshold] += period.failures >= threshold
            # Whether an interruption was seen before the next success is a matter of seconds.
            most[period.job, threshold] += period.failures + period.interrupted >= threshold
    keys = {*found, *least}
    lost = sum(max(0, least[key] - found[key]) for key in keys)
    false = sum(max(0, found[key] - most[key]) for key in keys)
    return lost, false


def _messages(world: World, receiver: WebhookReceiver, mail: MailServer) -> dict[str, Any]:
    """Compare the outbox with what arrived: once for each incident and channel, and only under ids of the outbox."""
    failures: list[str] = []
    arrived = {
        "hook": Counter(delivered.id for delivered in receiver.delivered),
        "mail": Counter(str(each["Message-ID"]).strip("<>").partition("@")[0] for each in mail.mails),
    }
    rows = world.query(
        "SELECT notification.id::text, channel.name, notification.kind, notification.state, notification.batch::text"
        "  FROM scheduler_notification AS notification JOIN scheduler_channel AS channel"
        "    ON channel.id = notification.channel_id"
    )
    sent = {(id, channel) for id, channel, _, state, _ in rows if state == "sent"}
    unsent = [(id, state) for id, _, _, state, _ in rows if state not in ("sent", "superseded")]
    never_arrived = [id for id, channel in sent if not arrived[channel][id]]
    unknown = [id for name in arrived for id in arrived[name] if (id, name) not in {row[:2] for row in rows}]
    told: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for _, channel, kind, _, batch in rows:
        told[batch, kind][channel] += 1
    untold = 0
    for rule_name, opened_in, closed_at, closed_in in world.query(
        "SELECT rule_name, opened_in::text, closed_at, closed_in::text FROM scheduler_incident"
    ):
        everywhere = Counter(hook=1) if rule_name.startswith("alone-") else Counter(hook=1, mail=1)
        untold += told[opened_in, "opened"] != everywhere
        untold += closed_at is not None and told[closed_in, "recovered"] != everywhere
    for name, wrong in (("unsent", unsent), ("never_arrived", never_arrived), ("unknown", unknown)):
        if wrong:
            failures.append(f"{name}: {len(wrong)}, such as {wrong[0]}")
    if untold:
        failures.append(f"{untold} openings or ends were not told once to each channel")
    repeated = sum(count - 1 for counts in arrived.values() for count in counts.values())
    return {
        "messages": len(sent),
        "arrived": sum(counts.total() for counts in arrived.values()),
        "repeated_under_the_same_id": repeated,
        "not_told_once": untold,
        "first_byte_after_seconds": _latency(world, receiver),
        "failures": failures,
    }


def _latency(world: World, receiver: WebhookReceiver) -> dict[str, float]:
    """From the opening of an incident to the arrival of its message, where nothing was in the way."""
    first: dict[str, float] = {}
    for delivered in receiver.delivered:
        first.setdefault(delivered.id, delivered.at)
    rows: list[tuple[str, datetime]] = world.query(
        "SELECT notification.id::text, min(incident.opened_at) FROM scheduler_notification AS notification"
        "  JOIN scheduler_incident AS incident ON incident.opened_in = notification.batch"
        " WHERE notification.kind = 'opened' AND notification.rule_name LIKE 'alone-%%' GROUP BY notification.id"
    )
    return percentiles([first[id] - opened.timestamp() for id, opened in rows if id in first], digits=2)
