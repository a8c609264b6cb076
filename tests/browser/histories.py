"""What happened before a page is opened: the jobs, runs and incidents that it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

from django.core import signing
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.core.states import RunState
from scheduler.models import Channel, Incident, Job, Notification, Rollup, Rule, Switch
from scheduler.services import jobs
from scheduler.services.alerts import channels, rules, switches
from scheduler.services.alerts.sender import Sender
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from tests.integration.admin.runs import TRACEBACK, node, run
from tests.integration.admin.test_jobs import make
from tests.integration.alerts.happenings import fail, job, succeed
from tests.ledger import add_node
from tests.receivers import WebhookReceiver

LINK_SALT = "scheduler.alerts.link"


def some_history() -> Job:
    """A job that failed in the night after many good runs, one that is paused, one that runs."""
    now = timezone.now()
    web = node()
    job = make(
        "feed", name="Scrape the feed of Khan Academy", description="Ask Ben for a new key.", tags=["feeds", "khan"]
    )
    for number in range(1, 30):
        error = (
            {"state": "failed", "error": "HTTPStatusError: 403 Forbidden", "traceback": TRACEBACK} if number < 4 else {}
        )
        at = now - timedelta(minutes=20 * number)
        run(job=job, job_name=job.name, at=at, node=web.pk, log="02:14:00.120 ERROR   shop: 403 Forbidden", **error)
    Job.objects.filter(pk="feed").update(consecutive_failures=3)
    for ago in range(1, 60):
        hour = (now - timedelta(hours=11 * ago)).replace(minute=0, second=0, microsecond=0)
        Rollup.objects.create(job_key="feed", hour=hour, last_finished_at=hour, succeeded=ago % 7, failed=ago % 3 == 0)
    make(
        "paused",
        name="Import the catalogue",
        trigger={"type": "cron", "expression": "0 3 * * mon", "timezone": "Europe/Berlin"},
    )
    until = now + timedelta(days=9)
    jobs.pause(job=Job.objects.get(pk="paused"), actor="ben", reason="proxy banned", until=until)
    busy = make("index", name="Refresh the search index")
    begun = now - timedelta(seconds=42)
    values = {"started_at": begun, "finished_at": None, "progress": {"done": 4, "total": 10, "message": "pages"}}
    run(job=busy, job_name=busy.name, at=begun, state=RunState.RUNNING, node=web.pk, **values)
    return job


@contextmanager
def a_bad_night() -> Iterator[dict[str, str]]:
    """Jobs that failed, as nodes record it, told through a webhook and a mail server; the pages that show it."""
    with (
        WebhookReceiver() as receiver,
        override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host, "hc-ping.example.org"], "SITE_URL": ""}),
    ):
        session, node = Connection(purpose="test"), str(uuid4())
        add_node(beat_at=database_now(), started_at=database_now() - timedelta(days=3), name="web-2")
        for model in (Rule, Channel):
            model.objects.all().delete()
        hook = channels.create(name="On call", kind="webhook", config={"url": receiver.url})
        team = channels.create(name="Team", kind="mail", config={"to": ["ada@example.org"]}, zone="Europe/Madrid")
        channels.test(channel=hook)
        rules.create(name="Any job fails 3 times in a row", kind="failing", threshold=3, channels=[hook, team])
        silent = {"kind": "silent", "seconds": 86400, "scope": "tag", "target": "billing", "severity": "critical"}
        rules.create(
            name="Billing is silent", channels=[hook], escalate_after=900, escalation_channels=[team], **silent
        )
        switches.create(name="The scheduler", url="https://hc-ping.example.org/4a5e8a79")
        runbook = "Ask the provider for a new key, then retry the last run."
        nightly = job("nightly-feed", name="Fetch the feed of Khan Academy", description=runbook, tags=["feeds"])
        reports = job("reports", name="Send the weekly report")
        for _ in range(3):
            fail(session, node, nightly, error="HTTPStatusError: 403 Forbidden for https://feeds.example.org/khan.xml")
            fail(session, node, reports, error="SMTPServerDisconnected: Connection unexpectedly closed")
        Sender().run_until_empty(timeout=120)
        succeed(session, node, reports)
        Sender().run_until_empty(timeout=120)
        session.close()
        incident = Incident.objects.get(job_key=nightly.pk)
        message = Notification.objects.filter(kind="opened", channel=hook).latest("created_at")
        switch = Switch.objects.get()
        yield {
            "dashboard": reverse("admin:scheduler_dashboard"),
            "job": addresses.job(nightly.pk),
            "incidents": reverse("admin:scheduler_incident_changelist"),
            "incident": reverse("admin:scheduler_incident_change", args=[incident.pk]),
            "link": reverse(
                "admin:scheduler_incident_link", args=[signing.dumps(str(incident.opened_in), salt=LINK_SALT)]
            ),
            "acknowledge": reverse("admin:scheduler_incident_acknowledge", args=[incident.pk]),
            "snooze": reverse("admin:scheduler_incident_snooze", args=[incident.pk]),
            "mute": reverse("admin:scheduler_incident_mute", args=[nightly.pk]),
            "rules": reverse("admin:scheduler_rule_changelist"),
            "rule": reverse("admin:scheduler_rule_change", args=[incident.rule_id]),
            "new rule": reverse("admin:scheduler_rule_add"),
            "channels": reverse("admin:scheduler_channel_changelist"),
            "channel": reverse("admin:scheduler_channel_change", args=[hook.pk]),
            "new channel": reverse("admin:scheduler_channel_add"),
            "notifications": reverse("admin:scheduler_notification_changelist"),
            "notification": reverse("admin:scheduler_notification_change", args=[message.pk]),
            "switches": reverse("admin:scheduler_switch_changelist"),
            "switch": reverse("admin:scheduler_switch_change", args=[switch.pk]),
        }
