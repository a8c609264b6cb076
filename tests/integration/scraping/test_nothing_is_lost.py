"""What sites do that once made pages, entries or whole sources disappear under a green run."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from openlearn.scraping import errors, sentences, services
from openlearn.scraping.fetching import access, politeness
from openlearn.scraping.models import Document, Listing, Page, Source
from scheduler import conf
from scheduler.services import jobs
from tests.integration.scraping.scrapes import counts, scrape
from tests.websites import article, item, reply, reply_if_changed, rss, sitemap


def scrapes(source, times):
    return [scrape(source) for _ in range(times)]


class TestTurns:
    """Every page of every source gets its turn, whatever dates a site claims."""

    def test_are_fair_when_each_answer_says_that_every_page_changed(self, allowed, save):
        pages = [f"/p/{number}" for number in range(6)]
        for page in pages:
            allowed.routes[page] = reply(article(page))
        source = save("sitemap", "/map", page_limit=2)
        for hour in range(6):
            allowed.routes["/map"] = reply(sitemap(*((page, f"2025-09-01T{hour:02}:00:00Z") for page in pages)))
            scrape(source)

        assert [allowed.asked(page) for page in pages] == [2] * 6

    def test_are_fair_for_entries_of_a_feed(self, allowed, save):
        pages = [f"/p/{number}" for number in range(6)]
        for page in pages:
            allowed.routes[page] = reply(article(page))
        source = save("feed", "/feed", page_limit=2)
        for hour in range(6):
            allowed.routes["/feed"] = reply(rss(*(item(f"{page} at {hour}", page) for page in pages)))
            scrape(source)

        assert [allowed.asked(page) for page in pages] == [2] * 6

    def test_come_for_pages_of_which_nothing_is_known_without_a_write(self, allowed, save):
        pages = [f"/p/{number}" for number in range(6)]
        for page in pages:
            allowed.routes[page] = reply_if_changed(article(page), etag=f'"{page}"')
        allowed.routes["/map"] = reply(sitemap(*((page, "") for page in pages)))
        source = save("sitemap", "/map", page_limit=2)
        scrapes(source, 3)
        allowed.requests.clear()

        scrapes(source, 6)

        assert [allowed.asked(page) for page in pages] == [2] * 6


class TestAnIndex:
    def test_of_many_sitemaps_is_read_in_turns(self, allowed, save, settings):
        settings.SCRAPING = {**settings.SCRAPING, "LISTING_LIMIT": 4}
        names = [f"/s/{number}.xml" for number in range(10)]
        places = "".join(f"<sitemap><loc>{name}</loc></sitemap>" for name in names)
        allowed.routes["/map"] = reply(f"<sitemapindex>{places}</sitemapindex>")
        for number, name in enumerate(names):
            allowed.routes[name] = reply(sitemap((f"/p/{number}", "")))
        source = save("sitemap", "/map", page_limit=0)

        first, second, third = scrapes(source, 3)

        assert [found.listings_left for found in (first, second, third)] == [6, 2, 0]
        assert "6 sitemaps of the index wait for their turn" in first.problems[0]
        assert [allowed.asked(name) for name in names[2:]] == [1] * 8
        assert Page.objects.count() == 10

    def test_asks_again_for_a_part_that_could_not_be_read(self, allowed, save):
        allowed.routes["/map"] = reply("<sitemapindex><sitemap><loc>/a.xml</loc></sitemap></sitemapindex>")
        allowed.routes["/a.xml"] = reply(status=500)
        source = save("sitemap", "/map")

        assert scrape(source).failed == 1
        listing = Listing.objects.get()
        assert (listing.failures, listing.failure_code) == (1, "unexpected_status")
        allowed.routes["/a.xml"] = reply(sitemap(("/one", "")))
        allowed.routes["/one"] = reply(article("One"))
        Listing.objects.update(retry_at=None)

        assert scrape(source).new == 1

    def test_may_name_itself(self, allowed, save):
        allowed.routes["/map"] = reply("<sitemapindex><sitemap><loc>/map</loc></sitemap></sitemapindex>")

        assert counts(scrape(save("sitemap", "/map"))) == (0, 0, 0, 0, 0)

    def test_that_was_read_in_part_is_asked_for_as_a_whole_again(self, allowed, save):
        whole = sitemap(("/one", ""), ("/two", ""))
        allowed.routes["/map"] = reply(whole[: whole.index("</url><url>") + 6], ETag='"cut"')
        source = save("sitemap", "/map", page_limit=0)

        summary = scrape(source)

        source.refresh_from_db()
        assert "it ends in the middle" in summary.problems[0]
        assert (source.etag, Page.objects.count()) == ("", 1)

    def test_leaves_pages_of_other_hosts_out_with_a_sentence(self, allowed, save):
        others = (("http://10.0.0.1/two", ""), ("http://10.0.0.1/three", ""))
        allowed.routes["/map"] = reply(sitemap(("/one", ""), *others))
        allowed.routes["/one"] = reply(article("One"))

        summary = scrape(save("sitemap", "/map"))

        assert counts(summary) == (1, 0, 0, 2, 0)
        assert "2 pages on 10.0.0.1 are left out" in summary.problems[0]


class TestAFeed:
    def test_is_read_to_its_end_over_some_scrapes(self, allowed, save, settings):
        settings.SCRAPING = {**settings.SCRAPING, "FEED_ENTRIES": 10}
        allowed.routes["/feed"] = reply(rss(*(item(str(number), f"/{number}") for number in range(13))))
        source = save("feed", "/feed", page_limit=0)

        first, second = scrapes(source, 2)

        assert (first.new, second.new) == (10, 3)
        assert "3 further entries of the feed are read by the next scrapes" in first.problems[0]

    def test_is_followed_to_its_further_pages(self, allowed, save):
        def link(number):
            return f"<a:link xmlns:a='http://www.w3.org/2005/Atom' rel='next' href='/feed?page={number}'/>"

        allowed.routes["/feed"] = reply(rss(link(2), item("5", "/5"), item("4", "/4")))
        allowed.routes["/feed?page=2"] = reply(rss(link(3), item("3", "/3"), item("2", "/2")))
        allowed.routes["/feed?page=3"] = reply(rss(item("1", "/1")))
        source = save("feed", "/feed", page_limit=0)

        first, second = scrapes(source, 2)

        assert (first.new, second.new, second.unchanged) == (5, 0, 2)
        assert [allowed.asked(f"/feed?page={number}") for number in (2, 3)] == [1, 1]


class TestIdentity:
    def test_stays_when_links_move_to_https_and_www(self, allowed, save):
        host = allowed.host
        source = save("feed", "/feed", page_limit=0)
        for link in (f"http://{host}/l/1", f"https://{host}/l/1", f"https://{host}/l/1/", f"https://{host}/lesson/1"):
            allowed.routes["/feed"] = reply(rss(item("Lesson", link, guid="l-1")))
            scrape(source)

        assert [(page.url, page.guid) for page in Page.objects.all()] == [(f"https://{host}/lesson/1", "l-1")]
        assert Document.objects.get().url == f"https://{host}/lesson/1"

    def test_stays_without_a_guid_when_the_slash_at_the_end_goes(self, allowed, save):
        source = save("feed", "/feed", page_limit=0)
        for link in ("/l/1/", "/l/1"):
            allowed.routes["/feed"] = reply(rss(item("Lesson", link)))
            scrape(source)

        assert (Page.objects.count(), Document.objects.count()) == (1, 1)

    def test_of_entries_that_share_a_page_is_their_guid(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(*(item(f"Lecture {n}", "/course", guid=f"lec-{n}") for n in (1, 2, 3))))
        source = save("feed", "/feed")

        assert counts(scrape(source)) == (3, 0, 0, 0, 0)
        assert counts(scrape(source)) == (0, 0, 3, 0, 0)
        assert (Document.objects.count(), allowed.asked("/course")) == (3, 0)

    def test_is_the_address_where_redirects_end(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/go?to=1", guid="1")))
        allowed.routes["/go?to=1"] = reply(status=302, Location="/lessons/one")
        allowed.routes["/lessons/one"] = reply(article("One"))
        source = save("feed", "/feed")
        scrape(source)
        services.extract_documents()

        assert Document.objects.get().url == allowed.url("/lessons/one")
        assert counts(scrape(source)) == (0, 0, 1, 0, 0)

    def test_is_not_the_front_page_where_what_is_gone_is_redirected(self, allowed, save):
        allowed.routes["/map"] = reply(sitemap(("/lessons/one", ""), ("/lessons/two", "")))
        for name in ("one", "two"):
            allowed.routes[f"/lessons/{name}"] = reply(status=302, Location="/")
        allowed.routes["/"] = reply(article("Welcome"))
        source = save("sitemap", "/map")

        with pytest.raises(errors.MostPagesFail):
            scrape(source)

        assert set(Page.objects.values_list("failure_code", flat=True)) == {"not_for_indexing"}
        assert not Document.objects.exists()

    def test_is_not_the_canonical_link_of_a_template(self, allowed, save):
        head = '<link rel="canonical" href="/course">'
        allowed.routes["/map"] = reply(sitemap(("/a", ""), ("/b", ""), ("/c", "")))
        for name in "abc":
            words = f"Lesson {name} is about {name * 5} and nothing but {name * 7}. " * 30
            allowed.routes[f"/{name}"] = reply(article(f"Lesson {name}", text=words, head=head))
        scrape(save("sitemap", "/map"))
        services.extract_documents()

        assert Document.objects.count() == 3

    def test_of_copies_is_the_first_one(self, allowed, save):
        words = " ".join(f"word{number}" for number in range(300)) + ". "
        allowed.routes["/map"] = reply(sitemap(("/a", ""), ("/b", "")))
        allowed.routes["/a"] = reply(article("A", text=words))
        allowed.routes["/b"] = reply(article("B", text=words + "One more sentence."))
        scrape(save("sitemap", "/map"))
        services.extract_documents()

        first, second = Document.objects.order_by("pk")
        assert (first.duplicate_of, second.duplicate_of) == (None, first)


class TestASourceMostOfWhosePagesFail:
    def test_is_not_fine(self, allowed, save):
        allowed.routes["/map"] = reply(sitemap(("/a", ""), ("/b", ""), ("/c", "")))
        allowed.routes["/c"] = reply(article("C"))
        source = save("sitemap", "/map")

        for _ in range(2):
            with pytest.raises(errors.MostPagesFail, match="2 of 3 pages cannot be fetched"):
                scrape(source)

        source.refresh_from_db()
        assert (source.consecutive_failures, source.pages_failing, source.last_success_at) == (2, 2, None)
        for name in "ab":
            allowed.routes[f"/{name}"] = reply(article(name))
        assert services.retry_pages(pages=Page.objects.all()) == 2
        assert scrape(source).failing == 0
        source.refresh_from_db()
        assert (source.consecutive_failures, source.last_error) == (0, "")

    def test_is_fine_once_it_wants_no_pages(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")))
        source = save("feed", "/feed")
        with pytest.raises(errors.MostPagesFail):
            scrape(source)
        Source.objects.update(page_limit=0)

        assert counts(scrape(source)) == (0, 0, 1, 0, 0)


class TestAHost:
    def test_of_a_page_that_asks_to_wait_does_not_stop_a_source_elsewhere(self, allowed, save, settings):
        other = allowed.root.replace("127.0.0.1", "localhost")
        allowed.routes["/feed"] = reply(rss(item("One", f"{other}/one"), item("Two", "/two")))
        allowed.routes["/two"] = reply(article("Two"))
        politeness.close(host=other.removeprefix("http://"), until_at=timezone.now() + timedelta(hours=1))
        settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": (allowed.host, other.removeprefix("http://"))}
        conf.get.cache_clear()
        source = save("feed", "/feed")

        summary = scrape(source)

        assert (summary.pages, summary.pages_left, summary.retry_not_before) == (1, 1, None)
        assert allowed.asked("/one") == 0

    def test_that_asks_to_wait_is_left_alone_by_all_its_sources(self, allowed, save):
        first, second = save("feed", "/a"), save("feed", "/b")
        allowed.routes["/a"] = reply(status=429, Retry_After="600")
        allowed.routes["/b"] = reply(rss())

        with pytest.raises(errors.AskedToWait):
            scrape(first)
        with pytest.raises(errors.HostIsClosed, match="asks for no requests until"):
            scrape(second)

        assert allowed.asked("/b") == 0


class TestAPermanentRedirect:
    def test_is_told_and_taken_over_on_request(self, allowed, save):
        allowed.routes["/old"] = reply(status=301, Location="/new")
        allowed.routes["/new"] = reply(rss(item("One", "/one")))
        source = save("feed", "/old", page_limit=0)

        summary = scrape(source)
        source.refresh_from_db()
        assert (source.url, source.moved_to) == (allowed.url("/old"), allowed.url("/new"))
        assert "moved permanently to" in summary.problems[0]

        services.take_new_address(source=source)
        source.refresh_from_db()
        assert (source.url, source.moved_to) == (allowed.url("/new"), "")
        assert counts(scrape(source)) == (0, 0, 1, 0, 0)

    def test_is_not_told_of_one_that_is_not_for_good(self, allowed, save):
        allowed.routes["/old"] = reply(status=302, Location="/new")
        allowed.routes["/new"] = reply(rss())
        source = save("feed", "/old")

        assert scrape(source).problems == ()

    def test_does_not_make_two_sources_of_one_address(self, allowed, save):
        save("feed", "/new")
        source = save("feed", "/old")
        Source.objects.filter(pk=source.pk).update(moved_to=allowed.url("/new"))

        with pytest.raises(errors.AddressTaken):
            services.take_new_address(source=source)


class TestAccess:
    def test_is_sent_to_the_origin_of_the_source_only(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")))
        allowed.routes["/one"] = reply(article("One"))
        source = save("feed", "/feed")
        source.username = "ada"
        access.set_password(source, "secret")
        access.set_headers(source, access.read_headers("X-Key: 42\n"))
        source.save()
        scrape(source)

        sent = dict(allowed.requests)
        expected = "Basic " + base64.b64encode(b"ada:secret").decode()
        assert {sent[path]["authorization"] for path in ("/feed", "/one")} == {expected}
        assert sent["/one"]["x-key"] == "42"
        assert "authorization" not in sent["/robots.txt"]
        assert "secret" not in str(Source.objects.values_list("access", "username").get())

    @pytest.mark.parametrize("line", ["no colon", "host: x", "x-a: ü", "a b: c", "user-agent: other"])
    def test_is_read_strictly(self, line):
        with pytest.raises(ValueError, match=line.partition(":")[0]):
            access.read_headers(line)


class TestAnAgreement:
    def test_opens_what_robots_close(self, allowed, save):
        allowed.routes["/robots.txt"] = reply("User-agent: *\nDisallow: /\n")
        allowed.routes["/feed"] = reply(rss())

        source = save("feed", "/feed", robots_agreement="A. Owner, by letter of 2026-10-01")

        assert counts(scrape(source)) == (0, 0, 0, 0, 0)


class TestPace:
    def test_is_what_the_feed_wants(self, allowed, save):
        allowed.routes["/feed"] = reply(rss("<ttl>600</ttl>"))
        source = save("feed", "/feed")
        scrape(source)
        asked = allowed.asked("/feed")

        summary = scrape(source)

        assert summary.rest_until > timezone.now() + timedelta(hours=8)
        assert "asks to be read later" in summary.problems[0]
        assert allowed.asked("/feed") == asked
        services.scrape_now(source=source)
        source.refresh_from_db()
        assert source.rest_until is None

    def test_is_learned_within_the_tier_and_given_back_by_a_change(self, allowed, save):
        allowed.routes["/feed"] = reply(rss(item("One", "/one")))
        source = save("feed", "/feed", tier="high", page_limit=0, learns_pace=True)
        learned = []
        for _ in range(7):
            scrape(source)
            source.refresh_from_db()
            learned.append(source.quiet_seconds)
            Source.objects.update(rest_until=None)
        allowed.routes["/feed"] = reply(rss(item("Two", "/two")))
        scrape(source)
        source.refresh_from_db()

        assert learned == [900, 1350, 2025, 3037, 3600, 3600, 3600]
        assert (source.quiet_seconds, source.rest_until) == (900, None)


class TestPdf:
    def test_gives_its_text(self, allowed, save):
        allowed.routes["/map"] = reply(sitemap(("/notes.pdf", "")))
        allowed.routes["/notes.pdf"] = reply(pdf("Counting without gaps"), content_type="application/pdf")

        assert counts(scrape(save("sitemap", "/map"))) == (1, 0, 0, 0, 0)
        assert services.extract_documents().new == 1
        document = Document.objects.get()
        assert (document.title, document.text) == ("notes.pdf", "Counting without gaps")

    def test_that_is_damaged_says_so(self, allowed, save):
        allowed.routes["/map"] = reply(sitemap(("/notes.pdf", "")))
        allowed.routes["/notes.pdf"] = reply(b"%PDF-1.7 nothing", content_type="application/pdf")
        scrape(save("sitemap", "/map"))

        assert services.extract_documents().failed == 1
        assert "cannot be read" in str(sentences.from_data(Page.objects.get().extraction_problem))


class TestARepository:
    def answer(self, *records, token=""):
        end = f"<resumptionToken>{token}</resumptionToken>" if token else ""
        return reply(
            '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'
            f"{''.join(records)}{end}</ListRecords></OAI-PMH>",
            content_type="text/xml",
        )

    def record(self, number, *, deleted=False):
        status = ' status="deleted"' if deleted else ""
        metadata = (
            '<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book {number}</dc:title>'
            "<dc:creator>Ada</dc:creator>"
            f"<dc:date>2024-05</dc:date><dc:language>en</dc:language><dc:identifier>/book/{number}</dc:identifier>"
            f"<dc:identifier>http://books.test/{number}</dc:identifier></oai_dc:dc></metadata>"
        )
        header = f"<header{status}><identifier>oai:r:{number}</identifier><datestamp>2025-01-01</datestamp></header>"
        return f"<record>{header}{'' if deleted else metadata}</record>"

    def since(self, allowed, begun, answer):
        """Answer like this from the day of a harvest that began then; midnight may have come meanwhile."""
        for day in {begun.date(), timezone.now().date()}:
            allowed.routes[f"/oai?verb=ListRecords&metadataPrefix=oai_dc&from={day}"] = answer

    def test_is_harvested_page_by_page_and_then_from_the_day_of_the_last_harvest(self, allowed, save):
        start = "/oai?verb=ListRecords&metadataPrefix=oai_dc"
        allowed.routes[start] = self.answer(self.record(1), token="a/b")
        allowed.routes["/oai?verb=ListRecords&resumptionToken=a%2Fb"] = self.answer(self.record(2), self.record(3))
        source = save("oai", "/oai", page_limit=0)

        begun = timezone.now()
        assert counts(scrape(source)) == (3, 0, 0, 0, 0)
        document = Document.objects.get(url="http://books.test/1")
        assert (document.title, document.authors, document.language) == ("Book 1", ["Ada"], "en")
        assert document.published_at == datetime(2024, 5, 1, tzinfo=UTC)

        self.since(allowed, begun, self.answer(self.record(1), self.record(2, deleted=True)))
        summary = scrape(source)
        assert (summary.unchanged, summary.deleted) == (1, 1)
        assert Document.objects.exclude(withdrawn_at=None).get().url == "http://books.test/2"

    def test_whose_record_was_deleted_stays_withdrawn_when_its_page_is_read_later(self, allowed, save):
        start = "/oai?verb=ListRecords&metadataPrefix=oai_dc"
        record = self.record(1).replace("http://books.test/1", allowed.url("/book"))
        allowed.routes["/book"] = reply(article("Book"))
        allowed.routes[start] = self.answer(record)
        source = save("oai", "/oai")
        begun = timezone.now()
        scrape(source)
        self.since(allowed, begun, self.answer(self.record(1, deleted=True)))
        scrape(source)

        services.extract_documents()

        document = Document.objects.get()
        assert document.withdrawn_at is not None
        assert "explained here" in document.text
        self.since(allowed, begun, self.answer(record))
        scrape(source)
        document.refresh_from_db()
        assert document.withdrawn_at is None

    def test_is_continued_by_the_next_scrape(self, allowed, save, settings):
        settings.SCRAPING = {**settings.SCRAPING, "LISTING_LIMIT": 0}
        allowed.routes["/oai?verb=ListRecords&metadataPrefix=oai_dc"] = self.answer(self.record(1), token="t")
        allowed.routes["/oai?verb=ListRecords&resumptionToken=t"] = self.answer(self.record(2))
        source = save("oai", "/oai", page_limit=0)

        first, second = scrapes(source, 2)

        assert (first.new, first.listings_left, second.new, second.listings_left) == (1, 1, 1, 0)

    @pytest.mark.parametrize(("code", "number"), [("noRecordsMatch", 0), ("badResumptionToken", 1), ("badVerb", 1)])
    def test_may_answer_with_an_error(self, allowed, save, code, number):
        allowed.routes["/oai?verb=ListRecords&metadataPrefix=oai_dc"] = reply(
            f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><error code="{code}">No.</error></OAI-PMH>'
        )
        source = save("oai", "/oai")

        if number:
            with pytest.raises(errors.MalformedRepository):
                scrape(source)
        else:
            assert counts(scrape(source)) == (0, 0, 0, 0, 0)

    def test_keeps_a_job_of_its_own(self, allowed, save):
        source = save("oai", "/oai")

        assert jobs.run_now(job=services.sources.job_of(source)).job_id == source.job_id


def pdf(words: str) -> bytes:
    """The smallest PDF with a line of text."""
    stream = f"BT /F1 12 Tf 10 100 Td ({words}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
