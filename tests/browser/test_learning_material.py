"""The pages of sources, documents and fetched pages in a real browser."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from openlearn.scraping.models import Document, Source
from openlearn.scraping.models import Page as ScrapedPage
from scheduler.models import Run
from tests.browser.conftest import SCREENSHOTS
from tests.integration.admin.test_sources import SOURCES, add_source

pytestmark = pytest.mark.django_db(transaction=True)


class TestOnAPhone:
    def test_no_page_is_wider_than_the_screen(self, page: Page) -> None:
        source, now = add_source("A source with a name that goes on for a while"), timezone.now()
        address = f"https://learn.example/{'long/' * 20}"
        Source.objects.filter(pk=source.pk).update(consecutive_failures=3, last_error=f"403 Forbidden for {address}")
        document = Document.objects.create(
            source=source, url=address, title="Lesson", content_hash="0123abcd" * 8, first_seen_at=now, changed_at=now
        )
        ScrapedPage.objects.create(source=source, url=address, document=document)
        shown = {
            "sources": SOURCES,
            "source": reverse("admin:scraping_source_change", args=[source.pk]),
            "documents": reverse("admin:scraping_document_changelist"),
            "document": reverse("admin:scraping_document_change", args=[document.pk]),
            "pages": reverse("admin:scraping_page_changelist"),
        }
        page.set_viewport_size({"width": 390, "height": 900})
        SCREENSHOTS.mkdir(exist_ok=True)

        wide = {}
        for name, where in shown.items():
            page.goto(where)
            page.screenshot(path=SCREENSHOTS / f"{name}-390.png", full_page=True)
            wide[name] = page.evaluate("document.documentElement.scrollWidth")

        assert wide == dict.fromkeys(shown, 390)


class TestASource:
    def test_is_made_and_scraped_now(self, page: Page) -> None:
        page.goto(reverse("admin:scraping_source_add"))
        page.get_by_role("textbox", name="Name:", exact=True).fill("Planet")
        page.get_by_label("Address").fill("https://learn.example/feed")
        with page.expect_navigation():
            page.get_by_role("button", name="Save", exact=True).click()
        page.goto(SOURCES)
        page.locator("input.action-select").check()
        page.select_option("select[name=action]", "scrape_now")
        page.locator("button[name=index]").click()
        page.get_by_role("button", name="Scrape them now").click()

        expect(page.get_by_text("1 scrape is queued.")).to_be_visible()
        # The first one is queued when the source is saved.
        assert [run.job_name for run in Run.objects.all()] == ["Scrape Planet"] * 2
