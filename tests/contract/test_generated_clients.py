"""
Clients that are generated from the schema create, run, wait for, read and delete a job without a cast.

They are installed from the registries of Python and Node, so ``GENERATED_CLIENTS=1`` asks for them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from knox.models import AuthToken

from scheduler import conf
from scheduler.engine.scheduler import DurableScheduler

HERE = Path(__file__).resolve().parent / "clients"
SCHEMA = Path(__file__).resolve().parents[2] / "docs/openapi.json"
GENERATOR = "openapi-python-client>=0.29,<0.30"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not os.environ.get("GENERATED_CLIENTS"), reason="installs generators: set GENERATED_CLIENTS=1"),
]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def token() -> str:
    _, token = AuthToken.objects.create(user=User.objects.create_user("anna", is_superuser=True))
    return str(token)


@pytest.fixture
def address(live_server: Any) -> Iterator[str]:
    scheduler = DurableScheduler(settings=replace(conf.get(), threads=1, processes=0))
    scheduler.start()
    yield live_server.url
    scheduler.shutdown()


def test_in_python(tmp_path: Path, address: str, token: str) -> None:
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", GENERATOR, "mypy", cwd=tmp_path)
    generate = ("generate", "--path", SCHEMA, "--meta", "none", "--output-path", "client", "--fail-on-warning")
    run(tmp_path / "venv/bin/openapi-python-client", *generate, cwd=tmp_path)
    shutil.copy(HERE / "python_client.py", tmp_path)

    run(python, "-m", "mypy", "--strict", "--follow-imports=silent", "python_client.py", cwd=tmp_path)

    assert run(python, "python_client.py", address, token, cwd=tmp_path) == "done\n"


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node")
def test_in_typescript(tmp_path: Path, address: str, token: str) -> None:
    for name in ("package.json", "client.ts"):
        shutil.copy(HERE / name, tmp_path)
    run("npm", "install", "--no-audit", "--no-fund", cwd=tmp_path)
    run("npx", "openapi-typescript", SCHEMA, "-o", "schema.d.ts", cwd=tmp_path)
    options = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")

    run("npx", "tsc", *options, "client.ts", cwd=tmp_path)

    assert run("node", "client.js", address, token, cwd=tmp_path) == "done\n"
