"""Delete what ended so many seconds ago, again and again: in a benchmark of minutes, retention as after a month."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import django


def main(older_than_seconds: int, every_seconds: float) -> None:
    django.setup()
    from scheduler.services import retention
    from scheduler.store.clock import database_now

    while True:
        began = time.monotonic()
        now = database_now() + timedelta(days=1, seconds=-older_than_seconds)
        done = retention.clean_up(older_than_days=1, now=now)
        print(f"{done.runs} runs deleted in {time.monotonic() - began:.1f} s", flush=True)
        time.sleep(max(0.0, every_seconds - (time.monotonic() - began)))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
