"""Runs `jira-ci` in forks of a process that has imported it already, which saves each run the start of Python.

A fork has its own arguments, environment, folder, streams and exit status, as a process that was started. Where its
environment changes how Python starts, it does start Python anew.

`ForkServer` is for tests; the rest of this module runs in the server, which is this file as a script.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, NamedTuple

MODULE = "jira_ci_core"


class Fork:
    """A fork that runs, with what `subprocess.Popen` has of the same name."""

    def __init__(self, status: IO[bytes]) -> None:
        self.status = status
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self.status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired([MODULE], timeout or 0)
            self.returncode = int(self.status.readline())
            self.status.close()
        return self.returncode

    def terminate(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


class ForkServer:
    """Starts the server, and asks it for forks; several threads may."""

    def __init__(self, environ: Mapping[str, str], *modules: str) -> None:
        """`modules` are imported besides core and all installed plugins."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, *modules], stdin=theirs, stdout=subprocess.DEVNULL, env=environ
            )
        self._socket = ours

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        timeout: float,
        limits: Mapping[str, int] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `jira-ci`, as `subprocess.run` does with `capture_output`. Raises TimeoutExpired.

        `limits` are resources by their names in the module `resource`, without `RLIMIT_`.
        """
        with contextlib.ExitStack() as files:
            pipes = [os.pipe() for _ in range(2)]
            out, err = (files.enter_context(open(reading, "rb")) for reading, _ in pipes)
            with contextlib.ExitStack() as ours:
                for _, writing in pipes:
                    ours.callback(os.close, writing)
                fork = self._fork(arguments, folder, environ, *(writing for _, writing in pipes), limits=limits)
            files.callback(fork.status.close)
            end = time.monotonic() + timeout
            texts = _read([out, err], end)
            if texts is None:
                os.kill(fork.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([MODULE, *arguments], timeout)
            return subprocess.CompletedProcess(arguments, fork.wait(max(0, end - time.monotonic())), *texts)

    def start(self, arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str], log: IO[bytes]) -> Fork:
        """Start `jira-ci` in a session of its own, with both streams into one file, as `subprocess.Popen` does."""
        return self._fork(arguments, folder, environ, log.fileno(), log.fileno(), has_session=True)

    def _fork(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], out: int, err: int, **more: object
    ) -> Fork:
        with tempfile.TemporaryFile("w+") as request:
            json.dump({"arguments": arguments, "folder": str(folder), "environ": dict(environ), **more}, request)
            request.seek(0)
            reading, writing = os.pipe()
            socket.send_fds(self._socket, [b"x"], [request.fileno(), out, err, writing])
            os.close(writing)
            return Fork(open(reading, "rb", buffering=0))

    def stop(self) -> None:
        """End the server; its forks go on."""
        self._socket.close()
        self._process.wait(10)


def _read(files: Sequence[IO[bytes]], deadline: float) -> list[bytes] | None:
    """All that is in pipes until each is closed; None after the deadline."""
    texts = dict.fromkeys(files, b"")
    with selectors.DefaultSelector() as selector:
        for file in files:
            selector.register(file, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                return None
            for key, _ in ready:
                if read := os.read(key.fd, 2**16):
                    texts[key.fileobj] += read  # type: ignore[index]
                else:
                    selector.unregister(key.fileobj)
    return list(texts.values())


class Request(NamedTuple):
    """What a fork is to run, and the descriptors of its streams."""

    arguments: list[str]
    folder: str
    environ: dict[str, str]
    out: int
    err: int
    limits: dict[str, int] | None = None
    has_session: bool = False


def load(modules: Sequence[str]) -> None:
    """Import what a command may need: core, the plugins, and these modules."""
    found = pkgutil.walk_packages(importlib.import_module(MODULE).__path__, f"{MODULE}.")
    core = [name for _, name, _ in found if not name.startswith((f"{MODULE}.testing", f"{MODULE}.__main__"))]
    for name in [*core, *modules]:
        importlib.import_module(name)
    for point in entry_points(group="jira_ci"):
        point.load()


def serve(asked: socket.socket) -> Request | None:
    """Fork for each request. Returns in each fork, and where there will be no further request."""
    running: dict[int, tuple[int, int]] = {}  # by the descriptor of the process: its id, and the pipe for its status
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is asked:
                    data, files, _, _ = socket.recv_fds(asked, 1, 4)
                    if not data:
                        return None
                    process = os.fork()
                    if process == 0:
                        asked.detach()
                        with open(files[0], closefd=False) as file:
                            return Request(**json.load(file), out=files[1], err=files[2])
                    os.write(files[3], f"{process}\n".encode())
                    for file in files[:3]:
                        os.close(file)
                    watched = os.pidfd_open(process)
                    running[watched] = process, files[3]
                    selector.register(watched, selectors.EVENT_READ)
                else:
                    selector.unregister(key.fd)
                    process, status = running.pop(key.fd)
                    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                    with contextlib.suppress(BrokenPipeError):  # nothing waits for it after a timeout
                        os.write(status, str(code).encode())
                    os.close(status)
                    os.close(key.fd)


def become(request: Request) -> None:
    """Give this process the streams, the folder and the environment of a step, and no other open file."""
    if request.has_session:
        os.setsid()
    for name, limit in (request.limits or {}).items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(request.out, 1)
    os.dup2(request.err, 2)
    os.closerange(3, 1024)
    os.chdir(request.folder)
    added = [folder for folder in request.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    if must_start(request.environ, added):
        os.execve(sys.executable, [sys.executable, "-P", "-m", MODULE, *request.arguments], request.environ)
    set_by_python = {name: value for name, value in os.environ.items() if name == "LC_CTYPE"}
    os.environ.clear()
    os.environ.update(set_by_python | request.environ)
    sys.argv[1:] = request.arguments
    sys.path[:0] = added


def must_start(environ: Mapping[str, str], added: Sequence[str]) -> bool:
    """Whether Python reads a variable when it starts, or would have found another module than the one imported."""
    if any(name.startswith(("PYTHON", "COVERAGE", "LANG", "LC_", "TZ")) for name in environ.keys() - {"PYTHONPATH"}):
        return True
    modules = {"sitecustomize", "usercustomize", *sys.modules}
    return any(path.stem in modules for folder in added if os.path.isdir(folder) for path in Path(folder).iterdir())


if __name__ == "__main__":
    load(sys.argv[1:])
    gc.collect()
    gc.freeze()  # leaves the memory that forks share as it is
    request = serve(socket.socket(fileno=0))
    if request is not None:
        become(request)
        runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
