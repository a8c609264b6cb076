from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.utils import timezone

from scheduler import conf
from scheduler.engine.duties import zones
from scheduler.engine.duties.inspection import inspect_jobs
from scheduler.errors import WrongEnvironment
from scheduler.models import Installation, Job
from scheduler.services import jobs
from scheduler.store.liveness import installation
from scheduler.store.sessions.connections import Connection

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

    def test_is_known_by_its_version(self, tmp_path: Path) -> None:
        (tmp_path / "tzdata.zi").write_text("# version 2031c\n# a comment\n")

        with mock.patch("zoneinfo.TZPATH", (str(tmp_path),)):
            assert zones.tzdata_version() == "2031c"
        with mock.patch("zoneinfo.TZPATH", ()):
            assert zones.tzdata_version().startswith("20")
