"""
Typed settings: every key of ``settings.SCHEDULER`` with its unit, its default and the reason for it.

Read through ``conf.get()``. An unknown key or a value of the wrong type is refused by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import socket
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from scheduler.errors import Misconfigured


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    enabled: bool = True
    """Whether ``runscheduler`` may start a node here at all."""

    database: str = ""
    """Alias in DATABASES for the node's own sessions, where that of the tables leads through a pooler in transaction
    mode. Both lead to one database. Empty: the one that the project's routers choose for the tables."""

    threads: int = 5
    """Runs at once on the ``default`` executor: enough for I/O, gentle to the sites that are scraped."""

    processes: int = 2
    """Runs at once on the ``processpool`` executor, one child process each."""

    runs_per_child: int = 500
    """A child process is replaced after this many runs, so that leaks end."""

    child_memory_mb: int | None = None
    """Address space of a child process. A task that needs more gets a MemoryError. ``None``: unlimited."""

    timeout_grace_seconds: float = 0.0
    """A body in a child process whose time is over is asked to stop, and ended so much later. 0: ended at once."""

    max_stuck_threads: int = 20
    """Threads that are replaced after a timeout while their code continues. Beyond it the pool shrinks."""

    coalesce: bool = True
    """Default for jobs: after an outage run once, not once for each fire time that passed."""

    max_instances: int = 1
    """Default for jobs: how many runs of one job may be active at once, over all nodes."""

    misfire_grace_seconds: float | None = 300.0
    """Default for jobs: a fire time noticed later than this is recorded as missed. ``None``: never too late."""

    heartbeat_seconds: float = 5.0
    """The interval of heartbeats."""

    lease_seconds: float = 20.0
    """A node without a heartbeat for this long starts no more runs, well before others may take over its runs."""

    reap_after_seconds: float = 30.0
    """A node silent for this long is reaped, and its runs are handed over."""

    pacemaker: bool = True
    """Whether a process beside each node beats for it while a task keeps the interpreter to itself."""

    stall_limit_seconds: float | None = 300.0
    """A node whose interpreter or loops stand still for longer is ended by its pacemaker. ``None``: never."""

    max_recoveries: int = 3
    """A run whose node dies each time may be what kills it: it is started again this often at most."""

    poll_seconds: float = 5.0
    """Longest sleep of an idle node: bounds what a lost wake-up or raw SQL can cost."""

    busy_poll_seconds: float = 1.0
    """Longest sleep of a node that has runs at hand."""

    reconcile_seconds: float = 10.0
    """The interval at which a node compares its runs in the database with those in its memory."""

    queues: tuple[str, ...] = ()
    """Queues that a node serves. Empty: all. ``runscheduler --queues`` says it for one node."""

    max_inflight: int = 1000
    """Most runs of one remote executor of which its broker was told and that have not begun. Others wait here."""

    ring_again_seconds: float = 30.0
    """A run of a remote executor that has not begun so long after its message gets another one, then after twice as
    long, up to 10 minutes: brokers lose messages. While workers have free places for it, this is its longest wait."""

    claim_batch: int = 500
    """Most jobs planned in one transaction: short locks, few round trips."""

    prefetch_seconds: float = 0.25
    """A node takes as many runs as its pools drained in this time: few are stranded when it dies."""

    catch_up_limit: int = 100
    """Most runs that one job gets at once without coalescing. Further ones are recorded as one skipped range."""

    flush_seconds: float = 0.02
    """The time for which the recorder collects outcomes before it writes them."""

    flush_rows: int = 500
    """Most outcomes in one write."""

    backlog_rows: int = 10_000
    """Outcomes kept in memory while the database is away. A full backlog makes the executors wait."""

    grace_seconds: float = 25.0
    """The time for running tasks after SIGTERM, below the 30 s of common orchestrators."""

    lock_timeout_seconds: float = 2.0
    """Longest wait for a row lock inside a claim."""

    statement_timeout_seconds: float = 5.0
    """Longest statement of a claim. Also the longest time for which a frozen node can hide rows."""

    answer_timeout_seconds: float = 15.0
    """A server that owes an answer for longer is given up: beyond any statement's time, within the lease."""

    retention_days: int = 30
    """Finished runs older than this are deleted by ``cleanup_jobs``."""

    keep_output_days: int | None = None
    """``cleanup_jobs`` drops the result, the log and the traceback of a run so long after its end. The row stays.
    ``None``: all are kept as long as the row. Enqueued runs keep theirs."""

    keep_enqueued_successes_days: int = 1
    """Enqueued runs that succeeded are deleted by ``cleanup_jobs`` after so many days, unless their queue says more."""

    keep_enqueued_failures_days: int = 30
    """The same for enqueued runs that did not succeed."""

    rollup_days: int = 400
    """Hourly roll-ups older than this are deleted by ``cleanup_jobs``: a year and a month, to compare with."""

    keep_runs_per_job: int = 10
    """The newest runs of each job stay, however old they are."""

    keep_changes_per_job: int = 20
    """The newest changes of each job that exists stay, however old they are: it can be brought back to these."""

    max_result_bytes: int = 64 * 1024
    """A result larger than this as JSON is cut and says so."""

    run_log_level: str = "INFO"
    """The level from which logs of a task are kept with its run, unless LOGGING sets a level for its logger."""

    max_log_bytes: int = 64 * 1024
    """Of a longer log the first and the last half of this are kept."""

    max_traceback_chars: int = 32 * 1024
    """A traceback longer than this is cut in the middle."""

    max_arguments_bytes: int = 64 * 1024
    """Arguments larger than this as JSON are refused when the job is saved."""

    unbound_secrets: bool = True
    """Whether secrets that were sealed before they were bound to a job, a task and an argument may be used. ``False``
    once ``manage.py reseal`` has bound them: then no old copy of one can be used elsewhere."""

    celery_app: str = ""
    """The project's Celery application, e.g. ``shop.celery.app``: messages to workers go by its broker and its queues.
    Empty: an application of our own with the settings that begin with ``CELERY_``, such as ``CELERY_BROKER_URL``."""

    task_modules: tuple[str, ...] = ()
    """Modules whose functions may be scheduled as ``"module:function"`` without ``@task``."""

    declarations: tuple[str, ...] = ()
    """Files that declare jobs, in YAML, TOML or JSON. ``manage.py jobs apply`` synchronises them."""

    release: str = ""
    """The release of the code that declares jobs, e.g. ``2026.11.3``: an older release never undoes what a newer one
    declared. Empty: the last ``jobs apply`` wins."""

    allowed_commands: tuple[str, ...] = ()
    """Management commands that the task ``scheduler.call_command`` may run."""

    allowed_hosts: tuple[str, ...] = ()
    """``host`` or ``host:port`` that outgoing requests may reach although they are private or loopback."""

    ca_file: str = ""
    """A file of certificates (PEM) that outgoing https requests trust beside the public ones: a private authority."""

    overdue_seconds: float = 60.0
    """Jobs and runs that are due for longer than this without a start are reported."""

    stalled_fire_times: int = 3
    """A job of which so many fire times in a row were missed or skipped is reported: it does not run."""

    skew_seconds: float = 2.0
    """Node and database clocks further apart than this are reported: people would read wrong times in logs."""

    api_reads_per_minute: int = 600
    """Most reading requests of one user or, when anonymous, of one address, to a web process, 0 for unlimited."""

    api_writes_per_minute: int = 300
    """Most changing requests of one user to a web process, 0 for unlimited."""

    api_proxies: int = 0
    """
    Number of the project's own proxies that add to ``X-Forwarded-For``.

    Anonymous requests are counted by the address that the first of them saw. 0: by the address that connects.
    """

    metrics_public: bool = False
    """Whether ``/metrics`` is answered without a login or token: only where the network keeps strangers out."""

    environment: str = ""
    """The name of the environment. The first node writes it into the database, and nodes of other environments refuse
    to start, so that a copy of the database never fires by accident."""

    admin_base: str = "auto"
    """The base of the admin classes: ``stock``, ``unfold``, or the dotted path of a ``ModelAdmin``. ``auto`` is unfold
    where it is installed: without its base, its forms come unstyled."""

    admin_register: bool = True
    """Whether our admin classes are on the default site. Without, a project registers them on a site of its own."""

    site_url: str = ""
    """Where people find the admin, such as https://jobs.example.org: links in alerts begin with it. Empty: no links."""

    channel_kinds: tuple[str, ...] = ()
    """Dotted paths of ``ChannelKind`` classes of the project's own, beside mail, webhooks and Apprise."""

    digest_parts: tuple[str, ...] = ()
    """Dotted paths of functions that add a part to each digest, such as the news of the project's own tables."""

    apprise_schemes: tuple[str, ...] = (
        "discord",
        "gchat",
        "mmost",
        "mmosts",
        "msteams",
        "ntfy",
        "ntfys",
        "opsgenie",
        "pagerduty",
        "slack",
        "tgram",
        "workflows",
    )
    """Services that channels may name through Apprise, whose requests do not pass our guard."""

    node_name: str = ""
    """The displayed name of this node, by default the host's name. Identity is a fresh UUID at each start."""

    def name(self) -> str:
        return self.node_name or socket.gethostname()


@lru_cache(maxsize=1)
def get() -> SchedulerSettings:
    """
    Read ``settings.SCHEDULER``, a dict whose keys are the names above in upper case.

    :raises Misconfigured: for an unknown key, a value of another type or one out of its range
    """
    from django.conf import settings

    given: dict[str, Any] = getattr(settings, "SCHEDULER", {})
    kinds = get_type_hints(SchedulerSettings)
    unknown = sorted(key for key in given if key.lower() not in kinds)
    if unknown:
        known = [name.upper() for name in kinds]
        near = {key: difflib.get_close_matches(str(key).upper(), known, n=1, cutoff=0.7) for key in unknown}
        named = [f"{key} (did you mean {near[key][0]}?)" if near[key] else str(key) for key in unknown]
        raise Misconfigured(f"settings.SCHEDULER has unknown keys: {', '.join(named)}.")
    values = {key.lower(): _typed(key, value, kinds[key.lower()]) for key, value in given.items()}
    return checked(SchedulerSettings(**values))


def checked(values: SchedulerSettings) -> SchedulerSettings:
    """:raises Misconfigured: a value is out of its range, or does not go with another one"""
    for field in dataclasses.fields(values):
        _check(field.name, getattr(values, field.name))
    if not values.heartbeat_seconds < values.lease_seconds < values.reap_after_seconds:
        raise Misconfigured(
            "SCHEDULER needs HEARTBEAT_SECONDS < LEASE_SECONDS < REAP_AFTER_SECONDS, so that a node stops by itself "
            f"before others take over; they are {values.heartbeat_seconds}, {values.lease_seconds} and "
            f"{values.reap_after_seconds}."
        )
    return values


_LONGEST_SECONDS = 31_536_000
_LONGEST_TEXT = 255
"""Characters: what the columns of nodes and of the installation hold."""

_RANGES = {
    "threads": (1, 10_000),
    "processes": (0, 10_000),
    "max_stuck_threads": (0, 10_000),
    "max_recoveries": (0, 1_000),
    "retention_days": (1, 36_500),
    "rollup_days": (1, 36_500),
    "keep_output_days": (1, 36_500),
    "keep_enqueued_successes_days": (0, 36_500),
    "keep_enqueued_failures_days": (0, 36_500),
    "keep_runs_per_job": (0, 100_000),
    "api_reads_per_minute": (0, 1_000_000_000),
    "api_proxies": (0, 100),
    "api_writes_per_minute": (0, 1_000_000_000),
}
"""Minimum of whole numbers. Others start at 1."""

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")

_MAY_BE_ZERO = ("grace_seconds", "flush_seconds", "timeout_grace_seconds")


def _typed(key: str, value: Any, kind: Any) -> Any:
    """
    Return the value with the type of its setting: a list is as good as a tuple.

    :raises Misconfigured: it has another type
    """
    if value is None and type(None) in get_args(kind):
        return None
    kinds = [part for part in get_args(kind) or (kind,) if part is not type(None)]
    if kind == tuple[str, ...]:
        # A text would be taken for its letters.
        fits = isinstance(value, list | tuple) and all(isinstance(item, str | os.PathLike) for item in value)
        word, value = "a list of texts", tuple(map(os.fspath, value)) if fits else value
    elif kinds == [bool] or kinds == [str]:
        fits, word = isinstance(value, kinds[0]), "a text" if kinds == [str] else "True or False"
    else:
        fits = isinstance(value, int if kinds == [int] else int | float) and not isinstance(value, bool)
        word = "a whole number" if kinds == [int] else "a number"
    if not fits:
        raise Misconfigured(f"SCHEDULER[{key!r}] is {value!r}. It must be {word}.")
    return value


def _check(name: str, value: Any) -> None:
    problem = ""
    if name.endswith("_seconds"):
        least = 0 if name in _MAY_BE_ZERO else 0.001
        if value is not None and not least <= value < _LONGEST_SECONDS:
            problem = f"{'0 seconds or more' if least == 0 else 'more than 0 seconds'}, and less than a year"
    elif isinstance(value, int) and not isinstance(value, bool):
        least, most = _RANGES.get(name, (1, 2**31 - 1))
        if not least <= value <= most:
            problem = f"a whole number from {least:,} to {most:,}"
    elif name in ("node_name", "environment") and (len(value) > _LONGEST_TEXT or not value.isprintable()):
        problem = f"at most {_LONGEST_TEXT} characters that can be printed"
    elif name == "run_log_level" and value not in _LOG_LEVELS:
        problem = f"one of {', '.join(_LOG_LEVELS)}"
    elif name == "allowed_hosts" and any(re.search(r"[\s/@?#]", entry) for entry in value):
        problem = "hosts such as “intranet.example” or “10.0.0.7:8080”, without http:// and path"
    elif name == "ca_file" and value and not Path(value).is_file():
        problem = "a file of certificates in PEM form that this process can read"
    if problem:
        shown = ", ".join(value) if isinstance(value, tuple) else str(value)
        raise Misconfigured(f"SCHEDULER[{name.upper()!r}] is {shown[:80]}. It must be {problem}.")
