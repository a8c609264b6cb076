from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db import connection, transaction
from django.db.backends.signals import connection_created

from scheduler.errors import DatabaseUnavailable
from scheduler.services import assumptions
from scheduler.store import database
from scheduler.store.sessions import opening
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.drivers.timestamps import EARLIEST, LATEST

ODD_DEFAULTS = {
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "array_nulls": "off",
    "datestyle": "German, DMY",
    "timezone": "Asia/Kathmandu",
    "extra_float_digits": "0",
    "standard_conforming_strings": "off",
    "synchronous_commit": "off",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "idle_session_timeout": "1h",
}
"""What a server, a database or a role may have set, and the statements do not work with."""

EXPECTED = {
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "array_nulls": "on",
    "intervalstyle": "postgres",
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "synchronous_commit": "on",
    "idle_session_timeout": "0",
}


@pytest.fixture
def odd_server() -> Iterator[None]:
    """A database with odd defaults; sessions opened from here on have them."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        for setting, value in ODD_DEFAULTS.items():
            cursor.execute(f'ALTER DATABASE "{name}" SET {setting} = %s', [value])
    _reconnect()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" RESET ALL')
    _reconnect()


def _reconnect() -> None:
    """Let the pool open a new session."""
    session = connection.connection
    if hasattr(session, "invalidate"):
        session.invalidate()
    connection.close()


@pytest.fixture
def session() -> Iterator[Connection]:
    session = Connection(purpose="test")
    yield session
    session.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("odd_server")
class TestASessionOfANode:
    @pytest.mark.parametrize("setting", EXPECTED)
    def test_does_not_depend_on_the_defaults_of_the_server(self, session: Connection, setting: str) -> None:
        ((value,),) = session._run("SELECT current_setting(%(name)s)", {"name": setting})

        assert value == EXPECTED[setting]

    def test_keeps_a_stronger_commit(self, session: Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER DATABASE \"{connection.settings_dict['NAME']}\" SET synchronous_commit = 'remote_apply'"
            )

        assert session._run("SHOW synchronous_commit", {}) == [("remote_apply",)]

    def test_reads_arrays_with_gaps_times_and_json(self, session: Connection) -> None:
        ((array, moment, document, length),) = session._run(
            "SELECT '{1,NULL}'::int[], timestamptz '2027-03-01 12:00+01', '{\"a\": [1]}'::jsonb, interval '90 s'", {}
        )

        assert (array, document, length) == ([1, None], {"a": [1]}, timedelta(seconds=90))
        assert moment == datetime(2027, 3, 1, 11, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("odd_server")
class TestATransactionOfTheWeb:
    def test_is_read_committed_whatever_the_default(self) -> None:
        with database.atomic(), database.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            isolation = cursor.fetchone()

        assert isolation == ("read committed",)

    def test_within_one_of_the_projects_own_leaves_it_as_it_is(self) -> None:
        with transaction.atomic(), database.cursor() as cursor:
            # Said here: the session may be an older one, whose default is another.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            cursor.execute("SELECT 1")
            with database.atomic():
                cursor.execute("SHOW transaction_isolation")
            isolation = cursor.fetchone()

        assert isolation == ("serializable",)


@pytest.mark.django_db(transaction=True)
class TestASession:
    def test_is_opened_as_the_project_opens_its_own(self, session: Connection, settings: Any) -> None:
        """Receivers of ``connection_created`` choose schemas, roles and tenants."""

        def choose_schema(*, connection: Any, **_facts: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET search_path = public, pg_temp")

        connection_created.connect(choose_schema)
        try:
            found = session._run("SHOW search_path", {})
        finally:
            connection_created.disconnect(choose_schema)

        assert found == [("public, pg_temp",)]

    def test_assumes_the_role_of_the_options(self, session: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "assume_role", "pg_read_all_data")

        assert session._run("SELECT current_user", {}) == [("pg_read_all_data",)]

    def test_says_which_of_the_nodes_it_is(self, session: Connection) -> None:
        assert session._run("SHOW application_name", {}) == [("scheduler test",)]

    def test_whose_options_are_wrong_says_what_the_driver_says(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "no_such_option", "1")

        with pytest.raises(DatabaseUnavailable, match="no_such_option"):
            session.execute("probe")

    def test_takes_no_connection_of_the_pool(self, session: Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        in_use = database.pooled_in_use()

        session.execute("probe")

        assert database.pooled_in_use() == in_use > 0

    def test_is_opened_past_the_pool_of_a_project_with_django_db_connection_pool(
        self, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stock = import_module("dj_db_conn_pool.backends.postgresql.base")
        container = import_module("dj_db_conn_pool.core").pool_container
        options = {**connection.settings_dict, "HOST": connection.get_connection_params().get("host", "")}
        pooled = stock.DatabaseWrapper(options, alias="default")
        monkeypatch.setattr(opening, "connections", {"default": pooled})
        monkeypatch.setattr(database, "connections", {"default": pooled})
        try:
            with pooled.cursor() as cursor:
                cursor.execute("SELECT 1")
            assert database.pooled_in_use() == 1

            session.execute("probe")

            assert database.pooled_in_use() == 1
        finally:
            pooled.close()
            container.dispose()
            container.clear()


ODD_TIMES = {
    "infinity": LATEST,
    "-infinity": EARLIEST,
    "20000-01-01 00:00+00": LATEST,
    "294276-12-31 23:59:59+00": LATEST,
    "0044-03-15 12:00+00 BC": EARLIEST,
    "4713-01-01 00:00+00 BC": EARLIEST,
    "0001-01-01 00:00+00": EARLIEST,
    "9999-12-31 23:59:59.999999+00": LATEST,
    "0001-01-02 00:00+00": EARLIEST,
    "1890-01-01 00:00:00.5+00": datetime(1890, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    "2027-03-01 12:00:00.07+02": datetime(2027, 3, 1, 10, 0, 0, 70_000, tzinfo=UTC),
}


@pytest.mark.django_db(transaction=True)
class TestATimestamp:
    @pytest.mark.parametrize("text", ODD_TIMES)
    def test_that_python_cannot_hold_is_the_nearest_that_it_can(self, session: Connection, text: str) -> None:
        query = f"SELECT timestamptz '{text}', ARRAY[timestamptz '{text}', NULL]"
        with database.cursor() as cursor:
            cursor.execute(query)
            of_the_web = cursor.fetchall()

        expected = (ODD_TIMES[text], [ODD_TIMES[text], None])
        assert session._run(query, {}) == [expected]
        assert of_the_web[0][0] == expected[0]

    def test_that_is_missing_is_none(self, session: Connection) -> None:
        assert session._run("SELECT NULL::timestamptz", {}) == [(None,)]

    def test_on_the_web_has_the_zone_of_django(self) -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT timestamptz '2027-03-01 12:00+05:45', timestamptz 'infinity'")
            ((moment, last),) = cursor.fetchall()

        assert moment.utcoffset() == last.utcoffset() == timedelta(0)

    @pytest.mark.parametrize("bound", [EARLIEST, LATEST])
    def test_of_the_bounds_can_be_shown_in_every_zone(self, bound: datetime) -> None:
        for name in sorted(available_timezones()):
            assert bound.astimezone(ZoneInfo(name)).year in (1, 9999)


@pytest.mark.django_db(transaction=True)
class TestAServer:
    def test_that_is_as_it_must_be_is_not_refused(self) -> None:
        assert assumptions.of_server() is None

    def test_whose_triggers_are_off_is_refused(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        try:
            sentence = assumptions.of_server()
        finally:
            _reconnect()

        assert sentence is not None
        assert "session_replication_role = replica" in sentence

    def test_of_another_database_for_the_nodes_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "sessions_alias", lambda: "jobs")
        facts = {"default": ("UTF8", "origin", 1, 2), "jobs": ("UTF8", "origin", 1, 3)}
        monkeypatch.setattr(assumptions, "_facts", facts.__getitem__)

        sentence = assumptions.of_server()

        assert sentence is not None
        assert "SCHEDULER['DATABASE'] is “jobs”, which is another database than “default”" in sentence
