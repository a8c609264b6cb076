"""
Every log event, declared once: its name, its levels, its fields and what it means.

``logger.warning(events.NODE_LOST, extra={…})``: the name is the message of the log record, the fields are its extra
attributes. ``docs/operations.md`` has this table, so that operators can alert on events.
"""

from __future__ import annotations

EVENTS: list[Event] = []


class Event(str):
    """The name of an event, as it is logged."""

    __slots__ = ("fields", "levels", "meaning")

    levels: tuple[str, ...]
    """The methods of a logger that log it. ``exception`` is an error with a traceback."""

    fields: tuple[str, ...]
    """Extra attributes that it can have. ``*``: those that name the row."""

    meaning: str


def _event(name: str, *, level: str, fields: str = "", meaning: str) -> Event:
    event = Event(name)
    event.levels = tuple(level.split())
    event.fields = tuple(fields.split())
    event.meaning = meaning
    EVENTS.append(event)
    return event


ALERTS_CHANNEL_FAILED = _event(
    "scheduler.alerts.channel_failed",
    level="exception",
    fields="channel",
    meaning="A channel raised something unexpected. Its messages are tried again.",
)
ALERTS_CLOSED = _event("scheduler.alerts.closed", level="info", fields="incidents", meaning="Incidents were closed.")
ALERTS_DIGEST_PART_FAILED = _event(
    "scheduler.alerts.digest_part_failed",
    level="exception",
    fields="part",
    meaning="A part of a digest that the project adds raised. The digest is sent without it.",
)
ALERTS_FAILED = _event(
    "scheduler.alerts.failed",
    level="warning exception",
    fields="error pause",
    meaning="The sender of alerts could not work. It tries again.",
)
ALERTS_NOT_RENDERED = _event(
    "scheduler.alerts.not_rendered",
    level="exception",
    fields="notification",
    meaning="A message could not be rendered. It is tried again.",
)
ALERTS_NOT_SENT = _event(
    "scheduler.alerts.not_sent",
    level="warning",
    fields="channel kind attempt incidents notification error given_up",
    meaning="A channel did not accept a message.",
)
ALERTS_OPENED = _event("scheduler.alerts.opened", level="info", fields="incidents", meaning="Incidents were opened.")
ALERTS_RECEIVER_FAILED = _event(
    "scheduler.alerts.receiver_failed",
    level="error",
    fields="receiver error",
    meaning="A receiver of a Django signal raised.",
)
ALERTS_SENT = _event(
    "scheduler.alerts.sent",
    level="info",
    fields="channel kind attempt incidents notification",
    meaning="A message was accepted by its channel.",
)
ALERTS_SWITCH_FAILED = _event(
    "scheduler.alerts.switch_failed", level="exception", meaning="The dead man's switch could not be called."
)
API_DATABASE_UNAVAILABLE = _event(
    "scheduler.api.database_unavailable",
    level="warning",
    fields="error",
    meaning="The API answered 503: the database cannot be used.",
)
API_TABLES_OF_ANOTHER_RELEASE = _event(
    "scheduler.api.tables_of_another_release",
    level="error",
    fields="error",
    meaning="The API answered 503: the migrations of this release are missing.",
)
BROKER_ACCEPTS = _event(
    "scheduler.broker.accepts",
    level="warning",
    fields="broker",
    meaning="A broker that had refused messages accepts them again.",
)
BROKER_REFUSED = _event(
    "scheduler.broker.refused",
    level="warning",
    fields="broker error pause",
    meaning="The broker of a remote executor refused messages. Its runs wait in the ledger, and it is tried again.",
)
BULK_FAILED = _event(
    "scheduler.bulk.failed",
    level="exception",
    fields="bulk_action",
    meaning="A bulk action failed for a job, and the action continues with the others.",
)
CALENDAR_NOT_FOLLOWED = _event(
    "scheduler.calendar.not_followed",
    level="warning",
    fields="job error",
    meaning="A job could not follow a change of its calendar and keeps the former one.",
)
CHILD_ANSWERED_FOR_ANOTHER_RUN = _event(
    "scheduler.child.answered_for_another_run",
    level="warning",
    fields="run",
    meaning="A copy of a child's process reported for a run that is over. It was ignored.",
)
CHILD_ANSWERED_NONSENSE = _event(
    "scheduler.child.answered_nonsense",
    level="exception",
    fields="run",
    meaning="A child sent something unreadable. The run failed and the child was replaced.",
)
CHILD_FAILED_TO_START = _event(
    "scheduler.child.failed_to_start",
    level="error",
    fields="executor error",
    meaning="A process of the process pool ended before it was ready. Does Django start in a fresh process?",
)
CHILD_NEVER_BEGAN = _event(
    "scheduler.child.never_began",
    level="warning",
    fields="run error",
    meaning="A child died before it called the task. Another one tries.",
)
CLAIM_DIVIDED = _event(
    "scheduler.claim.divided",
    level="warning",
    fields="error",
    meaning="A claim was refused because of some row and is repeated in halves.",
)
CLOCK_JUMPED = _event(
    "scheduler.clock.jumped",
    level="warning",
    fields="seconds",
    meaning="The database's clock jumped. Silent nodes are given time before they count as lost.",
)
CLOCK_SKEWED = _event(
    "scheduler.clock.skewed",
    level="warning",
    fields="seconds",
    meaning="This machine's clock differs from the database's.",
)
DATABASE_FORGOT = _event(
    "scheduler.database.forgot",
    level="warning",
    fields="runs",
    meaning="After a failover the database lost commits. As many run numbers were skipped.",
)
DATABASE_ROLLBACK_FAILED = _event(
    "scheduler.database.rollback_failed", level="debug", meaning="The session ended before it could be rolled back."
)
DATABASE_SESSION_ENDED_BY_ITSELF = _event(
    "scheduler.database.session_ended_by_itself", level="debug", meaning="A silent session ended before it was cut off."
)
DATABASE_SILENT = _event(
    "scheduler.database.silent",
    level="warning",
    fields="session seconds",
    meaning="The server owed an answer for too long. The session was cut off.",
)
ENDINGS_FAILED = _event(
    "scheduler.endings.failed",
    level="warning exception",
    fields="error pause",
    meaning="A reaction to the end of an enqueued run, such as a signal, failed. The thread goes on.",
)
EVENTS_DROPPED = _event(
    "scheduler.events.dropped",
    level="warning",
    fields="count",
    meaning="Listeners of APScheduler events were too slow. Events were dropped.",
)
EVENTS_FAILED = _event(
    "scheduler.events.failed",
    level="warning exception",
    fields="error pause",
    meaning="The thread for APScheduler events failed and goes on.",
)
GATE_DIVIDED = _event(
    "scheduler.gate.divided",
    level="warning",
    fields="error",
    meaning="The start gate was refused because of some row and is repeated in halves.",
)
HEALTH_NOT_CHECKED = _event(
    "scheduler.health.not_checked", level="warning", fields="error", meaning="The health could not be checked."
)
HEARTBEAT_FAILED = _event(
    "scheduler.heartbeat.failed",
    level="warning exception",
    fields="error lease",
    meaning="A heartbeat did not reach the database. Without a lease the node does not start runs.",
)
JOB_BROKEN = _event(
    "scheduler.job.broken",
    level="warning",
    fields="job reason",
    meaning="A job cannot run and was removed from the schedule.",
)
JOB_CANNOT_BE_PLANNED = _event(
    "scheduler.job.cannot_be_planned",
    level="exception",
    fields="job",
    meaning="The trigger of a job raised. The job was removed from the schedule.",
)
JOB_PAUSED = _event(
    "scheduler.job.paused",
    level="warning",
    fields="job failures_in_a_row",
    meaning="A job failed too often in a row and was paused.",
)
JOB_RESUMED = _event(
    "scheduler.job.resumed", level="info", fields="job next_run_time", meaning="The pause of a job ended."
)
JOBS_UNADOPTED = _event(
    "scheduler.jobs.unadopted",
    level="warning",
    fields="count mend",
    meaning="Jobs of stock django-apscheduler are not adopted. They do not run.",
)
LIMITS_UNDECIDED = _event(
    "scheduler.limits.undecided",
    level="warning",
    fields="count error",
    meaning="It could not be decided whether limits have room for some runs. Others start, and these are tried again.",
)
LISTENER_FAILED = _event(
    "scheduler.listener.failed",
    level="warning exception",
    fields="error pause",
    meaning="The listener for notifications failed. Changes are noticed by polling until it works again.",
)
LISTENER_LOST = _event(
    "scheduler.listener.lost",
    level="warning",
    fields="error",
    meaning="The listener lost its session. Changes are noticed by polling until it is back.",
)
MEASURES_FAILED = _event(
    "scheduler.measures.failed", level="exception", meaning="The node's measures could not be computed."
)
MEASURES_NOT_REPORTED = _event(
    "scheduler.measures.not_reported",
    level="debug",
    fields="error",
    meaning="The node's measures did not reach the database.",
)
METRICS_ASKED = _event(
    "scheduler.metrics.asked", level="debug", fields="request", meaning="The metrics were requested."
)
METRICS_FAILED = _event("scheduler.metrics.failed", level="exception", meaning="The metrics server failed and goes on.")
METRICS_SERVED = _event(
    "scheduler.metrics.served", level="info", fields="host port", meaning="The metrics server listens here."
)
NODE_DRAINED = _event(
    "scheduler.node.drained",
    level="info",
    fields="node given_back",
    meaning="Somebody drained this node: it takes no more runs, and gave back those that had not begun.",
)
NODE_GIVEN_UP = _event(
    "scheduler.node.given_up",
    level="error",
    fields="node seconds",
    meaning="The node did nothing for so long that its pacemaker gives it up. Its process is ended.",
)
NODE_GOES_ON = _event("scheduler.node.goes_on", level="warning", meaning="The loop of the node makes progress again.")
NODE_INTERPRETER_FREE = _event(
    "scheduler.node.interpreter_free",
    level="warning",
    meaning="Threads of the node have their turns again.",
    fields="node",
)
NODE_INTERPRETER_KEPT = _event(
    "scheduler.node.interpreter_kept",
    level="error",
    fields="node runs",
    meaning="A body keeps the interpreter to itself. The pacemaker beats for the node. Use the process pool for it.",
)
NODE_LEFT_THREADS_BEHIND = _event(
    "scheduler.node.left_threads_behind",
    level="warning",
    fields="threads",
    meaning="The node has stopped. Its process was ended although tasks left threads behind.",
)
NODE_LOST = _event(
    "scheduler.node.lost",
    level="warning",
    fields="node node_name",
    meaning="Another node was silent for too long and counts as lost.",
)
NODE_RETURNED = _event(
    "scheduler.node.returned",
    level="warning",
    fields="node former dropped",
    meaning="The other nodes marked this one as lost. It continues under a new id.",
)
NODE_STALLED = _event(
    "scheduler.node.stalled", level="error", fields="seconds", meaning="The loop of the node makes no progress."
)
NODE_STARTED = _event(
    "scheduler.node.started",
    level="info",
    fields="node node_name pid",
    meaning="The node has started. Further fields are its executors.",
)
NODE_STOP_INCOMPLETE = _event(
    "scheduler.node.stop_incomplete",
    level="warning",
    fields="step error",
    meaning="A step of stopping failed. Other nodes do it once this one counts as lost.",
)
NODE_STOPPED = _event(
    "scheduler.node.stopped",
    level="info",
    fields="node given_back interrupted unrecorded seconds",
    meaning="The node has stopped.",
)
NODE_UNDRAINED = _event(
    "scheduler.node.undrained",
    level="info",
    fields="node",
    meaning="This node takes runs again.",
)
OWED_CANNOT_BE_COMPUTED = _event(
    "scheduler.owed.cannot_be_computed",
    level="warning",
    fields="job error",
    meaning="Fire times without a row cannot be computed, because the trigger is unusable.",
)
PACEMAKER_CANNOT_BEAT = _event(
    "scheduler.pacemaker.cannot_beat",
    level="warning",
    fields="error",
    meaning="The pacemaker could not reach the database in the place of its node. It tries again.",
)
PACEMAKER_ENDED = _event(
    "scheduler.pacemaker.ended", level="warning", fields="code", meaning="The pacemaker ended. Another one is started."
)
PACEMAKER_FAILED = _event(
    "scheduler.pacemaker.failed",
    level="warning exception",
    fields="error",
    meaning="The pacemaker could not be started, or vital signs not be shown. It is tried again.",
)
POOL_FAULT = _event(
    "scheduler.pool.fault",
    level="error",
    fields="executor run",
    meaning="The code around a run failed in an executor's thread. The thread goes on.",
)
POOL_GROWS_AGAIN = _event(
    "scheduler.pool.grows_again",
    level="warning",
    fields="executor places",
    meaning="A thread that was stuck came back. The executor has its place again.",
)
POOL_NO_THREAD = _event(
    "scheduler.pool.no_thread",
    level="warning",
    fields="executor error",
    meaning="The system has no room for another thread.",
)
POOL_SHRINKS = _event(
    "scheduler.pool.shrinks",
    level="error",
    fields="executor stuck",
    meaning="Too many threads are stuck. The executor has lost a place.",
)
RECORDER_CAREFUL = _event(
    "scheduler.recorder.careful",
    level="warning",
    fields="rows error",
    meaning="Recording was refused and is repeated with fewer rows.",
)
RECORDER_FAILED = _event(
    "scheduler.recorder.failed", level="exception", meaning="Recording failed unexpectedly. It is tried again."
)
RECORDER_FOLLOWS_LATER = _event(
    "scheduler.recorder.follows_later",
    level="warning",
    fields="error",
    meaning="Outcomes are recorded. Retries and counts follow later.",
)
RECORDER_WAITS = _event(
    "scheduler.recorder.waits",
    level="warning",
    fields="backlog error",
    meaning="Outcomes wait in memory: the database cannot be used.",
)
RING_TURNED_DOWN = _event(
    "scheduler.ring.turned_down",
    level="warning",
    fields="run task node",
    meaning="A worker does not know the task of a run. Its release may lack it, and other workers are rung.",
)
RINGING_FAILED = _event(
    "scheduler.ringing.failed",
    level="warning exception",
    fields="error pause",
    meaning="A thread that rings a broker could not work. It tries again.",
)
ROW_PASSED_BY = _event(
    "scheduler.row.passed_by",
    level="warning",
    fields="*",
    meaning="A row is locked by somebody else and was passed by.",
)
ROW_SET_APART = _event(
    "scheduler.row.set_apart",
    level="warning",
    fields="*",
    meaning="A row made its statement fail and was set apart, so that others go on.",
)
ROW_STAYS = _event(
    "scheduler.row.stays",
    level="exception",
    fields="*",
    meaning="A row makes its statement fail and could not be set apart.",
)
RUN_CONNECTION_NOT_CLOSED = _event(
    "scheduler.run.connection_not_closed",
    level="warning",
    meaning="A database connection of a task could not be closed.",
)
RUN_EXPIRED = _event(
    "scheduler.run.expired",
    level="warning",
    fields="run task",
    meaning="An enqueued run had not begun when it expired. It is missed.",
)
RUN_FAULT = _event("scheduler.run.fault", level="exception", fields="run", meaning="The code around a task failed.")
RUN_FINISHED = _event(
    "scheduler.run.finished",
    level="info warning",
    fields="run job task state seconds error",
    meaning="A run has ended. The level is warning if it failed.",
)
RUN_MISSED = _event(
    "scheduler.run.missed",
    level="warning",
    fields="job scheduled_at fire_times reason",
    meaning="Fire times were noticed later than the misfire grace time and did not run.",
)
RUN_SKIPPED = _event(
    "scheduler.run.skipped",
    level="warning",
    fields="job scheduled_at fire_times reason",
    meaning="Fire times did not run, for the reason given.",
)
RUNS_FINISHED = _event(
    "scheduler.runs.finished",
    level="info",
    fields="count",
    meaning="Many runs have ended. Only failures are logged one by one.",
)
RUNS_NOTES_REFUSED = _event(
    "scheduler.runs.notes_refused",
    level="warning",
    fields="count error",
    meaning="Progress or log lines of running runs could not be stored.",
)
RUNS_OUTCOME_TOO_LATE = _event(
    "scheduler.runs.outcome_too_late",
    level="warning",
    fields="runs count",
    meaning="Outcomes came after other nodes had taken the runs over. They were dropped.",
)
RUNS_RECONCILED = _event(
    "scheduler.runs.reconciled",
    level="warning",
    fields="given_back",
    meaning="Runs whose answer was lost were given back to the queue.",
)
RUNS_RECOVERED = _event(
    "scheduler.runs.recovered",
    level="warning",
    fields="requeued interrupted recovered",
    meaning="Runs of lost nodes were handed on.",
)
RUNS_REFUSED_AT_THE_GATE = _event(
    "scheduler.runs.refused_at_the_gate",
    level="warning",
    fields="runs count",
    meaning="Runs belonged to another node by the time they were to start.",
)
RUNS_TAKEN_AWAY = _event(
    "scheduler.runs.taken_away", level="warning", fields="count", meaning="Waiting runs belong to other nodes now."
)
SEQUENCES_ADVANCED = _event(
    "scheduler.sequences.advanced",
    level="warning",
    fields="tables",
    meaning="Sequences were behind the rows of their tables, as after logical replication, and go on after them.",
)
TAKE_DIVIDED = _event(
    "scheduler.take.divided",
    level="warning",
    fields="error",
    meaning="Taking runs was refused because of some row and is repeated in halves.",
)
TICK_FAILED = _event(
    "scheduler.tick.failed", level="exception", meaning="A pass of the node's loop failed unexpectedly. It goes on."
)
TICK_WAITS_FOR_THE_DATABASE = _event(
    "scheduler.tick.waits_for_the_database",
    level="warning",
    fields="error pause",
    meaning="The node waits for the database.",
)
TIMEKEEPER_FAILED = _event(
    "scheduler.timekeeper.failed",
    level="exception",
    fields="executor",
    meaning="Timeouts of an executor could not be checked.",
)
TZDATA_CHANGED = _event(
    "scheduler.tzdata.changed",
    level="info warning",
    fields="version jobs",
    meaning="The rules of time zones changed. Next fire times are computed anew.",
)
TZDATA_WAITS = _event(
    "scheduler.tzdata.waits",
    level="warning",
    fields="after",
    meaning="Computing by new time zone rules goes on later, from this job on.",
)
WATCHDOG_FAILED = _event(
    "scheduler.watchdog.failed", level="exception", fields="session", meaning="A session could not be watched."
)
WORKER_MESSAGE_NOT_ACKNOWLEDGED = _event(
    "scheduler.worker.message_not_acknowledged",
    level="debug",
    fields="error",
    meaning="The broker could not be told that a message was taken. It delivers it again, and the start gate drops it.",
)
WORKER_MESSAGE_UNREADABLE = _event(
    "scheduler.worker.message_unreadable",
    level="warning",
    fields="error",
    meaning="A message named no run, and was dropped.",
)
WORKER_NOT_STARTED = _event(
    "scheduler.worker.not_started",
    level="error",
    fields="error",
    meaning="A worker of a remote executor cannot work here, and ends.",
)
WORKER_SERVES_NO_RINGS = _event(
    "scheduler.worker.serves_no_rings",
    level="warning",
    fields="run",
    meaning="A message about a run reached a worker that serves other queues. The run is rung again.",
)
WORKER_WAITS_FOR_THE_DATABASE = _event(
    "scheduler.worker.waits_for_the_database",
    level="warning",
    fields="error",
    meaning="A worker of a remote executor that starts waits for the database.",
)
