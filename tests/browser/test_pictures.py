"""
The pictures of the README and of ``docs/alerts.md``, taken of pages that are filled as people fill them.

``make pictures`` writes them to ``docs/images``. Without ``PICTURES=1`` they go to ``screenshots``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from scheduler.admin.format.display_zone import COOKIE
from scheduler.models import Job
from scheduler.services import jobs
from tests.browser.conftest import SCREENSHOTS
from tests.browser.histories import a_bad_night
from tests.browser.test_what_people_do import DASHBOARD
from tests.integration.admin.runs import TRACEBACK, node, run
from tests.integration.admin.test_jobs import ADD, LIST, make
from tests.own_markup import IS_UNFOLD

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(IS_UNFOLD, reason="the pictures show the stock admin"),
]

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images" if os.environ.get("PICTURES") else SCREENSHOTS

MATERIAL = {
    "lessons": ("Scrape the lessons of Open University", "*/30 * * * *", 30),
    "videos": ("Scrape the videos of Khan Academy", "10 * * * *", 60),
    "papers": ("Harvest the papers of arXiv", "45 */2 * * *", 120),
    "courses": ("Scrape the course list of MIT", "0 */3 * * *", 180),
    "text": ("Extract the text of fetched pages", "*/20 * * * *", 20),
    "index": ("Refresh the search index", "5 */4 * * *", 240),
}
BERLIN = {"type": "cron", "timezone": "Europe/Berlin"}


def a_working_day() -> None:
    """Six jobs ran for half a day; one of them fails since an hour ago, another one is paused."""
    now = timezone.now()
    web = node(executors={"default": 5}, started_at=now - timedelta(days=3))
    for key, (name, expression, minutes) in MATERIAL.items():
        tags = ["material"] if key not in ("text", "index") else []
        runbook = "Ask the provider for a new key, then run it again." if key == "videos" else ""
        job = make(key, name=name, trigger={**BERLIN, "expression": expression}, tags=tags, description=runbook)
        for number in reversed(range(1, 720 // minutes)):
            at = now - timedelta(minutes=minutes * number)
            bad: dict[str, Any] = {
                "state": "failed",
                "error": "HTTPStatusError: 403 Forbidden for https://api.example.org",
            }
            is_bad = key == "videos" and number < 4
            finished = at + timedelta(seconds=4 + number % 5)
            values = {**bad, "traceback": TRACEBACK} if is_bad else {}
            run(job=job, job_key=key, job_name=name, at=at, finished_at=finished, node=web.pk, **values)
    Job.objects.filter(pk="videos").update(consecutive_failures=3)
    until = now + timedelta(days=2)
    jobs.pause(job=Job.objects.get(pk="courses"), actor="ben", reason="The site moves to another server", until=until)


def take(page: Page, name: str, *, height: int) -> None:
    IMAGES.mkdir(exist_ok=True)
    page.set_viewport_size({"width": 1280, "height": height})
    page.screenshot(path=IMAGES / f"{name}.png")


@pytest.fixture(autouse=True)
def light(page: Page) -> None:
    page.emulate_media(color_scheme="light")


def test_the_dashboard_and_the_list_of_jobs(page: Page) -> None:
    a_working_day()
    for name, address in (("dashboard", DASHBOARD), ("jobs", LIST)):
        page.goto(address)
        expect(page.get_by_text("403 Forbidden").first).to_be_visible()
        take(page, name, height=800)


def test_the_preview_of_a_trigger(page: Page) -> None:
    page.goto(ADD)
    host = f"http://{urlsplit(page.url).netloc}"
    page.context.add_cookies([{"name": COOKIE, "value": "America/New_York", "url": host}])
    page.set_viewport_size({"width": 1280, "height": 650})
    page.goto(ADD)
    page.fill("#id_name", "Send the morning and the afternoon report")
    page.fill("#id_task", "scheduler.cleanup_jobs")
    page.keyboard.press("Tab")
    page.check("#id_trigger_kind_cron")
    page.fill("#id_trigger_expression", "30 8,14 * * mon-fri")
    page.fill("#id_trigger_timezone", "Europe/Berlin")
    expect(page.locator("[data-preview] .ols-say")).to_have_text("At 08:30 and 14:30 Monday to Friday, Europe/Berlin")
    page.locator("fieldset:has([data-trigger])").first.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('fieldset:has([data-trigger])').scrollIntoView()")
    take(page, "trigger", height=650)


def test_the_alerts(page: Page) -> None:
    with a_bad_night() as shown:
        for name in ("dashboard", "incident", "rule", "channel", "notifications"):
            page.goto(shown[name])
            take(page, f"alerts_{name}", height=760)
