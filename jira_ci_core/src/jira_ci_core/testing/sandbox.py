"""Runs the local Jira of `jira-ci-sandbox` as a process, and calls it over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from jira_ci_core.errors import SettingsError
from jira_ci_core.problem import Problem

TIMEOUT = 30.0  # seconds, to start and to end
PROJECTS = "MYT,DEMO"


@dataclass(frozen=True)
class Sandbox:
    """A running local Jira that knows the projects MYT and DEMO."""

    url: str
    """Its origin, to be used as INSTANCE, API_URL and CONNECT_HOSTNAME."""
    cloud_id: str
    client_id: str
    client_secret: str = field(repr=False)
    connect_key: str = field(repr=False)

    @property
    def settings(self) -> dict[str, str]:
        """The settings for a step that reports to it, with OAuth credentials."""
        return {
            **{"PROJECT": "MYT", "INSTANCE": self.url, "API_URL": self.url, "CONNECT_HOSTNAME": self.url},
            **{"CLIENT_ID": self.client_id, "CLIENT_SECRET": self.client_secret},
        }

    def builds(self) -> list[dict[str, Any]]:
        """Return the builds that it holds, with the fields of Jira's API."""
        return list(self._call("GET", "_sandbox/entities")["builds"])

    def deployments(self) -> list[dict[str, Any]]:
        """Return the deployments that it holds, with the fields of Jira's API."""
        return list(self._call("GET", "_sandbox/entities")["deployments"])

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that it received, the oldest first."""
        return list(self._call("GET", "_sandbox/requests"))

    def answer(self, status: int, body: object = None, *, count: int = 1) -> None:
        """Refuse the next `count` reports, with this status and JSON body."""
        headers = {"content-type": "application/json"}
        fault = {"action": "answer", "match": "bulk", "status": status, "headers": headers, "body": json.dumps(body)}
        self._call("POST", "_sandbox/faults", {**fault, "count": count})

    def token(self) -> str:
        """Return a new access token, for `Authorization: Bearer …`."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        answer = self._call("POST", "oauth/token", {**form, "audience": "api.atlassian.com"})
        return str(answer["access_token"])

    def expire_tokens(self) -> None:
        """Expire all tokens that it has issued."""
        self._call("POST", "_sandbox/expire-tokens")

    def reset(self) -> None:
        """Delete everything but its first credentials."""
        self._call("POST", "_sandbox/reset")

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # a proxy from the environment cannot reach loopback
            response = session.request(
                method, f"{self.url}/{path}", json=body, headers={"X-Sandbox": "1"}, timeout=TIMEOUT
            )
        response.raise_for_status()
        return response.json() if response.content else None


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """Run a local Jira during the block; it also ends with this process.

    Raises SettingsError if it is not installed or does not start.
    """
    command = [sys.executable, "-P", "-m", "jira_ci_sandbox", "--port", "0", "--projects", PROJECTS]
    command += ["--format", "json", "--mint", "--until-stdin-closes"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdin
        assert process.stdout
        with process.stdin, process.stdout:
            # `readline` has no time limit, but ends when the process does.
            timer = threading.Timer(TIMEOUT, process.kill)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            try:
                if not line:
                    process.wait()
                    errors.seek(0)
                    raise SettingsError(
                        Problem(
                            "the local Jira did not start",
                            errors.read().decode(errors="replace").strip() or "it said nothing",
                            "pip install 'jira-ci-core[testing]', which brings it",
                        )
                    )
                ready = json.loads(line)
                yield Sandbox(url=ready["url"], cloud_id=ready["cloud_id"], **ready["credentials"])
            finally:
                process.stdin.close()
                try:
                    process.wait(timeout=TIMEOUT)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
