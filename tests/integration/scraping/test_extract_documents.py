from __future__ import annotations

import gzip

import pytest

from openlearn.scraping import sentences, services
from openlearn.scraping.models import Document, Page
from tests.integration.scraping.scrapes import scrape
from tests.scraping_inputs import content_of
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

        monkeypatch.setattr("openlearn.scraping.reading.reader_process.extract_page", end_process)
        for _ in range(3):
            with pytest.raises(SystemExit):
                services.extract_documents()

        assert services.extract_documents() == services.ExtractionSummary()

    def test_says_at_the_page_why_it_could_not_be_read(self, feed, settings):
        settings.SCRAPING = {**settings.SCRAPING, "PAGE_SECONDS": 1}
        scrape(feed)
        slow = gzip.decompress(content_of("slow-20000-spans-in-a-paragraph.html.gz"))
        Page.objects.filter(pk=Page.objects.first().pk).update(body=slow)

        summary = services.extract_documents()

        assert (summary.changed, summary.failed) == (1, 1)
        problem = Page.objects.exclude(extraction_problem={}).get().extraction_problem
        assert "takes more than 1 seconds of processor time" in str(sentences.from_data(problem))
        assert services.extract_documents() == services.ExtractionSummary()

    def test_keeps_a_good_text_when_an_error_page_comes_in_its_place(self, feed, allowed):
        scrape(feed)
        services.extract_documents()
        before = Document.objects.get(url=allowed.url("/one"))
        for error_page in (
            content_of("overwrite-challenge-page-with-200.html"),
            b"<html><head><title>Oops</title></head><body><p>Something went wrong.</p></body></html>",
            b"<html><head><title>x</title><meta http-equiv=refresh content='0; url=/login'></head><body></body></html>",
        ):
            allowed.routes["/one"] = reply(error_page)
            Page.objects.update(is_due=True)
            scrape(feed)

            assert services.extract_documents().skipped == 1
            after = Document.objects.get(url=allowed.url("/one"))
            assert (after.title, after.text) == (before.title, before.text)
            assert Page.objects.get(url=allowed.url("/one")).extraction_problem

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

    def test_ends_when_its_time_is_over_and_goes_on_with_the_next_call(self, allowed, save, settings):
        names = [f"page{number}" for number in range(12)]
        allowed.routes["/feed"] = reply(rss(*(item(name, f"/{name}") for name in names)))
        for name in names:
            allowed.routes[f"/{name}"] = reply(article(name))
        scrape(save("feed", "/feed"))
        settings.SCRAPING = {**settings.SCRAPING, "RUN_SECONDS": 0.001}

        first = services.extract_documents().changed

        assert first < 12
        settings.SCRAPING = {**settings.SCRAPING, "RUN_SECONDS": 60.0}
        assert services.extract_documents().changed == 12 - first
