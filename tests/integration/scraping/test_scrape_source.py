from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest
from dj_db_conn_pool.core import pool_container
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from openlearn.scraping import errors, services, tasks
from openlearn.scraping.models import Document, Page, Source
from scheduler import Retry
from scheduler.errors import AnswerTooLarge, AnswerTooSlow, DestinationRefused, TooManyRedirects
from scheduler.models import Job
from tests.websites import article, item, reply, reply_if_changed, rss, sitemap

RSS_TYPE = "application/rss+xml"


def scrape(source):
    return services.scrape_source(source_id=source.pk)


def writes(source) -> list[str]:
    """The statements of a scrape that change anything but the source's own row."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        scrape(source)
    changing = ("INSERT", "UPDATE", "DELETE")
    statements = [query["sql"] for query in queries.captured_queries if query["sql"].startswith(changing)]
    return [statement for statement in statements if not statement.startswith('UPDATE "scraping_source"')]


def counts(summary) -> tuple[int, int, int, int, int]:
    return summary.new, summary.changed, summary.unchanged, summary.skipped, summary.failed


@pytest.fixture
def feed(allowed, save):
    """A feed of two entries with their pages."""
    allowed.routes["/feed"] = reply_if_changed(rss(item("One", "/one"), item("Two", "/two")), etag='"1"')
    allowed.routes["/one"] = reply_if_changed(article("One"), etag='"one"')
    allowed.routes["/two"] = reply_if_changed(article("Two"), etag='"two"')
    return save("feed", "/feed")


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

    def test_gives_a_failing_page_up_after_some_attempts(self, feed, allowed):
        allowed.routes["/one"] = reply(status=500)

        results = [scrape(feed).failed for _ in range(5)]

        assert results == [1, 1, 1, 0, 0]
        assert allowed.asked("/one") == 3
        assert Document.objects.count() == 2

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


class TestBadAnswers:
    """Each is an error that says what to do, and nothing stored is lost."""

    @pytest.mark.parametrize(
        ("route", "error", "sentence"),
        [
            (reply(status=404), errors.PageNotFound, r"/feed was not found \(404\)\. Correct the address"),
            (reply(status=403), errors.UnexpectedStatus, "status 403"),
            (reply(status=500), errors.UnexpectedStatus, "status 500. The fault is on the server's side"),
            (reply(status=204), errors.UnexpectedStatus, "status 204"),
            (reply("<rss><channel><item>"), errors.MalformedFeed, "cannot be read as RSS"),
            (reply(b"\x89PNG", content_type="image/png"), errors.WrongContentType, "“image/png”, where a feed"),
            (reply(article("Hello")), errors.NotAFeed, "HTML page, not a feed"),
            (reply(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip"), AnswerTooLarge, "/feed unpacks"),
            (reply(status=302, Location="/feed"), TooManyRedirects, "more than 5 times"),
            (reply(status=302, Location="http://10.0.0.1/"), DestinationRefused, "private address"),
            (reply(status=302, Location="http://2130706433/"), DestinationRefused, "number that stands for"),
        ],
        ids=["404", "403", "500", "204", "malformed", "picture", "html", "bomb", "loop", "private", "disguised"],
    )
    def test_are_named(self, feed, allowed, route, error, sentence):
        scrape(feed)
        allowed.routes["/feed"] = route

        with pytest.raises(error, match=sentence):
            scrape(feed)

        feed.refresh_from_db()
        assert feed.consecutive_failures == 1
        assert feed.last_error
        assert feed.etag == '"1"'
        assert feed.documents.count() == 2
        assert Job.objects.get(pk=feed.job_id).state == "active"

    def test_without_an_end_are_cut_off(self, feed, allowed, settings):
        settings.SCRAPING = {**settings.SCRAPING, "BODY_BYTES": 1_000_000}

        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while not allowed.stopping.is_set():
                handler.wfile.write(b"x" * 65536)

        allowed.routes["/feed"] = endless

        with pytest.raises(AnswerTooLarge, match="1,000,000 bytes"):
            scrape(feed)

    def test_that_drip_are_cut_off(self, feed, allowed, settings):
        settings.SCRAPING = {**settings.SCRAPING, "REQUEST_SECONDS": 0.4}

        def drip(handler):
            handler.send_response(200)
            handler.end_headers()
            while not allowed.stopping.wait(0.05):
                handler.wfile.write(b"x")

        allowed.routes["/feed"] = drip

        with pytest.raises(AnswerTooSlow, match=r"0\.4 s for everything"):
            scrape(feed)

    def test_are_forgotten_with_the_next_success(self, feed, allowed):
        good, allowed.routes["/feed"] = allowed.routes["/feed"], reply(status=500)
        for _ in range(2):
            with pytest.raises(errors.UnexpectedStatus):
                scrape(feed)
        allowed.routes["/feed"] = good

        scrape(feed)

        feed.refresh_from_db()
        assert (feed.consecutive_failures, feed.last_error) == (0, "")

    def test_from_loopback_are_never_heard_without_leave(self, db, website):
        source = Source(name="Inside", url=website.url("/feed"))
        services.save_source(source=source)

        with pytest.raises(DestinationRefused):
            scrape(source)

        assert website.requests == []

    def test_for_a_deleted_source_say_so(self, db):
        with pytest.raises(errors.SourceNotFound, match="no source 404"):
            services.scrape_source(source_id=404)


class TestASourceThatIsGone:
    def test_gets_its_job_paused_with_the_reason(self, feed, allowed):
        allowed.routes["/feed"] = reply(status=410)

        with pytest.raises(errors.PageGone):
            scrape(feed)

        job = Job.objects.get(pk=feed.job_id)
        assert (job.state, job.next_run_time, job.state_changed_by) == ("paused", None, "scraping")
        assert "is gone for good (410)" in job.state_reason

    def test_may_be_asked_again_by_hand(self, feed, allowed):
        allowed.routes["/feed"] = reply(status=410)
        for _ in range(2):
            with pytest.raises(errors.PageGone):
                scrape(feed)


class TestASourceThatAsksToWait:
    @pytest.mark.parametrize("status", [429, 503])
    def test_is_left_alone_until_then(self, feed, allowed, status):
        allowed.routes["/feed"] = reply(status=status, Retry_After="120")
        before = timezone.now()

        with pytest.raises(errors.AskedToWait, match="asks to be left alone until"):
            scrape(feed)
        asked = len(allowed.requests)
        summary = scrape(feed)

        feed.refresh_from_db()
        assert timedelta(seconds=119) < feed.retry_not_before - before < timedelta(seconds=130)
        assert summary.retry_not_before == feed.retry_not_before
        assert "wants to be left alone" in summary.problems[0]
        assert len(allowed.requests) == asked

    def test_has_its_run_tried_again_then(self, feed, allowed):
        allowed.routes["/feed"] = reply(status=429, Retry_After="120")

        with pytest.raises(Retry, match="asks to be left alone until") as caught:
            tasks.scrape_source(source_id=feed.pk)

        assert timedelta(seconds=110) < caught.value.after < timedelta(seconds=130)

    def test_is_asked_again_afterwards(self, feed, allowed):
        Source.objects.update(retry_not_before=timezone.now() - timedelta(seconds=1))

        assert scrape(feed).new == 2
        feed.refresh_from_db()
        assert feed.retry_not_before is None

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("", 900), ("soon", 900), ("-5", 900), ("0", 0), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("99999999999", 86400)],
    )
    def test_may_say_nonsense(self, feed, allowed, header, seconds):
        allowed.routes["/feed"] = reply(status=429, Retry_After=header)
        before = timezone.now()

        with pytest.raises(errors.AskedToWait):
            scrape(feed)

        feed.refresh_from_db()
        assert abs((feed.retry_not_before - before).total_seconds() - seconds) < 10

    def test_may_say_so_for_one_of_its_pages(self, feed, allowed):
        allowed.routes["/one"] = reply(status=429, Retry_After="60")

        summary = scrape(feed)

        assert summary.retry_not_before is not None
        assert (summary.new, summary.pages, summary.pages_left) == (2, 0, 2)
        assert allowed.asked("/two") == 0
        assert scrape(feed).retry_not_before == summary.retry_not_before


class TestRobots:
    def test_close_a_source(self, feed, allowed):
        allowed.routes["/robots.txt"] = reply("User-agent: OpenLearnBot\nDisallow: /feed\n")

        with pytest.raises(errors.ForbiddenByRobots, match=r"says http://127.*/robots\.txt"):
            scrape(feed)

        assert allowed.asked("/feed") == 0

    def test_close_a_page(self, feed, allowed):
        allowed.routes["/robots.txt"] = reply("User-agent: *\nDisallow: /one\n")

        summary = scrape(feed)

        assert counts(summary) == (2, 0, 0, 1, 0)
        assert allowed.asked("/one") == 0
        assert allowed.asked("/two") == 1

    def test_close_what_is_redirected_there(self, feed, allowed):
        allowed.routes["/robots.txt"] = reply("User-agent: *\nDisallow: /private\n")
        allowed.routes["/feed"] = reply(status=302, Location="/private/feed")

        with pytest.raises(errors.ForbiddenByRobots):
            scrape(feed)

        assert allowed.asked("/private/feed") == 0

    def test_close_everything_while_they_cannot_be_read(self, feed, allowed):
        allowed.routes["/robots.txt"] = reply(status=500)

        with pytest.raises(errors.RobotsUnavailable, match="status 500"):
            scrape(feed)

    def test_space_requests(self, feed, allowed, settings):
        settings.SCRAPING = {**settings.SCRAPING, "RUN_SECONDS": 5.0}
        allowed.routes["/robots.txt"] = reply("User-agent: *\nCrawl-delay: 20\n")

        summary = scrape(feed)

        assert (summary.new, summary.pages, summary.pages_left) == (2, 0, 2)
        assert "was not asked: the 5 s for one scrape are over" in summary.problems[0]

    def test_hear_who_we_are(self, feed, allowed):
        scrape(feed)

        assert {headers["user-agent"].split("/")[0] for _, headers in allowed.requests} == {"OpenLearnBot"}


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
        allowed.routes["/one"] = reply(b"%PDF-1.7", content_type="application/pdf")

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

        with pytest.raises(errors.WrongContentType, match="an HTML page was expected"):
            scrape(save("page", "/one"))


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
            held.append(pool_container.get("default").checkedout())
            page(handler)

        allowed.routes["/one"] = look
        connection.close()

        scrape(feed)

        assert held == [0]
