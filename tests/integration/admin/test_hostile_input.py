"""What people, tasks and foreign pages may have put into the database or sent with a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from scheduler.core.states import RunState
from scheduler.models import Job, Run
from tests.integration.admin.runs import node, run
from tests.integration.admin.test_jobs import make
from tests.integration.admin.test_permissions import MATRIX

HOSTILE = "</pre></script>\"><script>alert('x')</script><img src=x onerror=alert(1)>\u2028 javascript:alert(2)"

POSTS = [row[0] for row in MATRIX if row[1] == "post"]
PAGES = [row[0] for row in MATRIX if row[1] == "get"]


def row(what: str) -> tuple[str, Callable[[], str]]:
    return next((method, where) for name, method, where, _ in MATRIX if name == what)


class TestARequestFromAForeignPage:
    @pytest.mark.parametrize("what", POSTS)
    def test_is_refused(self, db: None, what: str) -> None:
        run(job=make())
        victim = Client(enforce_csrf_checks=True)
        victim.force_login(User.objects.create_superuser("anna"))
        _, where = row(what)
        address = where()
        before = Job.objects.get().version

        response = victim.post(address)

        assert response.status_code == 403
        assert (Job.objects.get().version, Run.objects.count()) == (before, 1)


class TestMarkupInWhatIsShown:
    @pytest.mark.parametrize("what", PAGES)
    def test_stays_text(self, client: Client, what: str) -> None:
        job = make()
        Job.objects.update(name=HOSTILE, description=HOSTILE, tags=["<script>alert(3)</script>"])
        run(
            job=job,
            job_name=HOSTILE,
            state=RunState.FAILED,
            error=HOSTILE,
            traceback=HOSTILE,
            log=HOSTILE,
            reason=HOSTILE,
            requested_by=HOSTILE[:150],
            result={HOSTILE: HOSTILE},
            args=[HOSTILE],
            progress={"done": 1, "total": 2, "message": HOSTILE},
        )
        node(name=HOSTILE, host=HOSTILE)
        _, where = row(what)

        response = client.get(where())

        text = b"".join(response.streaming_content if response.streaming else [response.content]).decode()
        assert response.status_code == 200
        assert "Content-Security-Policy" in response
        if response["Content-Type"].startswith("text/html"):
            assert not [part for part in ("<script>alert", "<img src=x", "</pre></script>") if part in text]

    def test_is_there_to_be_seen(self, client: Client) -> None:
        make()
        Job.objects.update(name=HOSTILE)
        _, where = row("jobs")

        assert escape("<script>alert('x')") in client.get(where()).content.decode()
