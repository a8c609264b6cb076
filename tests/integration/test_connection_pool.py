from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from openlearn.db.postgresql.base import close_pools, pool_of

THREADS = 50
MOST_CONNECTIONS = 15


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the pool have one session, for which others wait a moment."""
    connection.close()
    close_pools()
    bounds = {"POOL_SIZE": 1, "MAX_OVERFLOW": 0, "RECYCLE": 3600, "TIMEOUT": 0.3}
    monkeypatch.setitem(connection.settings_dict, "POOL_OPTIONS", bounds)
    yield
    connection.close()
    close_pools()


def session_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (found,) = cursor.fetchone()
    return int(found)


def in_a_thread(do: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as one:
        return one.submit(do).result()


@pytest.mark.django_db(transaction=True)
class TestThePool:
    def test_never_opens_more_connections_than_it_promises(self) -> None:
        # A thread of an earlier test, as those of asgiref, may hold a session: it is not one of this pool.
        connection.close()
        close_pools()
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
        close_pools()  # so that there is only one connection to be had
        session, usual, _ = look()
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = nowhere; CREATE TEMP TABLE left_behind (a int)")
            cursor.execute("SELECT pg_advisory_lock(77)")
        assert look() == (session, "nowhere", 1)

        connection.close()

        assert look() == (session, usual, 0)
        assert "left_behind" not in connection.introspection.table_names()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small")
class TestAPoolOfOne:
    def test_lends_the_session_to_one_thread_after_the_other(self) -> None:
        first = session_id()
        connection.close()

        def another() -> int:
            try:
                return session_id()
            finally:
                connection.close()

        assert in_a_thread(another) == first
        assert session_id() == first

    def test_says_that_none_came_free_and_has_one_again_afterwards(self) -> None:
        session_id()

        with pytest.raises(OperationalError, match="All 1 connections of this process are in use"):
            in_a_thread(session_id)

        connection.close()
        assert connection.pool_in_use == 0
        assert session_id()

    def test_has_room_again_when_a_thread_ended_without_giving_its_session_back(self) -> None:
        def leave_it() -> None:
            thread = threading.Thread(target=session_id)
            thread.start()
            thread.join()

        leave_it()
        gc.collect()

        assert session_id()

    def test_has_room_again_when_the_server_refused_a_session(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as wrong:
            wrong.setitem(connection.settings_dict["OPTIONS"], "no_such_option", "1")
            with pytest.raises(Exception, match="no_such_option"):
                session_id()

        assert session_id()

    def test_replaces_a_session_that_is_too_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connection.settings_dict["POOL_OPTIONS"], "RECYCLE", 0)
        first = session_id()
        connection.close()

        assert session_id() != first

    def test_lends_no_session_on_that_was_closed_within_a_transaction(self) -> None:
        with pytest.raises(OperationalError), transaction.atomic():  # noqa: PT012
            first = session_id()
            connection.close()
            raise OperationalError

        assert connection.pool_in_use == 0
        assert in_a_thread(session_id) != first

    def test_closes_what_is_in_use_when_it_comes_back_to_a_closed_pool(self) -> None:
        first = session_id()
        pool = pool_of(connection)
        close_pools()

        connection.close()

        assert pool.in_use == 0
        assert session_id() != first
