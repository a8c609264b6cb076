"""The database's own code is a file: what the migrations add up to is what the models and the file say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

import scheduler

SCHEMA = Path(scheduler.__file__).parent / "store/schema.sql"
OTHER = "made_from_the_file"

Found = dict[str, set[tuple[object, ...]]]

QUESTIONS = {
    "columns": """
        SELECT table_name, column_name, udt_name, character_maximum_length, is_nullable, is_identity,
               regexp_replace(column_default, '''(\\w+\\.)?(\\w+)''::regclass', '\\2')
          FROM information_schema.columns
         WHERE table_schema = %s AND (table_name LIKE 'scheduler\\_%%' OR table_name = 'django_apscheduler_djangojob')
    """,
    "constraints": """
        SELECT rel.relname, regexp_replace(con.conname, '_[0-9a-f]{8}_', '_#_'), pg_get_constraintdef(con.oid)
          FROM pg_constraint AS con
          JOIN pg_class AS rel ON rel.oid = con.conrelid
         WHERE rel.relnamespace = %s::regnamespace AND rel.relname LIKE 'scheduler\\_%%' AND con.contype <> 'n'
    """,
    "indexes": """
        SELECT tablename, regexp_replace(indexname, '_[0-9a-f]{8}', '_#'),
               regexp_replace(indexdef, '_[0-9a-f]{8}', '_#')
          FROM pg_indexes
         WHERE schemaname = %s AND tablename LIKE 'scheduler\\_%%'
    """,
    "functions": """
        SELECT proname, pg_get_functiondef(oid)
          FROM pg_proc
         WHERE pronamespace = %s::regnamespace AND proname LIKE 'scheduler\\_%%'
    """,
    "triggers": """
        SELECT trigger.tgname, pg_get_triggerdef(trigger.oid)
          FROM pg_trigger AS trigger
          JOIN pg_class AS rel ON rel.oid = trigger.tgrelid
         WHERE rel.relnamespace = %s::regnamespace AND NOT trigger.tgisinternal
    """,
}


def read(schema: str) -> Found:
    """Return what the database says, without comments: to correct one in the file needs no migration."""
    found: Found = {}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = pg_catalog")  # so that every name comes with its schema
        for what, question in QUESTIONS.items():
            cursor.execute(question, [schema])
            found[what] = {
                tuple(
                    re.sub(rf"\b{schema}\.|'{schema}', |^ *--.*\n", "", part, flags=re.MULTILINE)
                    if isinstance(part, str)
                    else part
                    for part in row
                )
                for row in cursor.fetchall()
            }
    return found


@pytest.fixture
def made_from_the_file(db: None) -> None:
    """Build the tables of the models in another schema, and execute the file there."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {OTHER}")
        cursor.execute(f"SET LOCAL search_path = {OTHER}, public")
    with connection.schema_editor(atomic=False) as editor:
        editor.create_model(apps.get_model("django_apscheduler", "DjangoJob"))
        for model in apps.get_app_config("scheduler").get_models():
            if model._meta.managed and not model._meta.proxy:
                editor.create_model(model)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL search_path = {OTHER}, public")
        cursor.execute(SCHEMA.read_text().replace("%", "%%"), [])


@pytest.mark.usefixtures("made_from_the_file")
class TestTheDatabase:
    def test_of_the_migrations_is_that_of_the_models_and_the_file(self) -> None:
        migrated, made = read("public"), read(OTHER)

        for what in QUESTIONS:
            assert migrated[what] - made[what] == set(), f"{what} of the migrations only"
            assert made[what] - migrated[what] == set(), f"{what} of the models and the file only"

    def test_lets_the_type_of_a_column_of_jobs_be_altered_as_contributors_are_told(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger"
                " WHERE tgrelid = 'scheduler_job'::regclass AND tgattr <> ''"
            )
            named = cursor.fetchall()
            for name, _ in named:
                cursor.execute(f"DROP TRIGGER {name} ON scheduler_job")
            for column in ("name", "description", "executor"):
                cursor.execute(f"ALTER TABLE scheduler_job ALTER COLUMN {column} TYPE varchar(9000)")
            for _, definition in named:
                cursor.execute(definition)

        assert len(named) > 1
