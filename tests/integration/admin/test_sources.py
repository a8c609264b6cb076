from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from openlearn.scraping.models import Document, Page, Source
from scheduler.admin import addresses
from scheduler.models import Job, Run
from scheduler.services import jobs, templates
from tests.integration.admin.sources import SOURCES, add_source
from tests.waiting import keep_to_one

DOCUMENTS = reverse("admin:scraping_document_changelist")


def act(client: Client, *sources: Source, **answer: str) -> Any:
    ids = [str(source.pk) for source in sources]
    return client.post(SOURCES, {"action": "scrape_now", "_selected_action": ids, **answer})


class TestSources:
    def test_show_health_and_next_scrape_with_a_link_to_the_job(self, client: Client) -> None:
        fine, failing, paused, lost = (add_source(name) for name in ("fine", "failing", "paused", "lost"))
        Source.objects.filter(pk=failing.pk).update(consecutive_failures=3, last_error="403 <b>\nmore")
        jobs.pause(job=Job.objects.get(pk=paused.job_id), reason="410 Gone")
        Job.objects.get(pk=lost.job_id).delete()

        text = client.get(SOURCES).content.decode()

        for part in (addresses.job(fine.job_id), "×3", "403 &lt;b&gt;", "410 Gone", "It has no job"):
            assert part in text
        assert "more" not in text.partition("403")[2].partition("</td>")[0]

    def test_take_as_many_queries_as_one(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for number in range(20):
            add_source(f"s{number}")

        with django_assert_max_num_queries(8):
            client.get(SOURCES)

    def test_are_scraped_now_once_somebody_said_yes(self, client: Client) -> None:
        source = add_source()

        asked = act(client, source)
        assert ("Scrape these sources now?" in asked.content.decode(), Run.objects.count()) == (True, 0)
        act(client, source, confirmed="once")
        act(client, source, confirmed="once")

        assert Run.objects.get().requested_by == "anna"

    @pytest.mark.parametrize(("permission", "runs"), [("run_job", 1), ("pause_job", 0)])
    def test_are_scraped_by_those_who_may_run_jobs(self, db: None, permission: str, runs: int) -> None:
        user = User.objects.create_user("ben", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=("view_source", permission)))
        client = Client()
        client.force_login(user)

        act(client, add_source(), confirmed=uuid4().hex)

        assert Run.objects.count() == runs

    def test_say_how_often_their_job_has_it(self, client: Client) -> None:
        add_source(interval_seconds=90, tier="high")

        text = client.get(SOURCES).content.decode()

        assert "every 90 seconds" in text
        assert "every 15 minutes" not in text.partition('id="result_list"')[2].partition("</table>")[0]

    def test_name_the_interval_that_the_tier_has_today(self, client: Client) -> None:
        newest = templates.current(slug="scrape-high")
        parameters = [each | ({"default": 1200} if each["name"] == "seconds" else {}) for each in newest.parameters]
        templates.add_version(template=newest.template, parameters=parameters, body=newest.body)

        for page in ("admin:scraping_source_add", "admin:scraping_source_import"):
            text = client.get(reverse(page)).content.decode()
            assert "high: every 20 minutes" in text
            assert "low: every 6 hours" in text

    def test_name_a_tier_alone_whose_template_is_gone(self, client: Client) -> None:
        newest = templates.current(slug="scrape-high")
        templates.add_version(template=newest.template, body={"task": "sample.nothing", "trigger": "0 5 * * *"})

        text = client.get(reverse("admin:scraping_source_add")).content.decode()

        assert ">high</option>" in text

    def test_link_to_their_job_and_to_what_it_brought(self, client: Client) -> None:
        source = add_source()

        text = client.get(reverse("admin:scraping_source_change", args=[source.pk])).content.decode()

        assert addresses.job(source.job_id) in text
        assert f"{DOCUMENTS}?source__id__exact={source.pk}" in text

    def test_ask_a_newcomer_only_for_what_it_can_know(self, client: Client) -> None:
        text = client.get(reverse("admin:scraping_source_add")).content.decode()

        assert "Saving creates a job that scrapes it." in text
        assert "Consecutive failures" not in text


class TestDocuments:
    def test_are_found_by_a_part_of_their_summary_and_shown_as_text(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        now = timezone.now()
        source = add_source()
        for number in range(20):
            Document.objects.create(
                source=source if number % 2 else None,
                url=f"https://example.org/{number}",
                title="<script>alert(1)</script>",
                summary="of whales" if number == 3 else "of ships",
                first_seen_at=now,
                changed_at=now,
            )

        with django_assert_max_num_queries(8):
            everything = client.get(DOCUMENTS).content.decode()
        found = client.get(DOCUMENTS, {"q": "whales"}).content.decode()

        assert "&lt;script&gt;alert(1)" in everything
        assert "<script>alert(1)" not in everything
        assert "https://example.org/3" in found
        assert "https://example.org/4" not in found

    def test_have_a_page_that_says_names_and_times_in_words(self, client: Client) -> None:
        keep_to_one(timedelta(days=1))
        now = timezone.now()
        values = {"first_seen_at": now, "changed_at": now, "authors": ["Ada <b>", "Grace"]}
        document = Document.objects.create(url="https://example.org/1", title="Engines", **values)

        text = client.get(reverse("admin:scraping_document_change", args=[document.pk])).text

        assert "Ada &lt;b&gt;, Grace" in text
        assert "today " in text


class TestPages:
    def test_say_whether_they_wait_and_who_named_them(self, client: Client) -> None:
        source = add_source("Planet")
        for address, waits in (("https://example.org/a", True), ("https://example.org/b", False)):
            Page.objects.create(source=source, url=address, is_due=waits)

        shown = client.get(reverse("admin:scraping_page_changelist")).text

        rows = [row for row in shown.split("<tr") if "https://example.org/" in row]
        assert [("Planet" in row, ">yes<" in row, ">no<" in row) for row in rows] == [
            (True, False, True),
            (True, True, False),
        ]
