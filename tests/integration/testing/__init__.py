"""The testing kit, used as a project would use it."""

from tests.ledger import rows

__all__ = ["rows"]
