"""Headers, declarations and files by which servers say how they want to be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from openlearn.scraping import services
from openlearn.scraping.errors import ScrapingError
from openlearn.scraping.models import Document, Page, Source
from openlearn.scraping.scrapes import pace
from openlearn.scraping.scrapes.summary import Scraped, ScrapeSummary, Wishes
from scheduler import conf
from scheduler.errors import Misconfigured
from tests.certificates import make_certificates
from tests.integration.scraping.scrapes import counts, scrape
from tests.scraping_inputs import content_of
from tests.websites import Website, article, item, reply, rss, sitemap

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def local(name: str, site: Website) -> bytes:
    """An input, served by this site instead of the host that it names."""
    return content_of(name).replace(b"http://learn.example", site.root.encode())


class TestContentEncoding:
    @pytest.mark.parametrize("name", ["aws-chunked", "utf-8", "none", "binary", "UTF-8, none"])
    def test_that_is_none_leaves_the_body_as_it_is(self, name, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")), Content_Encoding=name)

        assert counts(scrape(save("feed", "/feed", page_limit=0))) == (1, 0, 0, 0, 0)

    def test_aws_chunked_is_read_as_it_came(self, allowed, save):
        allowed.routes["/feed"] = lambda handler: handler.wfile.write(
            local("header-content-encoding-aws-chunked.http", allowed)
        )

        scrape(save("feed", "/feed", page_limit=0))

        assert Document.objects.get().title == "a"


class TestXRobotsTag:
    @pytest.fixture
    def source(self, allowed, save):
        """A feed of one page that is in question, and two that are not."""
        allowed.routes["/feed"] = reply(rss(*(item(name, f"/{name}") for name in ("one", "two", "three"))))
        for name in ("one", "two", "three"):
            allowed.routes[f"/{name}"] = reply(article(name))
        return save("feed", "/feed")

    @pytest.mark.parametrize(
        ("value", "is_kept"),
        [
            ("noindex", False),
            ("nofollow, noindex", False),
            ("none", False),
            ("NOINDEX", False),
            ("openlearnbot: noindex", False),
            ("otherbot: noindex", True),
            ("unavailable_after: 25 Jun 2999 15:00:00 PST", True),
            ("noarchive", True),
        ],
    )
    def test_is_believed_if_it_is_for_everybody_or_for_us(self, value, is_kept, allowed, source):
        allowed.routes["/one"] = reply(article("one"), X_Robots_Tag=value)

        summary = scrape(source)

        page = Page.objects.get(url=allowed.url("/one"))
        assert bool(page.body_hash) is is_kept
        assert page.failure_code == ("" if is_kept else "not_for_indexing")
        assert summary.skipped == (0 if is_kept else 1)

    def test_that_comes_later_leaves_what_was_stored(self, allowed, source):
        scrape(source)
        services.extract_documents()
        before = Document.objects.get(url=allowed.url("/one")).text
        items = (item("one", "/one", description="Another."), item("two", "/two"), item("three", "/three"))
        allowed.routes["/feed"] = reply(rss(*items))
        allowed.routes["/one"] = reply(article("Another"), X_Robots_Tag="noindex")

        scrape(source)
        services.extract_documents()

        assert Document.objects.get(url=allowed.url("/one")).text == before
        assert "noindex" in Page.objects.get(url=allowed.url("/one")).last_error


class TestMaxAge:
    def test_delays_the_next_scrape_if_it_is_longer_than_the_pace(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")), Cache_Control="public, max-age=7200")
        source = save("feed", "/feed", tier="high", page_limit=0)
        scrape(source)
        asked = allowed.asked("/feed")

        summary = scrape(source)

        assert timezone.now() + timedelta(hours=1) < summary.rest_until < timezone.now() + timedelta(hours=2)
        assert "max-age" in summary.problems[0]
        assert allowed.asked("/feed") == asked

    @pytest.mark.parametrize("value", ["max-age=600", "no-cache, max-age=7200", "no-store, max-age=7200", "max-age=x"])
    def test_delays_nothing_if_it_is_short_or_not_meant(self, value, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")), Cache_Control=value)
        source = save("feed", "/feed", tier="high", page_limit=0)
        scrape(source)

        scrape(source)

        assert allowed.asked("/feed") == 2


class TestHoursAndDays:
    @pytest.mark.parametrize(
        ("hours", "days", "until"),
        [
            ((10, 11), (), MONDAY.replace(hour=12, minute=0)),
            (tuple(range(24)), (), None),
            ((), (0,), MONDAY.replace(hour=0, minute=0) + timedelta(days=1)),
            ((3,), (), None),
            ((0,), (0,), MONDAY.replace(hour=1, minute=0) + timedelta(days=1)),
        ],
    )
    def test_that_the_feed_wants_skipped_are(self, hours, days, until):
        source = Source(tier="medium")
        wishes = Wishes(skipped_hours=hours, skipped_days=days)
        scraped = Scraped(
            summary=ScrapeSummary(), etag="", last_modified="", cursor={}, moved_to="", pages_known=0, wishes=wishes
        )

        assert pace.rest(source=source, scraped=scraped, now=MONDAY).until == until

    @pytest.mark.parametrize("minute", [0, 3, 6, 30, 59])
    def test_are_skipped_from_their_first_minute_to_their_last(self, minute):
        now = MONDAY.replace(hour=10, minute=minute)
        for hours, until in (((11,), 12), ((10,), 11), ((10, 11), 12)):
            scraped = Scraped(
                summary=ScrapeSummary(),
                etag="",
                last_modified="",
                cursor={},
                moved_to="",
                pages_known=0,
                wishes=Wishes(skipped_hours=hours),
            )

            found = pace.rest(source=Source(tier="medium"), scraped=scraped, now=now).until

            # The next one is due from 54 minutes on, and after an hour at the latest.
            is_concerned = any((now + timedelta(minutes=after)).hour in hours for after in (54, 60))
            assert found == (now.replace(hour=until, minute=0) if is_concerned else None)

    def test_are_read_from_the_feed(self, allowed, save):
        days = "".join(f"<day>{day}</day>" for day in ("Monday", "Sunday"))
        # Two hours: the first of them may begin meanwhile.
        hours = "".join(f"<hour>{(timezone.now().hour + later) % 24}</hour>" for later in (1, 2))
        channel = f"<skipHours>{hours}</skipHours><skipDays>{days}</skipDays>"
        allowed.routes["/feed"] = reply(rss(channel, item("One", "/one")))
        source = save("feed", "/feed", tier="medium", page_limit=0)

        scrape(source)

        source.refresh_from_db()
        assert source.rest_until is not None
        assert source.rest_until.minute == 0


class TestCrossSubmission:
    """A sitemap may name pages of another host whose robots.txt names the sitemap, and of no other."""

    @pytest.fixture
    def other(self, allowed, settings) -> Iterator[Website]:
        site = Website()
        site.start()
        settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": (allowed.host, site.host)}
        conf.get.cache_clear()
        yield site
        site.stop()

    def test_is_allowed_by_the_robots_of_the_other_host(self, allowed, other, save):
        other.routes["/robots.txt"] = reply(f"Sitemap: {allowed.url('/map')}\n", content_type="text/plain")
        other.routes["/two"] = reply(article("Two"))
        allowed.routes["/map"] = reply(sitemap((other.url("/two"), "")))

        assert counts(scrape(save("sitemap", "/map"))) == (1, 0, 0, 0, 0)

    @pytest.mark.parametrize("robots", ["", "Sitemap: http://elsewhere.example/map\n"])
    def test_is_not_allowed_by_anything_else(self, robots, allowed, other, save):
        other.routes["/robots.txt"] = reply(robots, content_type="text/plain")
        allowed.routes["/map"] = reply(sitemap((other.url("/two"), "")))

        summary = scrape(save("sitemap", "/map"))

        assert counts(summary) == (0, 0, 0, 1, 0)
        assert "unless the robots.txt of the other one names it" in summary.problems[0]
        assert other.asked("/two") == 0

    def test_works_for_an_index_on_a_host_of_its_own(self, allowed, other, save):
        index = content_of("silent-index-on-another-host.xml").replace(b"http://cdn.example", other.root.encode())
        allowed.routes["/index"] = reply(index)
        other.routes["/s1.xml"] = reply(sitemap((allowed.url("/one"), "")))
        allowed.routes["/one"] = reply(article("One"))

        assert counts(scrape(save("sitemap", "/index"))) == (1, 0, 0, 0, 0)


class TestInputs:
    """The small inputs that only show over several requests."""

    def test_pages_under_www_belong_to_the_site(self, db):
        from openlearn.scraping import addresses

        names = content_of("silent-pages-under-www.xml").decode()

        assert "http://www.learn.example/1" in names
        assert addresses.same_site("http://www.learn.example/1", "http://learn.example/sitemap.xml")

    def test_a_site_that_moves_to_https_keeps_its_documents(self, allowed, save):
        allowed.routes["/feed"] = reply(content_of("identity-http-then-https-1.xml"))
        source = save("feed", "/feed", page_limit=0)
        scrape(source)
        allowed.routes["/feed"] = reply(content_of("identity-http-then-https-2.xml"))

        scrape(source)

        assert sorted(Document.objects.values_list("url", flat=True)) == [
            f"https://learn.example/l/{number}" for number in (1, 2)
        ]

    def test_pages_get_their_turn_whatever_the_time_of_asking_says(self, allowed, save):
        for number in range(6):
            allowed.routes[f"/p/{number}"] = reply(article(f"Page {number}"))
        source = save("sitemap", "/map", page_limit=2)

        for turn in range(6):
            name = f"starving-lastmod-is-the-time-of-asking-{turn % 2 + 1}.xml"
            allowed.routes["/map"] = reply(local(name, allowed))
            scrape(source)

        assert [allowed.asked(f"/p/{number}") for number in range(6)] == [2] * 6


class TestAPrivateAuthority:
    @pytest.fixture
    def site(self, settings, tmp_path: Path, db) -> Iterator[Website]:
        files = make_certificates(tmp_path)
        site = Website(certificate=files.server)
        site.routes["/page"] = reply(article("Inside"))
        site.start()
        settings.SCRAPING = {"ROBOTS_SECONDS": 0.0, "REQUEST_SECONDS": 60.0}
        settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": (site.host,)}
        conf.get.cache_clear()
        yield site
        site.stop()
        conf.get.cache_clear()

    def save(self, site: Website) -> Source:
        source = Source(name="Inside", kind="page", url=site.url("/page"))
        services.save_source(source=source)
        return source

    def test_is_trusted_where_the_setting_names_it(self, site, settings, tmp_path: Path):
        settings.SCHEDULER = {**settings.SCHEDULER, "CA_FILE": str(tmp_path / "authority.pem")}
        conf.get.cache_clear()

        assert counts(scrape(self.save(site))) == (1, 0, 0, 0, 0)

    def test_is_not_trusted_otherwise(self, site):
        source = self.save(site)

        with pytest.raises(ScrapingError, match="CA_FILE"):
            scrape(source)

        assert not Page.objects.exclude(body_hash="").exists()

    def test_that_cannot_be_read_is_reported_with_its_file(self, site, settings, tmp_path: Path):
        (tmp_path / "bad.pem").write_text("no certificate")
        settings.SCHEDULER = {**settings.SCHEDULER, "CA_FILE": str(tmp_path / "bad.pem")}
        conf.get.cache_clear()
        source = self.save(site)

        with pytest.raises((Misconfigured, ScrapingError), match=r"bad\.pem"):
            scrape(source)


class TestAnswers:
    @pytest.mark.parametrize("status", [203, 226])
    def test_that_carry_content_under_another_status_are_read(self, status, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")), status=status)

        assert counts(scrape(save("feed", "/feed", page_limit=0))) == (1, 0, 0, 0, 0)

    @pytest.mark.parametrize(("length", "is_kept"), [(255, True), (1_000, True), (1_001, False)])
    def test_have_their_etag_kept_whole_or_not_at_all(self, length, is_kept, allowed, save):
        etag = '"' + "e" * (length - 2) + '"'
        allowed.routes["/feed"] = reply(rss(item("One", "/one")), ETag=etag)
        source = save("feed", "/feed", page_limit=0)
        scrape(source)

        scrape(source)

        sent = [headers.get("if-none-match") for path, headers in allowed.requests if path == "/feed"]
        assert sent == [None, etag if is_kept else None]

    def test_of_304_that_were_not_asked_for_are_reported(self, allowed, save):
        allowed.routes["/feed"] = reply(status=304)
        source = save("feed", "/feed")

        with pytest.raises(ScrapingError, match="its cache is at fault"):
            scrape(source)
