from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from dj_db_conn_pool.core import pool_container
from django.db import connection

THREADS = 50
MOST_CONNECTIONS = 15


@pytest.mark.django_db(transaction=True)
class TestThePool:
    def test_never_opens_more_connections_than_it_promises(self) -> None:
        # A thread of an earlier test, as those of asgiref, may hold a session: it is not one of this pool.
        connection.close()
        pool_container.dispose()
        pool_container.clear()
        everyone_is_here = threading.Barrier(THREADS)
        parameters = {**connection.get_connection_params(), "application_name": "counter"}
        observer = connection.Database.connect(**parameters)
        is_full, done = threading.Event(), threading.Event()
        with observer.cursor() as cursor:
            cursor.execute("SELECT array_agg(pid) FROM pg_stat_activity")
            earlier = cursor.fetchone()[0]

        def work(number: int) -> int:
            everyone_is_here.wait(120)
            try:
                for _ in range(3):
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT %s, pg_sleep(0.01)", [number])
                        assert cursor.fetchone()[0] == number
                    assert is_full.wait(120)
                    connection.close()
            finally:
                connection.close()
            return number

        def highest() -> int:
            peak = 0
            with observer.cursor() as cursor:
                while not done.is_set():
                    # One transaction sees one snapshot of the activity.
                    observer.rollback()
                    cursor.execute(
                        "SELECT count(*) FROM pg_stat_activity"
                        " WHERE application_name = 'openlearn' AND datname = current_database() AND pid <> ALL (%s)",
                        [earlier],
                    )
                    peak = max(peak, cursor.fetchone()[0])
                    if peak >= MOST_CONNECTIONS:
                        is_full.set()
            return peak

        with ThreadPoolExecutor(1) as counting, ThreadPoolExecutor(THREADS) as working:
            peak = counting.submit(highest)
            answers = list(working.map(work, range(THREADS)))
            done.set()
        observer.close()

        assert answers == list(range(THREADS))
        assert peak.result() == MOST_CONNECTIONS

    def test_replaces_a_connection_that_the_server_closed(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (closed,) = cursor.fetchone()
        connection.close()
        administrator = connection.Database.connect(**connection.get_connection_params())
        with administrator.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [closed])
        administrator.close()

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (fresh,) = cursor.fetchone()

        assert fresh != closed

    def test_hands_on_nothing_of_what_was_set_in_a_session(self) -> None:
        def look() -> tuple[int, str, int]:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_backend_pid(), current_setting('search_path'),"
                    " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
                )
                return cursor.fetchone()

        connection.close()
        pool_container.dispose()  # so that there is only one connection to be had
        session, usual, _ = look()
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = nowhere; CREATE TEMP TABLE left_behind (a int)")
            cursor.execute("SELECT pg_advisory_lock(77)")
        assert look() == (session, "nowhere", 1)

        connection.close()

        assert look() == (session, usual, 0)
        assert "left_behind" not in connection.introspection.table_names()
