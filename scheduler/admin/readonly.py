"""Read-only pages for rows that nodes write."""

from __future__ import annotations

from django.db.models import Model
from django.http import HttpRequest

from scheduler.admin.format.display_zone import InDisplayZone
from scheduler.admin.foundation import ModelAdmin


class ReadOnlyAdmin(InDisplayZone, ModelAdmin):
    """Lists and pages without a way to add, change or delete, whatever the permissions say."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
