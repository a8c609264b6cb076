from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.core import zone_rules
from scheduler.core.states import NodeState
from scheduler.engine.duties.inspection import inspect_jobs
from scheduler.engine.duties.rule_changes import compute_by_current_zones
from scheduler.errors import WrongEnvironment
from scheduler.models import Installation, Job, Node
from scheduler.services import jobs
from scheduler.store.liveness import installation
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
