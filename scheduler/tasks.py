"""Tasks that every installation has."""

from __future__ import annotations

import io
import re
import time
from datetime import timedelta
from typing import Annotated, Any, Literal, TypedDict

from django.core.management import CommandError
from django.core.management import call_command as django_call_command
from django.utils.translation import gettext_noop
from pydantic import AfterValidator, Field

from scheduler import conf, outgoing
from scheduler.context import running
from scheduler.core import error_messages, request_messages
from scheduler.core.tasks.registry import Secret, task
from scheduler.errors import CommandFailed, CommandNotAllowed, InvalidArguments, UnexpectedStatus
from scheduler.outgoing import Limits
from scheduler.services import retention

_MOST_OUTPUT_CHARS = 10_000
_MOST_BODY_CHARS = 2_000

# The admin shows these beside the fields, in the reader's language.
_DAYS = gettext_noop("Minimum age in days. By default SCHEDULER['RETENTION_DAYS'].")
_KEEP = gettext_noop("The newest runs of each job that are kept. By default SCHEDULER['KEEP_RUNS_PER_JOB'].")
_OUTPUT_DAYS = gettext_noop(
    "Age in days at which results, logs and tracebacks are dropped, while the runs stay. By default "
    "SCHEDULER['KEEP_OUTPUT_DAYS']."
)
_COMMAND = gettext_noop("One of the commands in SCHEDULER['ALLOWED_COMMANDS'].")
_ARGS = gettext_noop("Arguments as on the command line, such as --days and 7.")
_OPTIONS = gettext_noop("Options by name, such as {“days”: 7}.")
_ADDRESS = gettext_noop("An http or https address.")
_HEADERS = gettext_noop("Request headers. Users who may view the job see them.")
_TOKEN = gettext_noop("Sent as “Authorization: Bearer …” to the site of the address alone.")
_BODY = gettext_noop("Request body as text.")
_STATUS = gettext_noop("Status codes of the last response that count as success, such as 200-299, 404.")
_TIMEOUT = gettext_noop("Seconds for the request and all redirects together, at most 600.")

_OWN_OPTIONS = frozenset({"stdout", "stderr"})


class CleanUpCounts(TypedDict):
    """The result of ``scheduler.cleanup_jobs``."""

    runs: int
    jobs: int
    changes: int
    nodes: int
    stock_history: int
    outputs: int
    cutoff: str


@task(name="scheduler.cleanup_jobs", timeout=timedelta(hours=23), idempotent=True)
def cleanup_jobs(
    *,
    days: Annotated[int | None, Field(ge=1, le=36_500, description=_DAYS)] = None,
    keep: Annotated[int | None, Field(ge=0, le=100_000, description=_KEEP)] = None,
    output_days: Annotated[int | None, Field(ge=1, le=36_500, description=_OUTPUT_DAYS)] = None,
) -> CleanUpCounts:
    """
    Delete finished runs, ended jobs, changes of jobs and gone nodes that are old.

    It takes as long as there is something to delete, and ends between two batches when it is asked to.
    """
    done = retention.clean_up(
        older_than_days=days, keep_per_job=keep, output_days=output_days, progress=_report_clean_up
    )
    return CleanUpCounts(
        runs=done.runs,
        jobs=done.jobs,
        changes=done.changes,
        nodes=done.nodes,
        stock_history=done.stock_history,
        outputs=done.outputs,
        cutoff=done.cutoff.isoformat(),
    )


def _report_clean_up(done: retention.CleanUp) -> None:
    run = running()
    if run is not None:  # also called as a function
        run.raise_if_stopping()
        run.progress(done.runs)


@task(name="scheduler.call_command", timeout=timedelta(hours=1))
def call_command(
    *,
    name: Annotated[str, Field(description=_COMMAND)],
    args: Annotated[list[str] | None, Field(description=_ARGS)] = None,
    options: Annotated[dict[str, Any] | None, Field(description=_OPTIONS)] = None,
) -> str:
    """
    Run a management command and return what it wrote.

    Only commands in SCHEDULER['ALLOWED_COMMANDS']. Output that bypasses the command's ``stdout`` and
    ``stderr`` goes to the node's. A long output keeps its beginning and its end.

    :raises CommandNotAllowed: the command is not in the list
    :raises CommandFailed: it ended with another exit code than 0. Its own errors are raised unchanged
    """
    allowed = conf.get().allowed_commands
    if name not in allowed:
        raise CommandNotAllowed(
            error_messages.COMMAND_NOT_ALLOWED(name=name, names=", ".join(allowed))
            if allowed
            else error_messages.NO_COMMAND_ALLOWED(name=name)
        )
    given = dict(options or {})
    if _OWN_OPTIONS & given.keys():
        raise InvalidArguments(error_messages.COMMAND_OWNS_NO_STREAMS())
    output = _Output(limit=_MOST_OUTPUT_CHARS)
    try:
        django_call_command(name, *(args or ()), stdout=output, stderr=output, **given)
    except SystemExit as exit:
        if exit.code not in (None, 0):
            raise _failed(name, code=f"{exit.code}", wrote=output.tail()) from None
    except CommandError as error:
        if output.tail():
            error.add_note(f"“{name}” wrote: {output.tail()}")
        raise
    return output.getvalue()


def _failed(name: str, *, code: str, wrote: str) -> CommandFailed:
    if not wrote:
        return CommandFailed(error_messages.COMMAND_FAILED_SILENTLY(name=name, code=code))
    return CommandFailed(error_messages.COMMAND_FAILED(name=name, code=code, wrote=wrote))


class _Output(io.TextIOBase):
    """Keeps the beginning and the end of what is written, however much that is."""

    def __init__(self, *, limit: int) -> None:
        self._half = limit // 2
        self._head = ""
        self._tail = ""
        self._left_out = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = self._half - len(self._head)
        self._head += text[:room]
        rest = self._tail + text[room:]
        # Cutting at twice the size makes many short writes cheap.
        if len(rest) > 2 * self._half:
            self._left_out += len(rest) - self._half
            rest = rest[-self._half :]
        self._tail = rest
        return len(text)

    def getvalue(self) -> str:
        excess = max(0, len(self._tail) - self._half)
        left_out = self._left_out + excess
        between = f"\n… {left_out:,} characters left out …\n" if left_out else ""
        return f"{self._head}{between}{self._tail[excess:]}"

    def tail(self) -> str:
        """The last words, for a message about a failure."""
        return (self._tail or self._head)[-500:].strip()


class HttpAnswer(TypedDict):
    """The result of ``scheduler.http_request``."""

    status: int
    url: str
    elapsed_seconds: float
    bytes: int
    body: str


def _statuses(text_or_list: list[int] | str) -> tuple[tuple[int, int], ...]:
    """Read ``[200, 404]`` or ``"200-299, 404"`` as ranges. A ValueError says what is wrong, as pydantic wants it."""
    parts = [str(item).strip() for item in text_or_list] if isinstance(text_or_list, list) else text_or_list.split(",")
    ranges = []
    for part in parts:
        match = re.fullmatch(r"\s*([1-5][0-9]{2})\s*(?:-\s*([1-5][0-9]{2})\s*)?", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError("write statuses from 100 to 599 as a list, or as text such as “200-299, 404”")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    if not ranges:
        raise ValueError("name at least one status")
    return tuple(ranges)


def _checked_statuses(value: list[int] | str) -> list[int] | str:
    _statuses(value)
    return value


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def _checked_headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"“{name[:64]}” is not the name of a header")
        if name.lower() in _OURS:
            raise ValueError(f"“{name}” cannot be given: it follows from the address and the body")
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError(f"the value of “{name}” holds line ends or letters beyond ASCII")
    return value


@task(
    name="scheduler.http_request",
    timeout=timedelta(minutes=15),
    secrets_unaffected_by=("method", "body", "expected_status", "timeout_seconds"),
)
def http_request(
    *,
    url: Annotated[str, Field(description=_ADDRESS)],
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET",
    headers: Annotated[dict[str, str], AfterValidator(_checked_headers), Field(description=_HEADERS)] | None = None,
    token: Annotated[str | None, Secret, Field(pattern=r"^[\x21-\x7e]+$", description=_TOKEN)] = None,
    body: Annotated[str | None, Field(description=_BODY, json_schema_extra={"format": "multiline"})] = None,
    expected_status: Annotated[
        list[int] | str, AfterValidator(_checked_statuses), Field(description=_STATUS)
    ] = "200-299",
    timeout_seconds: Annotated[float, Field(gt=0, le=600, description=_TIMEOUT)] = 30.0,
) -> HttpAnswer:
    """
    Send an HTTP request and succeed if the answer has an expected status.

    Redirects are followed. Private addresses are rejected unless SCHEDULER['ALLOWED_HOSTS'] names them.

    :raises UnexpectedStatus: naming the status and how the answer begins
    :raises RequestFailed: the response is missing or unusable
    """
    expected = _statuses(expected_status)
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    started = time.monotonic()
    answer = outgoing.request(
        url=url,
        method=method,
        headers={**(headers or {}), **given},
        content=None if body is None else body.encode(),
        limits=Limits(
            connect_seconds=min(10.0, timeout_seconds), read_seconds=timeout_seconds, total_seconds=timeout_seconds
        ),
    )
    elapsed = time.monotonic() - started
    text = _text(answer)
    if not any(low <= answer.status_code <= high for low, high in expected):
        facts = {
            "method": method,
            "url": answer.url,
            "status": f"{answer.status_code}",
            "expected": _in_words(expected),
        }
        raise UnexpectedStatus(
            request_messages.ANOTHER_STATUS(**facts, begins=text[:200])
            if text
            else request_messages.ANOTHER_STATUS_EMPTY(**facts)
        )
    return HttpAnswer(
        status=answer.status_code,
        url=answer.url,
        elapsed_seconds=round(elapsed, 3),
        bytes=len(answer.content),
        body=text[:_MOST_BODY_CHARS],
    )


def _text(answer: outgoing.Answer) -> str:
    """Decode the beginning of a response. Invalid bytes become U+FFFD."""
    charset = re.search(r"charset=\"?([\w.:-]+)", answer.headers.get("content-type", ""), re.IGNORECASE)
    beginning = answer.content[: 4 * _MOST_BODY_CHARS]
    try:
        return beginning.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, UnicodeError):
        return beginning.decode("utf-8", "replace")


def _in_words(ranges: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)
