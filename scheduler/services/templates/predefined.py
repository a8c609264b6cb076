"""
Templates that come with the scheduler and with apps.

They are created when templates are first used, and get a version when a release changes them. Changes by a person stay,
and one that a person deleted stays deleted: ``restore`` brings the shipped definition back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler import __version__, schedules
from scheduler.core.declarations import DeclaredObject, is_older
from scheduler.core.states import Via
from scheduler.errors import TemplateNotFound
from scheduler.models import DeclaredObject as Row
from scheduler.models import Template
from scheduler.schedules import ShippedTemplate
from scheduler.services.declarations import objects
from scheduler.services.declarations.object_kinds import KINDS
from scheduler.services.declarations.steps import Options
from scheduler.store.jobs.authorship import Author

OWNER = "shipped"

_KIND = "template"
_CRON = {"name": "trigger", "title": "When", "description": "A cron expression.", "type": "text"}
_ZONE = {"name": "timezone", "title": "Time zone", "default": None, "description": "Empty: the project's."}
_NAME = {"name": "name", "title": "Name of the job"}

SHIPPED = (
    ShippedTemplate(
        slug="call-a-url",
        title="Call a URL",
        description="Sends an HTTP request, and fails unless the answer has an expected status.",
        parameters=(
            _NAME,
            {"name": "url", "title": "Address", "type": "url"},
            {"name": "method", "title": "Method", "choices": ["GET", "HEAD", "POST", "PUT"], "default": "GET"},
            {"name": "body", "title": "Body", "default": None},
            {"name": "token", "title": "Token", "type": "secret", "default": None, "description": "Sent as Bearer."},
            {"name": "expected_status", "title": "Expected status", "default": "200-299"},
            {"name": "timeout_seconds", "title": "Time limit", "type": "number", "default": 30, "minimum": 1},
            {**_CRON, "default": "*/15 * * * *"},
            _ZONE,
        ),
        body={
            "task": "scheduler.http_request",
            "name": "{name}",
            "trigger": "{trigger}",
            "timezone": "{timezone}",
            "kwargs": {
                "url": "{url}",
                "method": "{method}",
                "body": "{body}",
                "token": "{token}",
                "expected_status": "{expected_status}",
                "timeout_seconds": "{timeout_seconds}",
            },
        },
    ),
    ShippedTemplate(
        slug="run-a-command",
        title="Run a management command",
        description="The command must be named in SCHEDULER['ALLOWED_COMMANDS'].",
        parameters=(
            {"name": "command", "title": "Command"},
            {"name": "args", "title": "Arguments", "type": "list", "default": []},
            {**_CRON, "default": "0 3 * * *"},
            _ZONE,
        ),
        body={
            "task": "scheduler.call_command",
            "name": "manage.py {command}",
            "trigger": "{trigger}",
            "timezone": "{timezone}",
            "kwargs": {"name": "{command}", "args": "{args}"},
        },
    ),
    ShippedTemplate(
        slug="clean-up",
        title="Clean up the ledger",
        description="Deletes finished runs, ended jobs and changes of jobs that are old.",
        parameters=(
            {"name": "days", "title": "Days kept", "type": "integer", "default": 30, "minimum": 1, "maximum": 36_500},
            {**_CRON, "default": "30 3 * * *"},
            _ZONE,
        ),
        body={
            "task": "scheduler.cleanup_jobs",
            "name": "Clean up after {days} days",
            "trigger": "{trigger}",
            "timezone": "{timezone}",
            "kwargs": {"days": "{days}"},
        },
    ),
    ShippedTemplate(
        slug="ping-a-dead-mans-switch",
        title="Ping a dead-man's switch",
        description="Calls a service that raises an alarm when the calls stop.",
        parameters=(
            {"name": "url", "title": "Address", "type": "url"},
            {"name": "seconds", "title": "Seconds between", "type": "integer", "default": 60, "minimum": 10},
        ),
        body={
            "task": "scheduler.http_request",
            "name": "Ping {url}",
            "trigger": {"type": "interval", "seconds": "{seconds}"},
            "misfire_grace_time": 60,
            "kwargs": {"url": "{url}", "timeout_seconds": 10},
        },
    ),
)


def shipped() -> tuple[ShippedTemplate, ...]:
    """Every template that the scheduler or an app ships."""
    return (*SHIPPED, *schedules.shipped_templates())


def is_shipped(slug: str) -> bool:
    return any(each.slug == slug for each in shipped())


def ensure() -> None:
    """Create the shipped templates that are missing, and give those a version that a newer release changed."""
    known = {row.key: row for row in Row.objects.filter(kind=_KIND, owner=OWNER)}
    outdated = [each for each in shipped() if _is_outdated(each, known.get(each.slug))]
    if not outdated:
        return
    new = [each.slug for each in outdated if each.slug not in known]
    taken = set(Template.objects.filter(slug__in=new).values_list("slug", flat=True))
    _apply([each for each in outdated if each.slug not in taken], options=Options())


def _is_outdated(template: ShippedTemplate, row: Row | None) -> bool:
    if row is None:
        return True
    return row.declared != _checked(template) and not is_older(__version__, row.release)


_checked_once: dict[str, tuple[ShippedTemplate, dict[str, Any]]] = {}


def _checked(template: ShippedTemplate) -> dict[str, Any]:
    """Return a shipped definition as it is stored. It never changes in a process, and is checked once."""
    kept = _checked_once.get(template.slug)
    if kept is None or kept[0] is not template:
        declared = _declared(template)
        kept = template, KINDS[_KIND].checked(key=declared.key, definition=declared.definition)
        _checked_once[template.slug] = kept
    return kept[1]


def restore(*, slug: str) -> Template:
    """
    Give a shipped template its shipped definition again, as a new version, or create it if it was deleted.

    :raises TemplateNotFound: no such template is shipped
    """
    found = [each for each in shipped() if each.slug == slug]
    if not found:
        names = ", ".join(each.slug for each in shipped())
        raise TemplateNotFound(f"No template “{slug[:100]}” is shipped. There are: {names}.")
    _apply(found, options=Options(recreate=True, overwrite=True, adopt=True))
    return Template.objects.get(slug=slug)


def _apply(templates: Iterable[ShippedTemplate], *, options: Options) -> None:
    declared = [_declared(each) for each in templates]
    author = Author(via=Via.SCHEDULER, reason=f"Comes with release {__version__}.")
    done = objects.apply(declared=declared, options=options, owner=OWNER, release=__version__, author=author)
    written = [step.key for step in done if step.has_changes]
    if written:
        Template.objects.filter(slug__in=written).update(is_predefined=True)


def _declared(template: ShippedTemplate) -> DeclaredObject:
    return DeclaredObject(
        kind=_KIND,
        key=template.slug,
        definition={
            "title": template.title,
            "description": template.description,
            "parameters": [dict(each) for each in template.parameters],
            "body": dict(template.body),
        },
        source=template.module or "scheduler",
        origin=template.module or "scheduler",
    )
