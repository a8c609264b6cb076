"""The form, the lists and the health of sources in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from openlearn.scraping import sentences, services
from openlearn.scraping.errors import UnexpectedStatus
from openlearn.scraping.fetching import access
from openlearn.scraping.models import Document, Page, Source
from scheduler.models import Job, Run
from tests.crawling import read
from tests.integration.admin.sources import SOURCES, add_source

ADD = reverse("admin:scraping_source_add")
PAGES = reverse("admin:scraping_page_changelist")


def answers(**values: str) -> dict[str, str]:
    given = {"name": "Planet", "url": "https://example.org/feed", "kind": "feed", "tier": "low", "page_limit": "10"}
    return given | values


def errors_of(response: Any) -> dict[str, Any]:
    return dict(response.context["adminform"].form.errors)


class TestTheForm:
    @pytest.mark.parametrize(
        ("typed", "seconds"), [("45 min", 2700), ("2h", 7200), ("1 d", 86400), ("1 h 30 min", 5400), ("90", 90)]
    )
    def test_reads_durations_as_people_write_them(self, client: Client, typed: str, seconds: int) -> None:
        client.post(ADD, answers(interval_seconds=typed))

        source = Source.objects.get()
        assert source.interval_seconds == seconds
        page = client.get(reverse("admin:scraping_source_change", args=[source.pk])).content.decode()
        assert 'value="45 min"' in page or seconds != 2700

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"interval_seconds": "soon"}, "interval_seconds"),
            ({"interval_seconds": "1 s"}, "interval_seconds"),
            ({"url": "http://10.0.0.1/feed"}, "url"),
            ({"headers": "Host: other"}, "headers"),
            ({"headers": "nonsense"}, "headers"),
        ],
    )
    def test_says_beside_the_field_what_no_scrape_could_use(
        self, client: Client, values: dict[str, str], field: str
    ) -> None:
        assert list(errors_of(client.post(ADD, answers(**values)))) == [field]
        assert not Source.objects.exists()

    def test_says_in_the_readers_language_why_an_address_is_refused(self, client: Client) -> None:
        client.cookies["django_language"] = "es"

        (problem,) = errors_of(client.post(ADD, answers(url="http://10.0.0.1/feed")))["url"]

        assert problem.startswith("Se rechaza 10.0.0.1: es una dirección privada.")

    def test_asks_for_the_first_scrape_at_once(self, client: Client) -> None:
        client.post(ADD, answers())

        assert Run.objects.get().job_id == Source.objects.get().job_id

    def test_keeps_access_data_that_it_never_shows(self, client: Client) -> None:
        client.post(ADD, answers(username="ada", password="opensesame", headers="X-Key: 4711"))
        source = Source.objects.get()
        place = reverse("admin:scraping_source_change", args=[source.pk])

        page = client.get(place).content.decode()
        client.post(place, answers(username="ada", page_limit="20"))
        source.refresh_from_db()

        assert "opensesame" not in page
        assert "4711" not in page
        assert (source.page_limit, access.headers_of(source)["x-key"]) == (20, "4711")
        client.post(place, answers(username="", forget_access="on"))
        source.refresh_from_db()
        assert access.headers_of(source) == {}

    def test_tests_a_source_without_saving_it(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        def examine(source: Source) -> services.Examination:
            asked.append(source.url)
            return services.Examination(is_fine=False, sentence="It is a page.", feeds=("https://example.org/rss",))

        monkeypatch.setattr(services, "examine", examine)

        response = client.post(ADD, answers(_test="1"))

        assert asked == ["https://example.org/feed"]
        assert [str(message) for message in response.context["messages"]] == [
            "It is a page.",
            "feeds: https://example.org/rss",
        ]
        assert not Source.objects.exists()


class TestTheList:
    def test_says_what_is_not_fine_with_a_source_that_is(self, client: Client) -> None:
        source = add_source()
        Source.objects.filter(pk=source.pk).update(pages_failing=2, pages_known=9)

        assert "2 of 9 pages fail" in client.get(SOURCES).content.decode()

    def test_pauses(self, client: Client) -> None:
        source = add_source()

        client.post(SOURCES, {"action": "pause", "_selected_action": [source.pk]})

        assert Job.objects.get(pk=source.job_id).state == "paused"

    def test_takes_new_addresses_over(self, client: Client) -> None:
        source = add_source()
        Source.objects.filter(pk=source.pk).update(moved_to="https://example.org/new")

        client.post(SOURCES, {"action": "take_new_address", "_selected_action": [source.pk]})

        source.refresh_from_db()
        assert source.url == "https://example.org/new"


class TestPages:
    def failing(self) -> Page:
        error = UnexpectedStatus(url="https://example.org/a", status_code=500)
        return Page.objects.create(
            source=add_source("Broken"),
            url="https://example.org/a",
            failures=3,
            failure_code=error.code,
            failure=sentences.as_data(error.message),
            last_error=str(error),
            retry_at=timezone.now(),
        )

    def test_that_fail_are_found_with_the_reason(self, client: Client) -> None:
        page = self.failing()
        Page.objects.create(source=page.source, url="https://example.org/fine")

        shown = client.get(PAGES, {"failing": "yes"}).content.decode()

        assert "answered with status 500" in shown
        assert "https://example.org/fine" not in shown

    def test_say_the_reason_in_the_language_of_the_reader(self, client: Client) -> None:
        self.failing()

        shown = client.get(PAGES, headers={"Accept-Language": "es"}).content.decode()

        assert "respondió con el estado 500" in shown

    def test_that_fail_are_tried_again(self, client: Client) -> None:
        page = self.failing()

        client.post(PAGES, {"action": "try_again", "_selected_action": [page.pk]})

        page.refresh_from_db()
        assert (page.retry_at, page.failures) == (None, 3)

    def test_show_one_page_with_its_links(self, client: Client) -> None:
        page = self.failing()

        shown = client.get(reverse("admin:scraping_page_change", args=[page.pk])).content.decode()

        assert 'href="https://example.org/a"' in shown

    def test_make_no_link_of_another_scheme(self, client: Client) -> None:
        values = {"first_seen_at": timezone.now(), "changed_at": timezone.now(), "content_hash": "x"}
        document = Document.objects.create(url="javascript:alert(1)", **values)

        shown = client.get(reverse("admin:scraping_document_change", args=[document.pk])).content.decode()

        assert 'href="javascript' not in shown


class TestLists:
    OPML = (
        b'<?xml version="1.0"?><opml version="2.0"><body><outline text="Group">'
        b'<outline type="rss" text="One" xmlUrl="https://one.example/feed"/>'
        b'<outline type="rss" title="Two" xmlUrl="https://two.example/feed"/>'
        b'<outline type="rss" title="Again" xmlUrl="https://two.example/feed#x"/>'
        b'<outline type="rss" title="Bad" xmlUrl="javascript:alert(1)"/></outline></body></opml>'
    )

    def post(self, client: Client, content: bytes, **values: str) -> Any:
        file = SimpleUploadedFile("feeds.opml", content)
        return client.post(reverse("admin:scraping_source_import"), {"file": file, "tier": "low", **values})

    def test_come_and_go(self, client: Client) -> None:
        services.save_source(source=Source(name="One", url="http://www.one.example/feed"))

        self.post(client, self.OPML, paused="on")

        assert set(Source.objects.values_list("name", "tier")) == {("One", "medium"), ("Two", "low")}
        two = Source.objects.get(name="Two")
        assert (Job.objects.get(pk=two.job_id).state, Run.objects.count()) == ("paused", 0)
        exported = client.get(reverse("admin:scraping_source_export")).content
        assert b'xmlUrl="https://two.example/feed"' in exported

    @pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x00", b'<!DOCTYPE x [<!ENTITY a "b">]><rss/>'])
    def test_that_are_none_are_rejected(self, client: Client, content: bytes) -> None:
        response = self.post(client, content or b" ")

        assert "not a list of feeds" in response.content.decode()
        assert not Source.objects.exists()


class TestHealth:
    def test_counts_every_source_once(self, client: Client) -> None:
        for name, values in {
            "failing": {"consecutive_failures": 2, "pages_failing": 1},
            "partly": {"pages_failing": 1},
            "moved": {"moved_to": "https://example.org/x"},
            "new": {},
            "fine": {"last_success_at": timezone.now()},
        }.items():
            Source.objects.filter(pk=add_source(name).pk).update(**values)

        health = services.source_health()

        numbers = (health.failing, health.with_failing_pages, health.moved, health.never_scraped, health.fine)
        assert numbers == (1, 1, 1, 1, 1)
        assert [source.name for source in health.worst] == ["failing", "partly", "moved"]
        shown = client.get(reverse("admin:scraping_source_health")).content.decode()
        assert "Sources with trouble" in shown

    def test_says_in_words_what_is_wrong_and_leads_there(self, client: Client) -> None:
        source = add_source("Lessons")
        Source.objects.filter(pk=source.pk).update(moved_to="https://example.org/x")
        Page.objects.create(source=source, url="https://lessons.test/1", failures=1, failure_code="not_found")

        answer = client.get(reverse("admin:scraping_source_health"))
        shown = answer.content.decode()

        assert "Not found (404)" in shown
        assert "Moved permanently to https://example.org/x." in shown
        assert reverse("admin:scraping_source_changelist") in read(answer).addresses
        listed = client.get(reverse("admin:scraping_page_changelist"), {"failure_code": "not_found"})
        assert [page.url for page in listed.context["cl"].result_list] == ["https://lessons.test/1"]
        assert "Not found (404)" in listed.content.decode()
        others = client.get(reverse("admin:scraping_page_changelist"), {"failure_code": "gone"})
        assert not list(others.context["cl"].result_list)
