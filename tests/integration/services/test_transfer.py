"""Exports say whether a job runs, and imports make it so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from scheduler.core.states import JobState
from scheduler.errors import InvalidImport
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.services.jobs import transfer
from scheduler.store.clock import database_now

pytestmark = pytest.mark.django_db(transaction=True)

CALL: dict[str, Any] = {"task": "sample.nothing"}
HOURLY = {"type": "interval", "hours": 1}


def _exported() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(transfer.export()))
    return document


def _import(document: dict[str, Any], **how: Any) -> list[str]:
    return [each.text or each.what for each in transfer.import_jobs(document=document, actor="anna", **how)]


def _at(**ago: float) -> dict[str, Any]:
    return {"type": "date", "run_at": (database_now() - timedelta(**ago)).isoformat()}


class TestAJobThatIsOver:
    def test_comes_in_as_finished_and_does_not_run_again(self) -> None:
        job = jobs.create(id="once", trigger=_at(seconds=20), misfire_grace_time=None, **CALL)
        Job.objects.filter(pk=job.pk).update(state=JobState.FINISHED, next_run_time=None)
        document = _exported()
        Job.objects.all().delete()

        assert _import(document) == ["created"]

        stored = Job.objects.get()
        assert (stored.state, stored.next_run_time) == (JobState.FINISHED, None)
        assert not Run.objects.exists()
        assert _exported() == document

    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("ago", [{"seconds": 20}, {"days": 400}])
    def test_is_known_by_its_time_where_the_file_does_not_say(self, version: int, ago: dict[str, float]) -> None:
        entry = {"id": "once", "trigger": _at(**ago), "misfire_grace_time": None, **CALL}

        assert _import({"format": transfer.FORMAT, "version": version, "jobs": [entry]}) == ["created"]

        assert Job.objects.get().state == JobState.FINISHED

    def test_that_is_still_to_come_is_active(self) -> None:
        entry = {"id": "once", "trigger": _at(seconds=-3600), **CALL}

        _import({"format": transfer.FORMAT, "version": 1, "jobs": [entry]})

        assert Job.objects.get().state == JobState.ACTIVE


class TestAPausedJob:
    def test_comes_in_with_its_end_and_its_reason(self) -> None:
        jobs.create(id="a", trigger=HOURLY, **CALL)
        jobs.pause(job="a", reason="Too expensive", until=database_now() + timedelta(days=3))
        document = _exported()
        Job.objects.all().delete()

        assert _import(document) == ["created"]

        assert _exported() == document
        stored = Job.objects.get()
        assert (stored.state, stored.state_reason, stored.next_run_time) == (JobState.PAUSED, "Too expensive", None)

    def test_stays_paused_where_its_end_has_passed(self) -> None:
        entry = {"id": "a", "trigger": HOURLY, "paused": True, "paused_until": "2020-01-01T00:00:00Z", **CALL}

        _import({"format": transfer.FORMAT, "version": 2, "jobs": [entry]})

        stored = Job.objects.get()
        assert (stored.state, stored.paused_until) == (JobState.PAUSED, None)

    def test_is_paused_and_resumed_by_an_update(self) -> None:
        jobs.create(id="a", trigger=HOURLY, **CALL)
        active = _exported()
        jobs.pause(job="a", reason="Too expensive")
        paused = _exported()

        assert _import(active, update=True) == ["updated"]
        assert Job.objects.get().state == JobState.ACTIVE
        assert _import(active, update=True) == ["unchanged"]
        assert _import(paused, update=True) == ["updated"]
        assert Job.objects.get().state_reason == "Too expensive"
        assert _import(paused, update=True) == ["unchanged"]
        until = {**paused["jobs"][0], "paused_until": (database_now() + timedelta(days=1)).isoformat()}
        assert _import({**paused, "jobs": [until]}, update=True) == ["updated"]
        assert Job.objects.get().paused_until is not None

    def test_keeps_its_state_where_the_file_names_none(self) -> None:
        jobs.create(id="a", trigger=HOURLY, **CALL)
        jobs.pause(job="a")
        document = _exported()
        for word in ("paused", "paused_until", "paused_reason", "finished"):
            del document["jobs"][0][word]

        assert _import(document, update=True) == ["unchanged"]
        assert Job.objects.get().state == JobState.PAUSED

    def test_is_not_resumed_by_a_rehearsal(self) -> None:
        jobs.create(id="a", trigger=HOURLY, **CALL)
        document = _exported()
        jobs.pause(job="a")

        assert _import(document, update=True, dry_run=True) == ["updated"]
        assert Job.objects.get().state == JobState.PAUSED

    def test_has_an_end_that_is_an_instant(self) -> None:
        entry = {"id": "a", "trigger": HOURLY, "paused": True, "paused_until": "soon", **CALL}

        assert _import({"format": transfer.FORMAT, "version": 2, "jobs": [entry]}) == [
            "paused_until is “soon”; it must be an instant in ISO 8601."
        ]


class TestTheVersion:
    def test_of_a_later_release_is_refused(self) -> None:
        with pytest.raises(InvalidImport, match="Its version is 3; this release reads 2 and before"):
            _import({"format": transfer.FORMAT, "version": 3, "jobs": []})


class TestAnIdThatComesTwice:
    def test_is_created_once_and_refused_as_often_as_it_comes(self) -> None:
        good, bad = ({"id": id, "trigger": HOURLY, **CALL} for id in ("good", "bad"))
        bad["task"] = "no.such_task"
        document = {"format": transfer.FORMAT, "version": 2, "jobs": [bad, good, {**bad, **CALL}, good]}

        refused, created, again, skipped = _import(document)

        assert (created, skipped) == ("created", "skipped")
        assert "no.such_task" in refused
        assert again == refused
        assert [job.pk for job in Job.objects.all()] == ["good"]


class TestAnExport:
    def test_reads_some_hundred_jobs_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transfer, "_TOGETHER", 2)
        ids = ["A", "a", "b-1", "b_2", "É"]
        for id in ids:
            jobs.create(id=id, trigger=HOURLY, **CALL)

        assert {entry["id"] for entry in transfer.export()["jobs"]} == {*ids}
        assert len(transfer.export()["jobs"]) == len(ids)
        assert {entry["id"] for entry in transfer.export(ids=("a", "b_2", "É"))["jobs"]} == {"a", "b_2", "É"}
