"""A long list of jobs: the same pages as if all were sorted, and no query that reads all jobs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from scheduler.core.health.standing import NotStarted
from scheduler.core.states import JobState
from scheduler.models import Job
from scheduler.services.jobs import conditions, long_lists
from scheduler.services.jobs.conditions import Criteria
from scheduler.services.jobs.long_lists import LongList
from scheduler.services.queries import job_queries
from tests.ledger import add_job

pytestmark = pytest.mark.django_db

NOW = timezone.now()
ORDERS = [
    ("severity", "name", "pk"),
    ("-severity", "-pk"),
    ("severity", "-pk"),
    ("name", "-pk"),
    ("next_run_time", "pk"),
]


_RARE: list[dict[str, Any]] = [
    {"due_at": None, "state": JobState.PAUSED, "consecutive_failures": 5, "pause_after_failures": 3},
    {"due_at": NOW + timedelta(hours=1)},
]
"""A job that was stopped, and one that is stalled."""


def add_jobs(number: int, *, seed: int) -> Criteria:
    """Write jobs of every condition in any order, and return by what they are told apart."""
    chance = random.Random(seed)  # noqa: S311 - it keeps no secret
    not_started = [NotStarted(job="job-001", since=None, fire_times=3)]
    for place in range(number):
        id = f"job-{place:03}"
        if place < len(_RARE):
            add_job(id, name=f"{id} of rare ones", **_RARE[place])
            continue
        state = chance.choice([*JobState, "newer", JobState.ACTIVE, JobState.ACTIVE])
        due = NOW + timedelta(minutes=chance.choice([-90, -1, 5, 60])) if state == JobState.ACTIVE else None
        add_job(
            id,
            name=f"{chance.choice('abc')} {place % 7}",
            due_at=due,
            state=state,
            consecutive_failures=chance.choice([0, 0, 0, 2, 5]),
            pause_after_failures=chance.choice([None, 3]),
            overlap=chance.choice(["skip", "queue", "skip", "newer"]),
            executor=chance.choice(["default", "default", "processpool"]),
            task=chance.choice(["tests.nothing", "tests.other"]),
            tags=chance.choice([[], ["shop"], ["shop", "eu"]]),
        )
        if chance.random() < 0.1:
            since, fire_times = chance.choice([(NOW, 0), (None, 3)])
            not_started.append(NotStarted(job=id, since=since, fire_times=fire_times))
    return conditions.criteria(now=NOW, not_started=not_started)


def ordered(by: Criteria, order: tuple[str, ...], **criteria: Any) -> QuerySet[Job]:
    found = conditions.with_condition(jobs=Job.objects.filter(**criteria), by=by)
    return found.order_by(*order)


def listed(jobs: QuerySet[Job], by: Criteria, *, condition: str = "", is_narrowed: bool = False) -> Any:
    counts = conditions.counts(by=by)
    return LongList.of(jobs=jobs, by=by, counts=counts, condition=condition, is_narrowed=is_narrowed)


@pytest.fixture
def every_list_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_lists, "LONG", 0)


@pytest.mark.usefixtures("every_list_is_long")
class TestALongList:
    @pytest.mark.parametrize("order", ORDERS, ids=" ".join)
    @pytest.mark.parametrize("seed", range(3))
    def test_has_the_pages_that_sorting_all_jobs_would_have(self, order: tuple[str, ...], seed: int) -> None:
        by = add_jobs(60, seed=seed)
        jobs = ordered(by, order)

        pages = Paginator(listed(jobs, by), 7)

        assert pages.count == 60
        assert [job.pk for page in pages for job in page] == [job.pk for job in jobs]

    @pytest.mark.parametrize("condition", conditions.CONDITIONS)
    def test_of_one_condition_has_all_of_its_jobs(self, condition: str) -> None:
        by = add_jobs(80, seed=4)
        jobs = ordered(by, ORDERS[0])
        expected = [job.pk for job in jobs if job.condition == condition]

        found = listed(jobs.filter(condition=condition), by, condition=condition)

        assert expected
        assert (found.count(), [job.pk for job in found[:80]]) == (len(expected), expected)

    @pytest.mark.parametrize("order", ORDERS, ids=" ".join)
    def test_that_is_narrowed_has_the_jobs_that_match(self, order: tuple[str, ...]) -> None:
        by = add_jobs(60, seed=5)
        jobs = ordered(by, order, task="tests.other")

        pages = Paginator(listed(jobs, by, is_narrowed=True), 4)

        assert 0 < pages.count < 60
        assert [job.pk for page in pages for job in page] == [job.pk for job in jobs]

    def test_that_is_narrowed_ends_where_the_count_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(long_lists, "MOST_COUNTED", 10)
        by = add_jobs(40, seed=6)

        few, many = (
            listed(ordered(by, ORDERS[0], **narrow), by, is_narrowed=True)
            for narrow in ({"pk__in": ["job-003", "job-004"]}, {})
        )

        assert (few.count(), few.is_cut) == (2, False)
        assert (many.count(), many.is_cut, Paginator(many, 5).num_pages) == (10, True, 2)


@pytest.fixture(params=[10_000, 3], ids=["few", "many"])
def number_of_exceptions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few jobs are looked up by their ids, and many by a subquery."""
    monkeypatch.setattr(conditions, "_FEW", request.param)


@pytest.mark.usefixtures("number_of_exceptions")
class TestTheConditions:
    @pytest.mark.parametrize("seed", range(3))
    def test_are_counted_as_if_each_job_was_looked_at(self, seed: int) -> None:
        by = add_jobs(80, seed=seed)
        found = [job.condition for job in conditions.with_condition(jobs=Job.objects.all(), by=by)]

        assert conditions.counts(by=by) == {condition: found.count(condition) for condition in conditions.CONDITIONS}

    @pytest.mark.parametrize("condition", conditions.CONDITIONS)
    @pytest.mark.parametrize("seed", range(7, 10))
    def test_each_have_the_jobs_that_looking_at_all_finds(self, condition: str, seed: int) -> None:
        by = add_jobs(100, seed=seed)
        jobs = conditions.with_condition(jobs=Job.objects.order_by("pk"), by=by)

        found = conditions.only(jobs=jobs, condition=condition, by=by)

        assert [job.pk for job in found] == [job.pk for job in jobs if job.condition == condition] != []


class TestASearch:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("NIGHTLY", "a"),
            ("ghtly rep", "a"),
            ("100%", "b"),
            ("_", "c"),
            ("\\", "d"),
            ("KÖLN", "e"),
            ("köln", "e"),
            ("TEST-B", "b"),
            ("Tests.Oth", "f"),
            ("nothing at all", ""),
            ("0%0", ""),
        ],
    )
    def test_finds_a_text_in_names_ids_and_tasks_in_any_case(self, text: str, found: str) -> None:
        names = {"a": "Nightly report", "b": "100% of it", "c": "with_line", "d": "C:\\temp", "e": "Köln", "f": "f"}
        for id, name in names.items():
            add_job(f"test-{id}", name=name, task="tests.other" if id == "f" else "tests.nothing")

        for among in (None, ["tests.nothing", "tests.other"]):
            matching = Job.objects.filter(job_queries.search(texts=[text], among=among))
            assert "".join(sorted(job.pk.removeprefix("test-") for job in matching)) == found

    @pytest.mark.parametrize("few", [1, 2, 1001])
    @pytest.mark.parametrize(
        ("texts", "found"),
        [
            (["night", "7"], "a"),
            (["7", "NIGHT"], "a"),
            (["7"], "ab"),
            (["tests.nothing", "7"], "a"),
            (["tests.", "night"], "ac"),
            (["tests.other", "nothing"], ""),
            (["TEST-", "night", "absent"], ""),
            ([], "abc"),
        ],
    )
    def test_finds_jobs_that_contain_every_text_however_many_match(
        self, monkeypatch: pytest.MonkeyPatch, texts: list[str], found: str, few: int
    ) -> None:
        monkeypatch.setattr(job_queries, "_FEW", few)
        add_job("test-a", name="Nightly 7", task="tests.nothing")
        add_job("test-b", name="Daily 7", task="tests.other")
        add_job("test-c", name="Nightly 8", task="tests.other")

        matching = Job.objects.filter(job_queries.search(texts=texts))

        assert "".join(sorted(job.pk.removeprefix("test-") for job in matching)) == found


class TestTheValues:
    def test_of_jobs_are_each_named_once(self) -> None:
        add_jobs(40, seed=8)

        found = job_queries.values()

        assert found.tasks == ["tests.nothing", "tests.other"]
        assert found.executors == ["default", "processpool"]
        assert found.tags == ["eu", "shop"]

    def test_of_no_jobs_are_none(self) -> None:
        assert job_queries.values() == job_queries.Values(tasks=[], executors=[], tags=[])
        assert job_queries.tasks() == []

    def test_have_the_tasks_of_all_jobs(self) -> None:
        add_jobs(40, seed=8)

        assert job_queries.tasks() == ["tests.nothing", "tests.other"]


@pytest.fixture
def many(transactional_db: None) -> Iterator[None]:
    """10,000 jobs, a few of them failing, paused, broken, overdue or of another executor."""
    add_job("job-0", due_at=NOW + timedelta(hours=1))
    with connection.cursor() as cursor:
        for table, changes in (
            (
                "django_apscheduler_djangojob",
                "jsonb_build_object('id', 'job-' || n, 'next_run_time', CASE WHEN n % 1000 = 1 THEN NULL"
                " WHEN n % 1000 = 2 THEN now() - interval '1 day' ELSE now() + n * interval '1 minute' END)",
            ),
            (
                "scheduler_job",
                "jsonb_build_object('djangojob_ptr_id', 'job-' || n, 'name', 'Import ' || n, 'state',"
                " CASE n % 1000 WHEN 1 THEN CASE n % 3 WHEN 0 THEN 'paused' WHEN 1 THEN 'broken' ELSE 'finished' END"
                " ELSE 'active' END, 'consecutive_failures', CASE n % 1000 WHEN 3 THEN 2 ELSE 0 END,"
                " 'executor', CASE n % 1000 WHEN 4 THEN 'processpool' ELSE 'default' END)",
            ),
        ):
            cursor.execute(
                f"INSERT INTO {table} SELECT copy.* FROM {table} AS original, generate_series(1, 10000) AS n,"  # noqa: S608
                f" jsonb_populate_record(NULL::{table}, to_jsonb(original) || {changes}) AS copy"
            )
        cursor.execute("VACUUM ANALYZE scheduler_job, django_apscheduler_djangojob")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_job, django_apscheduler_djangojob CASCADE")
        cursor.execute("ANALYZE scheduler_job, django_apscheduler_djangojob")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("many")
class TestAPageOfManyJobs:
    def test_reads_few_of_them(self) -> None:
        by = conditions.criteria(now=timezone.now(), not_started=[NotStarted(job="job-5", since=NOW, fire_times=0)])

        for order in ORDERS[:2]:
            found = listed(ordered(by, order), by)
            for condition in found.branches:
                page = conditions.only(jobs=found.jobs, condition=condition, by=by)[:50]
                assert _rows_read(page) < 2000, (condition, order, page.explain())

    @pytest.mark.parametrize("texts", [["9999"], ["import", "9999"], ["absent"]])
    def test_is_searched_in_an_index(self, texts: list[str]) -> None:
        looked_up = Job.objects.order_by().filter(*(job_queries.containing(text=text, among=[]) for text in texts))
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
            plan = looked_up.values_list("pk").explain()
            cursor.execute("RESET enable_seqscan")

        assert "Index Only Scan" in plan, plan

    def test_counts_the_conditions_without_the_rows_of_most(self) -> None:
        by = conditions.criteria(now=timezone.now(), not_started=[])

        assert _rows_read(conditions.told_apart(by=by)) < 2000
        assert conditions.counts(by=by)["failing"] == 10
        assert DjangoJob.objects.count() == sum(conditions.counts(by=by).values())


def _rows_read(rows: QuerySet[Any]) -> int:
    """Execute a query and return how many rows its scans have read, those that they dropped included."""
    told = rows.explain(format="json", analyze=True)
    return _read(json.loads(told)[0]["Plan"]) if told else 0  # a query without a row is not even sent


def _read(plan: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in plan or "Index Name" in plan:
        own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return int(own) + sum(_read(part) for part in plan.get("Plans", ()))
