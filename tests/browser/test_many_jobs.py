"""What is done to many jobs at once, in a real browser."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from scheduler.models import Job
from scheduler.services import jobs
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_what_people_do import tell_live
from tests.integration.admin.runs import run
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

        expect(page.get_by_text("Finished: 60 of 60 done.")).to_be_visible()
        paused = Job.objects.paused().filter(reason_text="proxy banned", paused_until__isnull=False)
        assert (paused.count(), Job.objects.get(pk="other").state) == (60, "active")


class TestTheListOfJobs:
    def test_follows_what_happens_and_keeps_ticks_and_focus(self, page: Page) -> None:
        make("a", name="First")
        make("b", name="Second")
        page.clock.install()
        page.goto(LIST)
        box = page.locator("input.action-select[value=a]")
        box.check()
        row = page.locator("#result_list tbody tr", has=page.locator("[value=b]"))

        Job.objects.filter(pk="a").update(consecutive_failures=4, name="Renamed")
        jobs.pause(job=jobs.get(id="b"), reason="proxy banned")
        make("c", name="Third")
        tell_live(page)

        expect(page.locator("#result_list tbody tr").first).to_contain_text("Renamed")
        expect(row).to_contain_text("proxy banned")
        expect(page.locator("#result_list tbody tr")).to_have_count(3)
        expect(page.locator("#states")).to_contain_text("failing 1")
        expect(box).to_be_checked()
        expect(box).to_be_focused()
        expect(page.locator(".action-counter")).to_have_text("1 of 2 selected")

    def test_draws_its_strips_in_full(self, page: Page) -> None:
        job = make("a", name="A name of some length, with a schedule and with tags", tags=["accounting", "every-night"])
        for minutes in range(20):
            run(job=job, at=timezone.now() - timedelta(minutes=minutes), state="failed", error="E")
        page.goto(LIST)

        strip = page.locator("#result_list .ols-strip").bounding_box()

        assert strip is not None
        assert round(strip["width"]) == 160

    def test_is_narrowed_down_and_widened_again(self, page: Page) -> None:
        make("a", name="Shop", tags=["shop"])
        make("b", name="Other")
        page.goto(LIST)
        page.select_option("select[name=tag]", "shop")
        page.select_option("select[name=o]", label="name")
        page.click("#filters button")

        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        page.click("#filters >> text=Clear")
        expect(page.locator("#result_list tbody tr")).to_have_count(2)
