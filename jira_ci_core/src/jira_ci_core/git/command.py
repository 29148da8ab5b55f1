"""Running git in a checkout that nobody vouches for: it runs nothing, asks nobody and comes back."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from jira_ci_core.problem import Problem

# A repository's own configuration can name programs to run and change what is printed; these win over it.
_SAFE = (
    *("--no-pager", "--literal-pathspecs"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.alternateRefsCommand=:"),
    *("-c", "log.showSignature=false"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "color.ui=false"),
)
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # What a partial clone left out is not fetched behind our back, and no helper of a remote is started.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",
    # What git says is read below.
    "LC_ALL": "C",
    "LANGUAGE": "",
}

# Talking to a remote may use what the environment offers to sign in, and nothing that the repository says to run.
_SAFE_REMOTE = "-c", "credential.helper="
_REMOTE = {"GIT_ALLOW_PROTOCOL": "https:http:ssh:file"}
_UPLOAD_PACK = "--upload-pack=git-upload-pack"
_FETCH = "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--no-write-fetch-head"
# Only where the environment does not say otherwise. `true` gives an empty password, and never asks for one.
_ASK_NOBODY = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "GIT_ASKPASS": "true"}

# The settings of this step may be credentials of others, and what git traces is not for us to read.
_NOT_FOR_GIT = "PLUGIN_", "JIRA_CI_", "GIT_TRACE"

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
LONGEST_REV = 4096


class GitError(Exception):
    """Git could not answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Git:
    """Git in one folder, for a limited time. Every method raises GitError where there is no answer."""

    def __init__(self, folder: Path, environ: Mapping[str, str], seconds: float) -> None:
        self.folder = folder
        self._environ = {name: value for name, value in environ.items() if not name.startswith(_NOT_FOR_GIT)}
        self._end = time.monotonic() + seconds

    def ask(self, *arguments: str) -> str:
        """What a command answers, at most a few lines."""
        return self._run(*_SAFE, *arguments, environ=_QUIET).decode(errors="replace")

    def commit(self, rev: str) -> str | None:
        """The full id of the commit that `rev` names; None where there is none of that name here."""
        # Git would take the first of these for an option, and the others for no one commit.
        if not rev or rev.startswith(("-", "^")) or "\0" in rev or len(rev) > LONGEST_REV:
            return None
        answer = self._ask_if("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}").strip()
        return answer if _OBJECT_ID.fullmatch(answer) else None

    def in_all(self, commits: Iterable[str]) -> tuple[str, ...]:
        """The latest commits that are in the history of all of these; none where they have nothing in common."""
        return tuple(self._ask_if("merge-base", "--octopus", "--all", *commits).split())

    def remote_refs(self, remote: str, *names: str) -> dict[str, str]:
        """The refs of a remote that have one of these names, each with what it points at."""
        answer = self._ask_remote("ls-remote", "--quiet", _UPLOAD_PACK, "--", remote, *names)
        refs = (line.split("\t", 1) for line in answer.splitlines())
        return {ref: id for id, ref in refs if ref in names}

    def fetch(self, remote: str, *what: str, options: tuple[str, ...] = ()) -> None:
        """Fetch what is named. Nothing is written but objects, and where history is cut."""
        self._ask_remote("fetch", *_FETCH, _UPLOAD_PACK, *options, "--", remote, *what)

    def _ask_if(self, *arguments: str) -> str:
        """What a command answers; nothing where it says no."""
        try:
            return self.ask(*arguments)
        except _CommandFailedError:
            return ""

    def _ask_remote(self, *arguments: str) -> str:
        sign_in = {name: value for name, value in _ASK_NOBODY.items() if not self._environ.get(name)}
        answer = self._run(*_SAFE, *_SAFE_REMOTE, *arguments, environ={**_QUIET, **_REMOTE, **sign_in})
        return answer.decode(errors="replace")

    @contextlib.contextmanager
    def stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """What a command answers, as it comes. Whoever has enough of it leaves; then it is no failure."""
        import tempfile

        with tempfile.TemporaryFile() as errors, self._started(_SAFE, arguments, errors) as process:
            timer = threading.Timer(self._left(), process.kill)
            timer.daemon = True
            timer.start()
            assert process.stdout is not None
            try:
                yield process.stdout
                enough = bool(process.stdout.read(1))
                if not enough:
                    process.wait()
            finally:
                timed_out = not timer.is_alive()
                timer.cancel()
                process.kill()
            code = process.wait()
            if timed_out:
                raise _too_slow(arguments)
            if code and not enough:
                errors.seek(0)
                raise _failure(self.folder, errors.read(4096))

    def _left(self) -> float:
        return max(self._end - time.monotonic(), 0.01)

    def _started(self, safe: tuple[str, ...], arguments: tuple[str, ...], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        with _explained():
            return subprocess.Popen(
                ["git", *safe, *arguments],
                cwd=self.folder,
                env={**self._environ, **_QUIET},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def _run(self, *arguments: str, environ: Mapping[str, str]) -> bytes:
        with _explained():
            try:
                done = subprocess.run(
                    ["git", *arguments],
                    cwd=self.folder,
                    env={**self._environ, **environ},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=self._left(),
                    # Without a terminal of its own, so that also ssh has nobody to ask.
                    start_new_session=True,
                )
            except subprocess.TimeoutExpired:
                raise _too_slow(arguments) from None
        if done.returncode:
            raise _failure(self.folder, done.stderr)
        return done.stdout


class _CommandFailedError(GitError):
    """Git works here, and says no."""


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise GitError(
            Problem(
                "the commits of this change cannot be read",
                "there is no git on the PATH",
                "install git in this step's image, or leave this out with DISABLE_PLUGINS=git",
            )
        ) from None
    except (OSError, ValueError) as error:
        raise GitError(
            Problem(
                "the commits of this change cannot be read",
                f"git cannot be run: {error}",
                "check the git of this step's image, or leave this out with DISABLE_PLUGINS=git",
            )
        ) from None


def _too_slow(arguments: tuple[str, ...]) -> GitError:
    command = next((word for word in arguments if word in ("log", "fetch", "for-each-ref")), "a command")
    return GitError(
        Problem(
            "the commits of this change cannot all be read",
            f"git did not come back in time ({command})",
            "allow it more with PLUGIN_TIMEOUT, or name a later commit with KEYS_GIT_SINCE",
        )
    )


def _failure(folder: Path, stderr: bytes) -> GitError:
    said = stderr.decode(errors="replace").strip()
    what = "the commits of this change cannot be read"
    if "dubious ownership" in said:
        where = folder.absolute()
        return GitError(
            Problem(
                what,
                f"git does not trust the checkout in {where} (dubious ownership): it belongs to another user",
                f"run: git config --global --add safe.directory {where}",
            )
        )
    if "not a git repository" in said:
        return GitError(
            Problem(
                what,
                f"there is no git repository in {folder.absolute()}",
                "run this step in the checkout, or leave this out with DISABLE_PLUGINS=git",
            )
        )
    # Never a password in an address.
    last = re.sub(r"://[^/\s@]*@", "://", said.splitlines()[-1][:500]) if said else "it says nothing"
    return _CommandFailedError(
        Problem(what, f"git failed: {last}", "run the step with a complete checkout of the repository")
    )
