"""A sandbox from Python: start one, plan its faults and settings, and inspect what it received."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from jira_ci_sandbox.errors import SandboxError

STOP_TIMEOUT = 10.0  # seconds until a process that was asked to stop is killed


class Sandbox:
    """A running sandbox.

    `url` is its origin, to use as INSTANCE, API_URL and CONNECT_HOSTNAME. `client_id`, `client_secret` and
    `connect_key` are empty if none were made. They are valid until revoked, and again after `reset`. With TLS,
    `ca_file` is the certificate authority to trust.
    """

    def __init__(
        self,
        url: str,
        *,
        cloud_id: str = "",
        client_id: str = "",
        client_secret: str = "",
        connect_key: str = "",
        ca_file: str | None = None,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.url = url
        self.cloud_id = cloud_id
        self.client_id = client_id
        self.client_secret = client_secret
        self.connect_key = connect_key
        self.ca_file = ca_file
        self.process = process
        self._session = requests.Session()
        self._session.trust_env = False  # the environment's proxy cannot reach the loopback
        self._session.headers["X-Sandbox"] = "1"
        # Every call opens a connection: an idle one could be closed by the server just when it is reused.
        self._session.headers["Connection"] = "close"
        self._session.verify = ca_file or True

    @classmethod
    def start(
        cls,
        projects: str | Iterable[str] = "DEMO",
        *,
        tls: bool = False,
        data: Path | str | None = None,
        port: int = 0,
        timeout: float = 30.0,
    ) -> Sandbox:
        """Start a sandbox in a new process, and return once it listens.

        It ends with `stop`, or when this process ends. Raises SandboxError if it does not listen within `timeout`
        seconds.
        """
        names = projects if isinstance(projects, str) else ",".join(projects)
        command = [sys.executable, "-P", "-m", "jira_ci_sandbox", "--port", str(port), "--projects", names]
        command += ["--format", "json", "--mint", "--until-stdin-closes"]
        command += ["--tls"] if tls else []
        command += ["--data", str(data)] if data is not None else []
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command,
                env={**os.environ, **python_path()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            assert process.stdout is not None
            # Killing the process ends the read below after the timeout.
            timer = threading.Timer(timeout, process.kill)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            if not line:
                _stop_process(process)
                errors.seek(0)
                raise SandboxError(
                    "The sandbox did not start.",
                    errors.read().decode(errors="replace").strip() or f"It said nothing for {timeout} seconds.",
                    "Put that right, or start it with more time.",
                )
        ready = json.loads(line)
        facts = {"cloud_id": ready["cloud_id"], "ca_file": ready["ca_file"]} | ready["credentials"]
        return cls(ready["url"], process=process, **facts)

    def stop(self) -> None:
        """Stop the process that `start` started; without one, only close the connections to the sandbox."""
        self._session.close()
        if self.process is not None:
            _stop_process(self.process)
            self.process = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Setting up

    def fault(self, action: str, match: str = "bulk", count: int = 1, **details: Any) -> None:
        """Plan a fault of the next `count` matching calls.

        `action` is one of `jira_ci_sandbox.faults.ACTIONS`; `match` is any, token, tenant, bulk, builds, deployments,
        or a pattern of a path (`/rest/*`). `details` are status, headers and body for `answer` (a body other than a
        string is sent as JSON), location for `redirect`, fields for `missing`, seconds to delay any response, and every
        for a fault of only the last of so many calls.
        """
        fault = {"action": action, "match": match, "count": count, **details}
        if not isinstance(fault.get("body", ""), str):
            fault["headers"] = {"content-type": "application/json"} | dict(fault.get("headers", {}))
            fault["body"] = json.dumps(fault["body"])
        self._call("POST", "faults", fault)

    def faults(self) -> list[dict[str, Any]]:
        """Return the planned faults."""
        return list(self._call("GET", "faults"))

    def clear_faults(self) -> None:
        self._call("DELETE", "faults")

    def configure(self, **settings: Any) -> dict[str, Any]:
        """Change settings (fields of `jira_ci_sandbox.settings.Settings`), and return all of them."""
        lists = {name: list(value) for name, value in settings.items() if isinstance(value, tuple | set)}
        return dict(self._call("PUT", "settings", settings | lists) if settings else self._call("GET", "settings"))

    def gate(self, status: str, *issues: str) -> None:
        """Set the gating status of every deployment that asks for one.

        It is awaiting, allowed, prevented, expired or invalid. `issues` are the change requests that it names.
        """
        self.configure(gate=status, gate_issues=issues)

    def mint(self, kind: str, name: str | None = None, permission: bool = True) -> dict[str, Any]:
        """Create a credential of kind oauth or connect, and return it with its secret."""
        named = {} if name is None else {"name": name}
        return dict(self._call("POST", "credentials", {"kind": kind, "permission": permission} | named))

    def revoke(self, name: str) -> None:
        """Revoke a credential and all its tokens. `credentials` lists the names."""
        self._call("DELETE", f"credentials/{name}")

    def credentials(self) -> list[dict[str, Any]]:
        """Return all credentials, without their secrets."""
        return list(self._call("GET", "credentials"))

    def expire_tokens(self) -> None:
        self._call("POST", "expire-tokens")

    def reset(self) -> None:
        """Delete everything stored, and restore the settings and credentials of the start."""
        self._call("POST", "reset")

    # Inspecting

    def requests(self, match: str = "") -> list[dict[str, Any]]:
        """Return the received calls whose path contains `match`, oldest first."""
        return [request for request in self._call("GET", "requests") if match in request["path"]]

    def builds(self) -> list[dict[str, Any]]:
        """Return the builds that are stored and readable; `issueKeys` are those that Jira knows."""
        return list(self._call("GET", "entities")["builds"])

    def deployments(self) -> list[dict[str, Any]]:
        """Return the deployments that are stored and readable; `issueKeys` are those that Jira knows."""
        return list(self._call("GET", "entities")["deployments"])

    def updates(self) -> list[dict[str, Any]]:
        """Return every accepted update with its outcome: applied, stale or deleted."""
        return list(self._call("GET", "updates"))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self._session.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=30)
        if not response.ok:
            raise SandboxError(
                f"The sandbox refused {method} {path}.",
                "; ".join(response.json()["errorMessages"]) + ".",
                "Correct what was asked for.",
            )
        return response.json() if response.content else None


def python_path() -> dict[str, str]:
    """Return PYTHONPATH for a process of our own: without folders of it that this process does not import from.

    `jira-ci` imports from no folder that the change under test can write to.
    """
    folders = os.environ.get("PYTHONPATH")
    if not folders:
        return {}
    paths = [os.path.abspath(folder) for folder in folders.split(os.pathsep)]  # noqa: PTH100 (as Python does)
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path in sys.path)}


def _stop_process(process: subprocess.Popen[bytes]) -> None:
    """Close the standard input of a process, at which it stops, and kill it if it does not."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
