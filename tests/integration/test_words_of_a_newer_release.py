"""
Rows that a newer release wrote: states, policies and kinds that this one has not heard of.

Every column with a choice gets a word that no choice has. Pages, the API and commands show the rows as they are, and
what this release cannot carry out stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.test import Client
from django.utils import timezone, translation

from scheduler.models import BulkAction, Change, Incident, Job, Run
from scheduler.services import bulk, jobs
from scheduler.services.bulk import Selection
from scheduler.services.jobs import conditions, restoring
from scheduler.store.claiming import claims, positions
from scheduler.store.recording import runs as recorded
from scheduler.store.sessions.connections import Connection
from tests.crawling import crawl
from tests.integration.admin import every_kind
from tests.ledger import add_job, add_node

WORD = "newer"
EVERY_HOUR = {"type": "interval", "hours": 1}

WITHOUT_A_LIST = {
    "scheduler_incident": ("kind", "severity"),
    "scheduler_notification": ("severity",),
    "scheduler_channel": ("kind",),
    "scheduler_bulkaction": ("subject", "action"),
    "scheduler_declaredobject": ("kind",),
    "scheduler_alertchange": ("via",),
    "scheduler_run": ("reason_code",),
    "scheduler_job": ("reason_code",),
    "scheduler_change": ("reason_code",),
}
"""Columns whose words the model does not list."""

SHORT = {"scheduler_rule": ("operator",)}
"""Columns that are shorter than the word."""

PATHS = (
    *(
        "status",
        "metrics",
        "health",
        "jobs",
        "jobs/nightly",
        "jobs/paused",
        "jobs/nightly/next",
        "jobs/nightly/changes",
    ),
    *(
        "jobs/nightly/runs",
        "jobs/nightly/template",
        "jobs/mirrored/declaration",
        "changes",
        "runs",
        "runs?state=failed",
    ),
    *("incidents", "rules", "channels", "switches", "calendars", "calendars/holidays", "templates", "templates/mirror"),
    *("nodes", "tasks"),
)
COMMANDS = (
    *(
        ("jobs", "list"),
        ("jobs", "show", "nightly"),
        ("jobs", "changes", "nightly"),
        ("jobs", "export"),
        ("runs", "list"),
    ),
    *(
        ("alerts", "list"),
        ("alerts", "rules"),
        ("alerts", "channels"),
        ("calendars", "list"),
        ("templates", "list"),
    ),
    *(("tasks", "list"), ("queues", "list"), ("jobs", "export", "--alerts")),
)


def columns() -> Iterator[tuple[str, str]]:
    for model in apps.get_app_config("scheduler").get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, models.CharField) and field.choices:
                yield model._meta.db_table, field.column
    for table, names in WITHOUT_A_LIST.items():
        for name in names:
            yield table, name


def write(*, but: frozenset[str] = frozenset()) -> None:
    """Write the word into every column, past the triggers as well. Columns named so stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE scheduler_rule SET scope = 'tag', target = 'x'")  # a constraint wants one
        for table, column in columns():
            if column not in but and column not in SHORT.get(table, ()):
                # A run whose state is none of the active ones has a time at which it ended.
                which = "finished_at IS NOT NULL" if (table, column) == ("scheduler_run", "state") else "true"
                cursor.execute(f"UPDATE {table} SET {column} = %s WHERE {which}", [WORD])  # noqa: S608
        cursor.execute("SET session_replication_role = origin")


@pytest.fixture
def browser(admin_client: Client) -> Iterator[Client]:
    with translation.override("en"):
        yield admin_client


@pytest.mark.django_db
class TestARowOfANewerRelease:
    @pytest.fixture(
        autouse=True,
        params=[frozenset(), frozenset({"state"}), frozenset({"state", "kind", "subject", "action"})],
        ids=["every word", "with a known state", "with a known kind"],
    )
    def rows(self, request: pytest.FixtureRequest) -> None:
        every_kind.fill()
        write(but=request.param)

    def test_is_on_every_page(self, browser: Client) -> None:
        pages = crawl(browser, start="/admin/scheduler/")

        failed = {address: page.status_code for address, page in pages.items() if page.status_code >= 500}
        assert failed == {}
        assert len(pages) > 60

    def test_is_in_every_answer_of_the_api(self, browser: Client) -> None:
        answers = {path: browser.get(f"/api/v1/scheduler/{path}") for path in PATHS}

        # No node is alive: so says the health.
        failed = {path: answer.status_code for path, answer in answers.items() if answer.status_code >= 400}
        assert failed == {"health": 503}

    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_is_printed_by_every_command(self, words: tuple[str, ...]) -> None:
        out = StringIO()

        call_command(*words, stdout=out, stderr=StringIO())

        assert out.getvalue()


@pytest.mark.django_db
class TestAWordThatIsNotKnown:
    def test_is_shown_as_it_is(self, browser: Client) -> None:
        every_kind.fill()
        write()

        assert {job["state"] for job in browser.get("/api/v1/scheduler/jobs").json()["results"]} == {WORD}
        counted = browser.get("/api/v1/scheduler/status").json()["jobs_by_state"]
        assert (counted[WORD], counted["active"]) == (Job.objects.count(), 0)
        assert f"“{WORD}”" in browser.get("/admin/scheduler/job/nightly/show/").content.decode()
        assert WORD in browser.get("/admin/scheduler/run/").content.decode()

    @pytest.mark.parametrize("column", ["state", "overlap"])
    def test_is_a_condition_of_its_own(self, column: str) -> None:
        job = jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR)
        Job.objects.update(**{column: WORD})

        assert conditions.condition_of(job=job, now=timezone.now()) == "unknown"

    def test_begins_no_action_on_many(self) -> None:
        jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR)
        row = bulk.begin(subject="jobs", action="pause", selection=Selection(ids=("j",)), actor="anna")
        for change in ({"action": WORD}, {"action": "pause", "subject": WORD}):
            BulkAction.objects.update(**change)

            assert bulk.step(id=row.pk).finished_at is None
            assert bulk.go_on(row=bulk.get(id=row.pk)).done == 0

        assert Job.objects.get().state == "active"

    def test_does_not_keep_a_job_from_being_restored(self) -> None:
        job = jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR)
        Job.objects.update(source=WORD)
        jobs.remove(job=job)

        assert restoring.restore(change=Change.objects.latest("id"), actor="anna").source == "code"

    def test_does_not_keep_a_job_from_being_edited(self) -> None:
        jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR)
        Job.objects.update(overlap=WORD, next_run_time=timezone.now())

        assert jobs.update(job="j", trigger={"type": "interval", "hours": 2}, overlap="skip").overlap == "skip"


@pytest.mark.django_db(transaction=True)
class TestANode:
    @pytest.mark.parametrize("column", ["state", "overlap"])
    def test_leaves_a_job_alone_whose_word_it_does_not_know(self, column: str) -> None:
        for name in ("known", "unknown"):
            add_job(name, due_at=timezone.now(), task="sample.nothing")
        Job.objects.filter(pk="unknown").update(**{column: WORD}, needs_inspection=False)
        session, node = Connection(purpose="test"), add_node()
        try:
            claim = claims.claim_due(
                session,
                node=node,
                tasks={"sample.nothing"},
                limit=10,
                room={"default": 5},
                catch_up_limit=5,
                positions=positions.Positions(whole_seconds=0),
            )
            due = recorded.next_due(session, tasks={"sample.nothing"}, executors={"default"}, since=None)
        finally:
            session.close()

        assert list(Run.objects.values_list("job_key", flat=True)) == ["known"]
        assert claim.broken == ()
        assert due.job is None or due.job > 0, "it would be looked for again and again"
        assert Job.objects.get(pk="unknown").next_run_time is not None
        assert not Incident.objects.exists()
