from __future__ import annotations

import pytest

from openlearn.scraping import services
from openlearn.scraping.models import Document, Page
from tests.integration.scraping.scrapes import scrape
from tests.websites import article, item, reply, rss


class TestExtractDocuments:
    def test_adds_the_text_to_what_the_feed_said(self, feed, allowed):
        scrape(feed)

        summary = services.extract_documents()

        document = Document.objects.get(url=allowed.url("/one"))
        assert (summary.changed, summary.skipped) == (2, 0)
        assert (document.title, document.summary, document.language) == ("One", "A summary.", "en")
        assert "belong to the lesson" in document.text

    def test_has_nothing_to_do_twice(self, feed):
        scrape(feed)
        services.extract_documents()

        assert services.extract_documents() == services.ExtractionSummary()

    def test_writes_nothing_to_a_document_that_stayed_as_it_was(self, feed, allowed):
        scrape(feed)
        services.extract_documents()
        before = Document.objects.values_list("pk", "content_hash", "changed_at")
        stored = list(before)
        Page.objects.update(extracted_at=None)

        assert services.extract_documents().unchanged == 2
        assert list(before.all()) == stored

    def test_stops_trying_a_page_that_ends_its_process(self, feed, monkeypatch):
        scrape(feed)

        def end_process(**kwargs):
            raise SystemExit

        monkeypatch.setattr("openlearn.scraping.extraction.extract", end_process)
        for _ in range(6):
            with pytest.raises(SystemExit):
                services.extract_documents()

        assert services.extract_documents() == services.ExtractionSummary()

    def test_tries_again_when_the_page_changed(self, feed, allowed):
        scrape(feed)
        Page.objects.update(extraction_attempts=3)
        allowed.routes["/feed"] = reply(rss(item("One!", "/one")))
        allowed.routes["/one"] = reply(article("One!"))

        scrape(feed)

        assert services.extract_documents().changed == 1

    def test_is_bounded(self, feed):
        scrape(feed)

        assert services.extract_documents(limit=1).changed == 1
