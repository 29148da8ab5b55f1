"""Runs git: in a small environment, without the programs that a repository's configuration names, and not for ever."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jira_ci_core import Problem

# What git needs on any system to run, to find its own configuration, and to decide whom it trusts.
LOCAL = (
    *("PATH", "HOME", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH", "SUDO_UID", "TMPDIR", "TEMP", "TMP"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH"),
    *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES"),
    *("GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT"),
)
LOCAL_PREFIXES = "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"

# What it needs besides to reach the remote.
NETWORK = (
    *("USER", "LOGNAME", "SSH_AUTH_SOCK", "GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("https_proxy", "HTTPS_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "no_proxy", "NO_PROXY"),
)

# In messages that are read here, git speaks English; it waits for nobody and asks nobody.
QUIET = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}

# A repository can be made to fetch what it lacks from anywhere, by any program, whatever it is asked. This overrides
# all configuration: nothing but `fetch` has a transport at all, and that has none that is a program of its own.
NO_TRANSPORT = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
TRANSPORTS = {"GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}

AUTHOR = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "jira-ci"), ("EMAIL", "jira-ci@localhost"))
}

# Of the repository's own configuration nothing may run, and nothing may change what is read.
CONFIGURED = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "log.showSignature": "false",
    "color.ui": "false",
    "trailer.separators": ":",
    "gc.auto": "0",
    "maintenance.auto": "false",
}

CHUNK = 65536
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class GitError(Exception):
    """Git cannot be used here; the problem says why."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.problem = Problem(what, why, remedy)


@dataclass(frozen=True)
class Done:
    """A git command that has ended."""

    code: int
    out: str
    err: str

    @property
    def reason(self) -> str:
        """What git gave as the reason of its failure, in one line, without credentials."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return _CREDENTIALS.sub("", (told or lines or [f"exit code {self.code}"])[0].strip())


class Git:
    """Git in one folder. All of its commands together have so many seconds."""

    def __init__(self, folder: Path, environ: Mapping[str, str], seconds: float) -> None:
        self.folder = folder
        self._local = {
            name: value for name, value in environ.items() if name in LOCAL or name.startswith(LOCAL_PREFIXES)
        }
        self._network = {name: value for name, value in environ.items() if name in NETWORK}
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def run(self, *arguments: str, input: str = "") -> Done:
        """Run a command that stays in this repository. Raises GitError where it cannot be run, or takes too long."""
        return self._run(arguments, {**self._local, **QUIET, **NO_TRANSPORT, **AUTHOR}, 1, input)

    def fetch(self, *arguments: str) -> Done:
        """Run `git fetch`; it gets half of the time that is left, so that what is there can still be read."""
        environ = {**self._local, **self._network, **QUIET, **TRANSPORTS}
        return self._run(("fetch", *arguments), environ, 0.5)

    def answer(self, *arguments: str) -> str | None:
        """What a command that stays in this repository prints, stripped; None where it fails."""
        done = self.run(*arguments)
        return None if done.code else done.out.strip()

    def stream(self, *arguments: str) -> Iterator[bytes]:
        """What such a command prints, piece by piece. Raises GitError also where it fails."""
        late = threading.Event()
        with self._started(arguments, {**self._local, **QUIET, **NO_TRANSPORT}, "") as (process, errors):

            def stop() -> None:
                late.set()
                _kill(process)

            timer = threading.Timer(self._left(), stop)
            timer.daemon = True
            timer.start()
            try:
                assert process.stdout is not None
                while chunk := process.stdout.read(CHUNK):
                    yield chunk
                code = process.wait()
            finally:
                timer.cancel()
            if late.is_set():
                raise self._too_slow(arguments)
            if code:
                raise _failed(arguments, Done(code, "", _text(errors)))

    def _run(self, arguments: tuple[str, ...], environ: Mapping[str, str], share: float, input: str = "") -> Done:
        with self._started(arguments, environ, input) as (process, errors):
            try:
                out, _ = process.communicate(input.encode() if input else None, timeout=self._left() * share)
            except subprocess.TimeoutExpired:
                raise self._too_slow(arguments) from None
            return Done(process.returncode, out.decode(errors="surrogateescape"), _text(errors))

    @contextlib.contextmanager
    def _started(
        self, arguments: tuple[str, ...], environ: Mapping[str, str], input: str
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """Start git, in a session of its own: it has no terminal to ask, and ends with all that it has started."""
        options = [option for name, value in CONFIGURED.items() for option in ("-c", f"{name}={value}")]
        # A file and no pipe: whoever outlives git, as ssh's master does, may keep that open.
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    ["git", "--no-pager", *options, *arguments],
                    cwd=self.folder,
                    env=environ,
                    stdin=subprocess.PIPE if input else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise GitError(
                    "there is no git here, so no commits can be looked at",
                    "there is no program of that name in PATH",
                    "install git in the image of this step, or leave this out with DISABLE_PLUGINS=git",
                ) from None
            except OSError as error:
                raise GitError(
                    "git cannot be run, so no commits can be looked at",
                    error.strerror or str(error),
                    f"check git in this step's image, and that the step may enter {self.folder}",
                ) from None
            with process:
                try:
                    yield process, errors
                finally:
                    if process.poll() is None:
                        _kill(process)

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.01)

    def _too_slow(self, arguments: tuple[str, ...]) -> GitError:
        return GitError(
            f"git {arguments[0]} was stopped, as it did not come to an end",
            f"all of git's work here has {self._seconds:g} seconds",
            "allow it more with PLUGIN_TIMEOUT; look for a remote that does not answer, or a very slow disk",
        )


def _failed(arguments: tuple[str, ...], done: Done) -> GitError:
    return GitError(
        f"git {arguments[0]} failed, so not all commits could be looked at",
        done.reason,
        "run `git fsck` in the checkout, or clone it anew",
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:  # pragma: no cover
            process.kill()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(CHUNK).decode(errors="replace")
