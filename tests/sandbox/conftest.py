"""A sandbox on a real socket, and the entities to send to it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
def no_proxies() -> Iterator[None]:
    """Keep the proxies and certificate authorities of the environment out of calls to the loopback."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            environment.delenv(name, raising=False)
            environment.delenv(name.lower(), raising=False)
        yield


@pytest.fixture
def build() -> Callable[..., Json]:
    """Makes a valid build with some fields changed."""

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
    """Makes a valid deployment with some fields changed."""

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


@contextmanager
def server_in_a_thread(**options: Any) -> Iterator[Sandbox]:
    """Run a server in a thread of this process, and wait until it has ended."""
    started: queue.Queue[ServerInfo] = queue.Queue()
    reading, writing = os.pipe()
    with open(reading, "rb") as until_closed:
        arguments = {"on_ready": started.put, "until_closed": until_closed, "with_credentials": True} | options
        thread = threading.Thread(target=serve, kwargs=arguments, daemon=True)
        thread.start()
        try:
            info = started.get(timeout=20)
            credentials = info.credentials or {}
            with Sandbox(info.url, cloud_id=info.cloud_id, ca_file=info.ca_file, **credentials) as sandbox:
                yield sandbox
        finally:
            os.close(writing)
            thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def run_server() -> Callable[..., AbstractContextManager[Sandbox]]:
    """Runs a server in this process: `with run_server(...) as sandbox`."""
    return server_in_a_thread


@pytest.fixture(scope="session")
def session_sandbox(run_server: Any) -> Iterator[Sandbox]:
    """One server for all tests that do not need their own."""
    with run_server() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(session_sandbox: Sandbox) -> Sandbox:
    """An empty sandbox with credentials of both kinds."""
    session_sandbox.reset()
    return session_sandbox


class JiraClient:
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
def sign_in() -> type[JiraClient]:
    """Signs in to a sandbox: `sign_in(sandbox, kind)`."""
    return JiraClient


@pytest.fixture(params=["oauth", "connect"])
def jira(request: pytest.FixtureRequest, sandbox: Sandbox) -> JiraClient:
    """A client signed in with each kind of credential in turn."""
    return JiraClient(sandbox, request.param)


@pytest.fixture
def oauth(sandbox: Sandbox) -> JiraClient:
    """A client signed in with OAuth."""
    return JiraClient(sandbox)


class Page(HTMLParser):
    """A parsed page: its text, its links, its forms, and every element with its attributes."""

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
    """Opens pages and submits their forms, and keeps cookies."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str = "/", **options: Any) -> Page:
        return Page(self.http.get(self.sandbox.url + path, timeout=20, **options))

    def submit(self, path: str, action: str, **fields: str) -> Page:
        """Open a page, submit its form with this action, and return the page to which it leads."""
        forms = [values for where, values in self.get(path).forms if where == action]
        assert forms, f"{path} has no form for {action}"
        wanted = [values for values in forms if values.get("name", fields.get("name")) == fields.get("name")] or forms
        return self.post(action, **(wanted[0] | fields))

    def post(self, action: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        return Page(self.http.post(self.sandbox.url + action, data=fields, headers=headers, timeout=20))

    def choose_role(self, person: str) -> None:
        self.submit("/", "/person", person=person)


@pytest.fixture
def browser(sandbox: Sandbox) -> Browser:
    """A browser with an empty profile, for an empty sandbox."""
    return Browser(sandbox)
