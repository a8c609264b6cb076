from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from scheduler.management.commands.runscheduler import Command
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.postgres import Cluster, free_port
from tests.scenarios.site import NodeProcess, Site


def refusal(node: NodeProcess, *, code: int = 1) -> str:
    """Wait until it has ended with this code, and return what it said: one sentence or two, and no traceback."""
    assert node.ended() == code, node.output
    assert "Traceback" not in node.output
    assert "scheduler.node.started" not in node.output
    assert 0 < len(node.output.strip()) < 1500
    return node.output


class TestANodeThatMayNotStart:
    def test_is_told_by_a_setting(self, site: Site) -> None:
        assert "ENABLE_SCHEDULER is off here" in refusal(site.launch(ENABLE_SCHEDULER="0"))

    def test_is_told_which_command_creates_the_tables(self, site: Site, cluster: Cluster) -> None:
        cluster.psql("CREATE DATABASE empty")
        try:
            said = refusal(site.launch(DATABASE_URL=cluster.url("empty")))
        finally:
            cluster.psql("DROP DATABASE empty WITH (FORCE)")

        assert "migrations to apply" in said
        assert "manage.py init_scheduler_db" in said

    def test_is_told_that_it_needs_postgresql(self, site: Site) -> None:
        assert "needs PostgreSQL" in refusal(site.launch(DATABASE_URL="sqlite:///db.sqlite3"))

    def test_is_told_which_database_is_missing(self, site: Site, cluster: Cluster) -> None:
        assert "There is no database “nowhere”" in refusal(site.launch(DATABASE_URL=cluster.url("nowhere")))

    def test_is_told_that_nothing_listens(self, site: Site) -> None:
        node = site.launch("--wait", "0.2", DATABASE_URL=f"postgresql://u@127.0.0.1:{free_port()}/d")

        assert "Nothing listens on 127.0.0.1" in refusal(node)

    def test_is_told_which_argument_is_wrong(self, site: Site) -> None:
        assert "--threads" in refusal(site.launch("--threads", "0"), code=2)

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("--processes", "-1"), "--processes"),
            (("--grace", "soon"), "--grace"),
            (("--wait", "-5"), "--wait"),
            (("--unknown",), "--unknown"),
        ],
    )
    def test_is_told_each_argument_that_is_wrong(self, arguments: tuple[str, ...], named: str) -> None:
        with pytest.raises(CommandError, match=named):
            Command().create_parser("manage.py", "runscheduler").parse_args(arguments)

    def test_is_told_which_setting_is_wrong(self, site: Site) -> None:
        said = refusal(site.launch(SCHEDULER_LEASE_SECONDS="200"))

        assert "HEARTBEAT_SECONDS < LEASE_SECONDS < REAP_AFTER_SECONDS" in said


class TestANodeWhoseDatabaseIsStarting:
    def test_waits_for_it(self, site: Site, cluster: Cluster) -> None:
        cluster.stop()
        try:
            node = site.launch("--wait", "600", "--processes", "0")
            node.printed("Waiting up to 600 s for the database")
        finally:
            cluster.start()

        node.printed("scheduler.node.started")
        node.stop()


class TestOnce:
    def test_runs_what_is_due_and_exits(self, site: Site) -> None:
        due = jobs.create(id="due", task="sample.record", trigger={"type": "interval", "hours": 1})
        later = jobs.create(id="later", task="sample.record", trigger={"type": "interval", "hours": 1})
        jobs.run_now(
            job=jobs.create(
                id="asked", task="sample.fail", trigger={"type": "interval", "hours": 1}, kwargs={"message": "no"}
            )
        )
        Job.objects.filter(pk=due.pk).update(next_run_time=timezone.now() - timedelta(seconds=1))

        node = site.launch("--once", "--processes", "0")

        assert node.ended() == 0, node.output
        assert set(Run.objects.values_list("job_key", "state")) == {("due", "succeeded"), ("asked", "failed")}
        assert [execution.job for execution in site.executions()] == ["due"]
        assert Job.objects.get(pk=later.pk).next_run_time == later.next_run_time
        assert site.node_of(node).state == "stopped"

    def test_exits_at_once_when_nothing_is_due(self, site: Site) -> None:
        node = site.launch("--once", "--processes", "0")

        assert node.ended() == 0, node.output
