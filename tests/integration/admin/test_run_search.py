"""Runs are found by their arguments and by what they logged, with a bounded number of runs read at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.models import BulkAction, Run
from scheduler.services import bulk, jobs
from scheduler.services.queries import run_queries, text_search
from scheduler.services.queries.run_queries import RunFilter
from tests.integration.admin.runs import run, yes
from tests.waiting import PATIENCE_SECONDS

RUNS = reverse("admin:scheduler_run_changelist")
MANY = reverse("admin:scheduler_run_many")


def listed(client: Client, query: str = "") -> list[int]:
    return [row["run"].pk for row in client.get(f"{RUNS}?{query}").context["rows"]]


def found(**wanted: Any) -> list[int]:
    return [row.pk for row in run_queries.page(filter=RunFilter(**wanted), limit=50).rows]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search read three runs at a time."""
    monkeypatch.setattr(text_search, "MOST_SEARCHED", 3)


pytestmark = pytest.mark.django_db


class TestAnArgument:
    @pytest.mark.parametrize(
        ("argument", "matches"),
        [
            ("7", True),
            ("source_id=7", True),
            ("source_id=71", False),
            ("options.depth=2", True),
            ("options.depth=3", False),
            ("is_dry=true", True),
            ("Weekly “Sales", True),
            ("weekly", True),
            ('say "hi"', True),
            ("100%", True),
            ("1_0", False),
            ("second", True),
            ("third", False),
        ],
    )
    def test_is_found_by_a_part_or_by_its_name_and_value(self, argument: str, matches: bool) -> None:
        kwargs = {
            "source_id": 7,
            "title": "Weekly “Sales” 100%",
            "options": {"depth": 2},
            "is_dry": True,
            "text": 'say "hi"',
        }
        wanted = run(args=["first", "second"], kwargs=kwargs)
        run(kwargs={"source_id": 8})

        assert found(argument=argument) == ([wanted.pk] if matches else [])

    def test_is_one_criterion_beside_others(self) -> None:
        failed = run(kwargs={"a": 1}, state=RunState.FAILED, error="E", log="One\nTwo lines")
        run(kwargs={"a": 1}, log="one")

        assert found(argument="a=1", states=(RunState.FAILED,)) == [failed.pk]
        assert found(argument="a=1", log="two LINES") == [failed.pk]
        assert found(argument="a=1", log="%") == []


class TestASearch:
    def test_reads_a_bounded_number_of_runs_and_continues_with_the_next_page(self, client: Client, few: None) -> None:
        wanted = [run(log="needle").pk]
        for _ in range(7):
            run(log="hay")
        wanted.append(run(log="needle").pk)

        address, pages = f"{RUNS}?log=needle", []
        while address:
            response = client.get(address)
            pages.append([row["run"].pk for row in response.context["rows"]])
            address = response.context["links"].get("older")
            assert ("The search has reached" in response.content.decode()) is bool(address)

        assert pages == [[wanted[1]], [], [wanted[0]]]

    def test_pages_back_as_well(self, few: None) -> None:
        wanted = [run(log="needle").pk for _ in range(2)]
        for _ in range(4):
            run(log="hay")
        newest = run(log="needle").pk
        filter = RunFilter(log="needle")

        page, forth = run_queries.page(filter=filter, limit=50), []
        while page.next:
            forth += [row.pk for row in page.rows]
            page = run_queries.page(filter=filter, limit=50, cursor=page.next)
        forth += [row.pk for row in page.rows]
        back: list[int] = []
        while page.previous:
            page = run_queries.page(filter=filter, limit=50, cursor=page.previous)
            back += [row.pk for row in page.rows]

        assert forth == [newest, *reversed(wanted)]
        assert back == [wanted[1], newest]

    def test_reads_a_bounded_number_of_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_search, "MOST_BYTES", 1_000)
        run(log="needle")
        for _ in range(3):
            run(log="x" * 900)

        page = run_queries.page(filter=RunFilter(log="needle"), limit=50)

        assert page.rows == []
        assert page.edge is not None
        assert page.next is not None

    def test_of_a_job_or_of_failures_goes_in_their_order(self, few: None) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        at = timezone.now()
        wanted = [
            run(job=job, at=at.replace(microsecond=number), state=RunState.FAILED, error="E", log=f"n{number % 4}").pk
            for number in range(8)
        ]

        for filter in (RunFilter(job="nightly", log="n1"), RunFilter(error="E", log="n1")):
            page, seen = run_queries.page(filter=filter, limit=1), []
            for _ in range(9):
                seen += [row.pk for row in page.rows]
                if page.next is None:
                    break
                page = run_queries.page(filter=filter, limit=1, cursor=page.next)
            assert seen == [wanted[5], wanted[1]]

    def test_does_not_repeat_by_itself(self, client: Client) -> None:
        run(log="needle")

        assert "data-live=" not in client.get(f"{RUNS}?log=needle").content.decode()
        assert "data-live=" in client.get(RUNS).content.decode()

    def test_needs_a_fixed_number_of_queries(self, django_assert_max_num_queries: Any) -> None:
        for _ in range(20):
            run(log="needle")

        with django_assert_max_num_queries(3):
            found(log="needle")


class TestSomebodyWhoMayNotSeeOutput:
    def test_is_not_told_what_it_holds(self, login: Callable[..., Client]) -> None:
        run(log="needle", kwargs={"a": "needle"})
        client = login("view_run")

        for name in ("log", "argument"):
            text = client.get(f"{RUNS}?{name}=needle").content.decode()
            other = client.get(f"{RUNS}?{name}=nothing").content.decode()

            assert "ask for the permission" in text
            assert f'name="{name}"' not in text
            assert text.count("Nightly cleaning") == other.count("Nightly cleaning")

    def test_cannot_act_on_a_search(self, login: Callable[..., Client]) -> None:
        run(log="needle", state=RunState.FAILED, error="E")
        client = login("view_run", "delete_run")

        yes(client, f"{MANY}?log=needle", action="delete", select_across="1")

        assert (Run.objects.count(), BulkAction.objects.count()) == (1, 0)


class TestAnActionOnASearch:
    def test_has_the_runs_that_were_found_when_it_began(self, client: Client, few: None) -> None:
        old = run(log="needle")
        wanted = [run(log="needle").pk, run(log="hay").pk, run(log="needle").pk]

        asked = client.get(f"{MANY}?log=needle&action=delete&select_across=1").content.decode()
        yes(client, f"{MANY}?log=needle", action="delete", select_across="1")
        row = bulk.step(id=BulkAction.objects.get().pk, seconds=PATIENCE_SECONDS)

        assert "searched in the newest 3 runs" in asked
        assert (row.total, row.done) == (2, 2)
        assert set(Run.objects.values_list("pk", flat=True)) == {old.pk, wanted[1]}


class TestTheCommand:
    def test_finds_runs_in_the_same_way(self) -> None:
        wanted = run(log="needle", kwargs={"source_id": 7})
        run()
        out, err = StringIO(), StringIO()

        call_command("runs", "list", "--argument", "source_id=7", "--log", "NEEDLE", "--json", stdout=out, stderr=err)

        assert [row["id"] for row in json.loads(out.getvalue())] == [wanted.pk]
        assert "searched in the newest 10,000 runs at most" in err.getvalue()

    @pytest.mark.parametrize("options", [("--name", "night"), ("--executor", "default"), ("--error", "boom")])
    def test_has_the_filters_of_the_admin(self, options: tuple[str, ...]) -> None:
        wanted = run(state=RunState.FAILED, error="Boom")
        run(job_name="Other", job_key="other", task="other", executor="processpool")
        jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        Run.objects.filter(pk=wanted.pk).update(job="nightly")
        out = StringIO()

        call_command("runs", "list", *options, "--json", stdout=out)

        assert [row["id"] for row in json.loads(out.getvalue())] == [wanted.pk]
