"""Runs in a real browser: the log that grows, what is copied, addresses of lines, and how much is shown of many."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from scheduler.admin import addresses
from scheduler.core.states import RunState
from scheduler.models import Job, Rollup, Run
from tests.browser.accessibility import problems
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_what_people_do import tell_live
from tests.integration.admin.runs import TRACEBACK, node, run
from tests.integration.admin.test_jobs import make

pytestmark = pytest.mark.django_db(transaction=True)

NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
CLIPBOARD = """
    window.copied = [];
    Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied.push(text); }}});
"""


def entries(first: int, last: int) -> str:
    at = timezone.now().replace(hour=2, minute=0, second=0, microsecond=0)
    return "\n".join(
        f"{at + timedelta(seconds=number):%H:%M:%S}.000 {('INFO', 'WARNING')[number % 50 == 0]:<7} shop: page {number}"
        for number in range(first, last + 1)
    )


class TestALogThatGrows:
    def test_shows_what_is_new_and_stays_where_somebody_reads(self, page: Page) -> None:
        shown = run(job=make(), state=RunState.RUNNING, finished_at=None, log=entries(1, 100), node=node().pk)
        page.clock.install()
        page.goto(addresses.run(shown.pk))
        log = page.locator("#log")
        expect(page.locator("#log-100")).to_be_in_viewport()

        with page.expect_response(lambda answer: answer.url.endswith("after=100")):
            Run.objects.update(log=entries(1, 150))
            page.clock.run_for(2100)
        expect(page.locator("#log-150")).to_be_in_viewport()
        expect(page.locator("#log > span")).to_have_count(150)

        log.evaluate("item => { item.scrollTop = 40; }")
        Run.objects.update(log=entries(1, 160), state="succeeded", finished_at=timezone.now())
        page.clock.run_for(5100)

        expect(page.locator("#log-160")).to_have_count(1)
        expect(page.locator(".ols-sentence")).to_contain_text("Succeeded")
        assert log.evaluate("item => item.scrollTop") == 40

    def test_has_its_tools_once_there_is_a_line(self, page: Page) -> None:
        shown = run(job=make(), state=RunState.RUNNING, finished_at=None, node=node().pk)
        page.clock.install()
        page.goto(addresses.run(shown.pk))
        expect(page.locator("#log-empty")).to_have_text("The log is still empty.")
        expect(page.locator("#log-search")).not_to_be_visible()

        Run.objects.update(log=entries(1, 3))
        page.clock.run_for(2100)

        expect(page.locator("#log > span")).to_have_count(3)
        expect(page.locator("#log-search")).to_be_visible()
        expect(page.locator("#log-empty")).to_have_count(0)

    def test_says_at_the_end_that_there_was_nothing(self, page: Page) -> None:
        shown = run(job=make(), state=RunState.RUNNING, finished_at=None, node=node().pk)
        page.clock.install()
        page.goto(addresses.run(shown.pk))

        Run.objects.update(state="succeeded", finished_at=timezone.now())
        page.clock.run_for(5100)

        expect(page.locator("#log-empty")).to_have_text("The log is empty.")
        for part in ("#log", "#log-search", "#copy-log", "text=Download"):
            expect(page.locator(part)).not_to_be_visible()

    def test_is_marked_while_somebody_types_a_search(self, page: Page) -> None:
        page.goto(addresses.run(run(log=entries(1, 100)).pk))

        page.fill("#log-search", "page 10")
        expect(page.locator("#log-hits")).to_have_text("Matching lines: 2")
        page.keyboard.press("Enter")

        expect(page.locator("#log > span")).to_have_count(2)


class TestALineOfALog:
    def test_has_an_address_that_leads_to_it(self, page: Page) -> None:
        address = addresses.run(run(log=entries(1, 5000)).pk)

        page.goto(f"{address}#log-120", wait_until="commit")  # the page leads on before it is loaded
        page.wait_for_url("**?line=120#log-120")
        expect(page.locator("#log-120")).to_be_in_viewport()

        page.goto(address)
        expect(page.locator("#log > span")).to_have_count(2000)
        page.click("text=Load older lines")
        expect(page.locator("#log-3000")).to_have_count(1)
        expect(page.locator("#log-3001")).to_have_count(0)


class TestCopying:
    def test_takes_the_whole_text(self, page: Page) -> None:
        page.add_init_script(CLIPBOARD)
        shown = run(state=RunState.FAILED, error="ValueError: x", traceback=TRACEBACK, log=entries(1, 3))
        page.goto(addresses.run(shown.pk))

        for button in ("#copy-report", "#copy-trace", "#copy-log"):
            page.click(button)
            expect(page.locator(button)).to_have_text("Copied")

        report, trace, log = page.evaluate("window.copied")
        assert report.startswith("Failed after 3.0 s: ValueError: x")
        assert trace.strip() == TRACEBACK.strip()
        assert log == entries(1, 3)

    def test_marks_the_text_where_the_clipboard_is_closed(self, page: Page) -> None:
        page.add_init_script(NO_CLIPBOARD)
        page.goto(addresses.run(run(state=RunState.FAILED, error="E", traceback=TRACEBACK).pk))

        page.click("#copy-report")

        expect(page.locator("#copy-report")).to_have_text("Selected. Press Ctrl+C to copy.")
        assert "State: failed" in page.evaluate("getSelection().toString()")


class TestLastNight:
    def test_is_found_in_two_clicks(self, page: Page) -> None:
        page.goto(addresses.runs(tab="failed"))
        address = page.locator("text=Last night").get_attribute("href")
        assert address is not None
        (since,) = parse_qs(urlsplit(address).query)["since"]  # at midnight another night becomes the last one
        evening = datetime.fromisoformat(since).replace(tzinfo=UTC)
        run(job=make(), at=evening + timedelta(hours=8), state=RunState.FAILED, error="403 Forbidden")
        run(job_name="Before the night", at=evening - timedelta(hours=12), state=RunState.FAILED, error="404")

        page.click("text=Last night")
        expect(page.locator("text=Before the night")).to_have_count(0)
        page.click(".ols-table a:has-text('failed')")

        expect(page.locator(".ols-sentence")).to_contain_text("403 Forbidden")


class TestTheTab:
    def test_turns_red_while_something_fails(self, page: Page) -> None:
        make()
        page.clock.install()
        page.goto(reverse("admin:scheduler_dashboard"))
        icon = page.locator("link[rel=icon]")
        expect(icon).to_have_attribute("href", re.compile(r"/icon\."))

        Job.objects.update(consecutive_failures=1)
        tell_live(page)

        expect(icon).to_have_attribute("href", re.compile(r"/icon-failing\."))
        expect(page).to_have_title(re.compile(r"^\(1\) "))


class TestMuch:
    def test_fits_and_can_be_used_by_everybody(self, page: Page) -> None:
        now = timezone.now()
        job = make(name="Scrape every minute", trigger={"type": "interval", "minutes": 1})
        bad = {"state": RunState.FAILED, "error": "HTTPStatusError: 403 Forbidden", "traceback": TRACEBACK}
        for number in range(500, 0, -1):
            values = bad if number in (1, 200, 201) else {}
            last = run(job=job, job_name=job.name, at=now - timedelta(seconds=86 * number), **values)
        Run.objects.filter(pk=last.pk).update(log=entries(1, 5000))
        hour = now.replace(minute=0, second=0, microsecond=0)
        for hours in range(12):
            begun = hour - timedelta(hours=hours)
            Rollup.objects.create(
                job_key=job.pk, hour=begun, succeeded=40, failed=2 if hours == 5 else 0, last_finished_at=begun
            )
        run(job=make("daily", name="Every day"), at=now - timedelta(hours=3), **bad)
        Job.objects.filter(pk="daily").update(consecutive_failures=1)
        shown = {
            "much-dashboard": reverse("admin:scheduler_dashboard"),
            "much-run": addresses.run(last.pk),
            "much-runs": addresses.runs(order="slowest"),
        }
        SCREENSHOTS.mkdir(exist_ok=True)
        wrong = []
        for name, address in shown.items():
            page.goto(address)
            wrong += problems(page, name=name)

        assert wrong == []
