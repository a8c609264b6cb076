"""Health checks and Prometheus metrics over HTTP."""

from scheduler.api.health.views import metrics_text

__all__ = ["metrics_text"]
