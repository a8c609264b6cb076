"""Incidents of tasks whose runs are enqueued: by task and queue, in the transaction that records how a run ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db.models import F
from django.test import Client
from django.urls import reverse

from scheduler import conf
from scheduler.core.alerts import ClosedBecause, RuleKind
from scheduler.core.states import RunState
from scheduler.models import Run, TaskStreak
from scheduler.services import retention
from scheduler.services.alerts import messages, rules, sentences
from scheduler.services.runs import enqueueing
from scheduler.store import alerts
from scheduler.store.liveness import nodes
from scheduler.store.recording import finishing
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection
from tests.integration.alerts.happenings import fail, incidents, job, rule

TASK = "sample.nothing"
_SECOND = 1_000_000
FAILED, SUCCEEDED = RunState.FAILED, RunState.SUCCEEDED


def begun(node: str, *, task: str = TASK, queue: str = "mail") -> int:
    """Enqueue a run that this node has begun, and return its number."""
    answer = enqueueing.enqueue(task=task, queue=queue)
    Run.objects.filter(public_id=answer.public_id).update(node=node, state="running", started_at=answer.enqueued_at)
    return Run.objects.get(public_id=answer.public_id).pk


def end_together(session: Connection, node: str, states: Sequence[RunState], *, queue: str = "mail") -> None:
    """Record runs in one transaction that ended one after the other."""
    outcomes = [
        Outcome(
            run_id=begun(node, queue=queue),
            state=state,
            started=place * _SECOND,
            finished=(place + 1) * _SECOND,
            error=None if state is SUCCEEDED else "ValueError: 7",
        )
        for place, state in enumerate(states)
    ]
    recorded = finishing.finish(session, outcomes=outcomes, node=node, clock=(len(states) + 1) * _SECOND)
    if finishing.follow_ups(session).task_resets:
        finishing.end_task_streaks(session, runs=recorded.runs)


def end(session: Connection, node: str, *states: RunState, queue: str = "mail") -> None:
    for state in states:
        end_together(session, node, [state], queue=queue)


class TestAFailingRule:
    def test_opens_at_its_threshold_and_not_before(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        end(session, node, FAILED, FAILED)
        assert incidents() == []

        end(session, node, FAILED, FAILED)

        (incident,) = incidents()
        assert (incident.subject, incident.count, incident.measured) == (f"task:mail/{TASK}", 4, 4)
        assert (incident.task, incident.job_id, incident.text) == (TASK, "", "ValueError: 7")
        assert incident.run == Run.objects.latest("pk").pk
        assert sentences.subject(incident) == TASK

    def test_closes_with_a_success_of_the_task_in_the_queue(self, session: Connection, node: str) -> None:
        rule("failing", threshold=1)
        end(session, node, FAILED)
        end(session, node, SUCCEEDED, queue="default")
        assert incidents()[0].closed_at is None

        end(session, node, SUCCEEDED)

        assert incidents()[0].closed_because == "recovered"
        assert not TaskStreak.objects.exists()

    def test_begins_to_count_anew_after_a_success(self, session: Connection, node: str) -> None:
        rule("failing", threshold=3)
        end(session, node, FAILED, FAILED, SUCCEEDED, FAILED, FAILED)
        assert incidents() == []

    @pytest.mark.parametrize(
        ("states", "failures"),
        [
            ([FAILED, FAILED, SUCCEEDED], 0),
            ([FAILED, SUCCEEDED, FAILED, FAILED], 2),
            ([SUCCEEDED, FAILED, FAILED, FAILED], 3),
        ],
    )
    def test_counts_by_the_time_of_the_ends_that_are_recorded_together(
        self, session: Connection, node: str, states: list[RunState], failures: int
    ) -> None:
        end(session, node, FAILED)
        TaskStreak.objects.update(failed_at=F("failed_at") - timedelta(minutes=1))
        end_together(session, node, states)
        assert [streak.failures for streak in TaskStreak.objects.all()] == ([failures] if failures else [])

    def test_counts_runs_whose_node_is_gone(self, session: Connection, node: str) -> None:
        rule("failing", threshold=1)
        run = begun(str(uuid4()))
        nodes.reap(session, reaper=node, reap_after_seconds=30, max_recoveries=2)
        (incident,) = incidents()
        assert (incident.task, incident.run) == (TASK, run)


class TestATaskThatIsEnqueuedNoMore:
    def test_is_forgotten_by_the_clean_up(self, session: Connection, node: str) -> None:
        rule("failing", threshold=1)
        end(session, node, FAILED)
        retention.clean_up()
        assert TaskStreak.objects.exists()

        TaskStreak.objects.update(failed_at=F("failed_at") - timedelta(days=conf.get().retention_days + 1))
        retention.clean_up()

        assert not TaskStreak.objects.exists()
        assert incidents()[0].closed_at is not None


class TestTheScopeOfARule:
    @pytest.mark.parametrize(
        ("scope", "watches"),
        [
            ({}, True),
            ({"scope": "task", "target": TASK}, True),
            ({"scope": "task", "target": "sample.square"}, False),
            ({"scope": "queue", "target": "mail"}, True),
            ({"scope": "queue", "target": "default"}, False),
            ({"scope": "tag", "target": "mail"}, False),
            ({"scope": "job", "target": TASK}, False),
        ],
    )
    def test_names_tasks_and_queues(self, session: Connection, node: str, scope: dict[str, str], watches: bool) -> None:
        rule("failing", threshold=1, **scope)
        end(session, node, FAILED)
        assert bool(incidents()) == watches

    def test_of_a_queue_watches_its_jobs(self, session: Connection, node: str) -> None:
        made = rule("failing", threshold=1, scope="queue", target="mail")
        watched, other = job(queue="mail"), job()
        fail(session, node, watched)
        fail(session, node, other)
        assert [incident.job_key for incident in incidents()] == [watched.pk]
        assert [found.pk for found in rules.watched(rule=made)] == [watched.pk]
        assert rules.of_job(job=watched) == [made]
        assert rules.of_job(job=other) == []


class TestARuleThatIsNew:
    def test_opens_for_what_fails_already_and_closes_what_it_watches_no_more(
        self, session: Connection, node: str
    ) -> None:
        end(session, node, FAILED, FAILED)
        made = rule("failing", threshold=2)

        alerts.judge_here(kind=RuleKind.FAILING, rule=made.pk, because=ClosedBecause.RULE_CHANGED, by="")
        (incident,) = incidents()
        assert (incident.subject, incident.job_name, incident.measured) == (f"task:mail/{TASK}", TASK, 2)

        type(made).objects.update(threshold=3)
        alerts.judge_here(kind=RuleKind.FAILING, rule=made.pk, because=ClosedBecause.RULE_CHANGED, by="")
        assert incidents()[0].closed_because == "rule_changed"


class TestAnIncidentOfATask:
    def test_names_the_task_for_programs_and_people(self, session: Connection, node: str, client: Client) -> None:
        rule("failing", threshold=1)
        end(session, node, FAILED)
        (incident,) = incidents()
        document = messages.represent(incident)
        assert (document["job"], document["task"], document["job_name"]) == (None, TASK, TASK)
        client.force_login(get_user_model().objects.create_superuser("root"))
        page = client.get(reverse("admin:scheduler_incident_change", args=[incident.pk])).content.decode()
        assert reverse("admin:scheduler_queue_task", args=[TASK]) in page
        assert "/mute/" not in page
