"""The admin in a real browser, under the content policy that the project sends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from scheduler.admin import addresses
from scheduler.models import Job, Run
from tests.browser.histories import some_history
from tests.integration.admin.test_jobs import ADD, LIST, make
from tests.own_markup import IS_UNFOLD

pytestmark = pytest.mark.django_db(transaction=True)

DASHBOARD = reverse("admin:scheduler_dashboard")


def tell_live(page: Page) -> None:
    """Let the page's own clock reach its next look at the server."""
    with page.expect_response(lambda answer: "part=live" in answer.url):
        page.clock.run_for(5100)


class TestCreatingAJob:
    def test_works_by_keyboard_alone_with_a_preview_while_typing(self, page: Page) -> None:
        page.goto(ADD)
        if IS_UNFOLD:  # It hides its pages until its scripts have run; Django's may look for a field before, in vain.
            page.locator("#id_name").focus()
        expect(page.locator("#id_name")).to_be_focused()
        page.keyboard.type("Nightly")
        page.locator("#id_task").focus()
        page.keyboard.type("scheduler.cleanup")
        page.keyboard.press("Tab")
        page.locator("#id_kwargs_days").focus()
        page.keyboard.type("7")
        page.locator("#id_trigger_kind_every").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.type("0 3 13 * fri")
        expect(page.locator("[data-preview] .ols-say")).to_contain_text("or on a Friday")
        expect(page.locator("[data-preview] li")).to_have_count(8)
        page.keyboard.press("Enter")
        page.wait_for_url("**/show/")

        job = Job.objects.get()
        assert (job.name, job.kwargs, job.trigger["expression"]) == ("Nightly", {"days": 7}, "0 3 13 * fri")

    def test_can_start_a_run_at_once(self, page: Page) -> None:
        page.goto(ADD)
        page.fill("#id_name", "Nightly")
        page.fill("#id_task", "scheduler.cleanup_jobs")
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Save and run now").click()

        expect(page.locator(".ols-sentence")).to_contain_text("Queued")
        assert Run.objects.get().job_name == "Nightly"

    def test_says_beside_the_field_what_is_wrong(self, page: Page) -> None:
        page.goto(ADD)
        page.fill("#id_task", "cleanup_jobs")
        page.keyboard.press("Tab")
        page.check("#id_trigger_kind_cron")
        page.fill("#id_trigger_expression", "0 0 31 2 *")
        expect(page.locator("[data-preview] .ols-error")).to_contain_text("never runs")
        page.click("[name=_save]")

        expect(page.locator(".field-trigger .errorlist")).to_contain_text("never runs")
        assert page.input_value("#id_trigger_expression") == "0 0 31 2 *"


class TestWatching:
    def test_a_run_goes_from_queued_to_succeeded_before_the_eyes(self, page: Page) -> None:
        make()
        page.clock.install()
        page.goto(addresses.job("nightly"))
        page.click("#run")
        page.click("text=Run it now")
        expect(page.locator(".ols-sentence")).to_contain_text("Queued")

        Run.objects.update(state="running", started_at=timezone.now())
        tell_live(page)
        expect(page.locator(".ols-sentence")).to_contain_text("Running")
        Run.objects.update(state="succeeded", finished_at=timezone.now(), result={"deleted": 3})
        tell_live(page)

        expect(page.locator(".ols-sentence")).to_contain_text("Succeeded")
        expect(page.locator("pre >> text=deleted")).to_be_visible()

    def test_refreshing_keeps_what_was_opened_and_says_when_it_cannot(self, page: Page) -> None:
        some_history()
        page.clock.install()
        page.goto(DASHBOARD)
        page.click("#runbook-1 summary")

        Job.objects.filter(pk="index").update(name="Another name")
        tell_live(page)
        expect(page.locator("table[aria-labelledby=upcoming-title] >> text=Another name")).to_be_visible()
        assert page.locator("#runbook-1").evaluate("item => item.open")

        page.evaluate("() => { window.fetch = () => Promise.reject(new Error('gone')); }")
        for _ in range(4):
            page.clock.run_for(5100)
        expect(page.locator("[data-live-status]")).to_contain_text("NOT UPDATING")


class TestFindingWhatFailed:
    def test_takes_two_clicks_from_the_dashboard(self, page: Page) -> None:
        some_history()
        page.goto(reverse("admin:index"))

        page.click("text=Dashboard")
        page.click("text=HTTPStatusError: 403 Forbidden")

        expect(page.locator(".ols-sentence")).to_contain_text(
            "Failed after 3.0 s on web-2: HTTPStatusError: 403 Forbidden"
        )
        expect(page.locator("text=Ask Ben for a new key.")).to_be_visible()
        expect(page.locator("pre").first).to_contain_text('File "/srv/shop.py", line 118')


class TestPausing:
    def test_asks_for_a_reason_and_shows_it_until_somebody_resumes(self, page: Page) -> None:
        make()
        page.goto(addresses.job("nightly"))

        page.click("#pause")
        page.fill("#reason", "proxy banned")
        page.click("button:has-text('Pause')")
        expect(page.locator(".ols-sentence")).to_contain_text("Paused by anna")
        expect(page.locator(".ols-sentence")).to_contain_text("proxy banned")
        page.click("#resume")
        page.click("button:has-text('Resume')")

        expect(page.locator(".ols-sentence")).to_contain_text("Next run in")


class TestTwoPeople:
    def test_the_second_is_told_and_keeps_the_text(self, open_as: Callable[..., Page]) -> None:
        make()
        anna, ben = open_as("anna"), open_as("ben")
        for window in (anna, ben):
            window.goto(addresses.job_form("nightly"))
        anna.fill("#id_description", "by anna")
        ben.fill("#id_description", "by ben")

        anna.click("[name=_save]")
        anna.wait_for_url("**/show/")
        ben.click("[name=_save]")

        expect(ben.get_by_text("anna changed this")).to_be_visible()
        assert ben.input_value("#id_description") == "by ben"


class TestAViewer:
    def test_sees_no_button_that_refuses(self, open_as: Callable[..., Page]) -> None:
        some_history()
        window = open_as("vera", "view_job", "view_run")

        for address in (
            DASHBOARD,
            LIST,
            addresses.job("feed"),
            addresses.run(Run.objects.filter(state="failed")[0].pk),
        ):
            window.goto(address)
            assert window.locator("button[formaction], .addlink, #edit, #delete").count() == 0, address


class TestTheApisDocumentation:
    def test_opens_under_the_content_policy(self, page: Page) -> None:
        page.goto(reverse("scheduler-api:docs"))

        expect(page.get_by_text("/api/v1/scheduler/jobs", exact=True).first).to_be_visible()
