"""Alerts in a real browser: from an empty installation to a tested channel, and what people do about an incident."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core import signing
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page, expect

from scheduler.admin import addresses
from scheduler.models import Channel, Incident, Mute, Notification, Rule, Switch
from scheduler.services.alerts import channels, rules, switches
from scheduler.services.alerts.sender import Sender
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_what_people_do import AXE, RULES
from tests.integration.alerts.happenings import fail, job, succeed
from tests.integration.services.nightly import make
from tests.ledger import add_node
from tests.receivers import WebhookReceiver

IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
LINK_SALT = "scheduler.alerts.link"

pytestmark = pytest.mark.django_db(transaction=True)


def an_incident() -> Incident:
    job = make()
    rule = Rule.objects.create(name="Any job fails", kind="failing", threshold=3)
    channel = Channel.objects.create(name="Team", kind="mail", config={"to": ["ada@example.org"], "admins": False})
    rule.channels.set([channel])
    incident = Incident.objects.create(
        rule=rule,
        rule_name=rule.name,
        kind="failing",
        severity="warning",
        subject=f"job:{job.pk}",
        job_key=job.pk,
        job_name=job.name,
        measured=3,
        count=3,
        text="ConnectionError: the feed does not answer",
        opened_in="6b6f3a4e-35b3-4a5e-8a79-3f3d6f0a3e11",
    )
    Notification.objects.create(
        channel=channel, rule=rule, rule_name=rule.name, kind="opened", batch=incident.opened_in, answer="250 OK"
    )
    return incident


class TestAChannel:
    def test_is_added_and_tested(self, page: Page) -> None:
        with WebhookReceiver() as receiver, override_settings(SCHEDULER={"ALLOWED_HOSTS": [receiver.host]}):
            page.goto(reverse("admin:scheduler_channel_add"))
            page.get_by_label("Name").fill("Hook")
            page.get_by_label("Kind").select_option("webhook")
            page.locator('[name="webhook.url"]').fill(receiver.url)
            page.get_by_role("button", name="Save and continue editing").click()
            expect(page.get_by_text("It was not tested yet.")).to_be_visible()
            page.get_by_role("button", name="Send a test").click()

            expect(page.get_by_text("The test was accepted: 204")).to_be_visible()
            assert [delivered.data["type"] for delivered in receiver.delivered] == ["alerts.test"]


class TestARule:
    def test_says_what_it_would_have_told_while_it_is_typed(self, page: Page) -> None:
        make(tags=["billing"])
        page.goto(reverse("admin:scheduler_rule_add"))
        page.get_by_label("Name").fill("Billing")
        page.get_by_label("Watches").select_option("tag")
        page.get_by_label("Of these").fill("billing")

        expect(page.locator("#rule-preview")).to_contain_text("It watches 1 job now. It would have opened 0 incidents")


class TestAnIncident:
    def test_is_acknowledged(self, page: Page) -> None:
        incident = an_incident()
        page.goto(reverse("admin:scheduler_dashboard"))
        page.locator("#bell").click()
        page.get_by_role("link", name="failed 3 times in a row").click()
        page.get_by_role("button", name="Acknowledge…").click()
        page.get_by_label("Reason").fill("The provider is on it.")
        page.get_by_role("button", name="Acknowledge", exact=True).click()

        expect(page.get_by_text("It is acknowledged.")).to_be_visible()
        incident.refresh_from_db()
        assert incident.acknowledged_by == "anna"


class TestAMute:
    def test_begins_at_the_link_of_a_message(self, page: Page) -> None:
        incident = an_incident()
        page.goto(reverse("admin:scheduler_incident_link", args=[signing.dumps(incident.opened_in, salt=LINK_SALT)]))
        page.get_by_role("button", name="Mute the job…").click()
        expect(page.get_by_label("in 1 hour")).to_be_checked()
        expect(page.get_by_text("resumes")).to_have_count(0)
        page.get_by_role("button", name="Mute", exact=True).click()

        expect(page.get_by_text("is muted.")).to_be_visible()
        assert Mute.objects.get().job_key == incident.job_key


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
        Sender().run_until_empty(timeout=20)
        succeed(session, node, reports)
        Sender().run_until_empty(timeout=20)
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


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1400, 320])
    @pytest.mark.timeout(300)
    def test_every_page_fits_and_can_be_used_by_everybody(self, page: Page, scheme: Any, width: int) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        wrong = []
        with a_bad_night() as shown:
            for name, address in shown.items():
                page.goto(address)
                page.screenshot(path=SCREENSHOTS / f"alerts-{name}-{width}-{scheme}.png", full_page=True)
                if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                    wrong.append(f"{name} is {wide} px wide")
                page.evaluate(AXE)
                found = page.evaluate(
                    "rules => axe.run(document.querySelector('.ols') ? '.ols' : 'h1', {runOnly: rules}).then("
                    "r => r.violations.flatMap("
                    "v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 200)} ${n.failureSummary.slice(0, 300)}`)))",
                    RULES,
                )
                wrong += [f"{name}: {item}" for item in found]

        assert wrong == []

    @pytest.mark.skipif(not os.environ.get("UPDATE_PICTURES"), reason="writes docs/images: set UPDATE_PICTURES=1")
    def test_pictures_of_the_docs(self, page: Page) -> None:
        page.set_viewport_size({"width": 1280, "height": 760})
        page.emulate_media(color_scheme="light")
        with a_bad_night() as shown:
            for name in ("dashboard", "incident", "rule", "channel", "notifications"):
                page.goto(shown[name])
                page.screenshot(path=IMAGES / f"alerts_{name}.png")
