"""Tasks that are slow, chatty, secretive or broken: for tests of what happens while a run runs."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import logging
import os
import subprocess
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from scheduler import Retry, Secret, Skip, current_run, task

logger = logging.getLogger(__name__)


@task(name="governed.sleep")
def sleep(seconds: float = 3600.0) -> None:
    """Sleep, deaf to everything."""
    time.sleep(seconds)


@task(name="governed.spin")
def spin(until: Path, begun: Path | None = None) -> str:
    """Keep a processor busy until a file exists, deaf to everything else."""
    if begun is not None:
        begun.touch()
    number = 0
    while not until.exists():
        number += sum(range(100))
    return "late"


@task(name="governed.listen")
def listen(begun: Path | None = None) -> None:
    """Wait until told to stop, and obey."""
    if begun is not None:
        begun.touch()
    while True:
        current_run().raise_if_stopping()
        threading.Event().wait(0.01)


@task(name="governed.alisten")
async def alisten() -> None:
    """Wait for ever, in a coroutine."""
    assert current_run().attempt >= 1
    await asyncio.sleep(3600)


@task(name="governed.asquare")
async def asquare(number: int) -> int:
    """Return the square, after giving way."""
    await asyncio.sleep(0)
    return number * number


@task(name="governed.fail_until")
def fail_until(attempt: int) -> str:
    """Fail before this attempt."""
    if current_run().attempt < attempt:
        raise RuntimeError(f"attempt {current_run().attempt} fails")
    return f"attempt {current_run().attempt}"


@task(name="governed.come_back")
def come_back(after: float, attempt: int) -> str:
    """Ask for a retry before this attempt."""
    if current_run().attempt < attempt:
        raise Retry("the site asks to wait", after=after)
    return "done"


@task(name="governed.have_nothing_to_do")
def have_nothing_to_do(text: str = "nothing new") -> None:
    """Skip, after a line in the log."""
    current_run().log.info("looked")
    raise Skip(text)


@task(name="governed.have_nothing_to_await")
async def have_nothing_to_await() -> None:
    """Skip in a coroutine."""
    await asyncio.sleep(0)
    raise Skip("nothing new")


@task(name="governed.keep_the_secret")
def keep_the_secret(token: Annotated[str, Secret]) -> None:
    """Skip with a text that has a secret."""
    raise Skip(f"nothing new for {token}")


@task(name="governed.report")
def report(steps: int) -> None:
    """Tell how far it is."""
    for step in range(1, steps + 1):
        current_run().progress(step, steps, f"step {step}")


@task(name="governed.report_and_wait")
def report_and_wait(until: Path) -> None:
    """Tell how far it is, and wait."""
    logger.info("half of it is done")
    current_run().progress(1, 2, "half")
    while not until.exists():
        current_run().publish()
        threading.Event().wait(0.02)


@task(name="governed.talk")
def talk(name: str, lines: int) -> None:
    """Log, from this thread and from one that it starts."""
    for number in range(lines):
        logger.info("%s says %d", name, number)
        current_run().log.warning("%s warns %d", name, number)
    context = contextvars.copy_context()
    helper = threading.Thread(target=lambda: context.run(logger.info, "%s has help", name))
    helper.start()
    helper.join()


@task(name="governed.say_odd_things")
def say_odd_things() -> None:
    """Log what no database likes."""
    logger.info("nul \x00 escape \x1b[31m bell \x07 end")


@task(name="governed.print")
def print_lines() -> None:
    """Print."""
    print("printed by the child")
    print("without an end", end="")


@task(name="governed.many_types")
def many_types() -> dict[str, Any]:
    """Return what JSON does not know."""
    return {
        "at": datetime(2027, 3, 1, 12, tzinfo=UTC),
        "id": UUID("12345678-1234-5678-1234-567812345678"),
        "price": Decimal("1.50"),
        "not_a_number": float("nan"),
    }


@task(name="governed.huge")
def huge(megabytes: int) -> str:
    """Return a lot."""
    return "x" * (megabytes * 1024 * 1024)


@task(name="governed.unserializable")
def unserializable() -> object:
    """Return what nobody can write down."""
    return object()


@task(name="governed.raise_odd")
def raise_odd() -> None:
    """Raise with a message that PostgreSQL cannot store, and a cause."""
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError("nul \x00 and \ud800") from error


@task(name="governed.segfault")
def segfault() -> None:
    """Read where there is nothing."""
    ctypes.string_at(0)


@task(name="governed.grow")
def grow() -> int:
    """Take more and more memory."""
    kept = []
    while True:
        kept.append(bytearray(16 * 1024 * 1024))


@task(name="governed.use_secret", secrets_unaffected_by=("then",))
def use_secret(*, token: Annotated[str, Secret], then: str = "return") -> str:
    """Do with a secret what one should not."""
    logger.info("the token is %s", token)
    print(f"printed {token}")
    current_run().progress(1, 2, f"trying {token}")
    if then == "raise":
        raise ValueError(f"wrong token {token}")
    return f"used {token} in {os.getpid()}"


class Unsayable:
    """Something whose text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit(3)


@task(name="governed.report_nonsense")
def report_nonsense() -> None:
    """Tell what nobody can write down of how far it is."""
    current_run().progress(10**5000, float("nan"), Unsayable())  # type: ignore[arg-type]


@task(name="governed.start_another")
def start_another(pid: Path) -> None:
    """Start a program that goes on by itself, and wait for ever."""
    started = subprocess.Popen(["sleep", "600"])
    pid.with_suffix(".new").write_text(str(started.pid))
    pid.with_suffix(".new").rename(pid)
    started.wait()


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


@task(name="governed.typed")
def typed(
    *,
    text: str = "",
    number: int = 3,
    share: float = 0.5,
    flag: bool = False,
    size: Size = Size.SMALL,
    word: Literal["a", "b"] = "a",
    names: list[str] | None = None,
    mapping: dict[str, Any] | None = None,
    maybe: int | None = 7,
    token: Annotated[str, Secret] = "",
) -> None:
    """Take an argument of each type."""
