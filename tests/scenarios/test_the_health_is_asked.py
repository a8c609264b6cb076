"""Health and metrics from real web processes, while nodes freeze and the database goes away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Max
from django.db.models.functions import Now
from prometheus_client.parser import text_string_to_metric_families

from scheduler.models import Node, NodeMeasure
from tests.postgres import Cluster, free_port
from tests.scenarios.prepared import DATABASE
from tests.scenarios.site import CALM, CHECKOUT, Site, environment
from tests.waiting import wait_until

HEARTBEAT = timedelta(seconds=float(CALM["SCHEDULER_HEARTBEAT_SECONDS"]))


class Web:
    """Gunicorn with two processes, as in production."""

    def __init__(self, *, url: str, output: Path, **variables: str) -> None:
        self.port = free_port()
        self.output = output
        with output.open("wb") as file:
            self._popen = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "--config",
                    "python:openlearn.gunicorn",
                    "openlearn.wsgi",
                    "--bind",
                    f"127.0.0.1:{self.port}",
                    "--workers",
                    "2",
                ],
                cwd=CHECKOUT,
                env=environment(url, **{**CALM, "SCHEDULER_METRICS_PUBLIC": "1", **variables}),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str) -> tuple[int, str, float]:
        """Return the status, the body, and how long it took."""
        began = time.monotonic()
        address = f"http://127.0.0.1:{self.port}/{path}"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                status, body = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read().decode()
        return status, body, time.monotonic() - began

    def health(self, word: str = "ready") -> tuple[int, dict[str, Any], float]:
        status, body, took = self.get(f"api/v1/scheduler/health/{word}")
        return status, json.loads(body), took

    def answers(self) -> bool:
        assert self._popen.poll() is None, self.output.read_text()
        try:
            return self.health("live")[0] == 200
        except OSError:
            return False

    def stop(self) -> None:
        self._popen.terminate()
        self._popen.wait(120)


@contextmanager
def web_on(url: str, directory: Path, **variables: str) -> Iterator[Web]:
    web = Web(url=url, output=directory / "web.log", **variables)
    try:
        wait_until(web.answers)
        yield web
    finally:
        web.stop()


def failed(document: dict[str, Any]) -> list[str]:
    return [check["name"] for check in document["checks"] if check["status"] == "fail"]


def turned(web: Web) -> bool:
    """Whether the health is bad; it must be, once no heartbeat is younger than two of them."""
    before = Node.objects.aggregate(at=Max("heartbeat_at"), age=Now() - Max("heartbeat_at"))
    is_bad = web.health()[0] == 503
    after = Node.objects.aggregate(at=Max("heartbeat_at"))  # the server may still be busy with one of before the frost
    assert is_bad or before["age"] <= 2 * HEARTBEAT or after["at"] > before["at"]
    return is_bad


def until_one_is_quick(web: Web, word: str) -> list[tuple[int, dict[str, Any], float]]:
    """Ask three times, or until an answer takes two seconds, or some more on a busy machine. Return the answers."""
    answers: list[tuple[int, dict[str, Any], float]] = []

    def is_quick() -> bool:
        answers.append(web.health(word))
        # Whoever waits for the database waits longer, each time.
        return len(answers) >= 3 and min(took for _, _, took in answers) < 8

    wait_until(is_quick)
    return answers


class TestFrozenNodes:
    def test_turn_the_health_within_two_heartbeats_and_back(self, site: Site, tmp_path: Path) -> None:
        nodes = [site.start_node(), site.start_node()]
        with web_on(site.url, tmp_path) as web:
            wait_until(lambda: web.health()[0] == 200)

            for node in nodes:
                node.send(signal.SIGSTOP)
            try:
                wait_until(lambda: turned(web))
                found = web.health()[1]
            finally:
                for node in nodes:
                    node.send(signal.SIGCONT)

            assert failed(found) == ["nodes"]
            wait_until(lambda: web.health()[0] == 200)


class TestADatabaseThatIsAway:
    @pytest.mark.parametrize("how", ["stopped", "frozen"])
    def test_turns_the_health_in_two_seconds_and_back_without_a_traceback(
        self, how: str, tmp_path: Path, prepared: Path
    ) -> None:
        with Cluster(copy_of=prepared, settings={"fsync": "off"}) as cluster:
            url = cluster.url(DATABASE)
            site = Site(url=url, directory=tmp_path)
            try:
                site.start_node()
                with web_on(url, tmp_path) as web:
                    wait_until(lambda: web.health()[0] == 200)

                    self._take_away(cluster, how)
                    ready, live = until_one_is_quick(web, "ready"), until_one_is_quick(web, "live")
                    others = [web.get(path)[0] for path in ("api/v1/scheduler/jobs",)]
                    self._bring_back(cluster, how)

                    assert {(status, *failed(found)) for status, found, _ in ready} == {(503, "database")}
                    assert {status for status, _, _ in live} == {200}
                    assert others == [401]
                    wait_until(lambda: web.health()[0] == 200)
                assert "Traceback" not in web.output.read_text()
            finally:
                site.close()

    def _take_away(self, cluster: Cluster, how: str) -> None:
        if how == "stopped":
            cluster.stop("immediate")
        else:
            self._signal(cluster, signal.SIGSTOP)

    def _bring_back(self, cluster: Cluster, how: str) -> None:
        if how == "stopped":
            cluster.start()
        else:
            self._signal(cluster, signal.SIGCONT)

    def _signal(self, cluster: Cluster, number: int) -> None:
        """Send it to the server and to every process of it."""
        import psutil

        server = psutil.Process(cluster.pid)
        for process in (server, *server.children(recursive=True)):
            process.send_signal(number)


class TestMetrics:
    def test_are_the_same_from_every_web_process_and_from_a_node(self, site: Site, tmp_path: Path) -> None:
        port = free_port()
        # A heartbeat counts as fresh for two of the reader's: ten seconds by the node, minutes by the web processes.
        node = site.start_node("--metrics-port", str(port), "--name", "alpha", SCHEDULER_HEARTBEAT_SECONDS="5")
        with web_on(site.url, tmp_path, SCHEDULER_HEARTBEAT_SECONDS="90") as web:
            node.printed("scheduler.metrics.served")
            wait_until(lambda: NodeMeasure.objects.filter(tick_seconds__isnull=False).exists())
            texts = [web.get("metrics")[1] for _ in range(6)]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                texts.append(answer.read().decode())

        for text in texts:
            families = {family.name: family for family in text_string_to_metric_families(text)}
            assert families["scheduler_nodes_up"].samples[0].value == 1
            sample = families["scheduler_node_up"].samples[0]
            assert (sample.labels, sample.value) == ({"node": "alpha"}, 1)
            assert 0 < families["scheduler_node_tick_seconds"].samples[0].value < 60
            assert abs(families["scheduler_node_clock_skew_seconds"].samples[0].value) < 60
            assert families["scheduler_pool_size"].samples[0].labels == {"node": "alpha", "executor": "default"}
        node.stop()

    def test_are_refused_on_a_port_that_is_taken(self, site: Site) -> None:
        with web_on(site.url, site.directory) as web:
            node = site.launch("--metrics-port", str(web.port))
            assert node.ended() == 1
        assert "Metrics cannot be served" in node.output
        assert "Traceback" not in node.output
