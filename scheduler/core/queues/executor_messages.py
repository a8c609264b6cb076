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
