from __future__ import annotations

from datetime import timedelta
from typing import Any

from knox.models import get_token_model
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import parsing, shapes
from scheduler.api.schema import operation
from scheduler.api.tokens import answers
from scheduler.api.view import Resource
from scheduler.services.queries.representations import instant

MOST_TOKENS = 50


class TokenViews(Resource):
    """One's own tokens: they can do what their user can do, and are kept as hashes."""

    permission_classes = (IsAuthenticated,)

    @operation(answers.Tokens, query=shapes.Nothing)
    def list(self, request: Request) -> Response:
        """List one's own tokens."""
        parsing.query(request, shapes.Nothing)
        found = get_token_model().objects.filter(user=request.user).order_by("-created")[:MOST_TOKENS]
        return Response({"results": [_shown(token) for token in found]})

    @operation(answers.NewToken, status=201, body=shapes.TokenCreation, query=shapes.Nothing)
    def create(self, request: Request) -> Response:
        """Make a token, in a session. Its text is shown this once."""
        parsing.query(request, shapes.Nothing)
        if request.auth is not None:
            # Else a token that got lost could be kept alive for ever, by tokens that outlive it.
            raise PermissionDenied("A token cannot make tokens: log in, or use “manage.py create_api_token”.")
        body = parsing.body(request, shapes.TokenCreation)
        token, text = get_token_model().objects.create(user=request.user, expiry=timedelta(days=body.days))
        return Response({**_shown(token), "token": text}, status=201, headers={"Cache-Control": "no-store"})

    @operation(None, status=204, query=shapes.Nothing, problems=(404,))
    def destroy(self, request: Request, id: str) -> Response:
        """Revoke a token of one's own, at once."""
        parsing.query(request, shapes.Nothing)
        deleted, _ = get_token_model().objects.filter(user=request.user, token_key=id).delete()
        if not deleted:
            raise NotFound("There is no such token of yours.")
        return Response(status=204)


def _shown(token: Any) -> dict[str, Any]:
    return {"id": token.token_key, "created_at": instant(token.created), "expires_at": instant(token.expiry)}
