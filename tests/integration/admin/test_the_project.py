"""The parts of the admin that belong to the project: its sidebar, and the tokens of the API."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from knox.models import get_token_model

from tests.own_markup import IS_UNFOLD

pytestmark = pytest.mark.django_db

TOKENS = "/admin/knox/authtoken/"


@pytest.mark.skipif(IS_UNFOLD, reason="the theme has a sidebar of its own")
class TestTheSidebar:
    @pytest.mark.parametrize("page", ["dashboard", "outlook", "health"])
    def test_marks_the_page_that_is_open_and_only_that(self, client: Client, page: str) -> None:
        address = reverse(f"admin:scheduler_{page}")

        shown = client.get(address).content.decode()

        assert re.findall(r'<a href="([^"]+)" aria-current="page"', shown.partition('id="content"')[0]) == [address]

    def test_marks_lists_as_django_does(self, client: Client) -> None:
        jobs = reverse("admin:scheduler_job_changelist")

        assert f'<a href="{jobs}" aria-current="page"' in client.get(jobs).content.decode()

    def test_leads_only_to_what_a_person_may_see(self, login: Callable[..., Client]) -> None:
        shown = login("view_node").get(reverse("admin:index")).content.decode()

        assert reverse("admin:scheduler_health") in shown
        assert reverse("admin:scheduler_dashboard") not in shown


class TestTokens:
    def test_are_listed_and_revoked_but_not_made(self, client: Client) -> None:
        user = User.objects.create_user("ben")
        kept, _secret = get_token_model().objects.create(user=user)

        listed = client.get(TOKENS).content.decode()

        assert kept.token_key in listed
        assert "Knox" not in listed
        assert "create_api_token" in listed
        assert client.get(f"{TOKENS}add/").status_code == 403
        client.post(f"{TOKENS}{kept.pk}/delete/", {"post": "yes"})
        assert not get_token_model().objects.exists()
