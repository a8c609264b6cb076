"""Nodes and senders are killed between any two steps, receivers refuse and hang: who hears of what, and how often."""

from __future__ import annotations

import os
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.receivers import MailServer, WebhookReceiver, status
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles
from tests.scenarios.chaos.oracle import Verdict
from tests.scenarios.chaos.world import Process, World
from tests.waiting import wait_until

NODES = 2
JOBS = 60
ALONE = 20
THRESHOLDS = (1, 3)

DEADLY = {
    "finish.before_commit": 0.05,
    "finish.after_commit": 0.05,
    "reap.before_commit": 0.3,
    "alerts.judge.before_commit": 0.05,
    "alerts.tell_openings.before_commit": 0.05,
    "alerts.tell_closings.before_commit": 0.05,
    "alerts.claim.before_commit": 0.05,
    "alerts.claim.after_commit": 0.3,
    "alerts.send.before": 0.3,
    "alerts.send.after": 0.3,
    "alerts.sent.before_record": 0.3,
    "alerts.sent.after_record": 0.3,
}
_FAILURES = ("failed", "timed_out", "interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a job's first failure after a success to its next success, as the ledger has it."""

    job: str
    failures: int
    """That a node recorded."""

    interrupted: int


def alerts(world: World, cycles: int, tell: Progress) -> Report:
    """Kill nodes and senders while jobs fail in stretches, and receivers misbehave."""
    with WebhookReceiver() as receiver, MailServer() as mail:
        _prepare(world, receiver, mail)
        processes = [_launch_doomed(world, place) for place in range(NODES + 1)]
        kills = at_failpoints = outages = 0
        for cycle in range(cycles):
            _misbehave(world, receiver)
            if cycle % 20 == 10:
                mail.stop()
            elif cycle % 20 == 15:
                mail.start()
                outages += 1
            place = world.chance.randrange(NODES + 1)
            at_failpoints += _end(world, processes[place])
            kills += 1
            processes[place] = _launch_doomed(world, place)
            if cycle % 20 == 19:
                tell(f"{cycle + 1} processes killed")
        receiver.answer = status(204)
        mail.start()
        for process in processes:
            if process.is_alive:
                world.kill(process)
        node = world.launch()
        world.started(node)
        tell("a healthy node goes on")
        _fail_one_by_one(world)
        _settle(world, node)
        return _judge(world, receiver, mail, done={"kills": kills, "at_failpoints": at_failpoints, "outages": outages})


def _prepare(world: World, receiver: WebhookReceiver, mail: MailServer) -> None:
    from scheduler import sealing
    from scheduler.models import Channel, Rule
    from scheduler.services import jobs
    from scheduler.services.alerts.kinds.webhook import new_secret

    world.variables |= {
        "SCHEDULER_ALLOWED_HOSTS": receiver.host,
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail.port),
    }
    os.environ["SCHEDULER_ALLOWED_HOSTS"] = receiver.host
    Rule.objects.all().delete()
    config = {"url": sealing.seal(receiver.url), "secret": sealing.seal(new_secret()), "former_secret": ""}
    channels = [
        Channel.objects.create(name="hook", kind="webhook", config=config, per_minute=6000),
        Channel.objects.create(
            name="mail", kind="mail", config={"to": ["ada@example.org"], "admins": False}, per_minute=6000
        ),
    ]
    for threshold in THRESHOLDS:
        rule = Rule.objects.create(
            name=f"{threshold} in a row", kind="failing", threshold=threshold, scope="tag", target="load"
        )
        rule.channels.set(channels)
    for number in range(JOBS):
        jobs.create(
            id=f"job-{number:03}",
            task="chaos.fail_by_the_clock",
            kwargs={"period": world.chance.randint(6, 20)},
            trigger={"type": "interval", "seconds": world.chance.randint(1, 3), "timezone": "UTC"},
            max_instances=1,
            misfire_grace_time=None,
            tags=["load"],
        )


def _launch_doomed(world: World, place: int) -> Process:
    """Start a node, or at the last place a sender without a node; every second one dies at a failpoint."""
    is_sender = place == NODES
    names = sorted(name for name in DEADLY if not is_sender or name.startswith("alerts."))
    name = world.chance.choice(names)
    failpoints = f"{name}=kill:{DEADLY[name]}" if world.chance.random() < 0.5 else ""
    if is_sender:
        return world.launch(command=("send_alerts",), failpoints=failpoints)
    return world.launch(failpoints=failpoints)


def _end(world: World, victim: Process) -> bool:
    """Wait for its failpoint, or kill it; return whether the failpoint was quicker."""
    try:
        victim.popen.wait(world.chance.uniform(2.0, 5.0))
    except subprocess.TimeoutExpired:
        world.kill(victim)
        return False
    world.bury(victim)
    return True


def _misbehave(world: World, receiver: WebhookReceiver) -> None:
    """Let the receiver accept, refuse, break off or be slow."""

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.close()

    def be_slow(handler: BaseHTTPRequestHandler) -> None:
        receiver.stopping.wait(3)
        status(204)(handler)

    answers = [status(204), status(204), status(204), status(500), break_off, be_slow]
    receiver.answer = world.chance.choice(answers)


def _fail_one_by_one(world: World) -> None:
    """Let jobs fail with nothing in the way, each watched by a rule of its own: how soon is it heard of?"""
    from scheduler.models import Channel, Rule
    from scheduler.services import jobs

    begins = world.soon(5.0)
    for number in range(ALONE):
        key = f"alone-{number:02}"
        rule = Rule.objects.create(name=key, kind="failing", threshold=1, scope="job", target=key)
        rule.channels.set(Channel.objects.filter(name="hook"))
        at = begins + timedelta(seconds=1.5 * number)
        jobs.create(id=key, task="chaos.nonsense", trigger={"type": "date", "run_at": at.isoformat()})
    world.wait(1.5 * ALONE + 15.0)


def _settle(world: World, node: Process) -> None:
    """Let a healthy node record what runs, stop it, and send what is left."""
    world.execute("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")
    wait_until(lambda: not world.query("SELECT 1 FROM scheduler_run WHERE finished_at IS NULL LIMIT 1"), 60, every=0.5)
    world.wait(12.0)
    world.terminate(node)
    from scheduler import conf
    from scheduler.services.alerts.sender import LEASE_SECONDS, Sender

    conf.get.cache_clear()
    from django.conf import settings

    settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": [os.environ["SCHEDULER_ALLOWED_HOSTS"]]}
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(world.variables["EMAIL_PORT"])
    # What a dead sender had leased is free once its lease is over; nobody else has one now.
    world.query(
        "UPDATE scheduler_notification SET leased_until = now() - %s * interval '1 second'"
        " WHERE leased_until IS NOT NULL",
        LEASE_SECONDS,
    )
    world.execute("UPDATE scheduler_notification SET due_at = now() WHERE state = 'pending'")
    for _ in range(3):
        Sender().run_until_empty(timeout=60)


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


def _judge(world: World, receiver: WebhookReceiver, mail: MailServer, *, done: dict[str, Any]) -> Report:
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
