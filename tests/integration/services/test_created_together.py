"""Jobs that are created together are the same as jobs that are created one by one."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from scheduler.models import Change, Job
from scheduler.services import calendars, jobs
from scheduler.services.jobs import creation
from scheduler.store.stock import legacy_state
from tests.integration.services.nightly import HOURLY, NOW, daily
from tests.sample_app import tasks

assert tasks
pytestmark = pytest.mark.django_db

PLAIN: dict[str, Any] = {"task": "contract.first", "trigger": daily(1), "name": "Plain"}
GIVE = {**PLAIN, "task": "sample.give"}
OTHERS: dict[str, dict[str, Any]] = {
    "one": {**GIVE, "kwargs": {"value": 1}},
    "true": {**GIVE, "kwargs": {"value": True}},
    "float": {**GIVE, "kwargs": {"value": 1.0}},
    "position": {**GIVE, "args": [[1, None, "ü"]]},
    "name": {**PLAIN, "name": "Ünïcode “quoted” \\ 100%"},
    "tags": {**PLAIN, "tags": ["b", "a"]},
    "trigger": {**PLAIN, "trigger": HOURLY},
    "timeout": {**PLAIN, "timeout": timedelta(minutes=2)},
    "priority": {**PLAIN, "priority": 7},
    "coalesce": {**PLAIN, "coalesce": False},
    "grace": {**PLAIN, "misfire_grace_time": None},
}


def stored(id: str) -> dict[str, Any]:
    """Return the row of a job and its history, without what tells it from another one."""
    row: Mapping[str, Any] = Job.objects.filter(pk=id).values().get()
    own = {"id", "djangojob_ptr_id", "job_state"}
    changes = Change.objects.filter(job_key=id).values("version", "action", "actor", "via", "reason_code", "definition")
    return {"row": repr(sorted((k, v) for k, v in row.items() if k not in own)), "changes": list(changes)}


def together(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the errors by id."""
    done = creation.create_many(definitions=definitions, actor="anna", now=NOW)
    return {each.id: f"{each.error}" for each in done if each.error}


def alone(definition: Mapping[str, Any]) -> dict[str, Any]:
    jobs.create(id="alone", actor="anna", now=NOW, **definition)
    return stored("alone")


class TestJobsCreatedTogether:
    @pytest.mark.parametrize("name", OTHERS)
    def test_are_as_if_each_was_created_alone(self, name: str) -> None:
        assert together({"plain": PLAIN, **OTHERS, "plain again": PLAIN}) == {}

        assert stored(name) == alone(OTHERS[name])
        assert stored("plain") == stored("plain again")

    @pytest.mark.parametrize("definition", [PLAIN, OTHERS["true"]])
    def test_may_be_one(self, definition: dict[str, Any]) -> None:
        assert together({"only": definition}) == {}

        assert stored("only") == alone(definition)

    def test_may_be_equal(self) -> None:
        assert together({f"job-{number}": OTHERS["one"] for number in range(501)}) == {}

        assert Job.objects.count() == 501
        assert stored("job-0") == stored("job-500") == alone(OTHERS["one"])

    def test_are_each_checked(self) -> None:
        invalid = {
            "number": {**PLAIN, "coalesce": 1},
            "arguments": {**PLAIN, "kwargs": {"unknown": 1}},
            "text": {**PLAIN, "args": ""},
            "mapping": {**PLAIN, "kwargs": []},
            "executor": {**PLAIN, "executor": "nowhere"},
        }
        valid = {"before": {**PLAIN, "coalesce": True}, "after": {**PLAIN, "coalesce": True}}

        refused = together({"before": valid["before"], **invalid, "after": valid["after"]})

        assert set(refused) == set(invalid)
        assert set(Job.objects.values_list("pk", flat=True)) == set(valid)

    def test_keep_what_stock_can_read(self) -> None:
        long = {**GIVE, "kwargs": {"value": "ü" * 100_000}}
        together({"plain": PLAIN, **OTHERS, "plain again": PLAIN, "long": {**long, "name": "x" * 255}})

        for job in Job.objects.all():
            assert unpickled(bytes(job.job_state)) == unpickled(legacy_state.dump(job)), job.pk

    def test_share_their_triggers_with_windows_of_their_tags(self) -> None:
        calendars.create(name="works", rules=["daily 01:00-05:00"], tags=["a"])

        together({"plain": PLAIN, "tagged": OTHERS["tags"], "plain again": PLAIN})

        assert set(Job.objects.filter(trigger__has_key="windows").values_list("pk", flat=True)) == {"tagged"}

    def test_have_a_first_line_of_their_history_each_whoever_writes(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('scheduler.change', %s, true)", [json.dumps(SAID)])
            cursor.execute(
                "WITH parent AS (INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)"
                " SELECT 'job-' || n, NULL, '' FROM generate_series(1, 3) AS n RETURNING id)"
                " INSERT INTO scheduler_job (djangojob_ptr_id, name, task, trigger)"
                " SELECT id, id, 'x', '{}' FROM parent"
            )
            cursor.execute("SELECT current_setting('scheduler.change', true), session_user")
            left, role = cursor.fetchone()

        lines = Change.objects.order_by("job_key").values_list("job_key", "action", "actor", "via", "reason_text")
        assert list(lines) == [
            ("job-1", "created", role, "database", ""),
            ("job-2", "created", "ben", "api", "because"),
            ("job-3", "created", role, "database", ""),
        ]
        assert left == ""
        assert Change.objects.get(job_key="job-3").definition["name"] == "job-3"


SAID = {"job": "job-2", "actor": "ben", "via": "api", "reason": "because"}


def unpickled(state: bytes) -> dict[str, Any]:
    found: dict[str, Any] = pickle.loads(state)  # noqa: S301 - written a moment ago
    return {**found, "trigger": repr(found["trigger"])}
