from __future__ import annotations

import pytest

from scheduler.models import Job
from tests.integration.api.conftest import Caller

FIELDS = {
    "args": '{"task": "sample.give", "trigger": {"type": "interval", "hours": 1}, "args": %s}',
    "kwargs": '{"task": "sample.give", "trigger": {"type": "interval", "hours": 1}, "kwargs": {"value": %s}}',
    "trigger": '{"task": "sample.nothing", "trigger": {"type": "or", "triggers": %s}}',
}


class TestABodyThatIsNestedDeeply:
    @pytest.mark.parametrize("depth", [150, 300, 100_000])
    @pytest.mark.parametrize("field", FIELDS)
    def test_is_stored_and_shown_or_refused(self, api: Caller, field: str, depth: int) -> None:
        body = FIELDS[field] % ("[" * depth + "]" * depth)

        response = api.post("jobs", body, content_type="application/json")

        assert response.status_code == (201 if field != "trigger" and depth == 150 else 400)
        assert api.get("jobs").status_code == 200
        assert Job.objects.count() == (response.status_code == 201)
