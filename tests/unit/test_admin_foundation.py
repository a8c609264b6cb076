from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin

from scheduler import checks
from scheduler.admin import foundation
from scheduler.errors import Misconfigured


class OwnAdmin(admin.ModelAdmin):
    """A project's own base."""


class TestTheBaseOfTheAdminClasses:
    def test_is_the_stock_one_where_no_theme_is_installed(self) -> None:
        assert foundation.chosen("stock") is admin.ModelAdmin

    def test_may_be_a_class_of_the_project(self) -> None:
        assert foundation.chosen(f"{__name__}.OwnAdmin") is OwnAdmin

    @pytest.mark.parametrize("choice", ["nonsense", "no.such.Admin", "json.dumps", "datetime.datetime", ""])
    def test_is_refused_by_its_value(self, choice: str) -> None:
        with pytest.raises(Misconfigured, match=f"is “{choice}”"):
            foundation.chosen(choice)

    def test_is_told_by_a_system_check(self, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "ADMIN_BASE": "no.such.Admin"}

        (message,) = checks.admin_base()

        assert (message.id, "no.such.Admin" in message.msg) == ("scheduler.E001", True)

    def test_passes_the_check_as_it_is(self) -> None:
        assert checks.admin_base() == []


class TestRegistering:
    def test_is_left_to_the_project_if_it_says_so(self, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "ADMIN_REGISTER": False}
        before = dict(admin.site._registry)

        kept = foundation.register(admin.models.LogEntry)(OwnAdmin)

        assert kept is OwnAdmin
        assert admin.site._registry == before
