from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddField,
    CreateModel,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
)
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

BEFORE_THE_FIRST_RELEASE = {"0003_govern_runs: run.log"}


def operations() -> Iterator[tuple[str, Operation]]:
    """Every operation on tables that nodes of the release before may work with, and its migration."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app == "scheduler":
            new = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
            for operation in migration.operations:
                if getattr(operation, "model_name_lower", None) not in new:
                    yield name, operation


class TestAMigration:
    """A deploy migrates first and replaces the processes after: meanwhile old code works on new tables."""

    def test_adds_only_columns_that_old_code_need_not_know(self) -> None:
        required = {
            f"{name}: {operation.model_name}.{operation.name}"
            for name, operation in operations()
            if isinstance(operation, AddField)
            and not operation.field.null
            and operation.field.db_default is NOT_PROVIDED
            and not operation.field.many_to_many
        }

        assert required - BEFORE_THE_FIRST_RELEASE == set()

    def test_takes_nothing_away_that_old_code_uses(self) -> None:
        taken = [
            f"{name}: {operation.describe()}"
            for name, operation in operations()
            if isinstance(operation, RemoveField | RenameField | RenameModel | DeleteModel)
        ]

        assert taken == []

    @pytest.mark.parametrize("kind", [AddField, CreateModel])
    def test_is_looked_at(self, kind: type[Operation]) -> None:
        assert any(isinstance(operation, kind) for _, operation in operations())
