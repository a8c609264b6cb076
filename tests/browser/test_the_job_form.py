"""What helps at the keyboard: the searchable task, the preview beside the form, the zone of the pages, shortcuts."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Error, Page, Route, expect

from scheduler.admin import addresses
from scheduler.admin.format.display_zone import COOKIE
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from tests.browser.accessibility import problems
from tests.integration.admin.test_jobs import ADD, LIST, make

ZONE = reverse("admin:scheduler_zone")

pytestmark = pytest.mark.django_db(transaction=True)


def body() -> None:
    """Fetch the prices of a shop."""


@pytest.fixture
def many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {name: Task(name=name, function=body) for name in (f"shop.number_{number:03}" for number in range(500))}
    monkeypatch.setattr(registry, "_tasks", registry._tasks | more)


class TestTheTask:
    def test_is_found_by_what_it_does_and_chosen_with_the_keyboard(self, page: Page) -> None:
        page.goto(ADD)
        box, options = page.locator("#id_task"), page.locator("[role=option]")

        box.focus()
        page.keyboard.type("delete")
        expect(box).to_have_attribute("aria-expanded", "true")
        expect(options.first).to_contain_text("scheduler.cleanup_jobs")
        expect(box).to_have_attribute("aria-activedescendant", "id_task_list_0")
        page.keyboard.press("Enter")

        expect(box).to_have_value("scheduler.cleanup_jobs")
        expect(box).to_have_attribute("aria-expanded", "false")
        expect(page.locator("#id_kwargs_days")).to_be_visible()

    def test_goes_back_to_what_was_chosen(self, page: Page) -> None:
        make()
        page.goto(addresses.job_form("nightly"))
        box = page.locator("#id_task")

        box.fill("nothing is like this")
        expect(page.locator(".ols-combobox [role=status]")).to_have_text("No task matches.")
        page.keyboard.press("Escape")
        expect(box).to_have_value("scheduler.cleanup_jobs")
        box.fill("nothing is like this")
        page.keyboard.press("Tab")

        expect(box).to_have_value("scheduler.cleanup_jobs")
        assert page.input_value("#id_task_select") == "scheduler.cleanup_jobs"

    @pytest.mark.usefixtures("many_tasks")
    def test_stays_quick_among_five_hundred(self, page: Page) -> None:
        page.goto(ADD)

        page.locator("#id_task").focus()
        page.keyboard.type("prices of")
        expect(page.locator("[role=option]")).to_have_count(50)
        expect(page.locator(".ols-combobox [role=status]")).to_contain_text("450 more")
        page.keyboard.press("ArrowUp")
        expect(page.locator("[aria-selected=true]")).to_have_text(re.compile("shop.number_049"))

        assert problems(page, name="combobox", ours=".ols-combobox") == []

    def test_is_a_plain_select_without_scripts(self, page: Page) -> None:
        page.route("**/combobox.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page.goto(ADD)

        page.select_option("#id_task", "scheduler.cleanup_jobs")

        expect(page.locator("#id_kwargs_days")).to_be_visible()


class TestThePreview:
    @pytest.mark.parametrize(("width", "is_beside"), [(1400, True), (390, False)])
    def test_stands_beside_the_form_where_there_is_room(self, page: Page, width: int, is_beside: bool) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(ADD)
        expect(page.locator("[data-preview] li")).to_have_count(8)

        form, preview = page.locator("[data-trigger]").bounding_box(), page.locator("aside.ols-preview").bounding_box()

        assert form is not None
        assert preview is not None
        assert (preview["x"] >= form["x"] + form["width"]) is is_beside
        assert (preview["y"] >= form["y"] + form["height"]) is not is_beside

    def test_is_marked_as_busy_while_its_answer_is_out(self, page: Page) -> None:
        held: list[Route] = []
        page.goto(ADD)
        preview = page.locator("[data-preview]")
        expect(preview.locator("li")).to_have_count(8)
        expect(preview).to_have_attribute("aria-busy", "false")
        page.route("**/preview/", lambda route: held.append(route))

        page.check("#id_trigger_kind_cron")
        page.fill("#id_trigger_expression", "0 3 * * *")

        expect(preview).to_have_attribute("aria-busy", "true")
        expect(preview).to_have_css("opacity", "0.5")
        page.unroute("**/preview/")  # what was asked for before the last letter may be among them
        for route in held:
            with suppress(Error):
                route.continue_()
        expect(preview.locator(".ols-say")).to_have_text("At 03:00 every day, UTC")
        expect(preview).to_have_attribute("aria-busy", "false")

    def test_makes_no_limit_of_the_phase_of_an_interval(self, page: Page) -> None:
        make()
        page.goto(addresses.job_form("nightly"))
        phase = page.input_value("[name=trigger-start_at]")

        page.check("#id_trigger_kind_cron")
        page.fill("#id_trigger_expression", "0 3 * * *")
        expect(page.locator("[data-preview] .ols-say")).to_have_text("At 03:00 every day, UTC")
        page.check("#id_trigger_kind_every")

        assert phase
        assert page.input_value("[name=trigger-start_at]") == phase

    def test_says_the_rules_while_they_are_chosen(self, page: Page) -> None:
        page.goto(ADD)
        rules = page.locator("[data-rules]")

        page.select_option("[name=overlap]", "queue")
        expect(rules).to_contain_text("If a run is still active: queue one more.")
        page.locator("#id_task").fill("scheduler.cleanup_jobs")
        page.keyboard.press("Enter")

        expect(rules).to_contain_text("If the node crashes: run again. Executor: “default”; priority 0.")

    def test_says_in_which_months(self, page: Page) -> None:
        page.goto(ADD)

        page.check("#id_trigger_kind_days")
        page.fill("#id_trigger_times", "06:00")
        page.get_by_role("group", name="Months").get_by_label("July").check()

        expect(page.locator("[data-preview] .ols-say")).to_have_text("At 06:00 every day in July, UTC")


class TestTheZone:
    def test_is_changed_in_two_clicks_and_kept(self, page: Page) -> None:
        make()
        page.goto(addresses.job("nightly"))

        page.click("a:text-is('change')")
        page.fill("[name=place]", "Asia/Kolkata")
        page.check("[value=place]")
        page.click("text=Show times in this zone")

        expect(page).to_have_url(re.compile(addresses.job("nightly")))
        expect(page.locator(".ols-bar")).to_contain_text("Times in Asia/Kolkata (UTC+05:30)")
        page.goto(LIST)
        expect(page.locator(".ols-bar").first).to_contain_text("Times in Asia/Kolkata (UTC+05:30)")

    def test_of_the_browser_is_offered(self, page: Page) -> None:
        page.goto(ZONE)
        zone = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")

        page.check("[data-browser-zone] input")
        with page.expect_navigation():
            page.click("text=Show times in this zone")

        assert [cookie["value"].strip('"') for cookie in page.context.cookies() if cookie["name"] == COOKIE] == [zone]


class TestShortcuts:
    def test_lead_to_pages_and_move_between_rows(self, page: Page) -> None:
        make("one", name="One")
        make("two", name="Two")
        page.clock.set_fixed_time(timezone.now())  # the second key of two counts for a moment only
        page.goto(reverse("admin:scheduler_health"))

        page.keyboard.type("gj")
        page.wait_for_url(f"**{LIST}")
        page.keyboard.type("jj")
        expect(page.locator(":focus")).to_have_text("Two")
        page.keyboard.type("k")
        expect(page.locator(":focus")).to_have_text("One")
        page.keyboard.type("/")
        expect(page.locator(":focus")).to_have_attribute("name", "q")
        page.keyboard.type("gd")

        assert page.get_by_label("Name, task or id").input_value() == "gd"

    def test_are_listed_and_can_be_switched_off(self, page: Page) -> None:
        page.goto(LIST)

        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Active outside input fields. They only navigate.")
        found = problems(page, name="shortcuts", ours="dialog")
        page.uncheck("[data-keys-on]")
        page.click("[data-keys-close]")
        page.keyboard.type("?")
        page.reload()
        page.keyboard.type("gd?")

        expect(page.get_by_role("dialog")).not_to_be_visible()
        assert (found, page.url.endswith(LIST)) == ([], True)

    def test_stop_and_resume_the_live_refresh(self, page: Page) -> None:
        page.goto(reverse("admin:scheduler_health"))

        page.keyboard.type("r")
        expect(page.locator("[data-live-toggle]")).not_to_be_checked()
        page.keyboard.type("r")

        expect(page.locator("[data-live-toggle]")).to_be_checked()
