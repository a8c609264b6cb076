"""The files for Prometheus and Grafana name metrics that are there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scheduler.models import Channel, Incident
from scheduler.telemetry import metrics
from tests.integration.services import ledger

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus/alerts.yaml"
DASHBOARD = DEPLOY / "grafana/scheduler.json"
_METRIC = re.compile(r"\bscheduler_[a-z_]+")


@pytest.fixture
def exposed(db: None) -> set[str]:
    """The names of a real answer, of an installation in which everything has happened once."""
    ledger.run(ledger.job(), days_ago=0)
    ledger.node(ledger.NodeState.RUNNING, days_ago=0)
    Channel.objects.create(name="hook", kind="webhook")
    Incident.objects.create(rule_name="r", kind="failing", severity="warning", subject="job:daily")
    text = metrics.render(sources=metrics.read()).body.decode()
    declared = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    suffixes = ("", "_total", "_bucket", "_sum", "_count")
    return {f"{name}{suffix}" for name in declared for suffix in suffixes}


def test_the_rules_are_valid() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        sentence = "promtool is not installed: apt-get install prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)

    done = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_ask_for_metrics_that_are_exposed(exposed: set[str]) -> None:
    asked = set(_METRIC.findall(RULES.read_text()))

    assert len(asked) > 8
    assert asked - exposed == set()


def test_the_dashboard_asks_for_metrics_that_are_exposed(exposed: set[str]) -> None:
    document = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in document["panels"] for target in panel["targets"]]
    asked = {name for expression in expressions for name in _METRIC.findall(expression)}

    assert len(expressions) > 10
    assert asked - exposed == set()


def test_a_real_answer_is_valid(db: None) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    body = metrics.render(sources=metrics.read()).body

    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)

    assert done.returncode in (0, 3), done.stderr.decode()  # 3: advice about names
