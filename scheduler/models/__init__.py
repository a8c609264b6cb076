from scheduler.models.accounting import OwedWindow, RemovedJob, RestoredJob
from scheduler.models.alerts.channel import Channel
from scheduler.models.alerts.incident import Incident, Mute
from scheduler.models.alerts.notification import AlertChange, Notification
from scheduler.models.alerts.rule import Rule
from scheduler.models.alerts.switch import Switch
from scheduler.models.bulk import BulkAction
from scheduler.models.calendar import Calendar, CalendarVersion
from scheduler.models.change import Change
from scheduler.models.declaration import Declaration, DeclaredObject
from scheduler.models.idempotency import IdempotencyKey
from scheduler.models.installation import Installation
from scheduler.models.job import Job
from scheduler.models.limit import LimitedRun, Queue, RateLimit
from scheduler.models.node import Node, NodeMeasure
from scheduler.models.note import RunNote
from scheduler.models.rollup import Counter, QueueCounter, Rollup, TaskStreak
from scheduler.models.run import Run
from scheduler.models.template import Template, TemplateVersion

__all__ = [
    "AlertChange",
    "BulkAction",
    "Calendar",
    "CalendarVersion",
    "Change",
    "Channel",
    "Counter",
    "Declaration",
    "DeclaredObject",
    "IdempotencyKey",
    "Incident",
    "Installation",
    "Job",
    "LimitedRun",
    "Mute",
    "Node",
    "NodeMeasure",
    "Notification",
    "OwedWindow",
    "Queue",
    "QueueCounter",
    "RateLimit",
    "RemovedJob",
    "RestoredJob",
    "Rollup",
    "Rule",
    "Run",
    "RunNote",
    "Switch",
    "TaskStreak",
    "Template",
    "TemplateVersion",
]
