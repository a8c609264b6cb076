"""A job that is saved with the models: an edit that somebody else made since it was read is not overwritten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from scheduler.errors import StaleVersion
from scheduler.models import Change, Job
from scheduler.services import jobs
from tests.integration.services.nightly import again, daily, make

pytestmark = pytest.mark.django_db


class TestACopyThatIsOutOfDate:
    @pytest.mark.parametrize(
        "edit",
        [
            lambda: jobs.update(job="nightly", name="Renamed"),
            lambda: jobs.pause(job="nightly", actor="anna", reason="Too expensive"),
            lambda: Job.objects.filter(pk="nightly").update(name="Renamed"),
            lambda: Job.objects.filter(pk="nightly").update(trigger=daily(9)),
        ],
        ids=["service", "pause", "query", "trigger"],
    )
    @pytest.mark.parametrize("options", [{}, {"update_fields": ["description"]}], ids=["all", "named"])
    def test_is_not_saved(self, edit: Any, options: dict[str, Any]) -> None:
        make()
        mine = Job.objects.get(pk="nightly")
        edit()
        stored, changes = Job.objects.values().get(pk="nightly"), Change.objects.count()

        mine.description = "Mine"
        mine.next_run_time = timezone.now() + timedelta(days=9)
        with pytest.raises(
            StaleVersion, match=r"“nightly” was changed after it was read: it has version 2, yours is 1"
        ):
            mine.save(**options)

        assert Job.objects.values().get(pk="nightly") == stored
        assert Change.objects.count() == changes

    def test_is_saved_once_it_was_read_again(self) -> None:
        make()
        mine = Job.objects.get(pk="nightly")
        jobs.update(job="nightly", name="Renamed")

        mine.refresh_from_db()
        mine.description = "Mine"
        mine.save()

        assert (again(mine).name, again(mine).description, again(mine).version) == ("Renamed", "Mine", 3)

    def test_is_found_out_by_the_second_of_two_scripts(self) -> None:
        make()
        one, other = Job.objects.get(pk="nightly"), Job.objects.get(pk="nightly")
        one.name, other.description = "One's", "Other's"

        one.save()

        with pytest.raises(StaleVersion):
            other.save()
        assert again(one).name == "One's"

    def test_may_be_saved_again_and_again(self) -> None:
        mine = make()
        for priority in (1, 2, 3):
            mine.priority = priority
            mine.save()

        assert (again(mine).priority, again(mine).version) == (3, mine.version)

    def test_keeps_what_nodes_wrote_meanwhile(self) -> None:
        make()
        mine = Job.objects.get(pk="nightly")
        later = timezone.now() + timedelta(days=3)
        with connection.cursor() as cursor:  # as nodes do: without a new version
            cursor.execute("UPDATE django_apscheduler_djangojob SET next_run_time = %s", [later])
            cursor.execute(
                "UPDATE scheduler_job SET consecutive_failures = 4, state = 'paused', reason_code = 'failed'"
            )

        mine.description = "Mine"
        mine.save()

        found = again(mine)
        assert (found.next_run_time, found.consecutive_failures, found.state) == (later, 4, "paused")
        assert found.description == "Mine"

    def test_writes_what_its_caller_changed_of_it(self) -> None:
        mine = make()
        mine.consecutive_failures = 2
        mine.save()

        assert again(mine).consecutive_failures == 2

    def test_is_known_where_columns_were_left_out(self) -> None:
        make()
        mine = Job.objects.defer("version", "job_state").get(pk="nightly")
        mine.description = "Mine"
        mine.save(update_fields=["description"])

        assert again(mine).description == "Mine"


class TestAVersion:
    """The database gives it, whoever writes."""

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "x"},
            {"tags": ["x"]},
            {"trigger": daily(9)},
            {"kwargs": {"a": 1}},
            {"max_retries": 3},
            {"description": "x"},
            {"version": 0},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_is_raised_by_every_change_of_the_definition(self, change: dict[str, Any]) -> None:
        make()
        jobs.update(job="nightly", priority=3)

        Job.objects.update(**change)

        assert Job.objects.get().version == 3

    @pytest.mark.parametrize(
        "change",
        [
            {"consecutive_failures": 1},
            {"state": "broken", "reason_code": "x"},
            {"needs_inspection": True},
            {"name": "nightly"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_stays_where_nodes_write(self, change: dict[str, Any]) -> None:
        make()

        Job.objects.update(**change)

        assert Job.objects.get().version == 1

    def test_is_that_of_the_change_in_the_history(self) -> None:
        make()
        Job.objects.update(name="x")

        assert Change.objects.latest("id").version == Job.objects.get().version == 2

    def test_of_a_row_that_is_written_back_is_not_given_twice(self) -> None:
        make()
        jobs.update(job="nightly", trigger=daily(3))
        with connection.cursor() as cursor:
            cursor.execute('UPDATE scheduler_job SET version = 1, trigger = \'{"type": "interval", "minutes": 5}\'')

        found = Job.objects.get()
        assert (found.version, found.needs_inspection, found.needs_rescheduling) == (3, True, True)

    def test_does_not_end_at_its_largest(self) -> None:
        make()
        Job.objects.update(version=2**31 - 1)
        Job.objects.update(name="x")

        assert Job.objects.get().version == 2**31 - 1

    def test_has_a_trigger_rescheduled_that_follows_another_change(self) -> None:
        make()
        Job.objects.update(kwargs={})
        Job.objects.update(args=[1])
        Job.objects.update(trigger=daily(9))

        assert Job.objects.get().needs_rescheduling is True
