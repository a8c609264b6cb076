"""Whatever a person is doing survives: refreshes, sessions that end, “Back”, forms of another tab."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from scheduler.admin import addresses
from scheduler.models import Job
from scheduler.services import jobs
from tests.integration.admin.runs import node, run
from tests.integration.api.conftest import EVERY_HOUR

pytestmark = pytest.mark.django_db(transaction=True)
DASHBOARD = reverse("admin:scheduler_dashboard")
ADD = reverse("admin:scheduler_job_add")


@pytest.fixture
def failing(transactional_db: None) -> Job:
    node()
    job = jobs.create(id="nightly", name="Nightly", task="sample.nothing", trigger=EVERY_HOUR)
    run(job=job, state="failed", error="E")
    Job.objects.update(consecutive_failures=1)
    return job


def refreshed(page: Page, change: Any) -> None:
    """Change something, and wait until the page shows a live region that is another."""
    rows = page.locator("[data-live] #result_list tbody tr")
    if rows.locator("input.action-select").count():
        # Rows that can be ticked stay, and others join them.
        before = rows.count()
        change()
        expect(rows).to_have_count(before + 1)
        return
    page.evaluate("document.querySelector('[data-live]').firstElementChild.dataset.seen = '1'")
    change()
    page.locator("[data-seen]").wait_for(state="detached")


class TestTheFocus:
    @pytest.mark.parametrize(
        ("address", "selector"),
        [
            (DASHBOARD, "button[formaction*='/nightly/run/']"),
            (DASHBOARD, "a.ols-error"),
            (addresses.runs(), "#result_list a, .ols-table a"),
        ],
    )
    def test_stays_where_it_was_while_the_page_refreshes(
        self, page: Page, failing: Job, address: str, selector: str
    ) -> None:
        page.goto(address)
        chosen = page.locator(f"[data-live] :is({selector})").first
        chosen.focus()

        refreshed(page, lambda: run(job=failing, at=timezone.now() - timedelta(hours=3)))

        expect(page.locator(":focus")).to_have_count(1)
        assert page.evaluate("document.activeElement.closest('[data-live]') !== null")


class TestASessionThatEnded:
    def test_leads_an_action_to_its_question_after_the_login(self, page: Page, failing: Job) -> None:
        User.objects.filter(username="anna").update(password="!")
        user = User.objects.get(username="anna")
        user.set_password("let me in")
        user.save()
        Session.objects.all().delete()
        page.goto(reverse("admin:login"))
        log_in(page)
        page.goto(addresses.job("nightly"))
        Session.objects.all().delete()

        page.locator("#run").click()
        log_in(page)

        expect(page.get_by_role("button", name="Run it now")).to_be_visible()

    def test_gives_back_what_was_typed_into_a_form(self, page: Page, transactional_db: None) -> None:
        user = User.objects.get(username="anna")
        user.set_password("let me in")
        user.save()
        page.goto(reverse("admin:login"))
        log_in(page)
        page.goto(ADD)
        page.locator("#id_name").fill("Typed before")
        page.locator("#id_task").fill("scheduler.cleanup_jobs")
        page.locator("#id_task").press("Enter")
        page.locator("#id_kwargs_days").fill("9")
        Session.objects.all().delete()

        page.locator("[name=_save]").click()
        log_in(page)

        expect(page.locator("#id_name")).to_have_value("Typed before")
        expect(page.locator("#id_kwargs_days")).to_have_value("9")
        expect(page.locator("[data-draft]")).to_be_visible()
        page.locator("[name=_save]").click()
        page.wait_for_url("**/job/**")
        assert Job.objects.get().kwargs == {"days": 9}


class TestGoingBack:
    def test_after_an_action_shows_the_question_again(self, page: Page, failing: Job) -> None:
        page.goto(addresses.job("nightly"))
        page.locator("#run").click()
        page.get_by_role("button", name="Run it now").click()
        page.wait_for_url("**/run/*/change/")

        page.go_back()

        expect(page.get_by_role("button", name="Run it now")).to_be_visible()


def log_in(page: Page) -> None:
    page.locator("#id_username").fill("anna")
    page.locator("#id_password").fill("let me in")
    with page.expect_navigation():
        page.locator("[type=submit]").click()
