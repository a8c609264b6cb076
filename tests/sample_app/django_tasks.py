"""Tasks of ``django.tasks``, as other people write them. Without it, and without its backport, there are none."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Annotated, Any

from scheduler import Retry, Secret, Skip, current_run
from tests.sample_app import effects

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef]

from scheduler.contrib.django_tasks import policies


@task
def noop(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


@task
async def noop_async(*args: Any, **kwargs: Any) -> None:
    """Do nothing."""


@task
def meaning_of_life() -> int:
    return 42


@task
def add(first: int, second: int = 1) -> int:
    """Add two numbers."""
    return first + second


@task
def fail_with_value_error() -> None:
    raise ValueError("This Task failed due to ValueError")


@task
def fail_with_system_exit() -> None:
    raise SystemExit("This Task failed due to SystemExit")


@task
def fail_with_keyboard_interrupt() -> None:
    raise KeyboardInterrupt("This Task failed due to KeyboardInterrupt")


@task
def complex_exception() -> None:
    raise ValueError(ValueError("This task failed"))


@task
def complex_return_value() -> Any:
    return lambda: True


@task(takes_context=True)
def get_result_id(context: Any) -> str:
    return str(context.task_result.id)


@task(takes_context=True)
def describe_context(context: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return what the context shows of the result that begins."""
    result = context.task_result
    return {
        "status": str(result.status),
        "attempt": context.attempt,
        "args": result.args,
        "kwargs": result.kwargs,
        "task": result.task.module_path,
        "is_started": result.started_at is not None,
        "is_finished": result.is_finished,
    }


@task(takes_context=True)
def get_attempt(context: Any, most: int = 3) -> int:
    if context.attempt < most:
        raise Retry("again", after=0)
    return int(context.attempt)


@policies(max_retries=2, retry_delay=0)
@task
def fail_twice() -> int:
    """Fail at the first two attempts."""
    if current_run().attempt < 3:
        raise OSError(f"attempt {current_run().attempt}")
    return current_run().attempt


@policies(timeout=0.3)
@task
def sleep_long() -> None:
    time.sleep(5)


@policies(unique=True)
@task
def unique_by_arguments(user: int = 0) -> int:
    return user


@policies(unique="user:{user}", unique_while="queued")
@task
def unique_by_key(user: int, note: str = "") -> str:
    return note


@policies(expires=timedelta(minutes=5))
@task
def expiring() -> None:
    """Expire after five minutes."""


@policies(executor="processpool")
@task
def process_id() -> int:
    return os.getpid()


@task
def skip() -> None:
    raise Skip("nothing new")


@task
def whisper(token: Annotated[str, Secret]) -> str:
    """Return a secret, which the result does not show."""
    current_run().log.info("the token is %s", token)
    return token


@policies(idempotent=True)
@task
def leave_a_trace(text: str) -> None:
    effects.note(text)


@task(queue_name="mail")
def send_mail() -> str:
    return current_run().result_id or ""
