from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.core import zone_rules
from scheduler.core.states import NodeState
from scheduler.engine.duties.inspection import inspect_jobs
from scheduler.engine.duties.resume import end_pauses
from scheduler.engine.duties.rule_changes import compute_by_current_zones
from scheduler.errors import WrongEnvironment
from scheduler.models import Installation, Job, Node, Run
from scheduler.services import jobs
from scheduler.services.jobs import creation
from scheduler.store.claiming import claims
from scheduler.store.claiming.positions import Positions
from scheduler.store.liveness import installation
from scheduler.store.recording import runs
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_node

pytestmark = pytest.mark.django_db(transaction=True)

DAILY = {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}


class TestTheEnvironment:
    def test_is_what_the_first_node_says(self) -> None:
        installation.admit(environment="production")
        installation.admit(environment="production")

        assert Installation.objects.get().environment == "production"

    @pytest.mark.parametrize("other", ["staging", ""])
    def test_keeps_nodes_of_another_one_out(self, other: str) -> None:
        installation.admit(environment="production")

        with pytest.raises(WrongEnvironment, match="--adopt-environment"):
            installation.admit(environment=other)

    def test_becomes_another_one_when_it_is_adopted(self) -> None:
        installation.admit(environment="production")

        assert installation.adopt(environment="staging") == "production"
        assert installation.adopt(environment="staging") is None
        installation.admit(environment="staging")


class TestOtherTimeZoneData:
    def test_computes_anew_what_depends_on_a_zone_and_has_not_come(self, session: Connection) -> None:
        installation.admit(environment="")
        assert installation.compute_by(session, tzdata="2026a") == (0, "")
        by_old_rules = timezone.now() + timedelta(days=2, minutes=7)
        for id, trigger in (("cron", DAILY), ("interval", {"type": "interval", "hours": 1})):
            jobs.create(id=id, task="sample.nothing", trigger=trigger)
            Job.objects.filter(pk=id).update(next_run_time=by_old_rules)

        assert installation.compute_by(session, tzdata="2026b") == (1, "")
        inspect_jobs(session, settings=conf.get(), broken=False)

        assert jobs.get(id="cron").next_run_time < timezone.now() + timedelta(days=1, hours=1)
        assert jobs.get(id="interval").next_run_time == by_old_rules

    def test_leaves_what_is_due_to_the_rules_it_was_computed_by(self, session: Connection) -> None:
        installation.admit(environment="")
        installation.compute_by(session, tzdata="2026a")
        jobs.create(id="due", task="sample.nothing", trigger=DAILY)
        due_at = timezone.now() - timedelta(minutes=1)
        Job.objects.filter(pk="due").update(next_run_time=due_at)

        assert installation.compute_by(session, tzdata="2026b") == (0, "")

        assert jobs.get(id="due").next_run_time == due_at

    def test_is_noticed_once(self, session: Connection) -> None:
        installation.admit(environment="")

        assert installation.compute_by(session, tzdata="2026a") is not None
        assert installation.compute_by(session, tzdata="2026a") is None

    def test_counts_as_older_while_a_node_has_the_newer_one(self, session: Connection) -> None:
        installation.admit(environment="")
        installation.compute_by(session, tzdata="2026b")
        Node.objects.filter(pk=add_node(name="new")).update(tzdata="2026b")

        assert installation.compute_by(session, tzdata="2025b") is None
        assert Installation.objects.get().tzdata == "2026b"

        Node.objects.update(state=NodeState.STOPPED)
        assert installation.compute_by(session, tzdata="2025b") == (0, "")
        assert Installation.objects.get().tzdata == "2025b"

    def test_is_noted_on_the_node(self, session: Connection) -> None:
        installation.admit(environment="")
        node = add_node(name="web-1")

        compute_by_current_zones(session, node=str(node))

        assert Node.objects.get(pk=node).tzdata == zone_rules.release() == Installation.objects.get().tzdata


NEWEST = "2999a"


def rules_of(node: object, release: str, *tasks: str) -> None:
    Node.objects.filter(pk=node).update(tzdata=release, tasks=list(tasks))


class TestANodeWithOlderRules:
    """Two images side by side: fire times that depend on a zone are planned by the newer rules alone."""

    @pytest.fixture(autouse=True)
    def due(self) -> None:
        for id, trigger in (("cron", DAILY), ("interval", {"type": "interval", "hours": 1})):
            jobs.create(id=id, task="sample.nothing", trigger=trigger)
        Job.objects.update(next_run_time=timezone.now() - timedelta(seconds=1))

    def claimed(self, session: Connection, node: object) -> set[str]:
        claims.claim_due(
            session,
            node=str(node),
            tasks={"sample.nothing"},
            limit=10,
            room={"default": 5},
            catch_up_limit=5,
            positions=Positions(whole_seconds=0),
        )
        return set(Run.objects.values_list("job_key", flat=True))

    def next_due(self, session: Connection) -> float | None:
        return runs.next_due(session, tasks={"sample.nothing"}, executors={"default"}).job

    def test_leaves_what_depends_on_a_zone_to_one_with_newer_ones(self, session: Connection) -> None:
        rules_of(add_node(name="new"), NEWEST, "sample.nothing")

        assert self.claimed(session, add_node(name="old")) == {"interval"}
        coming = self.next_due(session)
        assert coming is not None
        assert coming > 60, "it would be asked for again and again"

    @pytest.mark.parametrize(
        ("release", "task", "state"),
        [
            (NEWEST, "sample.nothing", NodeState.STOPPED),
            (NEWEST, "sample.nothing", NodeState.LOST),
            (NEWEST, "sample.square", NodeState.RUNNING),
            ("installed 9999999999", "sample.nothing", NodeState.RUNNING),
            ("", "sample.nothing", NodeState.RUNNING),
            ("1999a", "sample.nothing", NodeState.RUNNING),
        ],
    )
    def test_plans_it_if_no_other_can(self, session: Connection, release: str, task: str, state: NodeState) -> None:
        rules_of(add_node(name="other", state=state), release, task)

        assert self.claimed(session, add_node(name="old")) == {"cron", "interval"}

    def test_is_any_node_whose_rules_name_no_release(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rules_of(add_node(name="other"), "1999a", "sample.nothing")
        monkeypatch.setattr(zone_rules, "rank", lambda: "")

        assert self.claimed(session, add_node(name="old")) == {"interval"}

    def test_inspects_and_resumes_no_such_job(self, session: Connection) -> None:
        Job.objects.filter(pk="cron").update(needs_inspection=True, needs_rescheduling=True)
        newer = add_node(name="new")
        rules_of(newer, NEWEST, "sample.nothing")
        inspect_jobs(session, settings=conf.get(), broken=False)
        assert Job.objects.get(pk="cron").needs_inspection is True

        jobs.pause(job="cron", until=timezone.now() + timedelta(hours=1))
        end_pauses(session, settings=conf.get(), now=timezone.now() + timedelta(hours=2))
        assert Job.objects.get(pk="cron").state == "paused"

        Node.objects.filter(pk=newer).update(state=NodeState.STOPPED)
        end_pauses(session, settings=conf.get(), now=timezone.now() + timedelta(hours=2))
        assert Job.objects.get(pk="cron").state == "active"

    def test_does_not_have_the_last_word_on_an_edit(self) -> None:
        rules_of(add_node(name="new"), NEWEST, "sample.nothing")

        jobs.update(job="cron", trigger={**DAILY, "expression": "31 2 * * *"})
        jobs.update(job="interval", trigger={"type": "interval", "hours": 2})
        jobs.create(id="made", task="sample.nothing", trigger=DAILY)
        jobs.create(id="unknown", task="sample.square", kwargs={"number": 1}, trigger=DAILY)
        creation.create_many(definitions={"many": {"task": "sample.nothing", "trigger": DAILY}})

        marked = Job.objects.filter(needs_inspection=True, needs_rescheduling=True)
        assert set(marked.values_list("pk", flat=True)) == {"cron", "made", "many"}
