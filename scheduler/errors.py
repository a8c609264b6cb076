"""Errors, named for the fact. The docstring is the message that people read."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from scheduler.messages import Declared, declare


class SchedulerError(Exception):
    """The scheduler could not do this."""

    code = "scheduler_error"
    _fact: Declared | None = None
    """The docstring as a message."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._fact = _declare(cls) if cls.__module__ == __name__ else None

    def __init__(self, message: str | None = None, **facts: object) -> None:
        self.facts = facts
        if message is None:
            message = self._fact() if self._fact is not None else _sentence(type(self))
        self.message = message
        """The English text. A ``Message`` has a code and parameters, and can be translated."""
        super().__init__(self.message)


def _sentence(kind: type[SchedulerError]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _declare(kind: type[SchedulerError]) -> Declared:
    """Declare the docstring of an error as its message: its code is the name of the class."""
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    return declare(f"error.{code}", _sentence(kind))


class UnknownTask(SchedulerError):
    """No task is registered under this name. Is its app in INSTALLED_APPS?"""

    code = "unknown_task"


class DuplicateTask(SchedulerError):
    """Two functions are registered as tasks under one name. Give one of them another name."""

    code = "duplicate_task"


class InvalidTask(SchedulerError):
    """This function cannot be a task."""

    code = "invalid_task"


class InvalidArguments(SchedulerError):
    """The arguments do not fit the task."""

    code = "invalid_arguments"

    def __init__(self, message: str, *, problems: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
        """One ``{"pointer": "/kwargs/max_pages", "code": …, "detail": …}`` for each problem."""


class InvalidTrigger(SchedulerError):
    """The trigger cannot be used."""

    code = "invalid_trigger"

    def __init__(self, message: str, *, pointer: str = "", code: str = "invalid_trigger") -> None:
        super().__init__(message)
        self.pointer = pointer
        """JSON pointer inside the trigger, such as ``/expression``, or an empty string for all of it."""
        self.code = code


class InvalidCalendar(SchedulerError):
    """The calendar cannot be used."""

    code = "invalid_calendar"

    def __init__(self, message: str | None = None, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class CalendarNotFound(SchedulerError):
    """There is no calendar with this name."""

    code = "calendar_not_found"


class CalendarInUse(SchedulerError):
    """The calendar is used by jobs. Nothing was changed."""

    code = "calendar_in_use"


class NeverFires(InvalidTrigger):
    """The trigger has no fire time."""

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message, pointer=pointer, code="never_fires")


class UnknownExecutor(SchedulerError):
    """No executor has this name."""

    code = "unknown_executor"


class UnusableExecutor(UnknownExecutor):
    """Runs cannot be sent to this remote executor."""


class BrokerUnavailable(SchedulerError):
    """The broker of a remote executor does not accept messages."""

    code = "broker_unavailable"


class QueueStateUnchanged(SchedulerError):
    """The queue is in that state already. It was not changed."""

    code = "queue_state_unchanged"


class NodeStateUnchanged(SchedulerError):
    """The node has ended, or is in that state already. It was not changed."""

    code = "node_state_unchanged"


class AlreadyEnqueued(SchedulerError):
    """A run with the same unique key is enqueued by a transaction that this one cannot see."""

    code = "already_enqueued"


class UnusableDeclaration(SchedulerError):
    """A declared job cannot be read."""

    code = "unusable_declaration"


class InvalidTemplate(SchedulerError):
    """The template cannot be used."""

    code = "invalid_template"


class TemplateNotFound(SchedulerError):
    """The template does not exist."""

    code = "template_not_found"


class InvalidParameters(SchedulerError):
    """The values do not fit the parameters of the template."""

    code = "invalid_parameters"

    def __init__(self, message: str, *, problems: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
        """One ``{"pointer": "/parameters/url", "code": …, "detail": …}`` for each problem."""


class InvalidPolicy(SchedulerError):
    """A policy of the job has a value that cannot be used."""

    code = "invalid_policy"


class InvalidQueue(InvalidPolicy):
    """The queue cannot be used."""

    code = "invalid_queue"


class InvalidRetention(SchedulerError):
    """A setting of the retention has a value that cannot be used."""

    code = "invalid_retention"


class InvalidName(SchedulerError):
    """The id, the name or the description of the job cannot be used."""

    code = "invalid_name"


class StartedWhileImported(SchedulerError):
    """
    Each child of the process pool imports a script that has tasks. Start its scheduler under “if __name__ ==
    "__main__":”.
    """

    code = "started_while_imported"


class NodesAreRunning(SchedulerError):
    """A node is running, which would go on with the jobs. Stop all nodes first."""

    code = "nodes_are_running"


class UnreadableState(SchedulerError):
    """The data that django-apscheduler stored about this job cannot be read safely."""

    code = "unreadable_state"


class JobNotFound(SchedulerError):
    """The job does not exist."""

    code = "job_not_found"


class JobExists(SchedulerError):
    """A job with this id exists already. Choose another id, or update that job."""

    code = "job_exists"


class AlreadyPaused(SchedulerError):
    """The job is already paused. It was not changed."""

    code = "already_paused"


class InvalidPause(SchedulerError):
    """A pause cannot end then."""

    code = "invalid_pause"


class NotPaused(SchedulerError):
    """The job is not paused. It was not changed."""

    code = "not_paused"


class StaleVersion(SchedulerError):
    """Someone else changed this in the meantime. Your change was not saved. Load the page again."""

    code = "stale_version"


class JobIsBroken(SchedulerError):
    """The job cannot run until its definition is mended."""

    code = "job_is_broken"


class RequestFailed(SchedulerError):
    """An outgoing request got no answer that can be used."""

    code = "request_failed"


class DestinationRefused(RequestFailed):
    """Outgoing requests may not go there."""

    code = "destination_refused"


class Unreachable(RequestFailed):
    """The server of an outgoing request cannot be reached."""

    code = "unreachable"


class AnswerTooLarge(RequestFailed):
    """The answer to an outgoing request is larger than what is read."""

    code = "answer_too_large"


class AnswerTooSlow(RequestFailed):
    """The answer to an outgoing request was not complete in time."""

    code = "answer_too_slow"


class AnswerUnreadable(RequestFailed):
    """The answer to an outgoing request breaks the rules of HTTP or of its encoding."""

    code = "answer_unreadable"


class TooManyRedirects(RequestFailed):
    """An outgoing request was sent from address to address without an end."""

    code = "too_many_redirects"


class UnexpectedStatus(RequestFailed):
    """The answer to an outgoing request has another status than was expected."""

    code = "unexpected_status"


class CommandNotAllowed(SchedulerError):
    """This management command may not be run as a task. Is it in SCHEDULER['ALLOWED_COMMANDS']?"""

    code = "command_not_allowed"


class CommandFailed(SchedulerError):
    """A management command ended with another exit code than 0."""

    code = "command_failed"


class RunStopped(SchedulerError):
    """The run was told to end before its body did."""

    code = "run_stopped"


class RunFinished(SchedulerError):
    """The run has already finished. It was not changed."""

    code = "run_finished"


class RunIsActive(SchedulerError):
    """The run has not finished. It was not changed."""

    code = "run_is_active"


class InvalidNote(SchedulerError):
    """The note cannot be stored. It was not written."""

    code = "invalid_note"


class NoteAlreadyHolds(SchedulerError):
    """The run was taken on, or released, already. No note was written."""

    code = "note_already_holds"


class InvalidWindow(SchedulerError):
    """The window of time cannot be used."""

    code = "invalid_window"


class ChangeNotFound(SchedulerError):
    """A change with this id does not exist."""

    code = "change_not_found"


class NothingToRestore(SchedulerError):
    """The job is now as it was after that change."""

    code = "nothing_to_restore"


class RunNotFound(SchedulerError):
    """The run does not exist."""

    code = "run_not_found"


class BulkActionNotFound(SchedulerError):
    """The bulk action does not exist."""

    code = "bulk_action_not_found"


class InvalidFilter(SchedulerError):
    """The filter is invalid."""

    code = "invalid_filter"

    def __init__(self, message: str, *, parameter: str = "", code: str = "invalid_filter") -> None:
        super().__init__(message)
        self.parameter = parameter
        self.code = code


class InvalidRequest(SchedulerError):
    """The request cannot be read."""

    code = "invalid_request"

    def __init__(self, message: str, *, problems: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems
        """One ``{"pointer" | "parameter": …, "code": …, "detail": …}`` for each problem."""


class RequestTooLarge(SchedulerError):
    """The request is larger than what is read."""

    code = "request_too_large"


class WrongContentType(SchedulerError):
    """The body is not JSON. Send it as application/json."""

    code = "wrong_content_type"


class KeyReused(SchedulerError):
    """This Idempotency-Key came with another request before. Use a new key for a new request."""

    code = "idempotency_key_reused"


class InvalidImport(SchedulerError):
    """The document cannot be imported."""

    code = "invalid_import"


class Retry(SchedulerError):
    """The task asks to be run again later."""

    code = "retry"

    after = timedelta(seconds=30)

    def __init__(self, message: str | None = None, *, after: timedelta | float = 30.0) -> None:
        """``after`` is the delay, as a ``timedelta`` or in seconds, at most a week."""
        super().__init__(message)
        seconds = after.total_seconds() if isinstance(after, timedelta) else float(after)
        self.after = timedelta(seconds=min(max(seconds, 0.0), 7 * 24 * 3600.0))


class Skip(SchedulerError):
    """The task has nothing to do."""

    code = "skip"


class WrongEnvironment(SchedulerError):
    """This database belongs to another environment."""

    code = "wrong_environment"


class DatabaseUnavailable(SchedulerError):
    """The database does not answer."""

    code = "database_unavailable"


class StatementCancelled(DatabaseUnavailable):
    """The database ended a statement: it took too long, or waited too long for rows that somebody else has locked."""


class OtherTables(DatabaseUnavailable):
    """The tables are not those of this release."""

    code = "other_tables"


class ValueRefused(SchedulerError):
    """The database cannot store a value."""

    code = "value_refused"


class InvalidRule(SchedulerError):
    """A rule for alerts has a value that cannot be used."""

    code = "invalid_rule"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidChannel(SchedulerError):
    """A channel for alerts has a value that cannot be used."""

    code = "invalid_channel"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class InvalidSwitch(SchedulerError):
    """A dead-man's switch has a value that cannot be used."""

    code = "invalid_switch"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class RuleNotFound(SchedulerError):
    """A rule with this id does not exist."""

    code = "rule_not_found"


class ChannelNotFound(SchedulerError):
    """A channel with this id does not exist."""

    code = "channel_not_found"


class SwitchNotFound(SchedulerError):
    """There is no dead-man's switch with this id."""

    code = "switch_not_found"


class IncidentNotFound(SchedulerError):
    """An incident with this id does not exist."""

    code = "incident_not_found"


class IncidentIsClosed(SchedulerError):
    """The incident is already closed. It was not changed."""

    code = "incident_is_closed"


class NameTaken(SchedulerError):
    """Another one has this name. Choose another name."""

    code = "name_taken"


class DeliveryFailed(SchedulerError):
    """A channel did not accept the message."""

    code = "delivery_failed"

    def __init__(self, message: str, *, unsure: bool = False, gone: bool = False) -> None:
        super().__init__(message)
        self.unsure = unsure
        """It may have arrived all the same."""

        self.gone = gone
        """The channel no longer exists."""


class Misconfigured(SchedulerError):
    """A setting has a value that cannot be used."""

    code = "misconfigured"
