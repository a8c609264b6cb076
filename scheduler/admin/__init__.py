"""
The admin: it reads tables, and changes them through ``scheduler.services`` only.

The pages of stock django_apscheduler are taken away: they would change jobs past the services, and run them inside the
web process.
"""

import django_apscheduler.admin  # noqa: F401 - its pages must be there before they can be taken away
from django.contrib import admin
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler.admin.alerts.channel_admin import ChannelAdmin
from scheduler.admin.alerts.incident_admin import IncidentAdmin
from scheduler.admin.alerts.notification_admin import NotificationAdmin, SwitchAdmin
from scheduler.admin.alerts.rule_admin import RuleAdmin
from scheduler.admin.bulk.bulk_admin import BulkActionAdmin
from scheduler.admin.calendars.calendar_admin import CalendarAdmin
from scheduler.admin.changes.change_admin import ChangeAdmin
from scheduler.admin.jobs.job_admin import JobAdmin
from scheduler.admin.nodes.node_admin import NodeAdmin
from scheduler.admin.queues.queue_admin import QueueAdmin
from scheduler.admin.runs.run_admin import RunAdmin
from scheduler.admin.templates.template_admin import TemplateAdmin

for model in (DjangoJob, DjangoJobExecution):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

__all__ = [
    "BulkActionAdmin",
    "CalendarAdmin",
    "ChangeAdmin",
    "ChannelAdmin",
    "IncidentAdmin",
    "JobAdmin",
    "NodeAdmin",
    "NotificationAdmin",
    "QueueAdmin",
    "RuleAdmin",
    "RunAdmin",
    "SwitchAdmin",
    "TemplateAdmin",
]
