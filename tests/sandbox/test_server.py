"""The server, its command and its client: how they start and how they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner

from jira_ci_sandbox import client as client_module, server as server_module
from jira_ci_sandbox.client import Sandbox
from jira_ci_sandbox.commands import sandbox as command
from jira_ci_sandbox.errors import SandboxError

COMMAND = [sys.executable, "-P", "-m", "jira_ci_sandbox", "--port", "0", "--format", "json"]
ON_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and processes of POSIX")


def invoke(*arguments: str, stdin: bytes = b"") -> Any:
    return CliRunner().invoke(command, ["--port", "0", "--until-stdin-closes", *arguments], input=stdin)


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Start a process, which is killed when the test ends."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, **options) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


# The command


def test_ready_line_is_all_that_is_on_standard_output() -> None:
    result = invoke("--format", "json", "--mint")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    ready = json.loads(result.stdout)
    assert ready["url"].startswith("http://127.0.0.1:")
    assert ready["pid"] == os.getpid()
    assert ready["ca_file"] is None
    assert sorted(ready["credentials"]) == ["client_id", "client_secret", "connect_key"]


def test_text_announces_address_credentials_and_how_to_stop() -> None:
    result = invoke("--mint")
    assert result.stdout == ""
    for words in ("http://127.0.0.1:", "CLIENT_ID=", "CLIENT_SECRET=", "CONNECT_KEY=", "Ctrl+C"):
        assert words in result.stderr


def test_text_announces_the_certificate_authority() -> None:
    result = invoke("--tls")
    assert "Certificate authority: " in result.stderr
    assert "https://127.0.0.1:" in result.stderr
    assert "CLIENT_ID" not in result.stderr


def test_credentials_are_created_only_with_mint() -> None:
    assert json.loads(invoke("--format", "json").stdout)["credentials"] is None


def is_error_in_three_parts(result: Any) -> bool:
    has_parts = result.stderr.startswith("error: ") and "\n  why: " in result.stderr and "\n  do:  " in result.stderr
    return bool(has_parts and result.exit_code == 2 and "Traceback" not in result.output)


def test_port_in_use_is_an_error_with_a_remedy(sandbox: Sandbox) -> None:
    result = CliRunner().invoke(command, ["--port", sandbox.url.rpartition(":")[2]])
    assert is_error_in_three_parts(result)
    assert "Another program listens there" in result.stderr
    assert "--port" in result.stderr


def test_invalid_host_is_an_error_with_a_remedy() -> None:
    result = invoke("--host", "host.invalid")
    assert is_error_in_three_parts(result)
    assert "--host" in result.stderr


@pytest.mark.parametrize("projects", ["demo", "", "A;B"])
def test_invalid_projects_are_an_error_with_a_remedy(projects: str) -> None:
    result = invoke("--projects", projects)
    assert is_error_in_three_parts(result)
    assert "--projects" in result.stderr


def test_data_file_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    result = invoke("--data", str(tmp_path / "missing" / "jira.db"))
    assert is_error_in_three_parts(result)
    assert "--data" in result.stderr


def test_parent_is_not_offered_where_it_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    result = invoke("--parent", "1")
    assert result.exit_code == 2
    assert "--until-stdin-closes" in result.stderr


def test_announcement_hides_credentials_in_its_repr() -> None:
    info = server_module.ServerInfo("http://127.0.0.1", 1, "id", None, {"client_secret": "hidden"})
    assert "hidden" not in repr(info)


def test_command_is_run_as_a_module() -> None:
    answer = subprocess.run([*COMMAND[:4], "--help"], capture_output=True, text=True, check=True)
    assert "--until-stdin-closes" in answer.stdout


def test_plugin_adds_the_command_and_imports_nothing_before() -> None:
    code = (
        "import sys, jira_ci_core; before = set(sys.modules); from jira_ci_sandbox import plugin;"
        "heavy = {'click', 'starlette', 'uvicorn', 'jinja2', 'trustme', 'sqlite3'} & (set(sys.modules) - before);"
        "assert not heavy, heavy; assert 'jira_ci_sandbox.commands' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    from jira_ci_sandbox import plugin

    cli = click.Group()
    plugin.jira_ci_register_commands(cli)
    assert cli.commands["sandbox"] is command
    assert sorted(cli.commands) == ["demo", "sandbox"]


# The end


@ON_POSIX
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_cleanly_while_clients_keep_their_connections(name: signal.Signals) -> None:
    with started("--tls", stderr=subprocess.PIPE) as (process, ready), requests.Session() as session:
        session.verify = ready["ca_file"]
        assert session.get(f"{ready['url']}/_edge/tenant_info", timeout=20).status_code == 200
        process.send_signal(name)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, b"")
    assert not Path(ready["ca_file"]).parent.exists()


@ON_POSIX
def test_server_ends_when_its_parent_is_killed() -> None:
    code = f"import subprocess, os; subprocess.Popen({[*COMMAND, '--parent']!r} + [str(os.getpid())]).wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as starter:
        assert starter.stdout is not None
        ready = json.loads(starter.stdout.readline())
        starter.kill()
        # The pipe ends when the last process that holds it does. The starter is not reaped yet.
        assert starter.stdout.read() == b""
    with pytest.raises(requests.ConnectionError):
        requests.get(ready["url"], timeout=20)


@ON_POSIX
def test_server_ends_when_the_named_process_does() -> None:
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with (
        subprocess.Popen(sleeper, stdin=subprocess.PIPE) as other,
        started("--parent", str(other.pid)) as (process, _),
    ):
        other.communicate()
        assert process.wait(timeout=20) == 0


@ON_POSIX
def test_process_that_has_ended_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        # The process is not reaped yet, so these calls may find a zombie; the last one finds no process.
        server_module._wait_for_exit(ended.pid)
        server_module._wait_for_exit(ended.pid)
    server_module._wait_for_exit(ended.pid)


def test_process_is_polled_where_there_is_no_pidfd(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[type[Exception] | None] = [None, PermissionError, ProcessLookupError]
    asked: list[tuple[int, int]] = []

    def kill(process: int, number: int) -> None:
        asked.append((process, number))
        if (error := answers[len(asked) - 1]) is not None:
            raise error

    monkeypatch.setattr(server_module, "POLL_INTERVAL", 0)
    monkeypatch.setattr(server_module.os, "kill", kill)
    monkeypatch.delattr(server_module.os, "pidfd_open", raising=False)
    server_module._wait_for_exit(7)
    assert asked == [(7, 0)] * 3


# Addresses


def test_every_address_of_the_computer_is_shown_as_loopback(run_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_bind", lambda host, port: socket.create_server(("127.0.0.1", port)))
    with run_server(host="0.0.0.0", tls=True) as sandbox:
        assert sandbox.url.startswith("https://127.0.0.1:")
        assert sandbox.builds() == []
        answer = requests.get(sandbox.url, headers={"Host": "0.0.0.0"}, verify=sandbox.ca_file, timeout=20)
        assert answer.status_code == 403


def test_host_name_of_choice_may_be_used_in_a_browser(run_server: Any) -> None:
    with run_server(host="127.0.0.2") as sandbox:
        assert sandbox.url.startswith("http://127.0.0.2:")
        assert requests.get(sandbox.url, timeout=20).status_code == 200


def test_ipv6_loopback_has_brackets(run_server: Any) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with run_server(host="::1") as sandbox:
        assert sandbox.url.startswith("http://[::1]:")
        assert sandbox.builds() == []


def test_tls_is_trusted_through_the_throw_away_authority_only(run_server: Any, sign_in: Any, build: Any) -> None:
    with run_server(tls=True) as sandbox:
        assert sandbox.url.startswith("https://")
        folder = Path(sandbox.ca_file).parent
        assert sign_in(sandbox).bulk("builds", build()).status_code == 202
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(sandbox.url, timeout=20)
        for action in ("reset", "half"):
            sandbox.fault(action, match="token")
            with pytest.raises(requests.RequestException):
                sign_in(sandbox)
    assert not folder.exists()


# The data file


def test_restart_keeps_entities_credentials_tokens_settings_and_the_cloud_id(
    run_server: Any, sign_in: Any, build: Any, tmp_path: Path
) -> None:
    data = tmp_path / "jira.db"
    with run_server(data=data, projects=("DEMO", "X*")) as first:
        client = sign_in(first)
        client.bulk("builds", build())
    with run_server(data=data) as second:
        assert second.cloud_id == first.cloud_id
        assert [build["buildNumber"] for build in second.builds()] == [1]
        assert second.configure()["projects"] == ["DEMO", "X*"]
        address = client.build_address().replace(first.url, second.url)
        assert client.call("GET", address).json() == build()
        assert sign_in(second, client_id=first.client_id, client_secret=first.client_secret)
        assert second.client_id != first.client_id


# The client


def test_client_starts_a_process_and_ends_it(tmp_path: Path, build: Any, sign_in: Any) -> None:
    with Sandbox.start(projects=["DEMO", "MY*"], data=tmp_path / "jira.db", tls=True) as sandbox:
        process = sandbox.process
        assert process is not None
        assert sandbox.configure()["projects"] == ["DEMO", "MY*"]
        assert sign_in(sandbox).bulk("builds", build()).status_code == 202
    assert process.returncode == 0
    sandbox.stop()


def test_client_kills_a_process_that_does_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "STOP_TIMEOUT", 0.01)
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        client_module._stop_process(process)
        assert process.returncode != 0


def test_client_says_why_a_sandbox_did_not_start() -> None:
    with pytest.raises(SandboxError, match="names no projects"):
        Sandbox.start(projects="demo")


def test_client_waits_no_longer_than_the_timeout() -> None:
    with pytest.raises(SandboxError, match="said nothing for 0.001 seconds"):
        Sandbox.start(timeout=0.001)


def test_client_ignores_the_proxies_of_the_environment(run_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with run_server() as sandbox:
        assert sandbox.builds() == []


def test_answer_in_two_packets_does_not_wait_for_the_client() -> None:
    with server_module._bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
