"""The messages of errors about remote executors, each declared once."""

from __future__ import annotations

from scheduler.messages import declare

UNKNOWN_KIND_OF_EXECUTOR = declare(
    "unknown_kind_of_executor",
    "“{name}” is not an executor. Remote executors are {names}.",
    name=str,
    names=str,
)
UNUSABLE_TARGET = declare(
    "unusable_target",
    "“{name}” is not a remote executor. After the colon comes the name of a queue, without spaces and @.",
    name=str,
)
EXECUTOR_NOT_INSTALLED = declare(
    "executor_not_installed",
    "The executor “{name}” needs a package that is missing here. Install openlearn-scheduler[{extra}].",
    name=str,
    extra=str,
)
NO_TASKS_BACKEND = declare(
    "no_tasks_backend",
    "The executor “{name}” needs a backend “{alias}” in settings.TASKS. There are: {aliases}.",
    name=str,
    alias=str,
    aliases=str,
)
BACKEND_IS_THE_LEDGER = declare(
    "backend_is_the_ledger",
    "The executor “{name}” cannot be used: the backend “{alias}” is the ledger itself. Nodes run its tasks.",
    name=str,
    alias=str,
)
UNUSABLE_TASKS_BACKEND = declare(
    "unusable_tasks_backend",
    "The executor “{name}” cannot be used: its backend does not take tasks ({problem}).",
    name=str,
    problem=str,
)
NO_CELERY_APP = declare(
    "no_celery_app",
    "SCHEDULER['CELERY_APP'] is “{path}”, which cannot be imported: {problem}",
    path=str,
    problem=str,
)
NO_CELERY_BROKER = declare(
    "no_celery_broker",
    "The executor “{name}” needs a broker. Set CELERY_BROKER_URL, such as redis://host:6379/0 or "
    "amqp://user:password@host//.",
    name=str,
)
