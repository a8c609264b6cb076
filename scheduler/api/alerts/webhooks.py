"""The requests that channels of the kind webhook send, in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import model_json_schema

from scheduler.api.alerts.answers import WebhookMessage

_HEADERS = {
    "webhook-id": "The same at every try of one message.",
    "webhook-timestamp": "Of this try, in seconds of Unix time.",
    "webhook-signature": (
        "“v1,” and the HMAC with SHA-256 of “id.timestamp.body” as base64. Several, with spaces between them, while "
        "the secret is changed."
    ),
}
_REFERENCE = "#/components/schemas/{model}"


def add_messages(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the webhook: drf-spectacular's own entries need its class as the project's default, and have no headers."""
    schema = model_json_schema(WebhookMessage, ref_template=_REFERENCE, mode="serialization")
    shapes = result["components"]["schemas"]
    for name, part in {**schema.pop("$defs"), WebhookMessage.__name__: schema}.items():
        shapes.setdefault(name, part)
    result["webhooks"] = {"message": {"post": _operation()}}
    return result


def _operation() -> dict[str, Any]:
    return {
        "operationId": "webhook_message",
        "summary": "A message about incidents, a digest, or a test",
        "description": (
            "Sent to the address of each channel of the kind webhook, signed as Standard Webhooks asks "
            "(https://www.standardwebhooks.com). Delivery is at least once: drop what has a webhook-id that you know."
        ),
        "parameters": [
            {"in": "header", "name": name, "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model=WebhookMessage.__name__)}}},
        },
        "responses": {
            "2XX": {"description": "Accepted."},
            "410": {"description": "The receiver is gone. The channel is switched off."},
            "default": {"description": "Not accepted. It is sent again later, under the same webhook-id."},
        },
    }
