"""Alerts in a real browser: from an empty installation to a tested channel, and what people do about an incident."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page, expect

from scheduler.models import Channel, Incident, Notification, Rule
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_what_people_do import AXE, RULES
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


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1400, 390])
    def test_every_page_fits_and_can_be_used_by_everybody(self, page: Page, scheme: Any, width: int) -> None:
        incident = an_incident()
        channel, message = Channel.objects.get(), Notification.objects.get()
        shown = {
            "incidents": reverse("admin:scheduler_incident_changelist"),
            "incident": reverse("admin:scheduler_incident_change", args=[incident.pk]),
            "rules": reverse("admin:scheduler_rule_changelist"),
            "rule": reverse("admin:scheduler_rule_change", args=[incident.rule_id]),
            "channels": reverse("admin:scheduler_channel_changelist"),
            "channel": reverse("admin:scheduler_channel_change", args=[channel.pk]),
            "notifications": reverse("admin:scheduler_notification_changelist"),
            "notification": reverse("admin:scheduler_notification_change", args=[message.pk]),
        }
        SCREENSHOTS.mkdir(exist_ok=True)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        wrong = []
        for name, address in shown.items():
            page.goto(address)
            page.screenshot(path=SCREENSHOTS / f"alerts-{name}-{width}-{scheme}.png", full_page=True)
            page.evaluate(AXE)
            found = page.evaluate(
                "rules => axe.run('.ols', {runOnly: rules}).then(r => r.violations.flatMap("
                "v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 200)} ${n.failureSummary.slice(0, 300)}`)))",
                RULES,
            )
            wrong += [f"{name}: {item}" for item in found]

        assert wrong == []
