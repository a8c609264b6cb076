"""Bodies that do what no task should: their run says so, and the thread that ran them is as it was."""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone, translation

from scheduler.core.states import RunState
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.engine.heartbeat import Identity
from scheduler.errors import Retry
from scheduler.execution import threads
from scheduler.execution.pools import Deadline
from scheduler.execution.runner import begin, execute
from scheduler.execution.threads import ThreadPool
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from tests.integration.engine.test_process_pool import run_of
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Run = Callable[..., list[Outcome]]

TASK = "tests.odd"


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs bodies one after the other in one thread of their own, as a pool does."""

    def run_all(*bodies: Callable[..., Any]) -> list[Outcome]:
        outcomes: list[Outcome] = []

        def work() -> None:
            for body in bodies:
                registry.add(Task(name=TASK, function=body))
                owned = OwnedRun(
                    id=1,
                    job_id="job",
                    job_name="job",
                    task=TASK,
                    args="[]",
                    kwargs="{}",
                    scheduled_at=datetime(2027, 3, 1, tzinfo=UTC),
                    attempt=1,
                    executor="default",
                )
                outcomes.append(execute(owned, begin(owned, node="node")))
                registry.remove(TASK)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(120)
        assert len(outcomes) == len(bodies), "the thread ended early"
        return outcomes

    yield run_all
    if TASK in registry.names():
        registry.remove(TASK)


class UnreadableNotes(Exception):
    @property
    def __notes__(self) -> list[str]:
        raise ValueError("no notes")


class HalfARetry(Retry):
    def __init__(self) -> None:
        self.after = 5  # type: ignore[assignment]


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__qualname__":
            raise ValueError("no name")
        return super().__getattribute__(name)


class WithoutAName(Exception, metaclass=Nameless):
    pass


def raises_what_cannot_be_formatted() -> None:
    raise SyntaxError("x", ("file", 1, 2, 3))


def raises_what_has_unreadable_notes() -> None:
    raise UnreadableNotes("x")


def raises_half_a_retry() -> None:
    raise HalfARetry


def raises_what_has_no_name() -> None:
    raise WithoutAName("x")


def raises_what_leads_to_itself() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    raise one


def raises_a_deep_group() -> None:
    error: Exception = ValueError("x")
    for _ in range(2000):
        error = ExceptionGroup("group", [error])
    raise error


def calls_itself() -> None:
    calls_itself()


def leaves_the_generator() -> None:
    raise GeneratorExit


def is_cancelled_by_itself() -> None:
    raise asyncio.CancelledError


class TestAThreadThatCannotGoOn:
    def test_fails_its_run_and_keeps_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outcomes: queue.Queue[Outcome] = queue.Queue()
        pool = ThreadPool(
            name="default",
            size=1,
            report=lambda _, outcome: outcomes.put(outcome),
            publish=lambda _: None,
            identity=Identity(),
            max_stuck=0,
        )
        begin = threads.begin
        faults = iter([MemoryError()])

        def begin_or_fail(*args: Any, **options: Any) -> Any:
            for fault in faults:
                raise fault
            return begin(*args, **options)

        monkeypatch.setattr(threads, "begin", begin_or_fail)
        pool.start()
        for _ in range(2):
            pool.submit(run_of("sample.nothing"))

        assert [outcomes.get(timeout=60).state for _ in range(2)] == [RunState.FAILED, RunState.SUCCEEDED]
        wait_until(lambda: pool.busy == 0)
        pool.stop(deadline=Deadline(seconds=5, hurry=threading.Event()))


class TestABodyThatRaises:
    @pytest.mark.parametrize(
        "body",
        [
            raises_what_cannot_be_formatted,
            raises_what_has_unreadable_notes,
            raises_half_a_retry,
            raises_what_has_no_name,
            raises_what_leads_to_itself,
            raises_a_deep_group,
            calls_itself,
            leaves_the_generator,
            is_cancelled_by_itself,
        ],
    )
    def test_fails_its_run_and_leaves_the_thread_to_the_next(self, run: Run, body: Callable[[], None]) -> None:
        (odd, usual) = run(body, lambda: "done")

        assert odd.state is RunState.FAILED
        assert odd.error
        assert usual.state is RunState.SUCCEEDED


async def answer() -> int:
    return 42


def hides_a_coroutine() -> Awaitable[int]:
    return answer()


@functools.wraps(answer)
def wraps_a_coroutine() -> Awaitable[int]:
    return answer()


class Promise:
    def __await__(self) -> Generator[Any, None, int]:
        return answer().__await__()


def promises() -> Promise:
    return Promise()


def yields() -> Iterator[int]:
    yield 1
    yield 2


async def yields_later() -> AsyncIterator[int]:
    yield 1
    yield 2


def yields_and_fails() -> Iterator[int]:
    yield 1
    raise RuntimeError("half-way")


class TestABodyThatOnlyPromises:
    @pytest.mark.parametrize(
        ("body", "result"),
        [
            (answer, "42"),
            (hides_a_coroutine, "42"),
            (wraps_a_coroutine, "42"),
            (promises, "42"),
            (yields, "[1, 2]"),
            (yields_later, "[1, 2]"),
        ],
    )
    def test_is_carried_out(self, run: Run, body: Callable[[], Any], result: str) -> None:
        (outcome,) = run(body)

        assert (outcome.state, outcome.result) == (RunState.SUCCEEDED, result)

    def test_fails_where_it_fails_half_way(self, run: Run) -> None:
        (outcome,) = run(yields_and_fails)

        assert (outcome.state, outcome.error) == (RunState.FAILED, "RuntimeError: half-way")


def query() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def leaves_a_transaction_open() -> None:
    transaction.atomic().__enter__()
    query()


def closes_the_connection_itself() -> None:
    query()
    connection.connection.close()


def turns_autocommit_off() -> None:
    transaction.set_autocommit(False)
    query()


class TestABodyThatLeavesAMess:
    @pytest.mark.parametrize("body", [leaves_a_transaction_open, closes_the_connection_itself, turns_autocommit_off])
    def test_in_its_connection_hands_none_of_it_on(self, run: Run, body: Callable[[], None]) -> None:
        (_, usual) = run(body, query)

        assert (usual.state, usual.result) == (RunState.SUCCEEDED, "1")

    def test_in_its_context_hands_none_of_it_on(self, run: Run) -> None:
        def look() -> list[str]:
            return [translation.get_language(), timezone.get_current_timezone_name()]

        def travel() -> None:
            translation.activate("es")
            timezone.activate("Asia/Tokyo")

        (before, _, after) = run(look, travel, look)

        assert after.result == before.result
