"""Real repositories, and the plugin searching them."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from jira_ci_core import FoundKey, Git, Pipeline, Settings
from jira_ci_keys_git.plugin import GitKeys

_numbers = itertools.count()


class Repository:
    """A git repository; each commit is a minute later than the one before."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self._minutes = itertools.count()

    def git(self, *arguments: str, input: bytes | None = None) -> str:
        at = f"{1_700_000_000 + next(self._minutes) * 60} +0000"
        who = {
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@x",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@x",
        }
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**self.environ, **who, **dates},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode(errors="replace").strip()

    def commit(self, *messages: str) -> str:
        """Make one commit for each message, and return the id of the last."""
        for message in messages:
            self.git("commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message)
        return self.head

    def change(self, path: str, message: str) -> str:
        """Commit a change of one file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(message)
        self.git("add", path)
        return self.commit(message)

    def branch(self, name: str, at: str = "HEAD") -> None:
        self.git("checkout", "-q", "-b", name, at)

    def switch(self, name: str) -> None:
        self.git("checkout", "-q", name)

    def merge(self, branch: str, message: str = "") -> str:
        self.git("merge", "-q", "--no-ff", branch, "-m", message or f"Merge branch '{branch}'")
        return self.head

    def plant(self, messages: Iterable[bytes], encoding: bytes = b"") -> None:
        """Make commits with exactly these bytes as messages."""
        parts = [b"reset refs/heads/main\n"]
        for number, message in enumerate(messages):
            parts += [b"commit refs/heads/main\n", b"committer A <a@x> %d +0000\n" % (1_700_000_000 + number * 60)]
            parts += [b"encoding %s\n" % encoding] if encoding else []
            parts += [b"data %d\n%s\n" % (len(message), message)]
        self.git("fast-import", "--quiet", "--force", input=b"".join(parts))

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    @property
    def reader(self) -> Git:
        """Git as the plugin runs it."""
        return Git(self.folder, self.environ, 60)


@pytest.fixture(autouse=True)
def _in_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository in the working directory comes before the workspace."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def new_repository(tmp_path: Path) -> Callable[..., Repository]:
    """Makes an empty repository, or a clone: `new_repository(of=origin, depth=1)`."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    environ = {**kept, "HOME": str(home), "GIT_CEILING_DIRECTORIES": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def make(of: Repository | None = None, depth: int = 0, branch: str = "main", *options: str) -> Repository:
        folder = tmp_path / f"repository-{next(_numbers)}"
        folder.mkdir()
        made = Repository(folder, environ)
        if of is None:
            made.git("init", "-q", "-b", "main")
        else:
            cut = [f"--depth={depth}"] if depth else []
            made.git("clone", "-q", *cut, *options, "--branch", branch, f"file://{of.folder}", ".")
        return made

    return make


@pytest.fixture
def repository(new_repository: Callable[..., Repository]) -> Repository:
    """An empty repository."""
    return new_repository()


@pytest.fixture
def plugin() -> Callable[..., GitKeys]:
    """The plugin with settings, by their names without `KEYS_GIT_`: `plugin(sources="tags")`."""

    def make(**options: Any) -> GitKeys:
        names = {name if name == "deployed_tag" else f"keys_git_{name}": value for name, value in options.items()}
        return GitKeys(GitKeys.Settings.model_validate(names))

    return make


@pytest.fixture
def pipeline_of() -> Callable[..., Pipeline]:
    def make(repository: Repository, **facts: Any) -> Pipeline:
        return Pipeline.model_validate({"ci": "Drone", "workspace": str(repository.folder), **facts})

    return make


@pytest.fixture
def settings_of() -> Callable[..., Settings]:
    def make(**values: Any) -> Settings:
        return Settings.model_validate({"project": "MYT", "instance": "acme", **values})

    return make


@pytest.fixture
def find(
    plugin: Callable[..., GitKeys], pipeline_of: Callable[..., Pipeline], settings_of: Callable[..., Settings]
) -> Callable[..., dict[str, str]]:
    """The keys that are found and where: `find(repository, sources="tags", run={"commit_before": …})`."""

    def call(
        repository: Repository,
        run: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, str]:
        found = plugin(**options).jira_ci_extract_issue_keys(
            pipeline_of(repository, **(run or {})), repository.environ, settings_of(**(settings or {}))
        )
        keys = {key.key: key.source for key in found if isinstance(key, FoundKey)}
        assert len(keys) == len([key for key in found if isinstance(key, FoundKey)])
        return keys

    return call


@pytest.fixture
def numbers(find: Callable[..., dict[str, str]]) -> Callable[..., list[int]]:
    """The numbers of the keys that are found, in order."""
    return lambda *arguments, **options: [int(key.removeprefix("MYT-")) for key in find(*arguments, **options)]
