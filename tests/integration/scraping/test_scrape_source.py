from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from openlearn.scraping import errors, services, tasks
from openlearn.scraping.models import Document, Page, Source
from tests.integration.scraping.scrapes import counts, scrape, writes
from tests.websites import article, item, reply, reply_if_changed, rss, sitemap

RSS_TYPE = "application/rss+xml"


class TestAFeed:
    def test_stores_its_entries_and_pages(self, feed):
        summary = scrape(feed)

        assert counts(summary) == (2, 0, 0, 0, 0)
        assert summary.pages == 2
        assert set(feed.documents.values_list("title", "summary")) == {("One", "A summary."), ("Two", "A summary.")}
        feed.refresh_from_db()
        assert (feed.etag, feed.consecutive_failures, feed.last_error) == ('"1"', 0, "")
        assert feed.last_success_at is not None

    def test_is_asked_conditionally_and_then_writes_nothing(self, feed, allowed):
        scrape(feed)
        allowed.requests.clear()

        assert writes(feed) == []
        assert services.scrape_source(source_id=feed.pk).not_modified
        assert allowed.requests[1] == ("/feed", allowed.requests[1][1] | {"if-none-match": '"1"'})
        assert allowed.asked("/one") == 0

    def test_writes_nothing_either_when_the_server_always_sends_it(self, feed, allowed):
        allowed.routes["/feed"] = reply(rss(item("One", "/one"), item("Two", "/two")), content_type=RSS_TYPE)
        scrape(feed)

        assert writes(feed) == []
        assert counts(scrape(feed)) == (0, 0, 2, 0, 0)
        assert allowed.asked("/one") == 1

    def test_updates_an_entry_that_changed(self, feed, allowed):
        scrape(feed)
        allowed.routes["/feed"] = reply(rss(item("One, corrected", "/one"), item("Two", "/two")))

        assert counts(scrape(feed)) == (0, 1, 1, 0, 0)
        assert Document.objects.get(url=allowed.url("/one")).title == "One, corrected"
        assert allowed.asked("/one") == 2

    def test_does_not_lose_good_items_to_a_bad_one(self, feed, allowed):
        allowed.routes["/feed"] = reply(
            rss(item("No page", "/missing"), item("Mail", "mailto:a@b.c"), item("One", "/one"), item("One", "/one"))
        )

        summary = scrape(feed)

        assert counts(summary) == (2, 0, 0, 2, 1)
        assert summary.pages == 1
        assert any("/missing was not found (404)" in problem for problem in summary.problems)

    def test_goes_on_with_pages_where_it_stopped(self, feed, allowed):
        Source.objects.update(page_limit=1)

        assert scrape(feed).pages_left == 1
        second = scrape(feed)

        assert second.not_modified
        assert (second.pages, second.pages_left) == (1, 0)

    def test_leaves_a_failing_page_alone_for_a_while_and_never_gives_it_up(self, feed, allowed):
        allowed.routes["/one"] = reply(status=500)
        failing = Page.objects.filter(url=allowed.url("/one"))

        first, second = scrape(feed), scrape(feed)
        waits = []
        for _ in range(12):
            asked_at, retry_at = failing.values_list("asked_at", "retry_at").get()
            waits.append((retry_at - asked_at).total_seconds())
            failing.update(retry_at=timezone.now() - timedelta(seconds=1))
            assert scrape(feed).failed == 1

        assert (first.failed, second.failed, second.failing, second.pages_left) == (1, 0, 1, 1)
        assert waits[:4] == [900, 1800, 3600, 7200]
        assert waits[-1] == 86400
        assert (allowed.asked("/one"), Document.objects.count()) == (13, 2)

    def test_forgets_that_a_page_failed_once_it_can_be_fetched(self, feed, allowed):
        good, allowed.routes["/one"] = allowed.routes["/one"], reply(status=404)
        scrape(feed)
        allowed.routes["/one"] = good
        Page.objects.update(retry_at=None)

        assert (scrape(feed).pages, Page.objects.failing().count()) == (1, 0)
        page = Page.objects.get(url=allowed.url("/one"))
        assert (page.last_error, page.failure_code, page.failure, page.retry_at) == ("", "", {}, None)

    def test_may_keep_to_what_it_says_itself(self, feed, allowed):
        Source.objects.update(page_limit=0)

        assert scrape(feed).pages == 0
        assert allowed.asked("/one") == 0
        assert Document.objects.count() == 2

    def test_leaves_the_documents_of_another_source_alone(self, feed, allowed, save):
        scrape(feed)
        allowed.routes["/other"] = reply(rss(item("Mine now", "/one"), item("Three", "/three")))
        allowed.routes["/three"] = reply(article("Three"))

        assert counts(scrape(save("feed", "/other"))) == (1, 0, 0, 1, 0)
        assert Document.objects.get(url=allowed.url("/one")).title == "One"

    def test_may_be_empty(self, allowed, save):
        allowed.routes["/feed"] = reply(rss())

        assert counts(scrape(save("feed", "/feed"))) == (0, 0, 0, 0, 0)

    def test_may_be_in_latin_1(self, allowed, save):
        content = rss(item("Übung für später", "/one")).replace('encoding="utf-8"', 'encoding="iso-8859-1"')
        allowed.routes["/feed"] = reply(content.encode("iso-8859-1"), content_type=RSS_TYPE)

        scrape(save("feed", "/feed", page_limit=0))

        assert Document.objects.get().title == "Übung für später"

    def test_stores_text_that_the_database_would_refuse(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("A&#0;&#xD800;B" + "x" * 1000, "/one")))

        assert counts(scrape(save("feed", "/feed", page_limit=0))) == (1, 0, 0, 0, 0)
        assert len(Document.objects.get().title) == 500


class TestASitemap:
    @pytest.fixture
    def source(self, allowed, save):
        allowed.routes["/map"] = reply(sitemap(("/one", "2026-05-01"), ("/two", "")))
        allowed.routes["/one"] = reply_if_changed(article("One"), etag='"one"')
        allowed.routes["/two"] = reply_if_changed(article("Two"), etag='"two"')
        return save("sitemap", "/map")

    def test_stores_its_pages(self, source):
        assert counts(scrape(source)) == (2, 0, 0, 0, 0)
        assert services.extract_documents().new == 2
        assert set(source.documents.values_list("title", flat=True)) == {"One", "Two"}

    def test_asks_again_only_for_pages_of_which_nothing_is_known(self, source, allowed):
        scrape(source)
        allowed.requests.clear()

        assert counts(scrape(source)) == (0, 0, 2, 0, 0)
        assert (allowed.asked("/one"), allowed.asked("/two")) == (0, 1)
        assert writes(source) == []

    def test_fetches_a_page_that_it_says_was_changed(self, source, allowed):
        scrape(source)
        allowed.routes["/map"] = reply(sitemap(("/one", "2026-06-01"), ("/two", "")))
        allowed.routes["/one"] = reply_if_changed(article("One, corrected"), etag='"new"')

        assert counts(scrape(source)) == (0, 1, 1, 0, 0)

    def test_still_looks_after_its_pages_when_it_did_not_change_itself(self, source, allowed):
        allowed.routes["/map"] = reply_if_changed(sitemap(("/two", "")), etag='"map"')
        scrape(source)
        allowed.routes["/two"] = reply(article("Two, corrected"))

        summary = scrape(source)

        assert summary.not_modified
        assert counts(summary) == (0, 1, 0, 0, 0)

    def test_keeps_a_document_whose_page_is_gone(self, source, allowed):
        scrape(source)
        services.extract_documents()
        del allowed.routes["/two"]

        assert counts(scrape(source)) == (0, 0, 1, 0, 1)
        assert counts(scrape(source)) == (0, 0, 1, 0, 0)
        assert source.documents.count() == 2

    def test_skips_what_is_no_page(self, source, allowed):
        allowed.routes["/one"] = reply(b"\x89PNG", content_type="image/png")

        assert counts(scrape(source)) == (1, 0, 0, 1, 0)

    def test_follows_an_index_and_reports_a_bad_part(self, allowed, save, source):
        allowed.routes["/index"] = reply(
            "<sitemapindex><sitemap><loc>/map</loc></sitemap><sitemap><loc>/none</loc></sitemap></sitemapindex>"
        )
        index = save("sitemap", "/index")

        assert counts(scrape(index)) == (2, 0, 0, 0, 1)

    def test_that_is_malformed_says_so(self, source, allowed):
        scrape(source)
        allowed.routes["/map"] = reply("<urlset><url>")

        with pytest.raises(errors.MalformedSitemap, match="/map cannot be read as a sitemap"):
            scrape(source)

        assert source.pages.count() == 2


class TestAPage:
    def test_is_stored_and_watched(self, allowed, save):
        allowed.routes["/one"] = reply_if_changed(article("One"), etag='"1"')
        source = save("page", "/one")

        assert counts(scrape(source)) == (1, 0, 0, 0, 0)
        again = scrape(source)
        allowed.routes["/one"] = reply_if_changed(article("Other"), etag='"2"')

        assert (again.unchanged, again.not_modified) == (1, True)
        assert writes(source) != []
        assert counts(scrape(source)) == (0, 0, 1, 0, 0)

    def test_that_is_a_picture_is_refused(self, allowed, save):
        allowed.routes["/one"] = reply(b"\x89PNG", content_type="image/png")

        with pytest.raises(errors.WrongContentType, match="an HTML page, plain text or PDF was expected"):
            scrape(save("page", "/one"))


class TestTasks:
    def test_return_what_json_can_hold(self, feed):
        result = tasks.scrape_source(source_id=feed.pk)

        assert json.loads(json.dumps(result))["new"] == 2
        assert json.dumps(tasks.extract_documents())

    def test_say_in_the_result_when_they_waited(self, feed):
        Source.objects.update(retry_not_before=timezone.now() + timedelta(hours=1))

        assert json.loads(json.dumps(tasks.scrape_source(source_id=feed.pk)))["retry_not_before"]

    def test_fail_with_a_named_error(self, feed, allowed):
        allowed.stop()

        with pytest.raises(errors.RobotsUnavailable, match="cannot be reached"):
            tasks.scrape_source(source_id=feed.pk)


@pytest.mark.django_db(transaction=True)
class TestConnections:
    def test_are_not_held_while_the_network_is_waited_for(self, feed, allowed):
        held = []
        page = allowed.routes["/one"]

        def look(handler):
            held.append(connection.pool_in_use)
            page(handler)

        allowed.routes["/one"] = look
        connection.close()
        before = connection.pool_in_use

        scrape(feed)

        assert held == [before]
