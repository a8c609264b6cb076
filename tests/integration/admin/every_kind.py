"""Rows of every kind, so that pages have something to show."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection

from scheduler.core.states import RunState
from scheduler.models import Incident, Job, Node, Notification
from scheduler.services import bulk, calendars, jobs, templates
from scheduler.services.alerts import channels, rules
from scheduler.services.bulk import Selection
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.templates import instances
from scheduler.store.clock import database_now
from tests.integration.admin.runs import TRACEBACK, node, run

MANY = 12_345
"""A number that people write with a separator."""


def fill() -> None:
    """Write rows of every kind, with numbers of more than three digits."""
    now = database_now()
    with connection.cursor() as cursor:
        for table in ("scheduler_run", "scheduler_change", "scheduler_incident", "scheduler_notification"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {MANY})")
    node(
        executors={"default": 5},
        tasks=["sample.nothing"],
        version="1",
        tzdata="2026a",
        heartbeat_at=now - timedelta(hours=1),
    )
    every = {"type": "interval", "minutes": 1500}
    limits = {"timeout": 4321.5, "max_retries": 3}
    job = jobs.create(id="nightly", name="Nightly", task="sample.nothing", trigger=every, tags=["night"], **limits)
    jobs.update(job=job, priority=7, reason="It matters")
    jobs.create(id="paused", task="sample.nothing", trigger=every)
    jobs.pause(job="paused", reason="Too expensive")
    Job.objects.filter(pk="nightly").update(version=MANY)
    log = "".join(f"2026-11-26 12:00:00 INFO line {number}\n" for number in range(1203))
    for number, state in enumerate(RunState):
        run(
            job=job,
            job_key="nightly",
            task="sample.nothing",
            at=now - timedelta(minutes=number),
            state=state,
            log=log,
            progress={"done": 1234.5, "total": 4321.5, "percent": 28.57},
            error="ValueError: no" if state is RunState.FAILED else "",
            traceback=TRACEBACK if state is RunState.FAILED else "",
            node=Node.objects.values_list("pk", flat=True)[0],
            **({"finished_at": None} if state in (RunState.QUEUED, RunState.RUNNING) else {}),
        )
    template = templates.create(
        slug="mirror", title="Mirror", body={"task": "sample.nothing", "trigger": every}, actor="anna"
    )
    instances.create(version=template, key="mirrored", values={}, actor="anna")
    calendars.create(name="holidays", rules=["2031-01-01", "2031-12-25"], actor="anna")
    bulk.begin(
        subject="runs",
        action="retry",
        selection=Selection(filter=RunFilter(job="nightly", states=("failed",))),
        actor="anna",
    )
    _alert(job)


def _alert(job: Job) -> None:
    """Write a rule with a channel, an open and a closed incident, and a message about them."""
    made = channels.create(name="Ops", kind="webhook", config={"url": "https://shop.example/hook"}, actor="anna")
    rule = rules.create(name="Fails often", kind="failing", threshold=3, channels=[made], actor="anna")
    facts = {"rule": rule, "rule_name": rule.name, "kind": rule.kind, "severity": rule.severity, "count": MANY}
    about = {"subject": f"job:{job.pk}", "job_key": job.pk, "job_name": job.name}
    Incident.objects.create(**facts, **about, text="ValueError: no", measured=MANY)
    Incident.objects.create(**facts, **about, closed_at=database_now(), closed_because="recovered")
    Notification.objects.create(channel=made, rule=rule, rule_name=rule.name, kind="opened", subject="Nightly fails")
