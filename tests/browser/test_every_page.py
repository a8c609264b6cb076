"""Every page of the admin can be used by everybody: light and dark, on a wide and on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from tests.browser import shown_pages
from tests.browser.accessibility import problems
from tests.browser.conftest import SCREENSHOTS
from tests.browser.shown_pages import NOT_PAGES, OF_MODELS, Shown

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1500)]

PARTS = 6
"""Every page four times takes minutes: each part is a test of its own."""

_SEND = """address => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = address;
    form.append(document.querySelector("[name=csrfmiddlewaretoken]").cloneNode());
    document.body.append(form);
    form.submit();
}"""


def show(page: Page, shown: Shown) -> None:
    if not shown.is_asked:
        page.goto(shown.address)
        return
    page.goto(reverse("admin:index"))
    with page.expect_navigation():
        page.evaluate(_SEND, shown.address)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_fits_and_can_be_used_by_everybody(tolerant_page: Page, part: int) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    found = []
    with shown_pages.everything() as pages:
        for shown in pages[part::PARTS]:
            show(tolerant_page, shown)
            found += problems(tolerant_page, name=shown.name)

    assert not found, "\n".join(found)


def test_a_page_without_permission_can_be_used_by_everybody(open_tolerantly: Callable[..., Page]) -> None:
    page = open_tolerantly("cleo", "view_run")
    page.goto(reverse("admin:scheduler_dashboard"))

    assert problems(page, name="forbidden") == []


def test_the_pages_around_a_login_can_be_used_by_everybody(open_tolerantly: Callable[..., Page]) -> None:
    page = open_tolerantly()
    found = []
    page.goto(reverse("admin:index"))
    page.context.clear_cookies(name="csrftoken")
    with page.expect_navigation():
        page.evaluate(_SEND, reverse("admin:scheduler_job_add"))
    found += problems(page, name="csrf")
    page.goto(reverse("admin:index"))
    with page.expect_navigation():
        page.evaluate(_SEND, reverse("admin:logout"))
    found += problems(page, name="logged-out")
    page.goto(reverse("admin:login"))
    found += problems(page, name="login")

    assert not found, "\n".join(found)


def test_no_page_is_forgotten() -> None:
    with shown_pages.everything() as pages:
        shown = {each.name for each in pages}

    forgotten = {name for name in shown_pages.names() if name not in shown and name not in NOT_PAGES}
    assert forgotten == set()
    assert set(NOT_PAGES) <= shown_pages.names()
    assert OF_MODELS
