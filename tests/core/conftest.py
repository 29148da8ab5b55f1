"""What tests of core share: an empty folder to run in, settings without a machine, and plugins made on the spot."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from jira_ci_core import Pipeline, Settings
from jira_ci_core.cli import main
from jira_ci_core.config.settings import PluginChoice
from jira_ci_core.config.sources import Sources
from jira_ci_core.output.redaction import Secrets
from jira_ci_core.plugins import discovery
from jira_ci_core.plugins.loader import Runtime, load, open_sources
from jira_ci_core.plugins.manager import Plugins
from jira_ci_core.testing import RECORDED

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: no file of settings and no repository but those a test makes."""
    where = tmp_path / "work"
    where.mkdir()
    monkeypatch.chdir(where)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return where


@pytest.fixture
def least() -> dict[str, str]:
    """The least that a run needs where no CI is known: settings and nothing else. Each test has a copy of its own."""
    return {
        "PATH": os.environ["PATH"],
        "GIT_CEILING_DIRECTORIES": os.environ["GIT_CEILING_DIRECTORIES"],
        "JIRA_CI_DISABLE_PLUGINS": "git",
        # No server listens there; through a proxy no connection is opened early.
        "JIRA_CI_HTTPS_PROXY": "http://127.0.0.1:9",
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": "acme",
        "PLUGIN_ISSUEKEYS": "MYT-1",
        "PLUGIN_PIPELINE": "acme/shop",
        "PLUGIN_RUN_NUMBER": "7",
        "PLUGIN_LINK": "https://ci.example/run/7",
        "PLUGIN_STATE": "successful",
    }


@pytest.fixture
def drone() -> dict[str, str]:
    """A Drone run whose commit names MYT-1, with the settings it needs."""
    return {
        "PATH": os.environ["PATH"],
        "GIT_CEILING_DIRECTORIES": os.environ["GIT_CEILING_DIRECTORIES"],
        "JIRA_CI_DISABLE_PLUGINS": "git",
        # No server listens there; through a proxy no connection is opened early.
        "JIRA_CI_HTTPS_PROXY": "http://127.0.0.1:9",
        "PLUGIN_PROJECT": "MYT",
        "PLUGIN_INSTANCE": "acme",
        **RECORDED["Drone"],
    }


@pytest.fixture
def settings_of() -> Callable[..., Settings]:
    """Core's settings, checked, by their names: `settings_of(environment_name="prod")`."""

    def make(**values: str) -> Settings:
        given = {"project": "MYT", "instance": "acme", **values}
        return Settings.model_validate(given)

    return make


@pytest.fixture
def pipeline_of() -> Callable[..., Pipeline]:
    """A run with a few facts."""

    def make(**facts: Any) -> Pipeline:
        return Pipeline.model_validate({"ci": "Drone", **facts})

    return make


@pytest.fixture
def load_runtime() -> Callable[..., Runtime]:
    """Checks settings and starts plugins, from an environment and flags."""

    def make(environ: Mapping[str, str], **flags: str) -> Runtime:
        return load(open_sources(environ, flags, Secrets()))

    return make


@pytest.fixture
def started() -> Callable[..., Plugins]:
    """Plugins that answer, chosen by settings: `started(disable_plugins="http")`."""

    def make(**choice: str) -> Plugins:
        plugins = Plugins(PluginChoice.model_validate(choice))
        assert not plugins.start(Sources({}))
        return plugins

    return make


@dataclass(frozen=True)
class Called:
    """What a call of the command line printed and answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


@pytest.fixture
def jira_ci(capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """The command line, called in this process: `jira_ci("report", "--dry-run", environ={…})`."""

    def call(*arguments: str, environ: Mapping[str, str] | None = None) -> Called:
        capsys.readouterr()
        code = main.call(arguments, environ or {})
        return Called(int(code), *capsys.readouterr())

    return call


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Installs a distribution with one plugin, as a package manager would: `install("tags", code)`."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules = []

    def make(
        name: str,
        code: str,
        *,
        target: str = "",
        distribution: str = "acme-jira",
        version: str = "1.2.3",
        groups: Sequence[str] = ("jira_ci",),
    ) -> str:
        module = f"plugin_of_a_test_{next(_numbers)}"
        modules.append(module)
        (site / f"{module}.py").write_text(dedent(code), encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        points = info / "entry_points.txt"
        line = f"{name} = {module}{f':{target}' if target else ''}\n"
        with points.open("a") as file:
            file.writelines(f"[{group}]\n{line}" for group in groups)
        return module

    yield make
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes packages that are installed here look as if they were not."""
    everything = discovery.plugin_entry_points

    def hide(*names: str) -> None:
        monkeypatch.setattr(
            discovery,
            "plugin_entry_points",
            lambda: [point for point in everything() if point.name not in names],
        )

    return hide
