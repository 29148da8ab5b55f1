"""The distributions: each builds alone, and its wheel holds what people and tools look for."""

from __future__ import annotations

import email
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheel of each package, as `pip install ./folder` builds it: contents by name, and the metadata."""
    built = {}
    for folder in MEMBERS:
        target = tmp_path_factory.mktemp(folder)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
        subprocess.run(command, cwd=ROOT / folder, check=True, capture_output=True)
        with zipfile.ZipFile(next(target.glob("*.whl"))) as wheel:
            names = wheel.namelist()
            [metadata] = [wheel.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
            built[folder] = names, email.message_from_string(metadata)
    return built


@pytest.mark.parametrize("folder", MEMBERS)
def test_a_wheel_holds_its_package_license_and_types(wheels, folder):
    names, metadata = wheels[folder]
    assert f"{folder}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert metadata["License-Expression"] == "Apache-2.0"
    sources = ROOT / folder / "src"
    expected = {str(file.relative_to(sources)) for file in sources.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == expected
    packages = {name.partition("/")[0] for name in expected}
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == packages


@pytest.mark.parametrize("folder", MEMBERS)
def test_a_wheel_describes_itself_by_its_own_readme(wheels, folder):
    _, metadata = wheels[folder]
    assert metadata["Name"] == folder.replace("_", "-")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]
    assert metadata.get_payload().strip() == (ROOT / folder / "README.md").read_text().strip()
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_the_templates_of_the_local_jira_are_in_its_wheel(wheels):
    names, _ = wheels["jira_ci_sandbox"]
    folder = ROOT / "jira_ci_sandbox" / "src"
    for file in (folder / "jira_ci_sandbox" / "templates").iterdir():
        assert str(file.relative_to(folder)) in names


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        ("oauth", {"jira-ci-auth-oauth"}),
        ("connect", {"jira-ci-auth-connect"}),
        ("celery", {"jira-ci-delivery-celery"}),
        ("sandbox", {"jira-ci-sandbox"}),
    ],
)
def test_an_extra_of_core_brings_its_package_and_all_brings_every_one(wheels, extra, packages):
    _, metadata = wheels["jira_ci_core"]
    assert {name for name in brought(metadata, extra) if name.startswith("jira-ci-")} == packages
    assert packages < brought(metadata, "all")


def brought(metadata, extra):
    """The names of the distributions that an extra brings."""
    texts = [text for text in metadata.get_all("Requires-Dist") if f"extra == '{extra}'" in text]
    return {text.partition(";")[0].partition(">")[0].strip() for text in texts}


@pytest.mark.parametrize("folder", MEMBERS)
def test_packages_are_released_together_under_one_version(wheels, folder):
    assert wheels[folder][1]["Version"] == wheels["jira_ci_core"][1]["Version"]
    assert f"## {wheels[folder][1]['Version']} " in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("folder", MEMBERS)
def test_the_license_is_the_same_everywhere(folder):
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
