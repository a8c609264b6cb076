"""Alerts in a real browser: from an empty installation to a tested channel, and what people do about an incident."""

from __future__ import annotations

import pytest
from django.core import signing
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page, expect

from scheduler.models import Channel, Incident, Mute, Notification, Rule
from tests.browser.histories import LINK_SALT
from tests.integration.services.nightly import make
from tests.receivers import WebhookReceiver

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
            expect(page.get_by_text("Not tested yet.")).to_be_visible()
            page.get_by_role("button", name="Send a test").click()

            expect(page.get_by_text("The test was accepted: 204")).to_be_visible()
            assert [delivered.data["type"] for delivered in receiver.delivered] == ["alerts.test"]


class TestARule:
    def test_says_what_it_would_have_told_while_it_is_typed(self, page: Page) -> None:
        make(tags=["billing"])
        page.goto(reverse("admin:scheduler_rule_add"))
        page.locator("#id_name").fill("Billing")
        page.get_by_label("Watches").select_option("tag")
        page.locator("#id_target").fill("billing")

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

        expect(page.get_by_text("The incident is acknowledged.")).to_be_visible()
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
