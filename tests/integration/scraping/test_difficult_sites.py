from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from django.utils import timezone

from openlearn.scraping import errors, services, tasks
from openlearn.scraping.models import Source
from scheduler import Retry
from scheduler.errors import AnswerTooLarge, AnswerTooSlow, DestinationRefused, TooManyRedirects
from scheduler.models import Job
from tests.integration.scraping.scrapes import counts, scrape
from tests.websites import article, reply


class TestBadAnswers:
    """Each is an error that says what to do, and nothing stored is lost."""

    @pytest.mark.parametrize(
        ("route", "error", "sentence"),
        [
            (reply(status=404), errors.PageNotFound, r"/feed was not found \(404\)\. Correct the address"),
            (reply(status=403), errors.UnexpectedStatus, "status 403"),
            (reply(status=500), errors.UnexpectedStatus, "status 500. The server has a problem"),
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
        settings.SCRAPING = {**settings.SCRAPING, "REQUEST_SECONDS": 3.0}

        def drip(handler):
            handler.send_response(200)
            handler.end_headers()
            while not allowed.stopping.wait(0.05):
                handler.wfile.write(b"x")

        allowed.routes["/feed"] = drip

        with pytest.raises(AnswerTooSlow, match="3 s for everything"):
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

        with pytest.raises(errors.AskedToWait, match="asks for no requests until"):
            scrape(feed)
        asked = len(allowed.requests)
        summary = scrape(feed)

        feed.refresh_from_db()
        assert before + timedelta(seconds=119) < feed.retry_not_before < timezone.now() + timedelta(seconds=121)
        assert summary.retry_not_before == feed.retry_not_before
        assert "asks for no requests" in summary.problems[0]
        assert len(allowed.requests) == asked

    def test_has_its_run_tried_again_then(self, feed, allowed):
        allowed.routes["/feed"] = reply(status=429, Retry_After="120")

        with pytest.raises(Retry, match="asks for no requests until") as caught:
            tasks.scrape_source(source_id=feed.pk)

        assert timedelta(seconds=60) < caught.value.after < timedelta(seconds=180)

    def test_is_asked_again_afterwards(self, feed, allowed):
        Source.objects.update(retry_not_before=timezone.now() - timedelta(seconds=1))

        assert scrape(feed).new == 2
        feed.refresh_from_db()
        assert feed.retry_not_before is None

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("", 900),
            ("soon", 900),
            ("-5", 900),
            ("0", 60),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 60),
            ("99999999999", 86400),
        ],
    )
    def test_may_say_nonsense(self, feed, allowed, header, seconds):
        allowed.routes["/feed"] = reply(status=429, Retry_After=header)
        before = timezone.now()

        with pytest.raises(errors.AskedToWait):
            scrape(feed)

        feed.refresh_from_db()
        a_second, wait = timedelta(seconds=1), timedelta(seconds=seconds)
        assert before + wait - a_second < feed.retry_not_before < timezone.now() + wait + a_second

    def test_may_say_so_for_one_of_its_pages(self, feed, allowed):
        allowed.routes["/one"] = reply(status=429, Retry_After="3600")

        summary = scrape(feed)

        assert summary.retry_not_before is not None
        assert (summary.new, summary.pages, summary.pages_left) == (2, 0, 2)
        assert allowed.asked("/two") == 0
        assert scrape(feed).retry_not_before == summary.retry_not_before


class TestRobots:
    def test_close_a_source(self, feed, allowed):
        allowed.routes["/robots.txt"] = reply("User-agent: OpenLearnBot\nDisallow: /feed\n")

        with pytest.raises(errors.ForbiddenByRobots, match=r"does not allow fetching .* \(http://127.*/robots\.txt\)"):
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
        settings.SCRAPING = {**settings.SCRAPING, "RUN_SECONDS": 100.0}
        allowed.routes["/robots.txt"] = reply("User-agent: *\nCrawl-delay: 120\n")

        summary = scrape(feed)

        assert (summary.new, summary.pages, summary.pages_left) == (2, 0, 2)
        assert "was not requested: the 100 s for one scrape are over" in summary.problems[0]

    def test_hear_who_we_are(self, feed, allowed):
        scrape(feed)

        assert {headers["user-agent"].split("/")[0] for _, headers in allowed.requests} == {"OpenLearnBot"}
