from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests import brokers
from tests.brokers import Broker, RabbitMQ, Valkey
from tests.postgres import Cluster
from tests.scenarios.own_project import OwnProject, interpreters
from tests.scenarios.prepared import DATABASE, folder_for
from tests.scenarios.ringing import connected_to_broker
from tests.scenarios.site import Site, connected_to

pytest.register_assert_rewrite("tests.scenarios.ticking")

_numbers = count(1)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stopped server with a migrated database, for ``Cluster(copy_of=…)``."""
    return folder_for(tmp_path_factory)


@pytest.fixture(scope="session")
def cluster(prepared: Path) -> Iterator[Cluster]:
    """A server for all scenarios, with a migrated database to make others from."""
    with Cluster(copy_of=prepared, settings={"fsync": "off", "max_connections": 100}) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with Valkey() as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Broker]:
    if not brokers.RABBITMQ.exists() and os.environ.get("CI") != "true":
        pytest.skip(brokers.MISSING)
    assert brokers.RABBITMQ.exists(), brokers.MISSING
    with RabbitMQ() as broker:
        yield broker


@pytest.fixture
def valkey(valkey_server: Valkey) -> Iterator[Valkey]:
    """A Valkey without messages, which this process rings."""
    with connected_to_broker(valkey_server):
        valkey_server.forget()
        yield valkey_server


@pytest.fixture
def rabbitmq(rabbitmq_server: Broker) -> Iterator[Broker]:
    """A RabbitMQ, which this process rings."""
    with connected_to_broker(rabbitmq_server):
        yield rabbitmq_server


# RabbitMQ takes ten seconds to start: one worker takes its tests.
@pytest.fixture(params=["valkey", pytest.param("rabbitmq", marks=pytest.mark.xdist_group("rabbitmq"))])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each kind of broker."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path, django_db_blocker: Any) -> Iterator[Site]:
    """A database of its own for this test, which this process uses too."""
    if not cluster.is_running:
        cluster.start()  # a test that stops it has failed
    name = f"site_{next(_numbers)}"
    cluster.psql(f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
    site = Site(url=cluster.url(name), directory=tmp_path)
    with django_db_blocker.unblock(), connected_to(site.url):
        yield site
        site.close()
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=interpreters())
def project(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[OwnProject]:
    """A bare project with the app, and an empty database of its own, for each corner that is to be tried."""
    with _own_database(cluster, template="template1") as url:
        yield OwnProject(directory=tmp_path / "own", python=request.param, database=url)


@pytest.fixture(params=interpreters())
def installed_project(
    request: pytest.FixtureRequest, cluster: Cluster, tables: Callable[[str], str], tmp_path: Path
) -> Iterator[OwnProject]:
    """The same with the tables of the app, as ``migrate`` makes them in such a project."""
    with _own_database(cluster, template=tables(request.param)) as url:
        yield OwnProject(directory=tmp_path / "own", python=request.param, database=url)


@pytest.fixture(scope="session")
def tables(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return for an interpreter the name of a database with the tables of a bare project, to make others from."""

    @cache
    def made(python: str) -> str:
        name = f"tables_{next(_numbers)}"
        cluster.psql(f"CREATE DATABASE {name}")
        folder = tmp_path_factory.mktemp("tables") / "own"
        project = OwnProject(directory=folder, python=python, database=cluster.url(name))
        project.make()
        project.manage("migrate", "--verbosity", "0")
        return name

    return made


@contextmanager
def _own_database(cluster: Cluster, *, template: str) -> Iterator[str]:
    if not cluster.is_running:
        cluster.start()
    name = f"own_{next(_numbers)}"
    cluster.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield cluster.url(name)
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
