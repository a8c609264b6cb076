"""Metadata of the OpenAPI schema, independent of the project's other drf-spectacular settings."""

from __future__ import annotations

from typing import Any

PREFIX = "/api/v1/scheduler/"

SETTINGS: dict[str, Any] = {
    "TITLE": "OpenLearn Scheduler",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "DESCRIPTION": "Jobs, runs, and the health of the scheduler. Errors are problem details (RFC 9457).",
    "PATH_CONVERTER_OVERRIDES": {"run_id": {"type": "integer", "format": "int64", "minimum": 0}},
    "SCHEMA_PATH_PREFIX": PREFIX.rstrip("/"),
    "PREPROCESSING_HOOKS": ["scheduler.api.schema.only_canonical_paths"],
    "POSTPROCESSING_HOOKS": ["scheduler.api.alerts.webhooks.add_messages"],
}
