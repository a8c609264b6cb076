"""What unfold's sidebar shows of ours; it is plain data, the same with and without that theme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import RequestFactory
from django.urls import reverse

from scheduler.admin import addresses, sidebar

DASHBOARD, HEALTH = reverse("admin:scheduler_dashboard"), reverse("admin:scheduler_health")


@pytest.fixture
def shown(db: None, rf: RequestFactory) -> Callable[..., list[dict[str, Any]]]:
    """Ask for the sidebar as somebody with just these permissions; with none named, as a superuser."""

    def ask(*permissions: str, at: str = "/admin/") -> list[dict[str, Any]]:
        request = rf.get(at)
        request.user = User.objects.create_user("anna", is_staff=True, is_superuser=not permissions)
        request.user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return sidebar.navigation(request)

    return ask


def titles(groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {group["title"]: [str(item["title"]) for item in group["items"]] for group in groups}


class TestTheSidebar:
    def test_has_all_our_pages_first_and_the_models_of_other_apps(self, shown: Callable[..., Any]) -> None:
        found = titles(shown())

        assert next(iter(found.items())) == (
            "Scheduler",
            [
                "Dashboard",
                "Jobs",
                "Templates",
                "Calendars",
                "Runs",
                "Queues",
                "Incidents",
                "Nodes",
                "Health",
                "Changes",
                "Rules",
                "Channels",
                "Notifications",
                "Dead-man&#x27;s switches",
            ],
        )
        assert found["OpenLearn scraping"] == ["Documents", "Pages", "Sources"]

    def test_has_nothing_that_would_refuse(self, shown: Callable[..., Any]) -> None:
        assert titles(shown("view_job")) == {"Scheduler": ["Dashboard", "Jobs", "Changes"]}

    @pytest.mark.parametrize(
        ("address", "title"),
        [(DASHBOARD, "Dashboard"), (addresses.job("nightly"), "Jobs"), (HEALTH, "Health"), (addresses.run(7), "Runs")],
    )
    def test_marks_the_page_that_is_open(self, shown: Callable[..., Any], address: str, title: str) -> None:
        marked = [item["title"] for group in shown(at=address) for item in group["items"] if item["active"]]

        assert marked == [title]

    def test_asks_the_database_for_no_more_than_permissions(
        self, shown: Callable[..., Any], django_assert_max_num_queries: Callable[..., Any], rf: RequestFactory
    ) -> None:
        request = rf.get(DASHBOARD)
        request.user = User.objects.create_superuser("root")

        with django_assert_max_num_queries(0):
            sidebar.navigation(request)
