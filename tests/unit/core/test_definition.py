"""Every place that lists what a job is made of agrees with the one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override

from scheduler.api import answers, shapes
from scheduler.core import definition
from scheduler.core.definition import BY_NAME, FIELDS, Field, Group, Kind, Source
from scheduler.core.jobs import policies
from scheduler.errors import InvalidPolicy
from scheduler.models import Job
from tests import docs_tables

POLICIES = [field for field in FIELDS if field.is_policy]
COLUMNS = {
    Kind.TEXT: {"CharField", "TextField"},
    Kind.CHOICE: {"CharField"},
    Kind.WHOLE_NUMBER: {"SmallIntegerField", "PositiveSmallIntegerField", "PositiveIntegerField"},
    Kind.WHOLE_SECONDS: {"PositiveIntegerField"},
    Kind.NUMBER: {"FloatField"},
    Kind.YES_NO: {"BooleanField"},
    Kind.JSON: {"JSONField", "ArrayField"},
}


def bad_values(field: Field) -> list[Any]:
    """Values that the field rejects, at each of its limits."""
    if field.kind in (Kind.YES_NO, Kind.CHOICE):
        return ["perhaps", 1, None]
    if field.kind is Kind.TEXT:
        return ["", "x" * ((field.max_length or 0) + 1), 1, None]
    assert field.low is not None
    assert field.high is not None
    beyond = [field.low - 1, field.high + 1, True, "1", float("nan")]
    return [*beyond, *([] if field.may_be_empty else [None])]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
class TestAField:
    def test_is_a_column_of_the_same_kind(self, field: Field) -> None:
        column: Any = Job._meta.get_field(field.name)

        assert type(column).__name__ in COLUMNS[field.kind]
        assert column.null is field.may_be_empty
        assert column.help_text == field.help
        assert column.verbose_name == field.label

    def test_has_a_label_and_help_in_every_language(self, field: Field) -> None:
        with override("es"):
            column: Any = Job._meta.get_field(field.name)
            assert not field.help or str(column.help_text) != field.help


@pytest.mark.parametrize("field", POLICIES, ids=lambda field: field.name)
class TestAPolicy:
    def test_has_its_default_in_the_database_too(self, field: Field) -> None:
        column: Any = Job._meta.get_field(field.name)

        assert column.get_default() == field.default
        assert not column.has_db_default() or column.db_default == field.default

    def test_is_rejected_beyond_its_limits_by_the_services(self, field: Field) -> None:
        for value in bad_values(field):
            with pytest.raises(InvalidPolicy, match=field.name):
                policies.check({field.name: value})

    def test_is_rejected_beyond_its_limits_by_the_api(self, field: Field) -> None:
        for value in bad_values(field):
            with pytest.raises(ValueError, match=field.name):
                shapes.JobChange.model_validate({field.name: value})

    def test_is_accepted_at_its_limits(self, field: Field) -> None:
        given = [value for value in (field.low, field.high, *field.choices) if value is not None]
        if field.may_be_empty:
            given.append(None)

        assert [policies.check({field.name: value})[field.name] for value in given] == given

    def test_is_in_the_answers_of_the_api(self, field: Field) -> None:
        member = answers.Job.model_fields[field.name]

        assert member.is_required()
        assert ("None" in str(member.annotation)) is field.may_be_empty


class TestTheTable:
    def test_lists_each_name_once(self) -> None:
        assert len(BY_NAME) == len(FIELDS)

    def test_puts_each_field_into_one_group_of_the_form(self) -> None:
        grouped = [name for group in Group for name in definition.named(group=group)]

        assert sorted(grouped) == sorted(BY_NAME)

    def test_has_every_column_of_a_definition(self) -> None:
        kept = {
            "djangojob_ptr",
            "id",
            "next_run_time",
            "job_state",
            "consecutive_failures",
            "created_at",
            "created_by",
            "updated_at",
            "updated_by",
            "state_changed_at",
            "state_changed_by",
            "needs_inspection",
            "needs_rescheduling",
            "interrupted_at",
            "reason_text",
            "reason_code",
            "reason_params",
        }
        columns = {field.name for field in Job._meta.concrete_fields}

        assert columns - kept <= definition.history_columns()

    def test_is_the_one_in_the_docs(self) -> None:
        assert docs_tables.stale() == []

    def test_says_where_other_defaults_come_from(self) -> None:
        assert {field.name for field in FIELDS if field.default_from is Source.TASK} == {
            "executor",
            "rerun_if_interrupted",
        }


def test_docs_tables_are_found() -> None:
    assert all(Path(page).exists() for page in docs_tables.PAGES)
