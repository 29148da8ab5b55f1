"""What development is told in several places is the same in all of them."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MEMBERS = PROJECT["tool"]["uv"]["workspace"]["members"]
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")
PINNED = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def words(text):
    return re.findall(r"[^,\s]+", text)


def tools(group):
    """The names of what a dependency group installs."""
    for entry in PROJECT["dependency-groups"][group]:
        if isinstance(entry, dict):
            yield from tools(entry["include-group"])
        else:
            yield re.match(r"[\w-]+", entry)[0]


def test_ci_runs_the_command_of_the_readme():
    block = r"<!-- test -->\n```sh\n(.+)\n```\n<!-- end -->"
    [command] = re.findall(block, (ROOT / "README.md").read_text())
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
    assert command in (ROOT / "CONTRIBUTING.md").read_text().splitlines()


@pytest.mark.parametrize("folder", MEMBERS)
def test_tox_runs_every_python_that_a_package_names(folder):
    classifiers = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [found[1] for one in classifiers if (found := re.fullmatch(r"Programming Language :: Python :: (.+)", one))]
    [full] = re.findall(r"^full = (.+)$", TOX["tox"]["labels"], re.MULTILINE)
    pythons = [TOX["testenv:lowest"]["base_python"], *(name for name in words(full) if name.startswith("py"))]
    assert named == [f"3.{python.removeprefix('py3')}" for python in pythons]


def test_each_environment_of_tox_runs_by_name_or_label():
    [full] = re.findall(r"^full = (.+)$", TOX["tox"]["labels"], re.MULTILINE)
    sections = [section.removeprefix("testenv:") for section in TOX.sections() if section.startswith("testenv:")]
    described = (ROOT / "CONTRIBUTING.md").read_text()
    for name in {*sections, *words(TOX["tox"]["env_list"]), *words(full)}:
        assert re.search(rf"`(tox -e )?{name}`", described), name


def test_before_a_commit_the_same_runs_as_in_lint():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE) == TOX["testenv:lint"]["commands"].strip().split("\n")
    assert set(re.findall(r"ruff==([\d.]+)", hooks)) == {dict(PINNED)["ruff"]}


def test_the_requirements_are_the_packages():
    lines = (ROOT / "requirements.in").read_text().splitlines()
    assert [re.sub(r"\[.+\]", "", line) for line in lines if line[0] != "#"] == [f"-e ./{name}" for name in MEMBERS]


def test_each_tool_is_pinned_and_nothing_else_is_in_the_constraints():
    assert {*tools("dev")} <= {name for name, _ in PINNED}
    assert len(PINNED) == len((ROOT / "constraints.txt").read_text().splitlines())
