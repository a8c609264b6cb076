"""The tokens of the API in the admin: who has which, until when, and a way to revoke them. They are made elsewhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from knox.models import get_token_model

Token: Any = get_token_model()

if admin.site.is_registered(Token):  # knox makes tokens for any user there, without an end
    admin.site.unregister(Token)


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    list_display = ("token_key", "user", "created", "expiry")
    list_select_related = ("user",)
    ordering = ("-created",)
    search_fields = ("token_key", "user__username")
    search_help_text = _(
        "Tokens of the API, by their first characters. Delete one to revoke it. Create one with “manage.py "
        "create_api_token”, or over the API."
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
