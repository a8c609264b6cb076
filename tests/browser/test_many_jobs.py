"""What is done to many jobs at once, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from scheduler.models import Job
from tests.browser.conftest import SCREENSHOTS
from tests.integration.admin.test_jobs import LIST, make

pytestmark = pytest.mark.django_db(transaction=True)


class TestPausingAllThatMatch:
    def test_asks_why_and_until_when_and_says_how_many(self, page: Page) -> None:
        for number in range(60):
            make(f"shop-{number}", tags=["shop"])
        make("other")
        page.goto(f"{LIST}?q=shop")
        page.check("#action-toggle")
        page.click("text=Select all 60 jobs")
        page.select_option("select[name=action]", "pause")
        page.click("button[name=index]")
        expect(page.locator(".ols-confirm")).to_contain_text("60 jobs: ")

        page.fill("#reason", "proxy banned")
        page.check("input[name=ends][value=tomorrow]")
        page.screenshot(path=SCREENSHOTS / "confirm-pause.png")
        page.click("button:text-is('Pause')")

        expect(page.locator(".messagelist")).to_contain_text("Paused 60 jobs until tomorrow 08:00.")
        paused = Job.objects.paused().filter(state_reason="proxy banned", paused_until__isnull=False)
        assert (paused.count(), Job.objects.get(pk="other").state) == (60, "active")
