from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from openlearn.scraping import seeds, services
from openlearn.scraping.models import Document, Source
from scheduler.errors import JobNotFound
from scheduler.models import Job, Run
from scheduler.services import jobs

pytestmark = pytest.mark.django_db


def save(**fields) -> Source:
    source = Source(**{"name": "Lessons", "url": "https://lessons.test/feed"} | fields)
    services.save_source(source=source, actor="ada")
    return source


def seconds_between_runs(source) -> int:
    trigger = dict(Job.objects.get(pk=source.job_id).trigger)
    units = ("weeks", "days", "hours", "minutes", "seconds")
    return int(timedelta(**{unit: trigger[unit] for unit in units if unit in trigger}).total_seconds())


class TestSaveSource:
    @pytest.mark.parametrize(("tier", "minutes"), [("high", 15), ("medium", 60), ("low", 360)])
    def test_creates_a_job_at_the_pace_of_the_tier(self, tier, minutes):
        source = save(tier=tier)

        job = Job.objects.get(pk=source.job_id)
        assert (job.task, job.kwargs, job.created_by) == ("scraping.scrape_source", {"source_id": source.pk}, "ada")
        assert (job.executor, job.state) == ("default", "active")
        assert seconds_between_runs(source) == minutes * 60

    def test_takes_an_interval_before_the_tier(self):
        assert seconds_between_runs(save(tier="low", interval_seconds=7)) == 7

    def test_updates_the_job(self):
        source = save()
        source.name, source.tier = "Lessons of all kinds", "high"

        services.save_source(source=source)

        assert Job.objects.get(pk=source.job_id).name == "Scrape Lessons of all kinds"
        assert seconds_between_runs(source) == 900

    def test_leaves_the_job_alone_when_nothing_about_it_changed(self):
        source = save()
        before = Job.objects.values("version", "next_run_time").get(pk=source.job_id)
        source.page_limit = 7

        services.save_source(source=source)

        assert Job.objects.values("version", "next_run_time").get(pk=source.job_id) == before

    def test_leaves_a_paused_job_paused(self):
        source = save()
        jobs.pause(job=Job.objects.get(pk=source.job_id))
        source.tier = "high"

        services.save_source(source=source)

        assert Job.objects.get(pk=source.job_id).state == "paused"

    def test_forgets_what_another_address_said_about_itself(self):
        source = save()
        Source.objects.update(etag='"1"', consecutive_failures=3)
        source.refresh_from_db()
        source.url = "https://lessons.test/other"

        services.save_source(source=source)

        source.refresh_from_db()
        assert (source.etag, source.consecutive_failures) == ("", 0)

    def test_makes_sure_that_pages_get_extracted(self):
        save()

        job = Job.objects.get(pk=services.EXTRACT_JOB_ID)
        assert (job.task, job.executor) == ("scraping.extract_documents", "processpool")


class TestRemoveSource:
    def test_removes_its_job_and_keeps_its_documents(self, django_assert_max_num_queries):
        source = save()
        document = Document.objects.create(
            source=source,
            url="https://lessons.test/one",
            content_hash="x",
            first_seen_at=source.created_at,
            changed_at=source.created_at,
        )
        job_id = source.job_id

        services.remove_source(source=source)

        assert not Job.objects.filter(pk=job_id).exists()
        document.refresh_from_db()
        assert document.source is None

    def test_does_not_mind_that_the_job_is_gone(self):
        source = save()
        Job.objects.get(pk=source.job_id).delete()

        services.remove_source(source=source)

        assert not Source.objects.exists()


class TestScrapeNow:
    def test_queues_a_run(self):
        run = services.scrape_now(source=save(), actor="ada")

        assert (run.kind, run.requested_by) == ("manual", "ada")

    def test_says_when_there_is_no_job(self):
        source = save()
        Job.objects.get(pk=source.job_id).delete()

        with pytest.raises(JobNotFound, match="Save the source"):
            services.scrape_now(source=source)


class TestSeeds:
    def test_of_the_sample_site_may_be_planted_twice(self):
        first = seeds.seed_sample("http://127.0.0.1:8000")
        versions = list(Job.objects.order_by("pk").values_list("pk", "version"))

        assert seeds.seed_sample("http://127.0.0.1:8000/") == first
        assert list(Job.objects.order_by("pk").values_list("pk", "version")) == versions
        assert {source.kind for source in first} == {"feed", "sitemap", "page"}

    def test_of_the_sample_site_move_to_another_port(self):
        first = seeds.seed_sample("http://127.0.0.1:8000")

        seeds.seed_sample("http://127.0.0.1:9000")

        assert Source.objects.count() == len(first)
        assert all(":9000/" in url for url in Source.objects.values_list("url", flat=True))

    def test_of_public_sources_are_paused(self):
        new = seeds.seed_public_sources()

        assert len(new) >= 5
        assert set(Job.objects.filter(task="scraping.scrape_source").values_list("state", flat=True)) == {"paused"}
        assert seeds.seed_public_sources() == []


class TestTheAdmin:
    @pytest.fixture(autouse=True)
    def _sign_in(self, client):
        client.force_login(User.objects.create_superuser("ada", password="x"))

    def fields(self, **fields):
        return {
            "name": "Lessons",
            "url": "https://lessons.test/feed",
            "kind": "feed",
            "tier": "medium",
            "interval_seconds": "",
            "page_limit": "10",
        } | fields

    def test_creates_a_source_with_its_job(self, client):
        client.post(reverse("admin:scraping_source_add"), self.fields())

        job = Job.objects.get(pk=Source.objects.get().job_id)
        assert (job.source, job.created_by) == ("admin", "ada")

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://lessons.test/", "lessons"])
    def test_refuses_what_is_no_address(self, client, url):
        client.post(reverse("admin:scraping_source_add"), self.fields(url=url))

        assert not Source.objects.exists()

    @pytest.mark.parametrize(
        "fields",
        [{"name": "Les\u200bsons"}, {"name": "\u202esnosseL"}, {"url": "https://lessons.test/" + "课" * 700}],
    )
    def test_says_beside_the_field_what_cannot_be_kept(self, client, fields):
        answer = client.post(reverse("admin:scraping_source_add"), self.fields(**fields))

        assert list(answer.context["adminform"].form.errors) == list(fields)

    def test_deletes_a_source_with_its_job(self, client):
        source = save()

        client.post(reverse("admin:scraping_source_delete", args=[source.pk]), {"post": "yes"})

        assert not Job.objects.filter(pk=source.job_id).exists()

    def test_deletes_several_with_their_jobs(self, client):
        sources = [save(name=str(number), url=f"https://lessons.test/{number}") for number in range(2)]

        client.post(
            reverse("admin:scraping_source_changelist"),
            {"action": "delete_selected", "_selected_action": [source.pk for source in sources], "post": "yes"},
        )

        assert not Job.objects.filter(task="scraping.scrape_source").exists()

    def test_scrapes_now(self, client):
        source = save()

        client.post(
            reverse("admin:scraping_source_changelist"),
            {"action": "scrape_now", "_selected_action": [source.pk], "confirmed": "once"},
        )

        assert Run.objects.get().requested_by == "ada"

    @pytest.mark.parametrize("model", ["source", "document", "page"])
    def test_shows_its_lists(self, client, model):
        save()

        assert client.get(reverse(f"admin:scraping_{model}_changelist")).status_code == 200
