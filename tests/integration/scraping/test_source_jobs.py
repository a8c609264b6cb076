"""The jobs of sources are instances of the template of their tier, those of earlier releases too."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models.signals import post_migrate

from openlearn.scraping import services
from openlearn.scraping.models import Source
from openlearn.scraping.services import source_jobs
from scheduler.models import Change, Declaration, Job
from scheduler.services import declarations, installation, jobs, templates
from scheduler.services.templates import upgrades

pytestmark = pytest.mark.django_db


def save(**fields: Any) -> Source:
    source = Source(**{"name": "Lessons", "url": "https://lessons.test/feed", "tier": "medium"} | fields)
    services.save_source(source=source, actor="ada")
    return source


def legacy(**fields: Any) -> Source:
    """A source with its job as releases before templates made it."""
    source = Source(**{"name": "Old", "url": "https://old.test/feed", "tier": "medium"} | fields)
    source.save()
    jobs.create(
        id=source.job_id,
        task="scraping.scrape_source",
        name=f"Scrape {source.name}",
        description=f"Fetch {source.url} and store the documents that changed.",
        trigger={"type": "interval", "seconds": int(source.interval.total_seconds())},
        kwargs={"source_id": source.pk},
    )
    return source


def job_of(source: Source) -> Job:
    return Job.objects.get(pk=source.job_id)


def seconds(source: Source) -> int:
    """The interval of its job, in whatever units it is stored."""
    units = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
    return sum(units.get(name, 0) * value for name, value in job_of(source).trigger.items() if name in units)


def slow_down(tier: str, seconds: int) -> None:
    """Give the template of a tier a version with another interval, and its instances this version."""
    newest = templates.current(slug=f"scrape-{tier}")
    parameters = [each | ({"default": seconds} if each["name"] == "seconds" else {}) for each in newest.parameters]
    version = templates.add_version(template=newest.template, parameters=parameters, body=newest.body, actor="ada")
    assert not upgrades.apply(version=version).is_refused


class TestATier:
    def test_has_its_interval_in_one_place(self) -> None:
        one, two = save(), save(name="Notes", url="https://notes.test/feed")
        own, other = (
            save(name="Own", url="https://own.test/feed", interval_seconds=60),
            save(name="High", url="https://high.test/feed", tier="high"),
        )

        slow_down("medium", 7200)

        assert [seconds(each) for each in (one, two, own, other)] == [7200, 7200, 60, 900]
        assert one.interval.total_seconds() == 7200

    def test_keeps_its_interval_when_a_source_is_saved(self) -> None:
        source = save()
        slow_down("medium", 7200)

        source.name = "Renamed"
        services.save_source(source=source, actor="ada")

        assert (job_of(source).name, seconds(source)) == ("Scrape Renamed", 7200)

    def test_counts_for_a_source_that_is_moved_to_it(self) -> None:
        source = save()

        source.tier = "low"
        services.save_source(source=source, actor="ada")

        assert seconds(source) == 21_600
        assert Declaration.objects.get(job_key=source.job_id).template_version.template.slug == "scrape-low"

    def test_counts_again_when_a_source_gives_up_its_own_interval(self) -> None:
        source = save(interval_seconds=60)

        source.interval_seconds = None
        services.save_source(source=source, actor="ada")

        assert seconds(source) == 3600


class TestAnEarlierInstallation:
    def test_has_instances_after_migrate_and_loses_no_data(self) -> None:
        plain, own = legacy(), legacy(name="Own", url="https://own.test/feed", interval_seconds=77)
        edited = legacy(name="Edited", url="https://edited.test/feed")
        jobs.update(job=edited.job_id, priority=5, name="Mine", actor="ada")
        run = jobs.run_now(job=plain.job_id)
        before = {job.pk: (job.version, job.trigger, job.name, job.kwargs) for job in Job.objects.all()}
        changes = Change.objects.count()

        call_command("migrate", verbosity=0)

        assert {job.pk: (job.version, job.trigger, job.name, job.kwargs) for job in Job.objects.all()} == before
        assert Change.objects.count() == changes
        assert run.pk in job_of(plain).runs.values_list("pk", flat=True)
        sources = (plain, own, edited)
        known = Declaration.objects.filter(job_key__in=[each.job_id for each in sources])
        assert {row.template_version.template.slug for row in known} == {"scrape-medium"}
        assert known.count() == 3
        assert [each.field for each in declarations.drift(job=job_of(edited))] == ["name"]

    def test_follows_its_tier_afterwards_and_keeps_what_people_changed(self) -> None:
        plain, own = legacy(), legacy(name="Own", url="https://own.test/feed", interval_seconds=77)
        edited = legacy(name="Edited", url="https://edited.test/feed")
        jobs.update(job=edited.job_id, trigger={"type": "interval", "minutes": 5}, actor="ada")
        source_jobs.adopt_all()

        slow_down("medium", 7200)

        assert seconds(plain) == 7200
        assert seconds(own) == 77
        assert job_of(edited).trigger["minutes"] == 5

    def test_takes_over_each_job_once(self) -> None:
        legacy()

        assert (source_jobs.adopt_all(), source_jobs.adopt_all()) == (1, 0)

    def test_takes_over_a_job_when_its_source_is_saved(self) -> None:
        source = legacy()

        source.name = "New name"
        services.save_source(source=source, actor="ada")

        assert job_of(source).name == "Scrape New name"
        assert Declaration.objects.get(job_key=source.job_id).template_version is not None

    def test_is_left_alone_while_migrations_are_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = legacy()
        monkeypatch.setattr(installation, "missing_in", lambda **_given: ("scraping.0001_initial",))

        config = apps.get_app_config("scraping")
        post_migrate.send(sender=config, app_config=config, using="default", verbosity=0, interactive=False)

        assert not Declaration.objects.filter(job_key=source.job_id).exists()
