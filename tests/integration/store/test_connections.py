from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from scheduler import conf
from scheduler.core.states import NodeState
from scheduler.errors import DatabaseUnavailable, ValueRefused
from scheduler.models import Node
from scheduler.services.runs import enqueueing
from scheduler.services.runs.enqueueing import Call
from scheduler.store import statements
from scheduler.store.liveness import nodes
from scheduler.store.sessions.connections import Connection, Watchdog, texts
from scheduler.store.sessions.drivers import errors
from scheduler.store.sessions.notifications import ANYTHING, Channel, Hint, Listener, notify
from tests.ledger import NOON, SECOND, add_node
from tests.waiting import wait_until

TASK, TRACK = "sample.nothing", "default@default"


@contextmanager
def silence(session: Connection) -> Iterator[None]:
    """Put a line that nobody answers on between the session and its server, in place of its socket."""
    raw = session.raw()
    ours, nobody = socket.socketpair()
    former, patience = os.dup(raw.fileno()), session._answer_seconds
    os.dup2(ours.fileno(), raw.fileno())
    session._answer_seconds = 0.3  # for what is not answered alone: a busy server may need longer
    try:
        yield
    finally:
        session._answer_seconds = patience
        ours.close()
        nobody.close()
        os.close(former)


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog()
    watchdog.start()
    yield watchdog
    watchdog.stop()


@pytest.mark.django_db(transaction=True)
class TestAServerThatDoesNotAnswer:
    def test_is_given_up_and_the_next_statement_has_a_new_session(self, watchdog: Watchdog) -> None:
        session, took = Connection(purpose="test", answer_seconds=60.0), []
        for _ in range(3):
            session.execute("probe")
            with silence(session):
                began = time.monotonic()
                with pytest.raises(DatabaseUnavailable):
                    session.execute("probe")
                took.append(time.monotonic() - began)

        assert min(took) < 9  # TCP alone would have taken ten seconds
        assert session.execute("probe") == [(1,)]
        session.close()

    def test_is_noticed_by_the_listener(self, watchdog: Watchdog) -> None:
        listener = Listener()
        assert listener.wait(timeout=0) == ANYTHING

        with silence(listener._connection), pytest.raises(DatabaseUnavailable):
            listener.probe()

        assert listener.wait(timeout=0) == ANYTHING
        listener.close()

    def test_leaves_alone_a_session_that_waits_for_nothing(self) -> None:
        session = Connection(purpose="test", answer_seconds=0.0001)
        session.execute("probe")

        assert not session.end_silent_session()

        session.close()

    def test_is_given_up_although_the_watchdog_failed_before(
        self, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures = [RuntimeError("a fault of ours")]
        look = Connection.end_silent_session

        def fail_first(session: Connection) -> bool:
            if failures:
                raise failures.pop()
            return look(session)

        monkeypatch.setattr(Connection, "end_silent_session", fail_first)
        session = Connection(purpose="test", answer_seconds=60.0)
        session.execute("probe")

        with silence(session), pytest.raises(DatabaseUnavailable):
            session.execute("probe")

        assert not failures
        session.close()

    def test_lets_a_watchdog_end_before_it_began(self) -> None:
        watchdog = Watchdog()

        watchdog.stop()

        wait_until(lambda: "scheduler-watchdog" not in {thread.name for thread in threading.enumerate()})


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """More than an ordinary user may open at first, and than select can count."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"This system allows {hard} open files.")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with ExitStack() as files:
        for _ in range(1100):
            files.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.django_db(transaction=True)
class TestATransaction:
    @pytest.mark.parametrize(("is_lasting", "waits"), [(True, "on"), (False, "off")])
    def test_waits_for_the_disk_if_it_has_to_last(self, is_lasting: bool, waits: str) -> None:
        session = Connection(purpose="test")
        with session.transaction(is_lasting=is_lasting) as transaction, session.raw().cursor() as cursor:
            transaction.execute("probe")
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == (waits,)
        with session.raw().cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
        session.close()


@pytest.mark.django_db(transaction=True)
class TestAStatementThatIsATransaction:
    """``take_enqueued_runs`` in place of any."""

    @pytest.fixture
    def session(self) -> Iterator[Connection]:
        session = Connection(purpose="test")
        yield session
        session.close()

    @staticmethod
    def take(session: Connection, **given: Any) -> list[Any]:
        parameters = {"node": add_node(), "executor": TRACK, "tasks": [TASK], "limit": 5}
        parameters |= dict.fromkeys(("only", "now", "priorities", "since", "after")) | given
        return session.execute_whole("take_enqueued_runs", lock_seconds=1, is_planned=True, **parameters)

    @staticmethod
    def shown(session: Connection, name: str) -> Any:
        with session.raw().cursor() as cursor:
            cursor.execute(f"SHOW {name}")
            return cursor.fetchone()[0]

    def test_is_committed_within_its_limits(self, session: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        limits = ("statement_timeout", "lock_timeout", "synchronous_commit", "enable_seqscan")
        before = {name: self.shown(session, name) for name in limits}
        asked = ", ".join(f"current_setting('{name}')" for name in limits)
        monkeypatch.setattr(statements, "load", {"look": f"SELECT {asked}, txid_current_if_assigned()"}.__getitem__)

        (row,) = session.execute_whole("look", lock_seconds=0.25)

        assert row[:4] == (f"{conf.get().statement_timeout_seconds:g}s", "250ms", "off", before["enable_seqscan"])
        assert session.raw().info.transaction_status == 0
        assert {name: self.shown(session, name) for name in limits} == before

    def test_is_planned_once_a_session(self, session: Connection) -> None:
        for _ in range(3):
            enqueue()
            assert len(self.take(session)) == 1
        assert prepared(session) == [("take_enqueued_runs", 3)]

        session.close()

        enqueue()
        assert len(self.take(session)) == 1
        assert prepared(session) == [("take_enqueued_runs", 1)]

    @pytest.mark.parametrize("is_there", [True, False], ids=["has planned it", "has not planned it"])
    def test_is_planned_each_time_after_a_pooler_led_to_a_session_that(
        self, session: Connection, is_there: bool
    ) -> None:
        if not is_there:
            self.take(session)
        with session.raw().cursor() as cursor:
            cursor.execute(statements.planned("take_enqueued_runs").prepare if is_there else "DEALLOCATE ALL")

        for _ in range(2):
            enqueue()
            assert len(self.take(session)) == 1
            assert prepared(session) == []

    def test_ends_the_session_with_an_error(self, session: Connection) -> None:
        self.take(session)

        with pytest.raises(ValueRefused):
            self.take(session, limit=-1)

        assert not session.is_open
        enqueue()
        assert len(self.take(session)) == 1


def enqueue() -> None:
    enqueueing.enqueue_many(calls=[Call(task=TASK, is_checked=False)])


def prepared(session: Connection) -> list[tuple[str, int]]:
    with session.raw().cursor() as cursor:
        cursor.execute("SELECT left(name, -9), generic_plans + custom_plans FROM pg_prepared_statements ORDER BY 1")
        return [(name, times) for name, times in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
class TestTheListener:
    @pytest.mark.usefixtures("many_open_files")
    def test_works_beside_more_open_files_than_select_can_count(self) -> None:
        listener = Listener()
        try:
            assert listener.wait(timeout=0) == ANYTHING
            assert listener._connection.raw().fileno() >= 1024

            notify(Channel.RUNS)

            assert listener.wait(timeout=120) == {Hint(Channel.RUNS)}
        finally:
            listener.close()


@pytest.mark.django_db(transaction=True)
class TestAServerThatBecameReadOnly:
    def test_is_left_for_another_one(self) -> None:
        session = Connection(purpose="test")
        with session.raw().cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
        node = add_node()

        with pytest.raises(DatabaseUnavailable, match="read-only"):
            nodes.beat(session, node=node)

        assert nodes.beat(session, node=node) is not None
        session.close()

    def test_is_told_apart_from_a_fault_of_ours(self) -> None:
        session = Connection(purpose="test")

        with pytest.raises(errors.ProgrammingError):
            session._run("SELECT nonsense", {})

        session.close()


@pytest.mark.django_db(transaction=True)
class TestADatabaseClockThatWasSetBack:
    def test_a_dead_node_whose_last_heartbeat_is_in_the_future_is_given_up(self) -> None:
        session = Connection(purpose="test")
        dead = add_node(beat_at=NOON + timedelta(hours=1))
        living = add_node(beat_at=NOON + 2 * SECOND)

        nodes.reap(session, reaper=living, reap_after_seconds=30, max_recoveries=3, now=NOON)

        assert Node.objects.get(pk=dead).state == NodeState.LOST
        assert Node.objects.get(pk=living).state == NodeState.RUNNING
        session.close()


class TestTexts:
    @pytest.mark.parametrize(
        "values",
        [
            [],
            [""],
            ["a", "b"],
            ["NULL", None, "null"],
            ['say "no"', "b"],
            ['","', "b"],
            ["back\\slash", "b\\"],
            ["{a,b}", "c\nd", "Zoë 🕰"],
        ],
        ids=repr,
    )
    @pytest.mark.django_db
    def test_arrive_as_they_are(self, values: list[str | None]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::text[]", [texts(values)])
            ((arrived,),) = cursor.fetchall()

        assert arrived == values


class TestAListener:
    def test_may_be_interrupted_after_it_was_closed(self) -> None:
        """As by a node that stops while its listening thread ends by itself."""
        listener = Listener()
        listener.close()

        listener.interrupt()
