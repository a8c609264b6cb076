"""Permissions: what a user needs for each action. The admin uses the same names."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

APP = "scheduler"


class ByAction(BasePermission):
    """
    Requires the permissions that the view lists for the action.

    An error names the missing permissions. An action that the view does not list is rejected, so that a forgotten one
    stays closed.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if view.action is None:
            # The method is not there at all; the view says so.
            return True
        needed = view.permissions.get(view.action)
        if needed is None:
            return False
        self.message = lacking(request, *needed)
        return not self.message


def lacking(request: Request, *codenames: str) -> str:
    """Return a sentence with the missing permissions of the user, or an empty text."""
    missing = [f"{APP}.{codename}" for codename in codenames if not may(request, codename)]
    return f"This needs the permission {' and '.join(missing)}, which {request.user} lacks." if missing else ""


def may(request: Request, *codenames: str) -> bool:
    """Return whether the user has all of these permissions of the scheduler."""
    return bool(request.user.has_perms([f"{APP}.{codename}" for codename in codenames]))
