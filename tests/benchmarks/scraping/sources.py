"""
10,000 sources of the tier “high” on two nodes, each scraped once in 15 minutes, for some of these minutes.

They are on 500 hosts that ask for a pause of a second between two requests, which nodes share. Each scrape requests a
feed and two of its pages. A part of the 15 minutes suffices: fire times are evenly spread.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch
from tests.benchmarks.scraping.sitemap import resident_mib

_ROOT = Path(__file__).resolve().parents[3]
_HOSTS = 500
_INTERVAL_SECONDS = 900
_SECONDS = 330
_WARM_SECONDS = 60

_FILL = """
    INSERT INTO scraping_source (name, url, kind, tier, page_limit, etag, last_modified, last_error,
                                 consecutive_failures, created_at)
    SELECT 'Source ' || n, 'http://127.1.' || (n %% %(hosts)s) / 250 || '.' || (n %% %(hosts)s) %% 250 + 1 || ':'
           || %(port)s || '/feed/' || n, 'feed', 'high', 2, '', '', '', 0, now()
      FROM generate_series(1, %(number)s) AS n;
    INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)
    SELECT 'scraping.source.' || source.id,
           date_trunc('second', now()) + (20 + source.id * %(interval)s::float8 / %(number)s) * interval '1 second', ''
      FROM scraping_source AS source;
    INSERT INTO scheduler_job (
           djangojob_ptr_id, name, description, task, args, kwargs, trigger, executor, priority, coalesce,
           max_instances, misfire_grace_time, rerun_if_interrupted, state, state_reason, state_changed_by,
           source, created_at, created_by, updated_at, updated_by, version, needs_inspection, needs_rescheduling)
    SELECT 'scraping.source.' || source.id, source.name, '', 'scraping.scrape_source', '[]',
           jsonb_build_object('source_id', source.id),
           jsonb_build_object('type', 'interval', 'seconds', %(interval)s, 'start_at',
                              to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')),
           'default', 0, true, 1, 300, true, 'active', '', '', 'code', now(), '', now(), '', 1, false, false
      FROM scraping_source AS source;
    ANALYZE
"""
_FIGURES = """
    SELECT count(*), count(*) FILTER (WHERE state = 'succeeded'),
           count(*) FILTER (WHERE state IN ('missed', 'skipped', 'failed', 'timed_out', 'interrupted')),
           percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
               ORDER BY extract(epoch FROM coalesce(started_at, now()) - scheduled_at)),
           max(extract(epoch FROM coalesce(finished_at, now()) - scheduled_at))
      FROM scheduler_run
     WHERE task = 'scraping.scrape_source' AND scheduled_at <= now() - interval '15 seconds'
"""


def measure(number: int | None) -> dict[str, Any]:
    sources = number or 10_000
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with scratch.database():
        from django.db import connection

        from openlearn.scraping.services import ensure_extraction_job

        ensure_extraction_job()
        values = {"number": sources, "hosts": _HOSTS, "port": port, "interval": _INTERVAL_SECONDS}
        with connection.cursor() as cursor:
            cursor.execute(_FILL, values)
        site = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.scraping.site", str(port)], cwd=_ROOT)
        nodes = [_node(connection.settings_dict, port) for _ in range(2)]
        try:
            return {"sources": sources, "hosts": _HOSTS, **_watch(nodes, port)}
        finally:
            for process in (*nodes, site):
                process.terminate()
            for process in (*nodes, site):
                process.wait(60)


def _node(database: dict[str, Any], port: int) -> subprocess.Popen[bytes]:
    hosts = ",".join(f"127.1.{host // 250}.{host % 250 + 1}:{port}" for host in range(_HOSTS))
    place = {
        f"POSTGRES_{key}": str(database[name]) for key, name in (("DB", "NAME"), ("HOST", "HOST"), ("USER", "USER"))
    }
    place |= {f"POSTGRES_{key}": str(database[key]) for key in ("PORT", "PASSWORD") if database.get(key)}
    given = {
        **os.environ,
        **place,
        "SCHEDULER_ALLOWED_HOSTS": hosts,
        "LOG_LEVEL": "ERROR",
        "SECRET_KEY": "of a benchmark",
    }
    return subprocess.Popen([sys.executable, "manage.py", "runscheduler", "--threads", "20"], cwd=_ROOT, env=given)


def _watch(nodes: list[subprocess.Popen[bytes]], port: int) -> dict[str, Any]:
    from django.db import connection

    began, memory = time.monotonic(), []
    while time.monotonic() - began < _SECONDS:
        time.sleep(5)
        assert all(node.poll() is None for node in nodes)
        if time.monotonic() - began > _WARM_SECONDS:
            memory.append(max(resident_mib(node.pid) for node in nodes))
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        due, succeeded, lost, (p50, p99, latest), ended = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM scraping_document WHERE text <> ''")
        ((extracted,),) = cursor.fetchall()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/figures", timeout=10) as answer:
        served = json.load(answer)
    third = len(memory) // 3
    return {
        "minutes": round(_SECONDS / 60, 1),
        "fire_times": due,
        "succeeded": succeeded,
        "missed_skipped_failed": lost,
        "begin_late_seconds": {"p50": round(p50, 2), "p99": round(p99, 2), "max": round(latest, 2)},
        "ended_after_seconds_max": round(float(ended), 1),
        "texts_extracted": extracted,
        **served,
        "node_mib": {"first_third": round(max(memory[:third])), "last_third": round(max(memory[-third:]))},
    }
