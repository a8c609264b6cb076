"""
Three timetables, set in the form by somebody who has never seen cron.

With ``PICTURES=1`` the pictures in ``docs/timetables.md`` are taken anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scheduler.core import triggers
from scheduler.models import Job
from tests.browser.conftest import SCREENSHOTS
from tests.integration.admin.test_jobs import ADD
from tests.own_markup import IS_UNFOLD

pytestmark = pytest.mark.django_db(transaction=True)

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def working_days_at_two_times(page: Page) -> None:
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        page.get_by_role("group", name="Days of the week").get_by_label(day).check()
    page.get_by_label("Times of day").fill("08:00, 14:30")


def dates_of_the_month(page: Page) -> None:
    page.get_by_label("Which days").select_option("Dates of the month")
    page.get_by_label("Dates, such as").fill("1, 15, last")
    page.get_by_label("Times of day").fill("09:15")


def every_other_week(page: Page) -> None:
    page.get_by_label("How often").select_option("every other week")
    page.get_by_label("First in the week of").fill("2090-01-02")
    for day in ("Mon", "Thu"):
        page.get_by_role("group", name="Days of the week").get_by_label(day).check()
    page.get_by_label("Times of day").fill("07:00")


TIMETABLES = [
    (working_days_at_two_times, "At 08:00 and 14:30 Monday to Friday, Europe/Berlin"),
    (dates_of_the_month, "At 09:15 on the 1st, 15th and last day of every month, Europe/Berlin"),
    (every_other_week, "Every 2 weeks on Monday and Thursday at 07:00, Europe/Berlin"),
]


@pytest.mark.parametrize(("choose", "sentence"), TIMETABLES)
def test_a_timetable_is_understood_as_it_was_chosen(page: Page, choose: Callable[[Page], None], sentence: str) -> None:
    page.goto(ADD)
    page.fill("#id_task", "scheduler.cleanup_jobs")
    page.keyboard.press("Tab")
    page.fill("#id_trigger_timezone", "Europe/Berlin")
    page.get_by_label("On certain days").check()

    choose(page)

    expect(page.locator("[data-preview] .ols-say")).to_have_text(sentence)
    expect(page.locator("[data-preview] li")).to_have_count(8)
    picture = IMAGES if os.environ.get("PICTURES") and not IS_UNFOLD else SCREENSHOTS
    picture.mkdir(exist_ok=True)
    page.locator("fieldset:has([data-trigger])").first.scroll_into_view_if_needed()
    page.screenshot(path=picture / f"timetable_{choose.__name__}.png")
    page.click("[name=_save]")
    page.wait_for_url("**/show/")

    said = triggers.describe(Job.objects.get().trigger)
    assert f"{said[:1].upper()}{said[1:]}" == sentence
