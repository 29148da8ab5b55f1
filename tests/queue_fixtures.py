"""Real brokers, workers as processes, and reports to publish: for the tests in `queue`, `attacks` and `crash`.

The brokers are the system's (`apt-get install redis-server rabbitmq-server`). Without them, the tests are skipped, but
fail in CI.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection

from jira_ci_core import Build, PipelineIdentity, Receipt, Report, Site, State, read_settings
from jira_ci_delivery_celery.broker import Broker, message_id, message_reason, open_broker
from jira_ci_delivery_celery.options import Options
from jira_ci_delivery_celery.publish import publish
from jira_ci_sandbox.client import Sandbox

from .conftest import inherited
from .fork_server import Fork, ForkServer

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import brokers

KEY = "a key for the tests of the queue".replace(" ", "-")
TIMEOUT = 60.0
SERVERS = {"redis": brokers.Redis, "rabbitmq": brokers.RabbitMq}


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], brokers.Server]]:
    """Starts a broker by its name, or returns the one that is running."""
    running: dict[str, brokers.Server] = {}

    def start(name: str) -> brokers.Server:
        if name not in running:
            kind = SERVERS[name]
            if not kind.is_installed():
                (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{kind.program} is not installed")
            running[name] = kind(tmp_path_factory.mktemp(name))
            running[name].start()
        return running[name]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture(params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, servers: Callable[[str], brokers.Server]) -> brokers.Server:
    """Each broker in turn."""
    return servers(request.param)


def eventually(check: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """Wait until a check returns a true value, and return it."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if answer := check():
            return answer
        time.sleep(0.1)
    return pytest.fail(f"not within {timeout:g} seconds: {what}")


class Http:
    """The deadline of a step, as core passes it to plugins."""

    def remaining(self) -> float:
        return 20.0

    def waits(self) -> Iterator[float]:
        yield from [0.2] * 50


class Queue:
    """A queue of its own at a broker, its workers, and its reports."""

    def __init__(
        self,
        server: brokers.Server,
        fork_server: ForkServer,
        jira: Sandbox,
        folder: Path,
        settings: Mapping[str, object],
    ) -> None:
        self.server, self.fork_server, self.jira, self.folder = server, fork_server, jira, folder
        self.workers: list[subprocess.Popen[bytes] | Fork] = []
        self.environ = {
            "JIRA_CI_BROKER_URL": server.url,
            "JIRA_CI_QUEUE_KEY": KEY,
            "JIRA_CI_QUEUE_NAME": f"test-{uuid.uuid4().hex[:8]}",
            "JIRA_CI_QUEUE_BACKOFF": "1,2",
            "JIRA_CI_QUEUE_WINDOW": "0.2",
            "JIRA_CI_QUEUE_VISIBILITY": "3",
            **{f"JIRA_CI_{name}": str(value) for name, value in settings.items()},
        }

    @property
    def options(self) -> Options:
        return read_settings(Options, "celery", self.environ)

    @property
    def site(self) -> dict[str, str]:
        """The site and its credentials, which only workers have."""
        jira = self.jira
        return {
            "JIRA_CI_INSTANCE": jira.url,
            "JIRA_CI_API_URL": jira.url,
            "JIRA_CI_CLIENT_ID": jira.client_id,
            "JIRA_CI_CLIENT_SECRET": jira.client_secret,
        }

    def start_worker(
        self, *arguments: str, concurrency: int = 2, more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes] | Fork:
        """Start a worker, with the settings of the queue and the site, and with those in `more`."""
        name = f"w{len(self.workers)}-{uuid.uuid4().hex[:6]}@localhost"
        command = ["worker", "-n", name, "--concurrency", str(concurrency), "-l", "info", *arguments]
        with (self.folder / "workers.log").open("ab") as log:
            environ = self._environ({**self.site, **(more or {})})
            worker = self.fork_server.start(command, folder=self.folder, environ=environ, log=log)
        self.workers.append(worker)
        return worker

    def start(self, command: list[str], more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process with the settings of the queue, and with those in `more`."""
        with (self.folder / "workers.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environ(more or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(process)
        return process

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**inherited(), "HOME": str(self.folder), **self.environ, **more}

    @property
    def log(self) -> str:
        return (self.folder / "workers.log").read_text()

    def kill(self, worker: subprocess.Popen[bytes] | Fork) -> None:
        """Kill a worker and all its processes, so that none can clean up."""
        brokers.end(worker, signal.SIGKILL)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `jira-ci queue`."""
        process = self.fork_server.run(
            ["queue", *arguments],
            folder=self.folder,
            environ=self._environ({}),
            timeout=TIMEOUT,
        )
        return subprocess.CompletedProcess(
            process.args, process.returncode, process.stdout.decode(), process.stderr.decode()
        )

    def report(self, number: int, *, state: State = State.SUCCESSFUL, sequence: int = 1, key: str = "MYT-1") -> Report:
        pipeline = PipelineIdentity(id="acme/shop", name="shop", url="https://ci.example/shop")
        build = Build(
            number=number,
            sequence=sequence,
            name=f"shop #{number}",
            url=f"https://ci.example/shop/{number}",
            state=state,
            last_updated=datetime(2026, 1, 2, tzinfo=UTC),
            issue_keys=(key,),
            pipeline=pipeline,
        )
        return Report(site=Site(url=self.jira.url), entity=build)

    def publish(self, *reports: Report) -> Receipt:
        return publish(reports, self.options, Http())  # type: ignore[arg-type]

    @contextmanager
    def broker(self) -> Iterator[Broker]:
        with open_broker(self.options) as broker:
            yield broker

    def publish_body(self, body: bytes | str) -> None:
        """Publish a body to the queue, as any client of the broker could."""
        with self.broker() as broker:
            broker.publish(broker.names.reports, body)

    def push(self, body: bytes | str, headers: dict[str, object] | None = None, queue: str = "reports") -> None:
        """Publish a message as another client could: uncompressed and unsigned as it is, with any headers."""
        with Connection(self.server.url) as connection:
            connection.Producer().publish(
                body,
                exchange="",
                routing_key=f"{self.environ['JIRA_CI_QUEUE_NAME']}.{queue}",
                content_type="application/json",
                content_encoding="utf-8",
                headers=headers or {},
            )

    def lpush(self, data: bytes | str, queue: str = "reports") -> None:
        """Put anything into a list of Redis."""
        with redis.Redis.from_url(self.server.url) as client:
            client.lpush(f"{self.environ['JIRA_CI_QUEUE_NAME']}.{queue}", data)

    def dead_letters(self) -> dict[str, str]:
        """The reasons of the dead letters by their ids."""
        with self.broker() as broker:
            return {message_id(message): message_reason(message) for message in broker.peek(broker.names.dead, 1000)}

    def builds(self) -> dict[int, str]:
        """The states of the builds that Jira holds, by their numbers."""
        return {build["buildNumber"]: build["state"] for build in self.jira.builds()}

    def remaining(self) -> int:
        """The number of messages that the broker counts in all queues, without dead letters."""
        with self.broker() as broker:
            return sum(broker.count(name) for name in broker.names.all if name != broker.names.dead)

    def bulk_calls(self) -> list[dict[str, Any]]:
        return self.jira.requests("/bulk")

    def wait_for_builds(self, count: int) -> dict[int, str]:
        eventually(lambda: len(self.builds()) >= count, f"{count} builds in Jira; {self.log[-3000:]}")
        return self.builds()


@pytest.fixture(scope="session")
def queue_fork_server() -> Iterator[ForkServer]:
    """Has imported what a worker needs as well, but for what reads variables on import (prometheus_client)."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("the fork server needs Linux")
    ours = "broker", "commands", "health", "limiter", "logs", "redis_transport"
    celery = "bin.celery", "bin.worker", "apps.worker", "concurrency.prefork", "concurrency.asynpool", "loaders.app"
    server = ForkServer(
        inherited(),
        *(f"celery.{name}" for name in celery),
        *(f"jira_ci_delivery_celery.{name}" for name in ours),
        *("celery.worker.consumer", "kombu.transport.pyamqp", "limits.storage", "limits.strategies"),
    )
    yield server
    server.stop()


@pytest.fixture
def make_queue(
    server: brokers.Server, queue_fork_server: ForkServer, jira: Sandbox, tmp_path: Path
) -> Iterator[Callable[..., Queue]]:
    """Creates a queue with these settings."""
    queues: list[Queue] = []

    def make(**settings: object) -> Queue:
        folder = tmp_path / f"queue-{len(queues)}"
        folder.mkdir()
        queues.append(Queue(server, queue_fork_server, jira, folder, settings))
        return queues[-1]

    yield make
    running = [worker for one in queues for worker in one.workers if worker.poll() is None]
    for worker in running:
        worker.terminate()  # not killed at once, so that its processes can write their coverage data
    for worker in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(10)
        brokers.end(worker, signal.SIGKILL)


@pytest.fixture
def queue(make_queue: Callable[..., Queue]) -> Queue:
    return make_queue()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return eventually


@pytest.fixture
def queue_key() -> bytes:
    return KEY.encode()


@pytest.fixture
def free_port() -> int:
    return brokers.free_port()
