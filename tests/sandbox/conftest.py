"""A sandbox on a real socket, and the entities to send to it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
import requests

from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.server import ServerInfo, serve

Json = dict[str, Any]
NOT_JSON = [b"", b"{", b"\xff", b'{"builds": NaN}', b"[" * 100_000, b"1" * 5000]


@pytest.fixture(scope="session", autouse=True)
def nothing_between() -> Iterator[None]:
    """Keep the proxies and certificate authorities of the environment out of calls to the loopback."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            environment.delenv(name, raising=False)
            environment.delenv(name.lower(), raising=False)
        yield


@pytest.fixture
def build() -> Callable[..., Json]:
    """Make a build that breaks no rule, with some fields changed."""

    def make(**changes: Any) -> Json:
        return {
            "schemaVersion": "1.0",
            "pipelineId": "pipeline",
            "buildNumber": 1,
            "updateSequenceNumber": 1,
            "displayName": "Pipeline",
            "description": "",
            "label": "main",
            "url": "https://ci.example.com/run/1",
            "state": "successful",
            "lastUpdated": "2024-05-01T12:30:00Z",
            "issueKeys": ["DEMO-1"],
            "testInfo": {"totalNumber": 3, "numberPassed": 1, "numberFailed": 1, "numberSkipped": 1},
            "references": [
                {
                    "commit": {"id": "abc", "repositoryUri": "https://git.example.com/repo"},
                    "ref": {"name": "main", "uri": "https://git.example.com/repo/main"},
                }
            ],
        } | changes

    return make


@pytest.fixture
def deployment() -> Callable[..., Json]:
    """Make a deployment that breaks no rule, with some fields changed."""

    def make(**changes: Any) -> Json:
        return {
            "schemaVersion": "1.0",
            "deploymentSequenceNumber": 1,
            "updateSequenceNumber": 1,
            "displayName": "Release",
            "description": "",
            "label": "1.2.3",
            "url": "https://ci.example.com/run/1",
            "state": "pending",
            "lastUpdated": "2024-05-01T12:30:00.123+02:00",
            "associations": [{"associationType": "issueIdOrKeys", "values": ["DEMO-1"]}],
            "duration": 60,
            "pipeline": {"id": "pipeline", "displayName": "Pipeline", "url": "https://ci.example.com/pipeline"},
            "environment": {"id": "prod", "displayName": "Production", "type": "production"},
            "commands": [{"command": "initiate_deployment_gating"}],
        } | changes

    return make


class Running:
    """Starts servers in threads of this process, and waits until they have ended."""

    def __init__(self) -> None:
        self.started: queue.Queue[ServerInfo] = queue.Queue()

    @contextmanager
    def server(self, **options: Any) -> Iterator[Sandbox]:
        reading, writing = os.pipe()
        with open(reading, "rb") as until_closed:
            arguments = {"on_ready": self.started.put, "until_closed": until_closed, "with_credentials": True} | options
            thread = threading.Thread(target=serve, kwargs=arguments, daemon=True)
            thread.start()
            try:
                ready = self.started.get(timeout=20)
                credentials = ready.credentials or {}
                with Sandbox(ready.url, cloud_id=ready.cloud_id, ca_file=ready.ca_file, **credentials) as sandbox:
                    yield sandbox
            finally:
                os.close(writing)
                thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def running() -> Running:
    """Start servers in this process: `with running.server(...) as sandbox`."""
    return Running()


@pytest.fixture(scope="session")
def session_sandbox(running: Running) -> Iterator[Sandbox]:
    """One server for all tests that do not need their own."""
    with running.server() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(session_sandbox: Sandbox) -> Sandbox:
    """A sandbox in which nothing has happened yet."""
    session_sandbox.reset()
    return session_sandbox


class Caller:
    """A client of Jira, signed in with one kind of credential."""

    def __init__(self, sandbox: Sandbox, kind: str = "oauth", **credential: str) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = sandbox.ca_file or True
        self.root = f"{sandbox.url}/rest" if kind == "connect" else f"{sandbox.url}/jira"
        self.site = "" if kind == "connect" else f"/cloud/{sandbox.cloud_id}"
        token = self.connect_token(**credential) if kind == "connect" else self.oauth_token(**credential)
        self.http.headers["Authorization"] = f"Bearer {token}"

    def oauth_token(self, client_id: str = "", client_secret: str = "") -> str:
        answer = self.http.post(
            f"{self.sandbox.url}/oauth/token",
            json={
                "audience": "api.atlassian.com",
                "grant_type": "client_credentials",
                "client_id": client_id or self.sandbox.client_id,
                "client_secret": client_secret or self.sandbox.client_secret,
            },
            timeout=20,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def connect_token(self, connect_key: str = "") -> str:
        headers = {"Authorization": f"Bearer {connect_key or self.sandbox.connect_key}"}
        answer = self.http.get(f"{self.sandbox.url}/token", headers=headers, timeout=20)
        answer.raise_for_status()
        return answer.text

    def base(self, kind: str) -> str:
        return f"{self.root}/{kind}/0.1{self.site}"

    def call(self, method: str, address: str, **options: Any) -> requests.Response:
        return self.http.request(method, address, timeout=20, allow_redirects=False, **options)

    def bulk(self, kind: str, *entities: Any, **more: Any) -> requests.Response:
        return self.call("POST", f"{self.base(kind)}/bulk", json={kind: list(entities), **more})

    def build_address(self, pipeline: str = "pipeline", number: object = 1) -> str:
        return f"{self.base('builds')}/pipelines/{quote(pipeline, safe='')}/builds/{number}"

    def deployment_address(self, pipeline: str = "pipeline", environment: str = "prod", number: object = 1) -> str:
        ids = f"/pipelines/{quote(pipeline, safe='')}/environments/{quote(environment, safe='')}"
        return f"{self.base('deployments')}{ids}/deployments/{number}"


@pytest.fixture
def sign_in() -> type[Caller]:
    """Sign in to a sandbox: `sign_in(sandbox, kind)`."""
    return Caller


@pytest.fixture(params=["oauth", "connect"])
def jira(request: pytest.FixtureRequest, sandbox: Sandbox) -> Caller:
    """A client signed in with each kind of credential, one after the other."""
    return Caller(sandbox, request.param)


@pytest.fixture
def oauth(sandbox: Sandbox) -> Caller:
    """A client signed in with OAuth."""
    return Caller(sandbox)


class Page(HTMLParser):
    """What is on a page: its text, its links, its forms, and every element with its attributes."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.answer = answer
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(answer.text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "form":
            self.forms.append((attributes.get("action") or "", {}))
        if tag == "input" and attributes.get("name"):
            self.forms[-1][1][attributes["name"] or ""] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]

    def count(self, tag: str, **wanted: str) -> int:
        return len([1 for name, given in self.elements if name == tag and wanted.items() <= given.items()])


class Browser:
    """Goes to pages and sends the forms that are on them, as a person would; it keeps cookies."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str = "/", **options: Any) -> Page:
        return Page(self.http.get(self.sandbox.url + path, timeout=20, **options))

    def send(self, path: str, action: str, **fields: str) -> Page:
        """Go to a page, fill in the form with this action, and follow where it leads."""
        forms = [values for where, values in self.get(path).forms if where == action]
        assert forms, f"{path} has no form for {action}"
        wanted = [values for values in forms if values.get("name", fields.get("name")) == fields.get("name")] or forms
        return self.post(action, **(wanted[0] | fields))

    def post(self, action: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        return Page(self.http.post(self.sandbox.url + action, data=fields, headers=headers, timeout=20))

    def be(self, person: str) -> None:
        self.send("/", "/person", person=person)


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    """A browser with an empty profile, at a sandbox in which nothing has happened yet."""
    return Browser(sandbox)
