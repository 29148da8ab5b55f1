"""What end-to-end tests need beyond a local Jira: plugins of strangers, and how errors must look."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jira_ci_core.cli.main import call
from jira_ci_sandbox.client import Sandbox


@pytest.fixture
def in_process(step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps run in this process, for tables of cases in which a process of their own would add nothing but time."""

    def run(*arguments: str, environ: Mapping[str, str | None] | None = None, **settings: object) -> Any:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(step.folder)
            code = call(arguments, {"PATH": os.environ["PATH"], **step.variables(environ, settings)})
        return step.result(int(code), *capsys.readouterr())

    monkeypatch.setattr(step, "run", run)


def encodings(secret: str) -> set[str]:
    """A secret as it is, and as it looks in base64, in hexadecimal, percent-encoded and in JSON."""
    data = secret.encode()
    inner = {
        encode(b"x" * offset + data + b"x" * (-(offset + len(data)) % 3)).decode()[4:-4]
        for offset in range(3)
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    }
    shown = {secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1], data.hex(), data.hex().upper()}
    return shown | inner


@pytest.fixture
def secrets(jira: Sandbox) -> list[str]:
    """The credentials that no output may hold; tests add the tokens and passwords of their own."""
    return [jira.client_secret, jira.connect_key]


@pytest.fixture
def clean(secrets: list[str]) -> Callable[[Any], Any]:
    """Checks of whatever a step printed that it holds no secret in any form, and no traceback."""

    def check(done: Any) -> Any:
        assert "Traceback" not in done.text
        for secret in secrets:
            assert [form for form in encodings(secret) if form in done.text] == []
        return done

    return check


@dataclass(frozen=True)
class Failure:
    """The errors of a step that failed: what happened, why, and what to do, each over all of them."""

    what: str
    why: str
    do: str
    count: int


@pytest.fixture
def failed(clean: Callable[[Any], Any]) -> Callable[..., Failure]:
    """Checks that a step failed with this exit code and with errors of three parts, and answers those."""

    def check(done: Any, code: int) -> Failure:
        clean(done)
        assert done.code == code, done.text
        parts = re.findall(r"^error: (.+)\n  why: (.+)\n  do:  (.+)$", done.err, re.MULTILINE)
        assert parts, done.err
        assert len(parts) == len(re.findall("^error: ", done.err, re.MULTILINE)), done.err
        return Failure(*("\n".join(column) for column in zip(*parts, strict=True)), count=len(parts))

    return check


@pytest.fixture
def install(tmp_path: Path, step: Any) -> Iterator[Callable[..., None]]:
    """Installs a stranger's plugin for this step: `install("name", source)`; `target` is what its entry point names.

    It is a module and the metadata of its distribution, in a folder that the step's PYTHONPATH holds.
    """
    folder = tmp_path / "plugins"
    folder.mkdir()
    step.environ["PYTHONPATH"] = str(folder)
    path, modules = list(sys.path), set(sys.modules)

    def make(name: str, source: str, target: str = "") -> None:
        module = f"stranger_{name}"
        (folder / f"{module}.py").write_text(source)
        info = folder / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[jira_ci]\n{name} = {module}{target}\n")

    yield make
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("stranger_"):
            del sys.modules[name]
