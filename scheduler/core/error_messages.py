"""The messages of errors about jobs, their arguments and runs, each declared once."""

from __future__ import annotations

from scheduler.messages import Message, declare

ARGUMENTS_TOO_LARGE = declare(
    "arguments_too_large", "The arguments take {size:,} bytes as JSON, of {most:,} allowed.", size=int, most=int
)
ARGS_IS_A_LIST = declare("args_is_a_list", "args is “{value}”. It must be a list.", value=str)
KWARGS_IS_AN_OBJECT = declare(
    "kwargs_is_an_object", "kwargs is “{value}”. It must be an object with a name for each argument.", value=str
)
UNKNOWN_POLICY = declare("unknown_policy", "A job has no policy {names}. There are: {all}.", names=str, all=str)
BROKER_REFUSED = declare("broker_refused", "The broker {broker} refused: {problem}", broker=str, problem=str)
POLICY_IS_A_NAME = declare(
    "policy_is_a_name",
    "{name} is “{value}”. It must be a name of at most {most} characters.",
    name=str,
    value=str,
    most=int,
)
POLICY_IS_A_NUMBER = declare(
    "policy_is_a_number",
    "{name} is “{value}”. It must be a number from {low:,} to {high:,}.",
    name=str,
    value=str,
    low=int,
    high=int,
)
POLICY_IS_SECONDS = declare(
    "policy_is_seconds",
    "{name} is “{value}”. It must be a number of seconds, 1 or more, or empty for no limit.",
    name=str,
    value=str,
)
POLICY_IS_A_WHOLE_NUMBER = declare(
    "policy_is_a_whole_number",
    "{name} is “{value}”. It must be a whole number from {low:,} to {high:,}.",
    name=str,
    value=str,
    low=int,
    high=int,
)
POLICY_IS_A_BOOLEAN = declare(
    "policy_is_a_boolean", "{name} is “{value}”. It must be true or false.", name=str, value=str
)
POLICY_IS_A_CHOICE = declare(
    "policy_is_a_choice", "{name} is “{value}”. It must be {allowed}.", name=str, value=str, allowed=str
)
NOT_A_TASK = declare(
    "not_a_task",
    "“{name}” is not a task. Decorate it with @task, or list its module in SCHEDULER['TASK_MODULES'].",
    name=str,
)
IS_ITS_APP_INSTALLED = declare(
    "is_its_app_installed", "Is its app in INSTALLED_APPS? Restart processes that began before the task was written."
)
UNREGISTERED_TASK = declare("unregistered_task", "No task is registered as “{name}”.", name=str)
ARGUMENT_REQUIRED = declare("argument_required", "{name} is required by {task}.", name=str, task=str)
ARGUMENT_DOES_NOT_FIT = declare(
    "argument_does_not_fit", "{name}: {value} does not fit: {reason}.", name=str, value=str, reason=str
)
ARGUMENT_HAS_ANOTHER_TYPE = declare(
    "argument_has_another_type", "{name}: {value} {reason}.", name=str, value=str, reason=str
)
UNKNOWN_ARGUMENT = declare("unknown_argument", "{task} has no argument “{name}”.", task=str, name=str)
NOT_JSON = declare("not_json", "{value} cannot be stored as JSON: {reason}.", value=str, reason=str)
UNCHANGEABLE = declare("unchangeable", "A job has no {names} that could be changed.", names=str)
JOB_DELETED_MEANWHILE = declare(
    "job_deleted_meanwhile", "The job “{name}” ({id}) was deleted in the meantime.", name=str, id=str
)
NO_SUCH_JOB = declare("no_such_job", "There is no job with the id “{id}”.", id=str)
PAUSE_IS_OVER = declare("pause_is_over", "until is “{until}”, which is over (now {now}).", until=str, now=str)
PAUSE_TOO_LONG = declare("pause_too_long", "until is “{until}”. The year may be at most {year}.", until=str, year=str)
CANNOT_RUN = declare("cannot_run", "“{name}” cannot run: {reason}", name=str, reason=str)
JOB_IS_NOT_PAUSED = declare("job_is_not_paused", "“{name}” is not paused, but {state}.", name=str, state=str)
JOB_IS_PAUSED = declare("job_is_paused", "“{name}” is paused already.", name=str)
CHANGED_MEANWHILE = declare(
    "changed_meanwhile",
    "“{name}” was changed by {who} in the meantime (version {version}, yours was {yours}). Reload and try again.",
    name=str,
    who=str,
    version=int,
    yours=int,
)
CHANGED_MEANWHILE_IN = declare(
    "changed_meanwhile_in",
    "“{name}” was changed by {who} in the meantime (version {version}, yours was {yours}): {what}. "
    "Reload and try again.",
    name=str,
    who=str,
    version=int,
    yours=int,
    what=str,
)
CHANGED_SINCE_READ = declare(
    "changed_since_read",
    "The job “{id}” was changed after it was read: it has version {version}, yours is {yours}. Nothing was saved. "
    "Read it again, or change it with scheduler.services.jobs.",
    id=str,
    version=int,
    yours=int,
)
SEALED_VALUE_SENT = declare("sealed_value_sent", "Sealed values cannot be sent: send the secret.")
NOTHING_MASKED = declare(
    "nothing_masked", "{name} is masked, and there is no stored value that it stands for: send the secret.", name=str
)
NO_SUCH_CHANGE = declare("no_such_change", "There is no change with the id {id}.", id=str)
NO_SUCH_EXECUTOR = declare(
    "no_such_executor", "There is no executor “{name}”. Available: {names}.", name=str, names=str
)
UNUSABLE_QUEUE = declare(
    "unusable_queue",
    "The queue “{name}” cannot be used: its name has 1 to {most} characters that can be printed, no @, and neither “.” "
    "nor “..” between slashes.",
    name=str,
    most=int,
)
QUEUE_IS_PAUSED = declare("queue_is_paused", "The queue “{name}” is paused already.", name=str)
QUEUE_IS_NOT_PAUSED = declare("queue_is_not_paused", "The queue “{name}” is not paused.", name=str)
NODE_HAS_ENDED = declare("node_has_ended", "The node “{name}” is not running any more.", name=str)
WORKER_IS_NOT_DRAINED = declare(
    "worker_is_not_drained", "“{name}” is a worker of a broker: let it stop consuming its queues there.", name=str
)
NODE_IS_DRAINED = declare("node_is_drained", "The node “{name}” is drained already.", name=str)
NODE_IS_NOT_DRAINED = declare("node_is_not_drained", "The node “{name}” is not drained.", name=str)
QUEUE_RETENTION = declare(
    "queue_retention", "Runs cannot be kept for {value} days: write 0 to {most} days.", value=str, most=int
)
UNUSABLE_UNIQUE = declare(
    "unusable_unique",
    "unique is {value}. It is True, or a text with names of arguments in braces.",
    value=str,
)
UNIQUE_WHILE = declare("unique_while", "unique_while is {value}. It is “queued” or “active”.", value=str)
UNUSABLE_DURATION = declare(
    "unusable_duration",
    "{name} is {value}. It is a timedelta or a number of seconds, more than 0 and at most a year.",
    name=str,
    value=str,
)
UNIQUE_KEY_BUSY = declare(
    "unique_key_busy",
    "“{key}” is enqueued by another transaction that this one cannot see. Enqueue it again in a new transaction.",
    key=str,
)
TASK_NAME_TOO_LONG = declare(
    "task_name_too_long", "The name of the task “{name}” is longer than {most} characters.", name=str, most=int
)
DELETED_JOB_CANNOT_RUN = declare(
    "deleted_job_cannot_run", "The job “{name}” was deleted and cannot be run again.", name=str
)
RUN_HAS_FINISHED = declare("run_has_finished", "The run {id} has finished already: it {state}.", id=str, state=str)
CANCEL_RUN_FIRST = declare(
    "cancel_run_first", "The run {id} is {state}: cancel it before it is run again.", id=str, state=str
)
RUN_DELETED_MEANWHILE = declare("run_deleted_meanwhile", "The run {id} was deleted in the meantime.", id=str)
NO_SUCH_RUN = declare("no_such_run", "There is no run with the id {id}.", id=str)
JOB_ID_TAKEN = declare(
    "job_id_taken", "A job with the id “{id}” exists already. Choose another id, or update it.", id=str
)
ARGUMENTS_HOLD_NUL = declare(
    "arguments_hold_nul",
    "The arguments hold a character that PostgreSQL cannot store as JSON: NUL, or half of a surrogate pair.",
)
DESCRIPTION_HOLDS_NUL = declare(
    "description_holds_nul", "The description cannot be used: it is text without NUL characters."
)
UNUSABLE_ID = declare(
    "unusable_id", "The id “{id}” cannot be used: an id has 1 to 255 characters that can be printed.", id=str
)
ID_WITHOUT_A_WORD = declare(
    "id_without_a_word",
    "The id “{id}” cannot be used: between slashes it needs a word that is neither “.” nor “..”.",
    id=str,
)
ID_IS_TAKEN_BY_ADDRESSES = declare(
    "id_is_taken_by_addresses",
    "The id “{id}” cannot be used: in addresses, “{word}” means something else.",
    id=str,
    word=str,
)
SECRET_NEEDED = declare(
    "secret_needed",
    "{secret} stays masked while {names} changes, and could be sent to another place. Enter {secret} again.",
    secret=str,
    names=str,
)
UNUSABLE_NAME = declare(
    "unusable_name", "The name “{name}” cannot be used: a name has 1 to 255 characters that can be printed.", name=str
)
UNUSABLE_TAG = declare(
    "unusable_tag", "The tag “{tag}” cannot be used: it has 1 to 50 characters that can be printed.", tag=str
)
TAGS_IS_A_LIST = declare("tags_is_a_list", "tags is “{value}”. It must be a list of at most 20 words.", value=str)
UNKNOWN_REASON = declare(
    "unknown_reason", "“{code}” is not the code of a reason of runs. Codes are: {codes}.", code=str, codes=str
)
WINDOW_REVERSED = declare(
    "window_reversed", "The window ends ({until}) before it begins ({since}).", until=str, since=str
)
WINDOW_IN_THE_FUTURE = declare(
    "window_in_the_future", "The window ends in the future ({until}). The time is {now}.", until=str, now=str
)
WINDOW_TOO_FULL = declare(
    "window_too_full",
    "The window has more than {most:,} fire times. Choose a shorter one, or a higher limit.",
    most=int,
)
FILTER_HOLDS_NUL = declare("filter_holds_nul", "Texts cannot contain the character NUL.")
NOTE_IS_EMPTY = declare("note_is_empty", "The note has no text.")
NOTE_IS_TOO_LONG = declare("note_is_too_long", "The note is longer than {most:,} characters.", most=int)
RUN_IS_TAKEN = declare("run_is_taken", "{who} works on run {id} already.", id=str, who=str)
RUN_IS_NOT_TAKEN = declare("run_is_not_taken", "Run {id} is not taken on.", id=str)
MAY_NOT_SEARCH_OUTPUT = declare(
    "may_not_search_output",
    "To search arguments and logs, ask for the permission “Can view arguments, result, log and traceback of run”.",
)
NOT_A_RUN_STATE = declare("not_a_run_state", "“{text}” is not a run state.", text=str)
NOT_A_NODE = declare("not_a_node", "“{text}” is not the id of a node.", text=str)
NOT_A_RUN_KIND = declare("not_a_run_kind", "“{text}” is not a kind of run.", text=str)
NOT_AN_INSTANT = declare("not_an_instant", "“{text}” is not a time. Write it as 2027-03-01T09:00.", text=str)
NOT_AN_ACTION = declare("not_an_action", "“{text}” is not an action on jobs.", text=str)
NOT_A_WAY = declare("not_a_way", "“{text}” is not a way of changing jobs.", text=str)
FORMER_JOB_GOES_ON = declare(
    "former_job_goes_on",
    "The runs of the former job with the id “{id}” are still being put aside. "
    "Choose another id, or try again in a minute.",
    id=str,
)
NO_SUCH_CALENDAR = declare("no_such_calendar", "There is no calendar “{name}”.", name=str)
CALENDAR_EXISTS = declare("calendar_exists", "There is a calendar “{name}” already. Choose another name.", name=str)
CALENDAR_NAME = declare(
    "calendar_name",
    "The name “{name}” cannot be used: write up to {most} lower case letters, digits, hyphens and underscores.",
    name=str,
    most=int,
)
CALENDAR_TITLE = declare("calendar_title", "The title has at most {most} printable characters.", most=int)
CALENDAR_DURING = declare("calendar_during", "during is one of: {choices}.", choices=str)
CALENDAR_HAS_NO = declare("calendar_has_no", "A calendar has no {names}.", names=str)
CALENDAR_IN_USE = declare(
    "calendar_in_use", "The calendar “{name}” is used by: {jobs}. Nothing was deleted.", name=str, jobs=str
)
CALENDAR_RENAMED = declare(
    "calendar_renamed",
    "The calendar “{name}” is used by: {jobs}. It cannot be renamed while it is used.",
    name=str,
    jobs=str,
)
CALENDAR_STOPS_JOBS = declare(
    "calendar_stops_jobs", "With this calendar these jobs cannot run: {jobs}. {problem}", jobs=str, problem=Message
)
CALENDAR_CHANGED_MEANWHILE = declare(
    "calendar_changed_meanwhile",
    "The calendar “{name}” was changed in the meantime: it has version {version}, yours is {yours}.",
    name=str,
    version=int,
    yours=int,
)
CALENDARS_ARE_OBJECTS = declare(
    "calendars_are_objects", "calendars is a list of objects with name, rules, title, timezone, tags and during."
)
EDIT_CHANGES_SOME_OF = declare("edit_changes_some_of", "Change some of: {names}.", names=str)
EDIT_IS_SECONDS = declare("edit_is_seconds", "{name} must be more than 0 seconds, not “{value}”.", name=str, value=str)
COMMAND_NOT_ALLOWED = declare(
    "command_not_allowed",
    "“{name}” may not be run as a task. Allowed are: {names}. Add it to SCHEDULER['ALLOWED_COMMANDS'].",
    name=str,
    names=str,
)
NO_COMMAND_ALLOWED = declare(
    "no_command_allowed",
    "“{name}” may not be run as a task. None is allowed. Add it to SCHEDULER['ALLOWED_COMMANDS'].",
    name=str,
)
COMMAND_FAILED = declare(
    "command_failed", "“{name}” ended with exit code {code}. {wrote}", name=str, code=str, wrote=str
)
COMMAND_FAILED_SILENTLY = declare(
    "command_failed_silently", "“{name}” ended with exit code {code}.", name=str, code=str
)
COMMAND_OWNS_NO_STREAMS = declare(
    "command_owns_no_streams", "options has stdout or stderr; what the command writes is kept as the run's result."
)
