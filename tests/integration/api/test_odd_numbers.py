"""Numbers that SQL allows and that nobody expects: status and health answer beside them."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from scheduler.core.states import RunState
from scheduler.models import Run
from tests.integration.api.conftest import Caller
from tests.ledger import NOON, add_job, add_node, add_run

pytestmark = pytest.mark.django_db

ODD = {
    "a row that stands for all fire times": "UPDATE scheduler_run SET coalesced = 2147483647",
    "a run that is due for ever": "UPDATE scheduler_run SET due_at = '-infinity', created_at = '-infinity'",
    "a run that is never due": "UPDATE scheduler_run SET due_at = 'infinity'",
    "a job that is due for ever": "UPDATE django_apscheduler_djangojob SET next_run_time = '-infinity'",
    "a job of the year 20000": "UPDATE django_apscheduler_djangojob SET next_run_time = '20000-01-01'",
    "a node from the end of time": "UPDATE scheduler_node SET started_at = 'infinity'",
    "a node that was always there": "UPDATE scheduler_node SET started_at = '-infinity'",
    "a heartbeat that is still to come": "UPDATE scheduler_node SET heartbeat_at = 'infinity'",
}


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


class TestStatus:
    @pytest.mark.parametrize("path", ["status", "health", "nodes", "jobs", "runs"])
    @pytest.mark.parametrize("odd", ODD)
    def test_is_answered_beside(self, odd: str, path: str, api: Caller) -> None:
        job = add_job()
        node = add_node()
        add_run(job, state=RunState.SKIPPED)
        Run.objects.filter(pk=add_run(job, scheduled_at=NOON.replace(year=2020)).pk).update(node=node)
        with connection.cursor() as cursor:
            cursor.execute(ODD[odd])

        answer = api.get(path)

        assert answer.status_code in (200, 503)
        json.loads(answer.content, parse_constant=refuse)
