"""What tests of several packages share: a local Jira, other servers, a git checkout, a CI step run as a process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings

from jira_ci_core import Report
from jira_ci_core.git.command import renew_patience
from jira_ci_core.testing import JiraCi, StepResult
from jira_ci_core.testing.recorded import recorded_runs
from jira_ci_core.testing.step import INHERITED, TIMEOUT
from jira_ci_sandbox.client import Sandbox

from .fork_server import ForkServer

# The same examples each time: what looks for new ones is `tox -e fuzz`.
settings.register_profile(
    "ordinary",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# For mutation testing, which runs each test more than once in a process.
settings.register_profile(
    "few",
    settings.get_profile("ordinary"),
    max_examples=20,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile("long", settings.get_profile("ordinary"), derandomize=False, max_examples=3000)
settings.load_profile("ordinary")


def pytest_configure() -> None:
    """Let SIGINT and SIGQUIT do what they do in a terminal.

    A script starts a command in the background with both ignored. The processes that tests start would inherit that.
    """
    for name in {"SIGINT", "SIGQUIT"} & set(dir(signal)):
        number = signal.Signals[name]
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


# The files whose tests take longest or mostly wait, which run first so that no worker is left with them in the end.
OF_BROKERS = "tests/queue/", "tests/attacks/test_queue_"
FIRST = *OF_BROKERS, "tests/browser/", "tests/core/delivery/test_outbox.py", "tests/e2e/test_kit.py", "tests/faults/"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: [item.nodeid.startswith(place) for place in FIRST], reverse=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests of a file to one worker, and those of a broker, so that what they share starts once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            if file.startswith(OF_BROKERS):
                return "rabbitmq" if "[rabbitmq" in test else "redis"
            return file

    if config.option.dist != "load":
        return None
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `recorded` is about every recorded run, one that takes `recorded_push` about a push to each CI."""
    runs = {"recorded": recorded_runs, "recorded_push": lambda: [run for run in recorded_runs() if run.run == "push"]}
    for argument in runs.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(argument, runs[argument](), ids=lambda run: f"{run.reader}: {run.run}")


def inherited() -> dict[str, str]:
    """The variables that a step has besides its own."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


class Step(JiraCi):
    """The step of the author's kit, run by a fork server if there is one. Called, it reports."""

    __call__ = JiraCi.report

    def __init__(self, folder: Path, server: ForkServer | None = None) -> None:
        # The step looks for no repository above its folder, and does not warn that it finds no commit.
        limits = {"GIT_CEILING_DIRECTORIES": str(folder.parent), "JIRA_CI_DISABLE_PLUGINS": "git"}
        super().__init__(folder, limits)
        self._server = server
        folder.mkdir(exist_ok=True)

    def run(self, *arguments: str, environ: Mapping[str, str | None] | None = None, **settings: object) -> StepResult:
        if self._server is None:
            return super().run(*arguments, environ=environ, **settings)
        variables = {**inherited(), **self.variables(environ, settings)}
        process = self._server.run(arguments, folder=self.folder, environ=variables, timeout=TIMEOUT)
        return self.result(process.returncode, process.stdout.decode(), process.stderr.decode())


@pytest.fixture(autouse=True)
def git_has_time() -> None:
    """The time that git may take is counted for a process, as if it ran one command; some tests ask it a thousand times."""
    renew_patience(600)


@pytest.fixture(scope="session")
def running_jira() -> Iterator[Sandbox]:
    with Sandbox.start("MYT,DEMO,MY_T") as sandbox:
        yield sandbox


@pytest.fixture
def jira(running_jira: Sandbox) -> Sandbox:
    """A local Jira with nothing in it, that knows the projects MYT, DEMO and MY_T."""
    running_jira.reset()
    return running_jira


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    if not hasattr(os, "pidfd_open"):  # it needs Linux
        yield None
        return
    server = ForkServer(inherited())
    yield server
    server.stop()


@pytest.fixture
def step(tmp_path: Path, fork_server: ForkServer | None) -> Step:
    """A step in an empty folder, on a machine without any CI and without settings."""
    return Step(tmp_path / "step", fork_server)


@pytest.fixture
def started_step(tmp_path: Path) -> Step:
    """The same step, as a new process of the installed command."""
    return Step(tmp_path / "step")


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a trace when it is run."""
    path = tmp_path / "trap"
    path.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path / "sprung"}\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def sprung(tmp_path):
    """Tells whether the trap was run since the last call."""

    def call():
        trace = tmp_path / "sprung"
        was_run = trace.exists()
        trace.unlink(missing_ok=True)
        return was_run

    return call


HARNESS = {
    "HARNESS_ACCOUNT_ID": "acme",
    "HARNESS_ORG_ID": "default",
    "HARNESS_PROJECT_ID": "shop",
    "HARNESS_PIPELINE_ID": "checkout",
    "HARNESS_STAGE_ID": "build",
    "HARNESS_BUILD_ID": "42",
    "DRONE": "true",
    "CI": "true",
    "DRONE_BUILD_NUMBER": "42",
    "DRONE_BUILD_LINK": "https://app.harness.example/run/42",
    "DRONE_BUILD_STATUS": "SUCCESS",
    "DRONE_BRANCH": "main",
    "DRONE_COMMIT_BRANCH": "main",
    "DRONE_COMMIT_SHA": "8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b",
    "DRONE_COMMIT_BEFORE": "1111111111111111111111111111111111111111",
    "DRONE_COMMIT_MESSAGE": "[MYT-1] Let people pay",
    "DRONE_REPO": "acme/shop",
    "DRONE_REPO_LINK": "https://git.example/acme/shop",
}


def jira_settings(jira: Sandbox) -> dict[str, str]:
    """The settings that point a step at the local Jira, without any credential."""
    return {
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": jira.url,
        "PLUGIN_API_URL": jira.url,
        "PLUGIN_CONNECT_HOSTNAME": jira.url,
    }


@pytest.fixture
def oauth(jira: Sandbox) -> dict[str, str]:
    """The credentials of the one kind."""
    return {"PLUGIN_CLIENT_ID": jira.client_id, "PLUGIN_CLIENT_SECRET": jira.client_secret}


@pytest.fixture
def connect(jira: Sandbox) -> dict[str, str]:
    """The credential of the other kind."""
    return {"PLUGIN_CONNECT_KEY": jira.connect_key}


@pytest.fixture
def harness(step: Step, jira: Sandbox) -> Step:
    """A step of a Harness run whose commit names MYT-1, pointed at the local Jira, without a credential."""
    step.environ |= HARNESS | jira_settings(jira)
    return step


@pytest.fixture
def harness_oauth(harness: Step, oauth: dict[str, str]) -> Step:
    """The same, with OAuth credentials."""
    harness.environ |= oauth
    return harness


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[..., Path]:
    """Makes a git repository with one commit, in the step's folder: `checkout("[MYT-1] Message")`."""

    def make(message: str, *, branch: str = "main", remote: str = "", folder: Path | None = None) -> Path:
        where = folder or tmp_path / "step"
        where.mkdir(exist_ok=True)
        commit = ["-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", message]
        for command in (
            ["init", "-q", "-b", branch],
            commit,
            *([["remote", "add", "origin", remote]] if remote else []),
        ):
            subprocess.run(
                ["git", *command], cwd=where, check=True, env={"PATH": os.environ["PATH"], "HOME": str(where)}
            )
        return where

    return make


@dataclass(frozen=True)
class Received:
    """One request as a listener received it."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Listener:
    """A server on loopback that keeps what it receives, and answers by a function."""

    answer: Callable[[Received], Answer]
    received: list[Received] = field(default_factory=list)
    answered: list[tuple[str, bytes]] = field(default_factory=list)
    """Targets, and what was answered to each."""
    url: str = ""


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Starts a server: `listen()` answers 200 and nothing to whatever it is asked."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[Received], Answer] = lambda received: (200, {}, b"")) -> Listener:
        listener = Listener(answer)

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received = Received(self.command, self.path, dict(self.headers), body)
                listener.received.append(received)
                status, headers, content = listener.answer(received)
                listener.answered.append((received.target, content))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content)), "Connection": "close"}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the other end may have had enough
                    self.wfile.write(content)
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_CONNECT = handle_any  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        listener.url = f"http://127.0.0.1:{server.server_port}"
        return listener

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def passing_on(listen: Callable[..., Listener], jira: Sandbox) -> Callable[[], Listener]:
    """Starts a server that hands everything to the local Jira and keeps what that answers; also a proxy."""

    def answer(received: Received) -> Answer:
        target = received.target if received.target.startswith("http") else jira.url + received.target
        headers = {name: value for name, value in received.headers.items() if name.lower() != "host"}
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(
                received.method, target, headers=headers, data=received.body, allow_redirects=False, timeout=30
            )
        return response.status_code, {"Content-Type": response.headers.get("Content-Type", "")}, response.content

    return lambda: listen(answer)


@pytest.fixture
def free_port() -> int:
    """A port on which no server listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def make_report() -> Callable[..., Report]:
    """Creates a report of a build for a site in the cloud: `make_report(number=2, properties={"team": "pay"})`."""

    def make(number: int = 1, sequence: int = 1, properties: dict[str, str] | None = None, **more: object) -> Report:
        entity = {
            "kind": "build",
            "number": number,
            "sequence": sequence,
            "name": f"shop #{number}",
            "url": "https://ci.example/1",
            "state": "successful",
            "last_updated": "2026-01-02T00:00:00Z",
            "issue_keys": ["MYT-1"],
            "pipeline": {"id": "shop", "name": "shop", "url": "https://ci.example"},
        }
        site = {"url": "https://acme.atlassian.net"}
        return Report.model_validate({"site": site, "entity": {**entity, **more}, "properties": properties or {}})

    return make
