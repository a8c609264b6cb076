from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from scheduler.api.health import views as health_views
from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.models import Counter, Job, Node, NodeMeasure, Rollup
from scheduler.services import jobs
from scheduler.services.queries import health
from scheduler.services.queries.health import Probe, Report, Status
from scheduler.store.cleaning import retention
from scheduler.telemetry import metrics
from scheduler.telemetry.exporter import Exporter
from tests.integration.api.conftest import EVERY_HOUR, Caller
from tests.waiting import keep_to_one, wait_until


def node(*, age: float = 0.0, ahead: float = 0.0, name: str = "n1", state: str = "running", **measures: Any) -> Node:
    """A node whose last heartbeat is so many seconds old, and whose clock goes ahead of the database's by so many."""
    now = timezone.now()
    measures |= {"clock_at": now + timedelta(seconds=ahead)} if ahead else {}
    made = Node.objects.create(
        name=name,
        host="h",
        pid=1,
        version="1",
        executors={"default": 5},
        tasks=[],
        state=state,
        started_at=now - timedelta(hours=1),
        heartbeat_at=now - timedelta(seconds=age),
    )
    if measures:
        NodeMeasure.objects.create(
            **{
                "node": made,
                "clock_at": now,
                "reported_at": now,
                "backlog": 0,
                "tick_seconds": 0.01,
                "busy": {"default": 2},
                "waiting": {"default": 0},
                **measures,
            }
        )
    return made


def ended(task: str = "sample.nothing", state: str = "succeeded", runs: int = 1, node: Any = None) -> None:
    Counter.objects.create(
        node=node or uuid4(),
        task=task,
        state=state,
        runs=runs,
        run_seconds=0.5 * runs,
        lag_seconds=0.1 * runs,
        run_buckets=[0] * 5 + [runs] + [0] * (len(RUN_SECONDS) - 5),
        lag_buckets=[0] * 5 + [runs] + [0] * (len(LAG_SECONDS) - 5),
    )


def hour(back: int, job: str = "j", **columns: Any) -> None:
    start = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)
    Rollup.objects.create(job_key=job, hour=start, last_finished_at=start, **columns)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look in this thread: another one would not see what this test has not committed."""
    monkeypatch.setattr(health, "check", health.check_now)


def overdue(id: str, seconds: float) -> None:
    jobs.create(id=id, task="sample.nothing", trigger=EVERY_HOUR)
    Job.objects.filter(pk=id).update(next_run_time=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestStatus:
    def test_has_the_promised_names(self, api: Caller) -> None:
        node()
        jobs.create(id="a", task="sample.nothing", trigger=EVERY_HOUR)
        jobs.create(id="b", task="sample.nothing", trigger=EVERY_HOUR, paused=True)
        for state, runs in (("succeeded", 5), ("failed", 2), ("timed_out", 1), ("missed", 3)):
            ended(state=state, runs=runs)
        hour(1, succeeded=1)

        found = api.get("status").json()

        assert (found["status"], found["running"], found["total_jobs"]) == ("running", True, 2)
        assert found["jobs_by_state"] == {"active": 1, "paused": 1, "finished": 0, "broken": 0}
        metrics = found["metrics"]
        assert (metrics["jobs_executed"], metrics["jobs_failed"], metrics["jobs_missed"]) == (8, 2, 3)
        assert metrics["uptime_seconds"] == pytest.approx(3600, abs=60)
        assert metrics["last_execution_at"] is not None
        assert found["max_overdue_seconds"] == 0
        assert found["next_run_time"] == next(job["next_run_time"] for job in found["jobs"] if job["id"] == "a")
        assert [item["name"] for item in found["nodes"]] == ["n1"]
        assert [job["id"] for job in found["jobs"]] == ["a", "b"]
        assert found["jobs_next"] is None

    def test_links_to_the_jobs_that_are_not_on_the_first_page(self, api: Caller) -> None:
        for number in range(51):
            jobs.create(id=f"{number:03}", task="sample.nothing", trigger=EVERY_HOUR)

        found = api.get("status").json()

        rest = api.get(found["jobs_next"].replace("http://testserver", "")).json()
        assert [job["id"] for job in rest["results"]] == ["050"]

    def test_is_one_word_for_how_it_goes(self, api: Caller, settings: Any) -> None:
        from scheduler import conf

        assert api.get("status").json()["status"] == "stopped"
        alive = node()
        assert api.get("status").json()["status"] == "running"
        overdue("late", 1000)
        late = api.get("status").json()
        assert (late["status"], late["overdue_jobs"]) == ("degraded", 1)
        assert late["max_overdue_seconds"] == pytest.approx(1000, abs=60)
        Node.objects.filter(pk=alive.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=75))
        assert api.get("status").json()["status"] == "stopped"
        settings.SCHEDULER = {**settings.SCHEDULER, "ENABLED": False}
        conf.get.cache_clear()
        try:
            assert api.get("status").json()["status"] == "disabled"
        finally:
            conf.get.cache_clear()

    def test_asks_the_database_as_often_for_many_as_for_few(
        self, api: Caller, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(20):
            jobs.run_now(job=jobs.create(id=str(number), task="sample.nothing", trigger=EVERY_HOUR))
            node(name=str(number))
        with django_assert_max_num_queries(18):
            assert api.get("status").status_code == 200


class TestMetrics:
    def test_adds_up_a_window_by_job_and_by_hour(self, api: Caller) -> None:
        keep_to_one(timedelta(hours=1))
        jobs.create(id="j", name="Jay", task="sample.nothing", trigger=EVERY_HOUR)
        hour(1, succeeded=3, failed=1, run_seconds=2.0)
        hour(2, succeeded=1, missed=4)
        hour(2, job="gone", skipped=1, timed_out=2)
        hour(40, succeeded=100)
        ended(runs=107)

        found = api.get("metrics", {"bucket": "hour"}).json()

        assert found["jobs_executed"] == 107
        totals = found["window"]["totals"]
        assert (totals["jobs_executed"], totals["jobs_succeeded"], totals["jobs_failed"]) == (7, 4, 1)
        assert (totals["jobs_timed_out"], totals["jobs_missed"], totals["jobs_skipped"]) == (2, 4, 1)
        assert [(job["job"], job["name"], job["jobs_executed"]) for job in found["window"]["jobs"]] == [
            ("gone", None, 2),
            ("j", "Jay", 5),
        ]
        assert [bucket["jobs_executed"] for bucket in found["window"]["series"]] == [3, 4]
        since = (datetime.now(UTC) - timedelta(hours=48)).isoformat()
        assert api.get("metrics", {"since": since, "job": "j"}).json()["window"]["totals"]["jobs_succeeded"] == 104
        by_day = api.get("metrics", {"since": since, "bucket": "day"}).json()["window"]["series"]
        assert sum(bucket["jobs_succeeded"] for bucket in by_day) == 104

    @pytest.mark.parametrize(
        "query",
        [
            {"since": "9999-12-31T23:59:59Z"},
            {"since": "0001-01-01T00:00:00Z"},
            {"bucket": "week"},
            {"since": "1"},
            {"since": "2020-01-01T00:00:00Z"},
        ],
    )
    def test_refuses_windows_that_cannot_be(self, api: Caller, query: dict[str, str]) -> None:
        assert api.get("metrics", query).status_code == 400


@pytest.mark.usefixtures("looked", "patient_with_heartbeats")
class TestHealth:
    def test_is_ready_while_a_node_is_alive(self, api: Caller) -> None:
        node(age=1, clock_at=timezone.now())

        answer = api.get("health")

        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["connection_valid"], found["table_exists"]) == ("pass", True, True)
        assert (found["job_count"], found["error"]) == (0, None)
        assert {check["status"] for check in found["checks"]} == {"pass"}
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("arrange", "check", "status", "words"),
        [
            (lambda: node(age=75), "nodes", "fail", "last heartbeat 1 min ago"),
            (lambda: None, "nodes", "fail", "No scheduler is running. Start one"),
            (lambda: (node(), overdue("late", 75)), "overdue", "fail", "1 job is overdue by up to 1 min"),
            (lambda: node(backlog=6000), "recorder", "fail", "6,000 results"),
            (lambda: node(ahead=9), "clocks", "warn", "9.0 s away"),
            (lambda: (node(), node(age=75, name="n2")), "nodes", "warn", "1 node is silent"),
        ],
        ids=["frozen", "never", "overdue", "backlog", "skew", "one of two"],
    )
    def test_says_which_check_failed(
        self, api: Caller, arrange: Callable[[], Any], check: str, status: str, words: str
    ) -> None:
        arrange()

        answer = api.get("health/ready")

        found = {item["name"]: item for item in answer.json()["checks"]}
        assert answer.status_code == (503 if status == "fail" else 200)
        assert found[check]["status"] == status
        assert words in found[check]["text"]

    def test_gives_strangers_words_only(self, db: None, login: Callable[..., Caller]) -> None:
        node(age=75)
        for caller in (Caller(), login("view_run"), Caller(headers={"Authorization": "Bearer nonsense"})):
            answer = caller.get("health")

            found = answer.json()
            assert answer.status_code == 503
            assert (found["connection_valid"], found["job_count"]) == (True, None)
            assert found["error"] == "Failed: nodes. Details need a login or a token."
            assert {check["text"] for check in found["checks"]} == {None}

    def test_is_alive_without_asking_anybody(self, api: Caller, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            answer = api.get("health/live", HTTP_ACCEPT="application/health+json")

        assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
        assert answer["Content-Type"] == "application/health+json"


class TestTheProbe:
    def test_gives_up_on_a_database_that_hangs_and_asks_it_only_once(self) -> None:
        from threading import Event

        free, asked = Event(), []

        def ask() -> Report:
            asked.append(1)
            free.wait(120)
            return Report(checks=(), connection_valid=True)

        probe = Probe(ask, patience_seconds=0.05)
        try:
            for _ in range(3):
                found = probe.report()
                assert (found.connection_valid, found.status) == (False, Status.FAIL)
            wait_until(lambda: asked)
            assert len(asked) == 1
        finally:
            free.set()
        patient = Probe(ask, patience_seconds=120)
        assert patient.report().connection_valid


class TestTablesOfAnotherRelease:
    @pytest.mark.parametrize("path", ["status", "jobs", "runs", "/metrics"])
    def test_are_said_to_be_what_is_wrong(self, path: str, api: Caller) -> None:
        """While a deploy is under way, the new web may meet the old tables."""
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE scheduler_job RENAME COLUMN priority TO urgency")
            cursor.execute("ALTER TABLE scheduler_run RENAME TO scheduler_execution")

        answer = api.get(path)

        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "Run “manage.py init_scheduler_db”" in answer.json()["detail"]
        assert answer.json()["type"].endswith("/other-tables")


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestPrometheus:
    @pytest.fixture(autouse=True)
    def _fresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health_views, "exporter", Exporter(metrics.read, clock=lambda: 1000.0))

    def test_reads_it_with_its_own_parser(self, api: Caller) -> None:
        node(backlog=3, ahead=1)
        node(name="n1", age=75)
        jobs.run_now(job=jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR))
        ended(runs=4)
        ended(runs=2)
        ended(state="failed")

        answer = api.get("/metrics")
        families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
        samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families.values()
            for sample in family.samples
        }

        assert answer["Content-Type"].startswith("text/plain")
        assert samples["scheduler_nodes_up",] == 1
        assert samples["scheduler_node_up", ("node", "n1")] + samples["scheduler_node_up", ("node", "n1#2")] == 1
        assert samples["scheduler_jobs", ("state", "active")] == 1
        assert samples["scheduler_queue_depth", ("executor", "default")] == 1
        assert samples["scheduler_runs_total", ("state", "succeeded"), ("task", "sample.nothing")] == 6
        assert samples["scheduler_run_duration_seconds_count", ("task", "sample.nothing")] == 7
        assert samples["scheduler_run_duration_seconds_sum", ("task", "sample.nothing")] == pytest.approx(3.5)
        assert samples["scheduler_run_duration_seconds_bucket", ("le", "0.1"), ("task", "sample.nothing")] == 0
        assert samples["scheduler_run_duration_seconds_bucket", ("le", "0.25"), ("task", "sample.nothing")] == 7
        assert samples["scheduler_node_recorder_backlog", ("node", "n1")] == 3
        openmetrics = api.get("/metrics", HTTP_ACCEPT="application/openmetrics-text; version=1.0.0")
        assert {family.name for family in parse_openmetrics(openmetrics.content.decode())} == {
            family.name.removesuffix("_total") for family in families.values()
        }

    def test_labels_nothing_by_job_or_run(self, api: Caller) -> None:
        jobs.run_now(job=jobs.create(id="the-job", task="sample.nothing", trigger=EVERY_HOUR))

        assert "the-job" not in api.get("/metrics").content.decode()

    def test_asks_twelve_things_and_keeps_the_answer(self, api: Caller, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(2 + 12):  # session and user
            api.get("/metrics")
        with django_assert_num_queries(2):
            api.get("/metrics")

    def test_is_open_only_where_the_setting_says_so(self, db: None, client: Any, settings: Any) -> None:
        from scheduler import conf

        assert client.get("/metrics").status_code == 401
        settings.SCHEDULER = {**settings.SCHEDULER, "METRICS_PUBLIC": True}
        conf.get.cache_clear()
        try:
            assert client.get("/metrics").status_code == 200
        finally:
            conf.get.cache_clear()

    def test_documents_every_name(self, api: Caller) -> None:
        from pathlib import Path

        node(backlog=1)
        ended()
        jobs.run_now(job=jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR))
        text = (Path(__file__).resolve().parents[3] / "docs/operations.md").read_text()
        families = text_string_to_metric_families(api.get("/metrics").content.decode())

        assert [family.name for family in families if f"`{family.name}" not in text] == []


class TestTasksAndNodes:
    def test_describes_tasks_by_the_schema_of_their_arguments(self, api: Caller) -> None:
        found = api.get("tasks/sample.square").json()

        assert found["arguments"]["properties"]["number"]["type"] == "integer"
        assert found["defaults"]["max_instances"] == 1
        assert "sample.square" in [task["name"] for task in api.get("tasks").json()["results"]]

    def test_lists_nodes_by_state(self, api: Caller) -> None:
        made = node()
        node(name="n2", state="stopped")

        assert [item["name"] for item in api.get("nodes", {"state": "running"}).json()["results"]] == ["n1"]
        assert api.get(f"nodes/{made.pk}").json()["executors"] == {"default": 5}

    def test_are_drained_and_take_runs_again(self, api: Caller) -> None:
        made = node()

        drained = api.send("post", f"nodes/{made.pk}/drain")
        assert (drained.status_code, drained.json()["drained_by"]) == (200, "anna")
        assert drained.json()["drained_at"]
        again = api.send("post", f"nodes/{made.pk}/drain")
        assert again.status_code == 409
        assert "is drained already" in again.json()["detail"]
        assert api.send("post", f"nodes/{made.pk}/undrain").json()["drained_at"] is None
        assert api.send("post", f"nodes/{made.pk}/undrain").status_code == 409


class TestCleaningUp:
    def test_forgets_a_node_with_its_measures_and_counts_nodes(self, db: None) -> None:
        made = node(state="lost", backlog=1)

        assert retention.delete_nodes(nodes=[made.pk]) == 1
        assert not NodeMeasure.objects.exists()
