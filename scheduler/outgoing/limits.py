"""Limits of a response."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a response in size and time."""

    body_bytes: int = 10 * 1024 * 1024
    """On the wire and after decompression."""

    ratio: int = 200
    """Decompressed to compressed bytes, asked beyond the first MiB: honest pages stay below 50."""

    header_bytes: int = 64 * 1024
    redirects: int = 5
    connect_seconds: float = 10.0
    read_seconds: float = 15.0
    """Longest silence between two pieces."""

    total_seconds: float = 60.0
    """For everything, redirects included. Only the look-up of a name has its own limits, those of the system."""
