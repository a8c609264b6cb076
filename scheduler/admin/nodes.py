from __future__ import annotations

from django.contrib import admin

from scheduler.admin.readonly import ReadOnlyAdmin
from scheduler.models import Node


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "host", "pid", "version", "started_at", "heartbeat_at", "stopped_at")
    list_filter = ("state",)
    fields = (
        "id",
        "name",
        "state",
        "reason",
        "host",
        "pid",
        "version",
        "executors",
        "tasks",
        "stuck",
        "started_at",
        "heartbeat_at",
        "stopped_at",
    )
    show_full_result_count = False
