"""The zone in which a person reads the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.admin.format.display_zone import COOKIE
from scheduler.models import Job
from tests.integration.admin.runs import node, run
from tests.integration.admin.test_jobs import LIST, make, page

ZONE = reverse("admin:scheduler_zone")
DASHBOARD = reverse("admin:scheduler_dashboard")
NODES = reverse("admin:scheduler_node_changelist")
AT = datetime(2091, 1, 10, 12, 0, tzinfo=UTC)
ONCE = {"type": "date", "run_at": AT.isoformat()}


def choose(client: Client, zone: str, **more: str) -> Any:
    return client.post(ZONE, {"zone": zone, "next": LIST, **more})


class TestChoosing:
    @pytest.mark.parametrize(
        ("answer", "shown"),
        [
            ({"zone": "UTC"}, "UTC (UTC+00:00)"),
            ({"zone": "Asia/Kolkata"}, "Asia/Kolkata (UTC+05:30)"),
            ({"zone": "place", "place": " Asia/Kolkata "}, "Asia/Kolkata (UTC+05:30)"),
        ],
    )
    def test_leads_back_and_is_said_on_every_page(self, client: Client, answer: dict[str, str], shown: str) -> None:
        make()
        run(job=Job.objects.get())
        node()

        response = client.post(ZONE, {**answer, "next": addresses.runs(tab="failed")})

        assert response.url == addresses.runs(tab="failed")
        for address in (LIST, DASHBOARD, NODES, addresses.job("nightly"), page("nightly"), addresses.runs()):
            text = client.get(address).content.decode()
            assert f"Times in {shown}" in text, address
            assert f"{ZONE}?next=" in text, address

    def test_can_be_taken_back(self, client: Client) -> None:
        choose(client, "Asia/Kolkata")
        choose(client, "")

        assert f"Times in {settings.TIME_ZONE} " in client.get(LIST).content.decode()

    def test_names_what_is_no_zone(self, client: Client) -> None:
        response = choose(client, "place", place="CEST")

        assert "“CEST” is not a time zone. Choose a region such as Europe/Berlin." in response.content.decode()
        assert ('value="CEST"' in response.content.decode(), COOKIE in client.cookies) == (True, False)

    def test_writes_no_row(self, client: Client, django_assert_num_queries: Any) -> None:
        client.get(LIST)

        with django_assert_num_queries(2):  # the session and the user
            choose(client, "UTC")

    @pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", ""])
    def test_leads_to_no_other_site(self, client: Client, back: str) -> None:
        assert client.post(ZONE, {"zone": "UTC", "next": back}).url == reverse("admin:index")

    @pytest.mark.parametrize("kept", ["CEST", "../../etc/passwd", "x" * 100, ""])
    def test_survives_a_cookie_that_is_no_zone(self, client: Client, kept: str) -> None:
        client.cookies[COOKIE] = kept

        assert f"Times in {settings.TIME_ZONE} " in client.get(LIST).content.decode()


class TestTimes:
    @pytest.mark.parametrize("address", [LIST, DASHBOARD, "job", "run"])
    def test_are_those_of_the_zone_everywhere(self, client: Client, address: str) -> None:
        job = make(trigger=ONCE)
        found = {"job": addresses.job("nightly"), "run": addresses.run(run(job=job, at=AT).pk)}.get(address, address)
        titles = re.compile(r'<time datetime="2091-01-10T(\d\d:\d\d)')

        choose(client, "Asia/Kolkata")
        there = set(titles.findall(client.get(found).content.decode()))
        choose(client, "America/New_York")
        elsewhere = set(titles.findall(client.get(found).content.decode()))

        assert ("17:30" in there, "07:00" in elsewhere) == (True, True)
        assert not {"12:00", "13:00"} & (there | elsewhere)

    def test_of_a_job_are_told_in_its_own_zone_as_well(self, client: Client) -> None:
        make(
            trigger={"type": "cron", "expression": "0 2 10 1 *", "timezone": "Europe/Berlin", "start_at": "2091-01-01"}
        )

        choose(client, "Europe/Berlin")
        at_home = client.get(addresses.job("nightly")).content.decode()
        choose(client, "America/New_York")
        away = client.get(addresses.job("nightly")).content.decode()

        assert ("02:00 Europe/Berlin" in at_home, "Wed 10 Jan 02:00 Europe/Berlin" in away) == (False, True)
        assert "9 Jan 2091 20:00" in away

    def test_that_are_typed_are_meant_in_the_zone(self, client: Client) -> None:
        choose(client, "Asia/Kolkata")
        text = client.get(addresses.runs(since="2091-01-10T17:30")).context["rows"]

        assert text == []
        assert 'value="2091-01-10T17:30"' in client.get(addresses.runs(since="2091-01-10T12:00Z")).content.decode()

    def test_of_the_next_request_are_the_projects_again(self, client: Client) -> None:
        choose(client, "Asia/Kolkata")
        client.get(LIST)

        assert str(timezone.get_current_timezone()) == settings.TIME_ZONE
