"""Permissions: what a user needs for each action. The admin uses the same names."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

APP = "scheduler"


class ByAction(BasePermission):
    """
    Asks for the permissions that the view names for the action.

    An action that the view does not name is refused: nothing is open because somebody forgot it.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        if view.action is None:
            # The method is not there at all; the view says so.
            return True
        needed = view.permissions.get(view.action)
        return needed is not None and may(request, *needed)


def may(request: Request, *codenames: str) -> bool:
    """Whether the user has all of these permissions of the scheduler."""
    return bool(request.user.has_perms([f"{APP}.{codename}" for codename in codenames]))
