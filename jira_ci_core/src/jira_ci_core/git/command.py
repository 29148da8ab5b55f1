"""The one way to call git: it runs no program that a repository names, never prompts, and has a time limit."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jira_ci_core.problem import Problem

if TYPE_CHECKING:
    import subprocess

log = logging.getLogger(__name__)

# A repository's own configuration can name programs to run and change what is printed. These options override it.
_OPTIONS = (
    *("--no-pager", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.alternateRefsCommand=:"),
    *("-c", "log.showSignature=false"),
    # A file of the change, of any size: https://git-scm.com/docs/gitmailmap
    *("-c", "log.mailmap=false"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "color.ui=false"),
    # A command that contacts a remote may sign in with what the environment offers, but not with a configured helper.
    *("-c", "credential.helper="),
)
_VARIABLES = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A local command contacts no remote, not even for objects that a partial clone left out.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    # A HOME in the checkout has a configuration of the change, which may name a file to append to.
    # https://git-scm.com/docs/api-trace2#_enabling_a_target
    **dict.fromkeys(("GIT_TRACE2", "GIT_TRACE2_PERF", "GIT_TRACE2_EVENT"), "0"),
    # Error messages are recognised by their English text.
    "LC_ALL": "C",
    "LANGUAGE": "",
}

_REMOTE_VARIABLES = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:file"}
# Set unless the environment has a value of its own. As GIT_ASKPASS, `true` answers with an empty password.
_REMOTE_DEFAULTS = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "GIT_ASKPASS": "true"}
_UPLOAD_PACK = "--upload-pack=git-upload-pack"
_FETCH = "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"

# The settings of this step may be credentials, and a trace would mix with error messages.
_WITHHELD = "PLUGIN_", "JIRA_CI_", "GIT_TRACE"

# The commands that run hooks. Git 2.54 also runs those that the configuration names, whatever core.hooksPath is.
# https://git-scm.com/docs/git-hook/2.54.0
_WITH_HOOKS = "fetch", "update-ref"

MOST_SECONDS = 15
"""How long all local commands of a step may take together: a repository can make each of them wait."""
MAX_OUTPUT = 1 << 20
"""How much of what a command prints is read, in bytes, unless it is streamed."""
_MAX_STDERR = 4096
_MAX_HOOKS = 1 << 16
_SECONDS_FOR_ERRORS = 1


class GitFailure(Enum):
    NOT_INSTALLED = "not installed"
    NOT_STARTED = "not started"
    TIMED_OUT = "timed out"
    NOT_TRUSTED = "not trusted"
    """The repository belongs to another user."""
    NO_REPOSITORY = "no repository"
    GIVEN_UP = "given up"
    """The commands before it took MOST_SECONDS together, which a warning has told."""
    FAILED = "failed"
    """The command itself ended with an error, which for some commands means "no"."""


class GitError(Exception):
    """A git command has no result. `problem` explains it to the user."""

    def __init__(self, failure: GitFailure, why: str, remedy: str) -> None:
        super().__init__(f"git could not be asked: {why}")
        self.failure = failure
        self.problem = Problem("git could not be asked", why, remedy)


class _Patience:
    """How many seconds are left for the local commands of this step."""

    left: float = MOST_SECONDS


def renew_patience(seconds: float = MOST_SECONDS) -> None:
    """Begin to count anew, for another step in the same process."""
    _Patience.left = seconds


class Git:
    """Runs git in a folder, for `seconds` in all, with `environ` less this step's settings. Methods raise GitError.

    Local commands also share the MOST_SECONDS of the step, after which git is not asked again.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], seconds: float) -> None:
        self.folder = folder
        self._environ = {name: value for name, value in environ.items() if not name.startswith(_WITHHELD)}
        # Relative entries, and an empty one, would name a program in the checkout.
        path = [place for place in self._environ.get("PATH", "").split(os.pathsep) if os.path.isabs(place)]  # noqa: PTH117
        self._environ["PATH"] = os.pathsep.join(path) or os.defpath
        self._deadline = time.monotonic() + seconds

    def output(self, *arguments: str) -> str:
        """Return what a local command prints, up to MAX_OUTPUT bytes; `stream` is for more than a few lines."""
        variables = self._without_hooks() if arguments[0] in _WITH_HOOKS else {}
        return self._run(arguments, variables)

    @contextlib.contextmanager
    def stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """Give access to what a local command prints, as it arrives. Leaving the block early ends the command."""
        with self._local(arguments, {}) as output:
            yield output

    def remote_refs(self, remote: str, *names: str) -> dict[str, str]:
        """Ask a remote for the refs with these names, and return the id of each that it has."""
        answer = self._run_remote("ls-remote", "--quiet", _UPLOAD_PACK, "--", remote, *names)
        refs = (line.partition("\t") for line in answer.splitlines())
        return {ref: id for id, _, ref in refs if ref in names}

    def fetch(self, remote: str, *revisions: str, options: tuple[str, ...] = ()) -> None:
        """Fetch these revisions. Only objects, and where history is cut, are written; no ref changes."""
        self._run_remote("fetch", *_FETCH, _UPLOAD_PACK, *options, "--", remote, *revisions)

    def _run_remote(self, *arguments: str) -> str:
        defaults = {name: value for name, value in _REMOTE_DEFAULTS.items() if not self._environ.get(name)}
        variables = {**_REMOTE_VARIABLES, **defaults, **self._without_hooks()}
        with self._started(arguments, variables, self._deadline - time.monotonic()) as output:
            return _decoded(output)

    def _without_hooks(self) -> dict[str, str]:
        """Variables that switch off each hook that the configuration names, which git can only do by its name."""
        try:
            keys = self._run(("config", "--null", "--name-only", "--get-regexp", r"^hook\..*\."), {})
        except GitError as error:
            if error.failure is not GitFailure.FAILED:
                raise
            return {}  # there is none
        if len(keys) > _MAX_HOOKS:
            remedy = "remove them from the repository's configuration"
            raise GitError(GitFailure.FAILED, "its configuration names too many hooks to switch them off", remedy)
        hooks = dict.fromkeys(key.rpartition(".")[0] for key in keys.split("\0") if key)
        given = self._environ.get("GIT_CONFIG_COUNT", "")
        first = int(given) if given.isdecimal() else 0
        variables = {"GIT_CONFIG_COUNT": str(first + len(hooks))}
        for number, hook in enumerate(hooks, first):
            variables |= {f"GIT_CONFIG_KEY_{number}": f"{hook}.enabled", f"GIT_CONFIG_VALUE_{number}": "false"}
        return variables

    def _run(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> str:
        with self._local(arguments, variables) as output:
            return _decoded(output)

    @contextlib.contextmanager
    def _local(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> Iterator[IO[bytes]]:
        began = time.monotonic()
        try:
            with self._started(arguments, variables, min(self._deadline - began, _Patience.left)) as output:
                yield output
        finally:
            before, _Patience.left = _Patience.left, _Patience.left - (time.monotonic() - began)
            if before > 0 >= _Patience.left:
                log.warning("git took %d seconds in all, and is asked nothing more; see why it is slow", MOST_SECONDS)

    @contextlib.contextmanager
    def _started(self, arguments: tuple[str, ...], variables: Mapping[str, str], seconds: float) -> Iterator[IO[bytes]]:
        if _Patience.left <= 0:
            raise _given_up()
        with self._start(arguments, variables) as process:
            errors = _Errors(process)
            timer = threading.Timer(max(seconds, 0.01), _kill, (process,))
            timer.daemon = True
            timer.start()
            assert process.stdout is not None
            try:
                yield process.stdout
                left_early = bool(process.stdout.read(1))
                if not left_early:
                    process.wait()
            finally:
                timed_out = not timer.is_alive()
                timer.cancel()
                _kill(process)
            status = process.wait()
            if timed_out:
                raise _timed_out(arguments[0])
            if status and not left_early:
                raise _failed(self.folder, errors.read())

    def _start(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        import subprocess

        try:
            return subprocess.Popen(
                ["git", *_OPTIONS, *arguments],
                cwd=self.folder,
                env={**self._environ, **_VARIABLES, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # Without a controlling terminal, ssh cannot prompt either.
                start_new_session=True,
            )
        except FileNotFoundError:
            why, remedy = "there is no git on the PATH", "install git in this step's image"
            raise GitError(GitFailure.NOT_INSTALLED, why, remedy) from None
        except (OSError, ValueError) as error:
            remedy = "check the git of this step's image"
            raise GitError(GitFailure.NOT_STARTED, f"git cannot be run: {error}", remedy) from None


class _Errors(threading.Thread):
    """Reads the error messages of a process, and keeps the first of them."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        assert process.stderr is not None
        self._stream = process.stderr
        self._kept = b""
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # it is closed when the process has ended
            while read := os.read(self._stream.fileno(), _MAX_STDERR):
                self._kept += read[: _MAX_STDERR - len(self._kept)]

    def read(self) -> bytes:
        self.join(_SECONDS_FOR_ERRORS)
        return self._kept


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started, if it has not ended."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):  # it has ended by now
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _decoded(output: IO[bytes]) -> str:
    return output.read(MAX_OUTPUT).decode(errors="replace")


def _given_up() -> GitError:
    why = f"it took {MOST_SECONDS} seconds in all, and is asked nothing more"
    return GitError(GitFailure.GIVEN_UP, why, "see why git is slow in this checkout")


def _timed_out(command: str) -> GitError:
    return GitError(GitFailure.TIMED_OUT, f"git did not come back in time ({command})", "allow it more time")


def _failed(folder: Path, stderr: bytes) -> GitError:
    message = stderr.decode(errors="replace").strip()
    where = folder.absolute()
    if "dubious ownership" in message:
        import shlex

        # The top of the repository, which git does not take for trusted by the name of a folder below it, nor by `.`:
        # https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
        found = re.search("repository at '(.+)'", message)
        where = Path(found[1] if found else where)
        why = f"git does not trust the checkout in {where} (dubious ownership): it belongs to another user"
        remedy = f"run: git config --global --add safe.directory {shlex.quote(str(where))}"
        return GitError(GitFailure.NOT_TRUSTED, why, remedy)
    if "not a git repository" in message:
        why = f"there is no git repository in {where}"
        return GitError(GitFailure.NO_REPOSITORY, why, "run this step in the checkout")
    # A remote's address may hold a password.
    if len(stderr) >= _MAX_STDERR:
        message = message.rpartition("\n")[0]  # a line that is cut may end in half of a secret
    last = re.sub(r"\S+", _without_credentials, message.splitlines()[-1]) if message else "it says nothing"
    return GitError(GitFailure.FAILED, f"git failed: {last}", "run the step with a complete checkout of the repository")


def _without_credentials(word: re.Match[str]) -> str:
    """An address without user and password, whatever they are made of; any other word as it is."""
    scheme, separator, rest = word[0].partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
