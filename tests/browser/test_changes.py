"""The history of jobs in a real browser: who changed what, and back to how it was."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from scheduler.admin import addresses
from scheduler.models import Job
from scheduler.services import jobs
from tests.browser.accessibility import problems
from tests.browser.conftest import SCREENSHOTS
from tests.integration.admin.test_jobs import make

pytestmark = pytest.mark.django_db(transaction=True)

RUNBOOK = "Scrapes the feed.\nIf it fails: ask Ben for a new key.\nThen run it again.\n"


def much_changed() -> Job:
    """A job that people, the API and raw SQL changed in turn."""
    night = {"type": "cron", "expression": "0 2 * * *", "timezone": "Europe/Berlin"}
    job = make("feed", name="Scrape the feed of Khan Academy", trigger=night, description=RUNBOOK, actor="anna")
    later = {**night, "expression": "0 3 * * *"}
    jobs.update(job=job, actor="ben", via="admin", reason="The site is slow at two.", trigger=later, priority=5)
    jobs.update(job=job, actor="deploy", via="api", description=RUNBOOK.replace("Ben", "Cleo"), kwargs={"days": 7})
    Job.objects.update(max_instances=2)
    jobs.pause(job=job, actor="anna", via="command", reason="Proxy banned.")
    gone = make("old", name="Scrape the old mirror")
    jobs.remove(job=gone, actor="ben", via="admin", reason="The mirror is gone.")
    return job


class TestTheHistory:
    def test_leads_back_to_how_a_job_was(self, page: Page) -> None:
        much_changed()
        page.goto(addresses.job("feed"))
        expect(page.get_by_text("Edited by ben")).to_be_visible()
        page.get_by_role("button", name="Restore version 1: Scrape the feed of Khan Academy").click()
        expect(page.get_by_role("heading", name="Restore version 1")).to_be_visible()
        expect(page.get_by_text("Priority: 5 → 0")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "restore-light-1400.png", full_page=True)
        page.get_by_label("Reason").fill("Three is no better.")
        page.get_by_role("button", name="Restore", exact=True).click()

        expect(page.get_by_text("Restored version 1 of")).to_be_visible()
        expect(page.get_by_text("Version 1 restored by anna")).to_be_visible()
        assert (Job.objects.get().priority, Job.objects.get().state) == (0, "paused")

    def test_makes_a_deleted_job_again(self, page: Page) -> None:
        much_changed()
        page.goto(addresses.changes())
        page.get_by_role("link", name="Scrape the old mirror").first.click()
        page.get_by_role("button", name="Restore version 1: Scrape the old mirror").first.click()
        page.get_by_role("button", name="Restore", exact=True).click()

        expect(page.get_by_text("Restored version 1 of “Scrape the old mirror”.")).to_be_visible()
        assert Job.objects.filter(pk="old").exists()

    def test_can_be_read_by_everybody(self, page: Page) -> None:
        much_changed()
        for name, address in (("changes", addresses.changes()), ("changes-of-job", addresses.job("feed"))):
            page.goto(address)
            assert problems(page, name=name) == []
