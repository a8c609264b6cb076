"""Notes on runs and “I am on it” on the pages: written by those who may, seen by everybody who sees the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.models import Job, Run, RunNote
from scheduler.services.runs import notes
from tests.integration.admin.runs import action, page, run, yes
from tests.integration.admin.test_jobs import make

RUNS = reverse("admin:scheduler_run_changelist")
JOBS = reverse("admin:scheduler_job_changelist")
DASHBOARD = reverse("admin:scheduler_dashboard")


@pytest.fixture
def failed(db: None) -> Run:
    job = make("nightly")
    Job.objects.update(consecutive_failures=1)
    return run(job=job, job_key=job.pk, state=RunState.FAILED, error="ValueError: no")


class TestANote:
    def test_is_written_and_shown_as_text(self, client: Client, failed: Run) -> None:
        asked = client.get(action("note", failed)).content.decode()
        yes(client, action("note", failed), text="<b>Disk</b> full, see https://example.org/1")

        text = client.get(page(failed)).content.decode()
        assert "Everyone who can see the run sees it." in asked
        assert "&lt;b&gt;Disk&lt;/b&gt; full" in text
        assert 'href="https://example.org/1"' in text
        assert "1 note" in client.get(RUNS).content.decode()

    def test_needs_a_text(self, client: Client, failed: Run) -> None:
        response = yes(client, action("note", failed), text=" ")

        assert response.status_code == 200
        assert "Correct the note." in response.content.decode()
        assert not RunNote.objects.exists()

    def test_is_written_once_by_a_double_click(self, client: Client, failed: Run) -> None:
        for _ in range(2):
            client.post(action("note", failed), {"confirmed": "same", "text": "Twice"})

        assert RunNote.objects.count() == 1


class TestIAmOnIt:
    def test_is_seen_on_the_run_the_lists_and_the_dashboard(self, client: Client, failed: Run) -> None:
        yes(client, action("take", failed), text="")

        addresses = (page(failed), RUNS, JOBS, DASHBOARD, reverse("admin:scheduler_job_page", args=["nightly"]))
        for address in addresses:
            assert "anna is on it" in client.get(address).content.decode(), address

    def test_is_seen_on_the_next_failure_of_the_job_and_leads_to_where_it_was_said(
        self, client: Client, failed: Run
    ) -> None:
        notes.take(run=failed, actor="ben")
        later = run(job=failed.job, at=timezone.now(), state=RunState.FAILED, error="ValueError: no")

        text = client.get(page(later)).content.decode()

        assert "ben is on it" in text
        assert f'href="{page(failed)}"' in text

    def test_ends_with_a_success(self, client: Client, failed: Run) -> None:
        notes.take(run=failed, actor="ben")
        run(job=failed.job, at=timezone.now())

        assert "ben is on it" not in client.get(JOBS).content.decode()

    def test_can_be_released(self, client: Client, failed: Run) -> None:
        yes(client, action("take", failed))
        assert 'id="release"' in client.get(page(failed)).content.decode()
        assert 'id="take"' not in client.get(page(failed)).content.decode()

        yes(client, action("release", failed))

        assert "anna is on it" not in client.get(page(failed)).content.decode()
        assert "Released" in client.get(page(failed)).content.decode()


class TestSomebodyWhoMayOnlyLook:
    def test_sees_notes_and_writes_none(self, login: Callable[..., Client], failed: Run) -> None:
        notes.add(run=failed, text="The disk is full.", actor="ben")
        client = login("view_run")

        text = client.get(page(failed)).content.decode()

        assert "The disk is full." in text
        assert not [name for name in ("take", "note", "release") if f'id="{name}"' in text]
        assert {yes(client, action(name, failed), text="x").status_code for name in ("take", "note", "release")} == {
            403
        }
        assert RunNote.objects.count() == 1
