"""RabbitMQ and Redis from the system's packages, as servers on loopback for tests and benchmarks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
PATIENCE = 60.0


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Process(Protocol):
    """What `end` needs of a process."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises TimeoutExpired."""


def end(process: Process, sign: signal.Signals = signal.SIGTERM) -> None:
    """End a process that leads its own process group, and all processes in that group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sign)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Server:
    """A server that keeps its data in a folder, and can be restarted on the same port."""

    program = ""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    @classmethod
    def is_installed(cls) -> bool:
        """Whether the server's program is installed."""
        return shutil.which(cls.program) is not None

    def start(self) -> None:
        """Start the server, and return once it answers."""
        raise NotImplementedError

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End the server's processes, the last started first."""
        for process in reversed(self.processes):
            end(process, sign)
        self.processes.clear()

    def run(self, *command: str, environ: dict[str, str] | None = None) -> None:
        """Start a process of the server, whose output goes to its log."""
        with (self.folder / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **(environ or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def wait_for(self, port: int, greeting: bytes, answer: bytes) -> None:
        """Wait until the server at a port answers `greeting` with `answer`. Raises RuntimeError where it does not."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.settimeout(5)
                connection.sendall(greeting)
                if not answer or connection.recv(100).startswith(answer):
                    return
            if self.processes[-1].poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self.program} did not start:\n{(self.folder / 'log').read_text()[-3000:]}")


class Redis(Server):
    """Redis with an append-only file, synced before each answer, or each second where `fsync` is everysec."""

    program = "redis-server"
    fsync = "always"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        durable = ("--appendonly", "yes", "--appendfsync", self.fsync, "--save", "")
        self.run(self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *durable)
        self.wait_for(self.port, b"PING\r\n", b"+PONG")


class RabbitMq(Server):
    """RabbitMQ, with a name service (epmd) of its own."""

    program = RABBITMQ

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._names, self._cluster = free_port(), free_port()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        self.run("epmd", "-address", "127.0.0.1", "-port", str(self._names))
        self.wait_for(self._names, b"", b"")
        self.run(
            self.program,
            environ={
                "ERL_EPMD_PORT": str(self._names),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODENAME": "jira-ci@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(self._cluster),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
                "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
                "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
                "RABBITMQ_PID_FILE": str(self.folder / "pid"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
                "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
                "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            },
        )
        self.wait_for(self.port, b"AMQP\x00\x00\x09\x01", b"\x01")
