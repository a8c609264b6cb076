"""Nodes and senders are killed between any two steps, receivers refuse and hang: who hears of what, and how often."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.receivers import MailServer, WebhookReceiver, status
from tests.scenarios.chaos.campaigns import Progress, Report
from tests.scenarios.chaos.campaigns.alert_oracle import THRESHOLDS, judge
from tests.scenarios.chaos.world import Process, World
from tests.waiting import wait_until

NODES = 2
JOBS, JOBS_OF_A_FEW = 60, 20
ALONE, ALONE_OF_A_FEW = 20, 3
"""Jobs that fail with nothing in the way: of a campaign, and of a few cycles of it."""

_MOST_OF_A_FEW = 20

DEADLY = {
    "finish.before_commit": 0.2,
    "finish.after_commit": 0.2,
    "reap.before_commit": 0.5,
    "alerts.judge.before_commit": 0.3,
    "alerts.announce_openings.before_commit": 0.2,
    "alerts.announce_closings.before_commit": 0.2,
    "alerts.announce_changes.before_commit": 0.2,
    "alerts.escalate_incidents.before_commit": 0.2,
    "alerts.remind_of_incidents.before_commit": 0.2,
    "alerts.claim.before_commit": 0.2,
    "alerts.claim.after_commit": 0.5,
    "alerts.send.before": 0.5,
    "alerts.send.after": 0.5,
    "alerts.sent.before_record": 0.5,
    "alerts.sent.after_record": 0.5,
}
"""Between which steps a process dies, and how likely each time that it comes by: some come by twice a second."""


_ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A process that is going to die, and where, if it is not killed before."""

    process: Process
    failpoint: str


def alerts(world: World, cycles: int, tell: Progress) -> Report:
    """Kill nodes and senders while jobs fail in stretches, and receivers misbehave."""
    with WebhookReceiver() as receiver, MailServer() as mail:
        is_a_few = cycles <= _MOST_OF_A_FEW
        _prepare(world, receiver, mail, count=JOBS_OF_A_FEW if is_a_few else JOBS)
        processes = [_launch_doomed(world, place) for place in range(NODES + 1)]
        deaths: Counter[str] = Counter()
        outages = 0
        for cycle in range(cycles):
            _misbehave(world, receiver)
            if cycle % 20 == 10:
                mail.stop()
            elif cycle % 20 == 15:
                mail.start()
                outages += 1
            place = world.chance.randrange(NODES + 1)
            deaths[_end(world, processes[place])] += 1
            processes[place] = _launch_doomed(world, place)
            if cycle % 20 == 19:
                tell(f"{cycle + 1} processes killed")
        receiver.answer = status(204)
        mail.start()
        for doomed in processes:
            if doomed.process.is_alive:
                world.kill(doomed.process)
        node = world.launch()
        world.started(node)
        tell("a healthy node goes on")
        _fail_one_by_one(world, count=ALONE_OF_A_FEW if is_a_few else ALONE)
        _settle(world, node)
        at_failpoints = deaths.total() - deaths.pop(_ANYWHERE, 0)
        done = {"kills": cycles, "at_failpoints": at_failpoints, "outages": outages, "between_steps": dict(deaths)}
        return judge(world, receiver, mail, done=done)


def add_channels(world: World, receiver: WebhookReceiver, mail: MailServer) -> list[Any]:
    """Let nodes reach the two receivers, and create a channel for each."""
    from scheduler import sealing
    from scheduler.models import Channel
    from scheduler.services.alerts.kinds.webhook import new_secret

    world.variables |= {
        "SCHEDULER_ALLOWED_HOSTS": receiver.host,
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(mail.port),
    }
    os.environ["SCHEDULER_ALLOWED_HOSTS"] = receiver.host
    config = {"url": sealing.seal(receiver.url), "secret": sealing.seal(new_secret()), "former_secret": ""}
    to_ada = {"to": ["ada@example.org"], "admins": False}
    return [
        Channel.objects.create(name="hook", kind="webhook", config=config, per_minute=6000),
        Channel.objects.create(name="mail", kind="mail", config=to_ada, per_minute=6000),
    ]


def _prepare(world: World, receiver: WebhookReceiver, mail: MailServer, *, count: int) -> None:
    from scheduler.models import Rule
    from scheduler.services import jobs

    Rule.objects.all().delete()
    channels = add_channels(world, receiver, mail)
    for threshold in THRESHOLDS:
        rule = Rule.objects.create(
            name=f"{threshold} in a row", kind="failing", threshold=threshold, scope="tag", target="load"
        )
        rule.channels.set(channels)
    for number in range(count):
        jobs.create(
            id=f"job-{number:03}",
            task="chaos.fail_by_the_clock",
            kwargs={"period": world.chance.randint(6, 20)},
            trigger={"type": "interval", "seconds": world.chance.randint(1, 3), "timezone": "UTC"},
            max_instances=1,
            misfire_grace_time=None,
            tags=["load"],
        )


def _launch_doomed(world: World, place: int) -> Doomed:
    """Start a node, or at the last place a sender without a node; three in four die between two steps."""
    is_sender = place == NODES
    names = sorted(name for name in DEADLY if not is_sender or name.startswith("alerts."))
    name = world.chance.choice(names)
    failpoints = f"{name}=kill:{DEADLY[name]}" if world.chance.random() < 0.75 else ""
    command = {"command": ("send_alerts",)} if is_sender else {}
    return Doomed(process=world.launch(**command, failpoints=failpoints), failpoint=name)


def _end(world: World, victim: Doomed) -> str:
    """Wait for its failpoint, or kill it; return which of both it was."""
    try:
        victim.process.popen.wait(world.chance.uniform(2.0, 5.0))
    except subprocess.TimeoutExpired:
        world.kill(victim.process)
        return _ANYWHERE
    world.bury(victim.process)
    return victim.failpoint


def _misbehave(world: World, receiver: WebhookReceiver) -> None:
    """Let the receiver accept, refuse, break off or be slow."""

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.close()

    def be_slow(handler: BaseHTTPRequestHandler) -> None:
        receiver.stopping.wait(3)
        status(204)(handler)

    answers = [status(204), status(204), status(204), status(500), break_off, be_slow]
    receiver.answer = world.chance.choice(answers)


def _fail_one_by_one(world: World, *, count: int) -> None:
    """Let jobs fail with nothing in the way, each watched by a rule of its own: how soon is it heard of?"""
    from scheduler.models import Channel, Rule
    from scheduler.services import jobs

    begins = world.soon()
    for number in range(count):
        key = f"alone-{number:02}"
        rule = Rule.objects.create(name=key, kind="failing", threshold=1, scope="job", target=key)
        rule.channels.set(Channel.objects.filter(name="hook"))
        at = begins + timedelta(seconds=1.5 * number)
        jobs.create(id=key, task="chaos.nonsense", trigger={"type": "date", "run_at": at.isoformat()})
    world.wait(1.5 * count + 10.0)
    sent = "SELECT count(*) >= %s FROM scheduler_notification WHERE rule_name LIKE 'alone-%%' AND state = 'sent'"
    with contextlib.suppress(AssertionError):  # the judge counts what did not come
        wait_until(lambda: world.query(sent, count)[0][0], every=0.5)


def _settle(world: World, node: Process) -> None:
    """Let a healthy node record what runs, stop it, and send what is left."""
    world.execute("UPDATE django_apscheduler_djangojob SET next_run_time = NULL")
    wait_until(lambda: not world.query("SELECT 1 FROM scheduler_run WHERE finished_at IS NULL LIMIT 1"), every=0.5)
    unannounced = (
        "SELECT 1 FROM scheduler_incident WHERE opened_in IS NULL OR closed_at IS NOT NULL AND closed_in IS NULL"
    )
    with contextlib.suppress(AssertionError):  # as above
        wait_until(lambda: not world.query(unannounced), every=0.5)
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
        Sender().run_until_empty(timeout=120)
